#include "edge/setup.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "edge/api_people.h"
#include "edge/people.h"

#define CODE_BYTES  16u
#define CODE_LENGTH (2u * CODE_BYTES)

static const char *data OWNED_BY(on_control);
static bool in_settings OWNED_BY(on_control);
static char code[CODE_LENGTH + 1] OWNED_BY(on_control); /* "": there is none */

/* --- the code ------------------------------------------------------------------------------- */

RUNS_ON(on_control) static const char *code_path(char path[4096])
{
	snprintf(path, 4096, "%s/setup-code", data);
	return path;
}

static bool is_code(const char *text)
{
	return strlen(text) == CODE_LENGTH && strspn(text, "0123456789abcdef") == CODE_LENGTH;
}

/* The one of an earlier start, which somebody may have written down. */
RUNS_ON(on_control) static bool code_read(void)
{
	char path[4096], text[CODE_LENGTH + 2];
	FILE *file = fopen(code_path(path), "re");
	bool found;

	if (!file)
		return false;
	found = fgets(text, sizeof text, file) != NULL;
	fclose(file);
	if (!found)
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (!is_code(text))
		return false;
	memcpy(code, text, sizeof code);
	return true;
}

/* Where it cannot be kept the next start has another. */
RUNS_ON(on_control) static void code_keep(void)
{
	char path[4096], line[CODE_LENGTH + 2];
	int fd = open(code_path(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int len = snprintf(line, sizeof line, "%s\n", code);

	if (fd == -1 || write(fd, line, (size_t)len) != len)
		log_warnx("edge", "setup code not kept", kv_str("file", path));
	if (fd != -1)
		close(fd);
	sodium_memzero(line, sizeof line);
}

RUNS_ON(on_control) static void code_forget(void)
{
	char path[4096];

	sodium_memzero(code, sizeof code);
	(void)unlink(code_path(path));
}

/* --- whether -------------------------------------------------------------------------------- */

static bool has_administrator(void)
{
	const struct account_book *book = account_book();

	for (uint32_t i = 0; i < book->account_count; i++)
		if (book->accounts[i].rights.rank == RANK_ADMIN)
			return true;
	return false;
}

/* And makes a code when it has come to be so: a few bytes, once in the life of a server. */
RUNS_ON(on_control) static bool is_needed(void)
{
	if (in_settings || !people_loaded() || has_administrator()) {
		if (code[0])
			code_forget();
		return false;
	}
	if (code[0])
		return true;
	if (!code_read()) {
		auth_random_hex(code, CODE_BYTES);
		code_keep();
	}
	log_warnx("edge", "no administrator yet", kv_str("page", "/admin/login"),
		  kv_secret("code", code));
	return true;
}

const char *setup_code(void)
{
	return is_needed() ? code : "";
}

void setup_start(const char *directory, bool given)
{
	data = directory;
	setup_reload(given);
}

void setup_reload(bool given)
{
	in_settings = given;
	(void)is_needed();
}

/* --- over the API --------------------------------------------------------------------------- */

RUNS_ON(on_control)
static void answer_setup(struct call *call, const struct api_input *input)
{
	(void)input;
	api_answer(call, json_pack("{s:b}", "needed", is_needed()));
}

/* Asked again when its turn comes: somebody else may have been faster. */
static bool may_be_made(struct call *call)
{
	enter_control();
	if (is_needed())
		return true;
	api_fault(call, 409, "not_needed", "there is an administrator already");
	return false;
}

static void was_made(const struct call *call, const char *user)
{
	char address[ADDRESS_TEXT_MAX + 1];

	enter_control();
	code_forget();
	log_info("edge", "administrator made", kv_str("user", user),
		 kv_str("address", address_text(&call->request.peer, address)));
}

static bool is_right(const char *given)
{
	struct bytes ours = bytes_str(code), theirs = bytes_str(given);
	uint8_t a[AUTH_DIGEST_SIZE], b[AUTH_DIGEST_SIZE];

	enter_control();
	auth_digest(a, &ours, 1);
	auth_digest(b, &theirs, 1);
	return code[0] && auth_same(a, b);
}

RUNS_ON(on_control) static void refuse_wait(struct call *call, unsigned wait_s)
{
	char number[16];

	snprintf(number, sizeof number, "%u", wait_s);
	reply_header(&call->reply, "Retry-After", bytes_str(number));
	api_fault(call, 429, "wait", "too many wrong codes");
}

/* Whether the code is right; false when it was answered. */
RUNS_ON(on_control) static bool code_fits(struct call *call, const char *given)
{
	struct bytes parts[] = {bytes_str(given), bytes_str(code)};
	struct lockout_rules rules = access_lockout_rules();
	struct lockout_try attempt = lockout_try_of(LOCKOUT_SETUP, &call->request.peer,
						    BYTES("setup"), parts, COUNT_OF(parts));
	unsigned wait_s;
	enum lockout_word word = lockout_ask(&rules, &attempt, mono_now(), &wait_s);

	if (word == LOCKOUT_WAIT) {
		refuse_wait(call, wait_s);
		return false;
	}
	if (is_right(given))
		return true;
	if (word == LOCKOUT_GO)
		access_count_wrong(&call->request, "setup", &attempt);
	api_fault(call, 403, "bad_token", "that is not the code that the server printed");
	return false;
}

RUNS_ON(on_control)
static void answer_make(struct call *call, const struct api_input *input)
{
	const char *token = api_text(input, "token"), *user = api_text(input, "user");
	const char *password = api_text(input, "password");

	if (!may_be_made(call))
		return;
	if (access_is_foreign(&call->request)) {
		api_fault(call, 403, "foreign", "this request came from another site");
		return;
	}
	if (!token || !user || !password) {
		api_fault(call, 400, "incomplete", "token, user and password are wanted");
		return;
	}
	if (code_fits(call, token))
		people_make_administrator(call, user, password, may_be_made, was_made);
}

const struct api_operation setup_operations[] = {
	{"GET", API_ROOT "/setup", RANK_NONE, answer_setup,
	 "Whether the server has no administrator yet.", NULL, "Setup", NULL},
	{"POST", API_ROOT "/setup", RANK_NONE, answer_make,
	 "Makes the first administrator, with the code that the server printed.",
	 "NewAdministrator", NULL, NULL},
	{0},
};
