#include "edge/acme.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/writer.h"
#include "edge/call.h"
#include "edge/tls_challenge.h"
#include "edge/tls_room.h"
#include "edge/tls_self.h"

#define PATH_SIZE   4096u
#define LINE_SIZE   1024u
#define DOMAINS_MAX 100u
#define TOKENS_MAX  DOMAINS_MAX
#define PATIENCE_MS 600000u /* of one run of uacme */
#define LONGEST_MS  86400000u
#define SELF_DAYS   90
#define OUT_OF_TIME "it did not end in time"

/* What an authority may ask for. */
struct challenge {
	char token[128];
	char answer[256];
};

static struct {
	uv_loop_t *loop;
	uv_timer_t timer, patience;
	uv_process_t uacme;
	uv_pipe_t words, wire; /* what uacme prints; what its hook asks */
	unsigned open;         /* of these three handles */
	bool started, stopping;
	bool runs;
	bool registers;  /* this run is "new", and "issue" comes behind it */
	bool again;      /* the settings changed while it ran */
	bool registered; /* an account is known to be there */
	int64_t status;  /* of the last run */
	char data[PATH_SIZE], hook[PATH_SIZE];
	char word[LINE_SIZE], ask[LINE_SIZE];
	size_t word_len, ask_len;
	char *argv[DOMAINS_MAX + 24];
	char texts[8][PATH_SIZE + 64];
	char names[DOMAINS_MAX][256];
	struct challenge tokens[TOKENS_MAX];
	struct acme_state state;
	char error[LINE_SIZE];
	char wanted[16384]; /* the settings that were looked at last, in a row */
	char domain[256];
} acme OWNED_BY(on_control);

RUNS_ON(on_control) static void acme_run(void);

/* --- what is said of it --------------------------------------------------------------------- */

const char *acme_phase_text(enum acme_phase phase)
{
	static const char *const texts[] = {
		[ACME_OFF] = "off",       [ACME_RUNNING] = "running", [ACME_GOOD] = "good",
		[ACME_FAILED] = "failed", [ACME_WAITING] = "waiting",
	};

	return texts[phase];
}

struct acme_state acme_state(void)
{
	acme.state.error = acme.error;
	acme.state.domain = acme.domain;
	return acme.state;
}

/* --- files ---------------------------------------------------------------------------------- */

void acme_place(const char *data, const char *hook)
{
	snprintf(acme.data, sizeof acme.data, "%s", data);
	snprintf(acme.hook, sizeof acme.hook, "%s", hook);
}

const char *acme_data(void)
{
	return acme.data;
}

static bool is_there(const char *file)
{
	return access(file, R_OK) == 0;
}

