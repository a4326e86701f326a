/* ZNC's module savebuff: buffers on disk, each a file in Blowfish (CFB of 64 bits) by the MD5 of a password: that of its
 * arguments, a fixed one where there is none, or one that only its user knows (--ask-pass, setpass):
 *
 *   ::__:CHANBUFF:__::#ring
 *   @1700000000,123456 :bob!b@h PRIVMSG #ring {text}
 *   hello
 *
 * In {} stands what is filled in; \ takes its meaning from what is behind it. Before 1.6 there is ::__:SAVEBUFF:__:: and no
 * name; the file is called by the MD5 of the user's name and the channel's, so one that its lines name is it or is not. */
#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "import.h"

#define FILE_MOST 16000000
#define CHANNEL   "::__:CHANBUFF:__::"
#define QUERY     "::__:QUERYBUFF:__::"
#define OLD       "::__:SAVEBUFF:__::" /* before 1.6 */
#define NAME_MOST 200
#define NOBODYS   "::__:NOPASS:__::"

/* What is in the file, in place of it. */
static bool decipher(const char *password, const unsigned char *in, size_t len, unsigned char *out)
{
	unsigned char key[16], iv[8] = {0};
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int done = 0;
	bool good = context &&
		    EVP_Digest(password, strlen(password), key, NULL, EVP_md5(), NULL) == 1 &&
		    EVP_DecryptInit_ex(context, EVP_bf_cfb64(), NULL, key, iv) == 1 &&
		    EVP_DecryptUpdate(context, out, &done, in, (int)len) == 1 && done == (int)len;

	EVP_CIPHER_CTX_free(context);
	return good;
}

static unsigned char *file_read(const char *path, size_t *len)
{
	FILE *in = fopen(path, "rbe");
	struct stat about;
	unsigned char *text = NULL;

	*len = 0;
	if (!in)
		return NULL;
	if (fstat(fileno(in), &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 &&
	    about.st_size < FILE_MOST)
		text = malloc((size_t)about.st_size + 1);
	if (text)
		*len = fread(text, 1, (size_t)about.st_size, in);
	fclose(in);
	return text;
}

/* --- lines ------------------------------------------------------------------------------------ */

struct buffer {
	struct import_lines lines;
	const char *nick;
	int64_t last_ms;
	unsigned strange;
};

static void put(char *out, size_t size, size_t *len, const char *text, size_t n)
{
	if (*len + n < size)
		memcpy(out + *len, text, n);
	*len += n;
}

/* False: it does not fit, or is not said by anybody. */
static bool fill(const char *format, const char *text, const char *nick, char *out, size_t size)
{
	bool is_last = false; /* of the parameters, by a colon (RFC 2812 section 2.3.1) */
	size_t len = 0;

	/* Those that ZNC itself says. */
	if (format[0] != ':' || format[1] == '*')
		return false;
	while (*format) {
		if (strncmp(format, "{text}", 6) == 0) {
			put(out, size, &len, ":", !is_last);
			put(out, size, &len, text, strlen(text));
			format += 6;
		} else if (strncmp(format, "{target}", 8) == 0) {
			put(out, size, &len, nick, strlen(nick));
			format += 8;
		} else {
			is_last |= format[0] == ':' && len && len < size && out[len - 1] == ' ';
			format += format[0] == '\\' && format[1];
			put(out, size, &len, format++, 1);
		}
		if (len >= size)
			return false;
	}
	out[len] = '\0';
	return true;
}

static void take_line(struct buffer *buffer, const char *head, const char *text)
{
	char line[4096], what[4000], when[32];
	char *end;
	long long seconds = strtoll(head + 1, &end, 10);
	long micros = *end == ',' ? strtol(end + 1, &end, 10) : 0; /* 1.0 had none */
	int64_t ms;
	time_t at;
	struct tm tm;

	/* One that is still to come is no time, nor may it move all that is behind it. */
	if (seconds <= 0 || seconds > time(NULL) || micros < 0 || micros > 999999) {
		buffer->strange++;
		return;
	}
	ms = (int64_t)seconds * 1000 + micros / 1000;
	/* Clocks of servers go back; a ring is in order. */
	if (ms < buffer->last_ms)
		ms = buffer->last_ms;
	at = (time_t)(ms / 1000);
	if (*end != ' ' || !gmtime_r(&at, &tm) ||
	    !strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm) ||
	    !fill(end + 1, text, buffer->nick, what, sizeof what)) {
		buffer->strange++;
		return;
	}
	buffer->last_ms = ms;
	snprintf(line, sizeof line, "@time=%s.%03uZ %s", when, (unsigned)(ms % 1000), what);
	import_line(&buffer->lines, line);
}

static char *next_line(char **at)
{
	char *line = *at;
	size_t len = strcspn(line, "\n");

	*at = line + len + (line[len] == '\n');
	line[len] = '\0';
	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	return line;
}

