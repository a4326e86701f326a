/* ringmain-pam: asks PAM about one login, and is no more.
 *
 *   standard input ── DIRECTORY \0 SERVICE \0 USER \0 PASSWORD \0 ADDRESS \0 ──▶
 *                  ◀── "+", or "-" and why not, or "?" and why it is not known ──
 *
 * Standard input is a socket, and the answer goes there too: nobody finds a password in a list of
 * processes. Modules have no way to it.
 *
 *   the first process: waits until the second is gone, or nobody wants the answer any more
 *     └─ the second: PAM
 *         └─ what modules start, in sessions of their own too: gone with the first
 *
 * See src/edge/pam_login.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROMPTS_MAX 8

struct login {
	const char *directory; /* with the service's rules; empty: PAM's own */
	const char *service, *user, *password, *address;
	int prompts; /* that a module may still have */
};

static void answer(int fd, char mark, const char *why)
{
	char text[200];
	int len = snprintf(text, sizeof text, "%c%s\n", mark, why);

	(void)!send(fd, text, len < (int)sizeof text ? (size_t)len : sizeof text - 1, MSG_NOSIGNAL);
}

/* Fields that end with a NUL each; false: there are not five. */
static bool split(char *text, size_t len, struct login *login)
{
	const char **const fields[] = {&login->directory, &login->service, &login->user,
				       &login->password, &login->address};
	char *const end = text + len;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		char *stop = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

		if (!stop)
			return false;
		*fields[i] = text;
		text = stop + 1;
	}
	return text == end;
}

/* A line that is shown is the name's, one that is not is the password's. */
static char *word_for(const struct login *login, int style)
{
	switch (style) {
	case PAM_PROMPT_ECHO_OFF: return strdup(login->password);
	case PAM_PROMPT_ECHO_ON: return strdup(login->user);
	default: return NULL;
	}
}

static int converse(int count, const struct pam_message **messages, struct pam_response **responses,
		    void *data)
{
	struct login *login = data;
	struct pam_response *made;

	if (count <= 0 || count > PAM_MAX_NUM_MSG || count > login->prompts)
		return PAM_CONV_ERR;
	login->prompts -= count;
	made = calloc((size_t)count, sizeof *made);
	for (int i = 0; made && i < count; i++)
		made[i].resp = word_for(login, messages[i]->msg_style);
	*responses = made;
	return made ? PAM_SUCCESS : PAM_BUF_ERR;
}

/* Who guesses is slowed down by the server, for all that it asks. */
static void no_delay(int result, unsigned microseconds, void *data)
{
	(void)result;
	(void)microseconds;
	(void)data;
}

/* A module may have made another user of him: then it is not he who is let in. */
static int same_user(pam_handle_t *pam, const char *user)
{
	const void *now = NULL;
	int result = pam_get_item(pam, PAM_USER, &now);

	if (result == PAM_SUCCESS && (!now || strcmp(now, user) != 0))
		return PAM_USER_UNKNOWN;
	return result;
}

static int ask(pam_handle_t *pam, const struct login *login)
{
	const union {
		void (*function)(int result, unsigned microseconds, void *data);
		const void *item;
	} delay = {no_delay};
	int result = pam_set_item(pam, PAM_FAIL_DELAY, delay.item);

	if (result == PAM_SUCCESS && login->address[0])
		result = pam_set_item(pam, PAM_RHOST, login->address);
	if (result == PAM_SUCCESS)
		result = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (result == PAM_SUCCESS)
		result = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	return result == PAM_SUCCESS ? same_user(pam, login->user) : result;
}

static char mark_of(int result)
{
	switch (result) {
	case PAM_SUCCESS: return '+';
	case PAM_SYSTEM_ERR: /* says pam_exec where the program that it started says no */
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_PERM_DENIED:
	case PAM_MAXTRIES:
	case PAM_ACCT_EXPIRED:
	case PAM_CRED_EXPIRED:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD: return '-';
	default: return '?';
	}
}

static void look(int fd, struct login *login)
{
	struct pam_conv conversation = {converse, login};
	pam_handle_t *pam = NULL;
	char why[160];
	int result;

	result = pam_start_confdir(login->service, login->user, &conversation,
				   login->directory[0] ? login->directory : NULL, &pam);
	if (result == PAM_SUCCESS)
		result = ask(pam, login);
	snprintf(why, sizeof why, "%s", pam_strerror(pam, result));
	if (pam)
		pam_end(pam, result);
	answer(fd, mark_of(result), why);
}

/* Those that have lost their parent are ours too. False: nothing was killed. */
static bool kill_children(void)
{
	char path[64], list[4096], *at = list, *end;
	bool any = false;
	size_t len;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	if (!file)
		return false;
	len = fread(list, 1, sizeof list - 1, file);
	fclose(file);
	list[len] = '\0';
	/* A number that was cut off at the end is not followed by a blank; it comes the next time. */
	for (long pid; (pid = strtol(at, &end, 10)) > 1 && *end == ' '; at = end)
		any |= kill((pid_t)pid, SIGKILL) == 0;
	return any;
}

/* Until the login is done, or whoever asked has closed his end. */
static void watch(int fd, pid_t pid)
{
	struct pollfd looked_at[] = {{.fd = fd}, {.fd = pidfd_open(pid, 0), .events = POLLIN}};

	while (poll(looked_at, 2, -1) == -1 && errno == EINTR)
		continue;
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	while (kill_children() && wait(NULL) > 0)
		continue;
}

int main(void)
{
	static char text[2048];
	const struct rlimit none = {0, 0};
	struct login login = {.prompts = PROMPTS_MAX};
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ssize_t n;
	pid_t pid, first = getpid();

	if (fd == -1 || null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1)
		return 1;
	/* Its memory is nobody's to look at. */
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	n = recv(fd, text, sizeof text, 0);
	if (n <= 0 || !split(text, (size_t)n, &login))
		return 1;
	pid = fork();
	if (pid == -1)
		return 1;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Or the first one was gone before that was said. */
		if (getppid() == first)
			look(fd, &login);
	} else {
		explicit_bzero(text, sizeof text);
		watch(fd, pid);
	}
	return 0;
}