/* uacme makes neither the data directory nor its own below it. */
RUNS_ON(on_control) static bool directory_make(void)
{
	char path[PATH_SIZE + 16];

	snprintf(path, sizeof path, "%s", acme.data);
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return false;
	snprintf(path, sizeof path, "%s/acme", acme.data);
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool acme_files(const struct tls_conf *conf, bool make, char *certificate, char *key, size_t size,
		char *fault, size_t fault_size)
{
	const char *first = conf->acme_domains.count ? conf->acme_domains.at[0] : NULL;

	if (!first)
		return false;
	snprintf(certificate, size, "%s/acme/%s/cert.pem", acme.data, first);
	snprintf(key, size, "%s/acme/private/%s/key.pem", acme.data, first);
	if (is_there(certificate) && is_there(key))
		return true;
	snprintf(certificate, size, "%s/acme/self-signed.pem", acme.data);
	snprintf(key, size, "%s", certificate);
	if (!make)
		return true;
	if (directory_make() && tls_self_write(certificate, &conf->acme_domains, SELF_DAYS))
		return true;
	snprintf(fault, fault_size, "the certificate %s: %s", certificate, strerror(errno));
	return false;
}

/* --- challenges ----------------------------------------------------------------------------- */

RUNS_ON(on_control) static struct challenge *challenge_find(struct bytes name)
{
	for (size_t i = 0; i < TOKENS_MAX; i++)
		if (acme.tokens[i].token[0] && bytes_equal(name, bytes_str(acme.tokens[i].token)))
			return &acme.tokens[i];
	return NULL;
}

/* RFC 8555 section 8.3. An authority asks from several places: a token stays until uacme is done. */
static void answer_challenge(struct call *call)
{
	struct bytes name =
		bytes_skip(call->request.path, BYTES("/.well-known/acme-challenge/").len);
	const struct challenge *token;

	enter_control();
	token = challenge_find(name);
	if (token) {
		call->reply.status = 200;
		call->reply.type = "application/octet-stream";
		buffer_put(&call->reply.body, bytes_str(token->answer));
	} else {
		reply_text(&call->reply, 404, "no such token here");
	}
	call_reply(call);
}

RUNS_ON(on_worker) static void serve_challenge(struct conn *conn)
{
	conn_call(conn, answer_challenge);
}

const struct route acme_routes[] = {
	{"/.well-known/acme-challenge/", METHOD_GET | METHOD_HEAD, serve_challenge, NULL},
	{0},
};

static bool challenge_put(struct challenge *token, struct bytes name, struct bytes answer)
{
	if (name.len == 0 || name.len >= sizeof token->token || answer.len >= sizeof token->answer)
		return false;
	bytes_to_str(name, token->token, sizeof token->token);
	bytes_to_str(answer, token->answer, sizeof token->answer);
	return true;
}

/* A line of the hook: METHOD TYPE IDENT TOKEN AUTH. False: we decline. */
RUNS_ON(on_control) static bool hook_line(struct bytes line)
{
	struct bytes method = bytes_cut(&line, ' '), type = bytes_cut(&line, ' ');
	struct bytes ident = bytes_cut(&line, ' '), name = bytes_cut(&line, ' ');
	bool alpn = tls_settings()->acme_challenge == TLS_ACME_ALPN;
	struct challenge *token = challenge_find(name);

	if (!bytes_equal(type, alpn ? BYTES("tls-alpn-01") : BYTES("http-01")))
		return false;
	if (!bytes_equal(method, BYTES("begin"))) {
		if (alpn)
			tls_challenge_end(ident);
		else if (token)
			token->token[0] = '\0';
		return true;
	}
	if (alpn)
		return tls_challenge_begin(ident, line);
	for (size_t i = 0; !token && i < TOKENS_MAX; i++)
		if (!acme.tokens[i].token[0])
			token = &acme.tokens[i];
	return token && challenge_put(token, name, line);
}

/* --- uacme ---------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void acme_plan(uint64_t ms);

/* How a run ended: 0 a certificate was issued, 1 none is due, else it failed. */
RUNS_ON(on_control) static void acme_ended(void)
{
	const struct tls_conf *conf = tls_settings();
	int64_t now = wall_now_us() / 1000000;
	uint64_t later;

	acme.runs = false;
	/* The settings, the timer and the challenges have gone before uacme has. */
	if (acme.stopping)
		return;
	later = conf->acme_retry;
	uv_timer_stop(&acme.patience);
	memset(acme.tokens, 0, sizeof acme.tokens);
	tls_challenge_end_all();
	if (acme.again) {
		acme.again = false;
		acme_retry();
		return;
	}
	if (acme.registers && acme.status == 0) {
		acme.registered = true;
		acme_run();
		return;
	}
	if (!acme.registers && (acme.status == 0 || acme.status == 1)) {
		if (acme.status == 0) {
			acme.state.obtained = now;
			log_info("edge", "certificate obtained", kv_str("name", acme.domain));
		}
		acme.state.phase = ACME_GOOD;
		acme.state.failures = 0;
		acme.error[0] = '\0';
		tls_look();
		acme_plan(conf->acme_check);
		return;
	}
	acme.registered = false;
	acme.state.phase = ACME_FAILED;
	metric_add(METRIC_edge_tls_acme_failures, 1);
	for (unsigned i = 0; i < acme.state.failures && later < LONGEST_MS; i++)
		later *= 2;
	acme.state.failures++;
	if (later > LONGEST_MS)
		later = LONGEST_MS;
	log_error("edge", "certificate not obtained", kv_str("name", acme.domain),
		  kv_i64("status", acme.status), kv_str("why", acme.error), kv_ms("again", later));
	acme_plan(later);
}

static void on_part_closed(uv_handle_t *handle)
{
	(void)handle;
	enter_control();
	if (--acme.open == 0)
		acme_ended();
}

static void on_exit_(uv_process_t *process, int64_t status, int signal)
{
	enter_control();
	acme.status = signal ? 128 + signal : status;
	uv_close((uv_handle_t *)process, on_part_closed);
}

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	static char room[LINE_SIZE];

	(void)handle;
	(void)size;
	*buf = uv_buf_init(room, sizeof room);
}

/* Adds what came to a line; true with each whole one, of which the rest waits in *in. */
static bool line_take(struct bytes *in, char *line, size_t *len)
{
	while (in->len) {
		char c = (char)in->at[0];

		*in = bytes_skip(*in, 1);
		if (c == '\n') {
			line[*len] = '\0';
			*len = 0;
			return true;
		}
		if (*len < LINE_SIZE - 1)
			line[(*len)++] = c;
	}
	return false;
}