/* Whether a file of that name is of this channel. */
static bool is_called(const char *file, const char *user, const char *channel, size_t len)
{
	char text[NAME_MOST + NAME_MOST], hex[2 * 16 + 1] = "";
	unsigned char digest[16];
	size_t user_len = strlen(user);

	if (!len || len >= NAME_MOST || user_len >= NAME_MOST)
		return false;
	memcpy(text, user, user_len);
	for (size_t i = 0; i < len; i++)
		text[user_len + i] =
			(char)(channel[i] >= 'A' && channel[i] <= 'Z' ? channel[i] | 0x20
								      : channel[i]);
	if (EVP_Digest(text, user_len + len, digest, NULL, EVP_md5(), NULL) != 1)
		return false;
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return strcasecmp(hex, file) == 0;
}

/* The channel of an old file: what some line of it was said to. */
static bool old_target(const char *text, const char *file, const char *user, char out[NAME_MOST])
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *word = line;
		size_t len;

		/* [@TIME] :SOURCE VERB TARGET */
		for (unsigned skip = line[0] == '@' ? 3 : 2; skip; skip--) {
			word += strcspn(word, " \n");
			word += strspn(word, " ");
		}
		len = strcspn(word, " \r\n");
		if (is_called(file, user, word, len)) {
			memcpy(out, word, len);
			out[len] = '\0';
			return true;
		}
	}
	return false;
}

static void take_buffer(struct import *import, const char *user, const char *network,
			const char *nick, const char *target, char *at)
{
	struct buffer buffer = {
		.nick = nick,
		.lines = {.import = import, .user = user, .network = network, .target = target}};

	if (!buffer.lines.target[0] || strpbrk(buffer.lines.target, " ,")) {
		import_note(import, 0, "%s: %s: savebuff: a buffer has no name", user, network);
		return;
	}
	while (*at) {
		const char *head = next_line(&at), *said = head[0] == '@' ? next_line(&at) : "";

		if (head[0] == '@')
			take_line(&buffer, head, said);
		else
			buffer.strange += head[0] != '\0';
	}
	import_lines_end(&buffer.lines);
	if (buffer.strange || buffer.lines.too_long)
		import_note(import, 0,
			    "%s: %s: savebuff: %u lines of %s are of no person, or too long", user,
			    network, buffer.strange + buffer.lines.too_long, buffer.lines.target);
}

/* --- files ------------------------------------------------------------------------------------ */

struct counts {
	unsigned closed, old;
};

static void take_file(struct import *import, const char *user, const char *network,
		      const char *nick, const char *path, const char *password,
		      struct counts *counts)
{
	const char *passwords[] = {getenv("ZNC_SAVEBUFF_PASS"), password, NOBODYS};
	const char *name = strrchr(path, '/') + 1;
	size_t len;
	unsigned char *in = file_read(path, &len), *out = in ? malloc(len + 1) : NULL;
	bool good = false, is_old = false;
	char target[NAME_MOST], *at;

	for (size_t i = 0; i < 3 && out && !good; i++) {
		if (!passwords[i] || !passwords[i][0] || !decipher(passwords[i], in, len, out))
			continue;
		out[len] = '\0';
		is_old = strncmp((char *)out, OLD, strlen(OLD)) == 0;
		good = is_old || strncmp((char *)out, CHANNEL, strlen(CHANNEL)) == 0 ||
		       strncmp((char *)out, QUERY, strlen(QUERY)) == 0;
	}
	counts->closed += !good;
	at = (char *)out;
	if (is_old && old_target(at + strlen(OLD), name, user, target)) {
		take_buffer(import, user, network, nick, target, at + strlen(OLD));
	} else if (is_old) {
		counts->old++;
	} else if (good) {
		const char *head = next_line(&at);

		take_buffer(import, user, network, nick,
			    head + strlen(strncmp(head, CHANNEL, strlen(CHANNEL)) ? QUERY
										  : CHANNEL),
			    at);
	}
	free(in);
	free(out);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

void import_savebuff(const struct znc_modules *modules, const char *directory, const char *password)
{
	struct dirent **files = NULL;
	int count = scandir(directory, &files, visible, alphasort);
	OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy"),
		      *usual = OSSL_PROVIDER_load(NULL, "default");
	struct counts counts = {0};

	for (int i = 0; i < count; i++) {
		char path[4096];

		snprintf(path, sizeof path, "%s/%s", directory, files[i]->d_name);
		take_file(modules->import, modules->user, modules->network, modules->nick, path,
			  password, &counts);
		free(files[i]);
	}
	free(files);
	OSSL_PROVIDER_unload(legacy);
	OSSL_PROVIDER_unload(usual);
	if (counts.closed)
		import_note(
			modules->import, modules->line,
			legacy ? "%s: %s: savebuff: %u buffers are enciphered with another "
				 "password: say it in ZNC_SAVEBUFF_PASS"
			       : "%s: %s: savebuff: %u buffers cannot be read: OpenSSL's provider "
				 "\"legacy\" (Blowfish) is not there",
			modules->user, modules->network, counts.closed);
	if (counts.old)
		import_note(modules->import, modules->line,
			    "%s: %s: savebuff: %u buffers are of a ZNC before 1.6, and of no "
			    "channel that their lines name",
			    modules->user, modules->network, counts.old);
	if (count <= 0)
		import_note(modules->import, modules->line,
			    "%s: %s: savebuff: no buffers are in %s", modules->user,
			    modules->network, directory);
}