/* What it says last is why it failed. */
static void on_words(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct bytes in;

	enter_control();
	if (n < 0) {
		uv_close((uv_handle_t *)stream, on_part_closed);
		return;
	}
	in = bytes_of(buf->base, (size_t)n);
	while (line_take(&in, acme.word, &acme.word_len)) {
		log_debug("edge", "uacme", kv_str("says", acme.word));
		if (acme.word[0])
			snprintf(acme.error, sizeof acme.error, "%s", acme.word);
	}
}

static void on_asked(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct bytes in;

	enter_control();
	if (n < 0) {
		uv_close((uv_handle_t *)stream, on_part_closed);
		return;
	}
	in = bytes_of(buf->base, (size_t)n);
	while (line_take(&in, acme.ask, &acme.ask_len)) {
		bool done = hook_line(bytes_str(acme.ask));
		char byte = done ? '0' : '1';
		uv_buf_t answer = uv_buf_init(&byte, 1);

		log_debug("edge", "acme challenge", kv_str("asked", acme.ask),
			  kv_bool("taken", done));
		(void)uv_try_write(stream, &answer, 1);
	}
}

static void on_impatient(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	log_warnx("edge", "uacme is ended", kv_str("why", OUT_OF_TIME));
	uv_process_kill(&acme.uacme, SIGKILL);
}

/* --- running it ----------------------------------------------------------------------------- */

/* uacme takes an authority's certificate from the system's list alone until 1.7.6: there it sees ours
 * in that list's place. */
#define WITH_CA_FILE                                                                           \
	"mount --bind -- \"$0\" /etc/ssl/certs/ca-certificates.crt && UACME_CAINFO=\"$0\" && " \
	"export UACME_CAINFO && exec \"$@\""

RUNS_ON(on_control) static char *text(unsigned i, const char *value, const char *below)
{
	snprintf(acme.texts[i], sizeof acme.texts[i], "%s%s", value, below);
	return acme.texts[i];
}

RUNS_ON(on_control) static void arguments_make(const struct tls_conf *conf)
{
	static char unshare[] = "unshare", sh[] = "sh", c[] = "-c", script[] = WITH_CA_FILE;
	static char root[] = "-m", user[] = "-rm", v[] = "-v", y[] = "-y", o[] = "-o", t[] = "-t",
		    ec[] = "EC", a[] = "-a", h[] = "-h", d[] = "-d", confdir[] = "-c",
		    new_[] = "new", issue[] = "issue";
	char days[24];
	size_t n = 0;

	if (conf->acme_ca_file[0]) {
		acme.argv[n++] = unshare;
		acme.argv[n++] = geteuid() == 0 ? root : user;
		acme.argv[n++] = sh;
		acme.argv[n++] = c;
		acme.argv[n++] = script;
		acme.argv[n++] = text(0, conf->acme_ca_file, "");
	}
	snprintf(days, sizeof days, "%llu", (unsigned long long)(conf->acme_renew / 86400000));
	acme.argv[n++] = text(1, conf->acme_program, "");
	acme.argv[n++] = v;
	acme.argv[n++] = y;
	acme.argv[n++] = confdir;
	acme.argv[n++] = text(2, acme.data, "/acme");
	acme.argv[n++] = a;
	acme.argv[n++] = text(3, conf->acme_directory, "");
	acme.argv[n++] = h;
	acme.argv[n++] = text(4, acme.hook, "");
	acme.argv[n++] = o;
	acme.argv[n++] = d;
	acme.argv[n++] = text(5, days, "");
	acme.argv[n++] = t;
	acme.argv[n++] = ec;
	if (acme.registers) {
		acme.argv[n++] = new_;
		if (conf->acme_email[0])
			acme.argv[n++] = text(6, conf->acme_email, "");
	} else {
		acme.argv[n++] = issue;
		for (size_t i = 0; i < conf->acme_domains.count && i < DOMAINS_MAX; i++) {
			snprintf(acme.names[i], sizeof acme.names[i], "%s",
				 conf->acme_domains.at[i]);
			acme.argv[n++] = acme.names[i];
		}
	}
	acme.argv[n] = NULL;
}

RUNS_ON(on_control) static int acme_spawn(void)
{
	uv_stdio_container_t stdio[4] = {
		{.flags = UV_IGNORE},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&acme.words},
		{.flags = UV_IGNORE},
		{.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&acme.wire},
	};
	uv_process_options_t options = {
		.file = acme.argv[0],
		.args = acme.argv,
		.exit_cb = on_exit_,
		.stdio = stdio,
		.stdio_count = COUNT_OF(stdio),
	};
	int error;

	/* uacme speaks on standard error. */
	stdio[2] = stdio[1];
	stdio[1] = (uv_stdio_container_t){.flags = UV_IGNORE};
	uv_pipe_init(acme.loop, &acme.words, 0);
	uv_pipe_init(acme.loop, &acme.wire, 0);
	acme.open = 3;
	error = uv_spawn(acme.loop, &acme.uacme, &options);
	if (error) {
		snprintf(acme.error, sizeof acme.error, "%s: %s", acme.argv[0], uv_strerror(error));
		acme.status = error;
		uv_close((uv_handle_t *)&acme.uacme, on_part_closed);
		uv_close((uv_handle_t *)&acme.words, on_part_closed);
		uv_close((uv_handle_t *)&acme.wire, on_part_closed);
		return error;
	}
	uv_read_start((uv_stream_t *)&acme.words, on_room, on_words);
	uv_read_start((uv_stream_t *)&acme.wire, on_room, on_asked);
	uv_timer_start(&acme.patience, on_impatient, PATIENCE_MS, 0);
	return 0;
}

static void acme_run(void)
{
	const struct tls_conf *conf = tls_settings();
	char certificate[PATH_SIZE + 300], key[PATH_SIZE + 300];

	if (acme.runs || conf->acme_domains.count == 0)
		return;
	snprintf(acme.domain, sizeof acme.domain, "%s", conf->acme_domains.at[0]);
	snprintf(certificate, sizeof certificate, "%s/acme/%s/cert.pem", acme.data, acme.domain);
	snprintf(key, sizeof key, "%s/acme/private/key.pem", acme.data);
	/* An account is asked for when there is none, or when what we have did not work. */
	acme.registers = !acme.registered &&
			 (acme.state.failures || !is_there(certificate) || !is_there(key));
	acme.runs = true;
	acme.state.phase = ACME_RUNNING;
	acme.state.tried = wall_now_us() / 1000000;
	acme.state.next = 0;
	acme.word_len = acme.ask_len = 0;
	(void)directory_make(); /* uacme says what is wrong with it */
	arguments_make(conf);
	(void)acme_spawn();
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_time(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	acme_run();
}

static void acme_plan(uint64_t ms)
{
	acme.state.next = wall_now_us() / 1000000 + (int64_t)(ms / 1000);
	uv_timer_start(&acme.timer, on_time, ms, 0);
}

/* False: the settings are those that were looked at last. A reload for another reason must not make an
 * authority be asked more often than it bears. */
RUNS_ON(on_control) static bool wants_other(const struct tls_conf *conf)
{
	static char now[sizeof acme.wanted];
	struct writer w = writer_of(now, sizeof now - 1);

	for (size_t i = 0; i < conf->acme_domains.count; i++) {
		writer_str(&w, conf->acme_domains.at[i]);
		writer_u8(&w, '\n');
	}
	writer_str(&w, conf->acme_directory);
	writer_u8(&w, '\n');
	writer_str(&w, conf->acme_email);
	writer_u8(&w, '\n');
	writer_str(&w, conf->acme_program);
	writer_u8(&w, '\n');
	writer_str(&w, conf->acme_ca_file);
	writer_u8(&w, (uint8_t)('0' + conf->acme_challenge));
	now[w.len] = '\0';
	if (strcmp(now, acme.wanted) == 0)
		return false;
	memcpy(acme.wanted, now, w.len + 1);
	return true;
}

void acme_retry(void)
{
	if (!acme.started || tls_settings()->acme_domains.count == 0)
		return;
	acme.again = acme.runs;
	if (acme.runs)
		return;
	acme.state.failures = 0;
	acme.registered = false;
	acme_plan(0);
}

void acme_reload(void)
{
	const struct tls_conf *conf = tls_settings();

	if (!acme.started || !wants_other(conf))
		return;
	if (conf->acme_domains.count == 0) {
		uv_timer_stop(&acme.timer);
		acme.state = (struct acme_state){.phase = ACME_OFF};
		return;
	}
	if (!acme.hook[0])
		log_error("edge", "certificates cannot be had: a program is not there",
			  kv_str("program", "ringmain-acme-hook"));
	snprintf(acme.domain, sizeof acme.domain, "%s", conf->acme_domains.at[0]);
	if (!acme.runs)
		acme.state.phase = ACME_WAITING;
	acme_retry();
}

void acme_start(uv_loop_t *loop)
{
	acme.loop = loop;
	uv_timer_init(loop, &acme.timer);
	uv_timer_init(loop, &acme.patience);
	acme.started = true;
	acme_reload();
}

void acme_stop(void)
{
	if (!acme.started)
		return;
	acme.stopping = true;
	acme.started = false;
	if (acme.runs)
		uv_process_kill(&acme.uacme, SIGTERM);
	uv_close((uv_handle_t *)&acme.timer, NULL);
	uv_close((uv_handle_t *)&acme.patience, NULL);
}
