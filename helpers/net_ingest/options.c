#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "fc_client.h"
#include "say.h"

static const char usage[] =
	"usage: net_ingest [options] SLOT URL\n"
	"\n"
	"Decodes RTMP, SRT, a file or whatever libav reads into a slot of the frame cache.\n"
	"\n"
	"  --listen             URL is where to be published to: rtmp://HOST:PORT/APP or "
	"srt://HOST:PORT\n"
	"  --key-file FILE      the stream key (RTMP) or stream id (SRT): asked of publishers, or "
	"told\n"
	"  --passphrase-file FILE  SRT: 10 to 79 characters\n"
	"  --no-key             --listen lets anybody publish\n"
	"  --latency MS         SRT's (libsrt's own)\n"
	"\n"
	"  --api URL            the frame cache (http://127.0.0.1:7435); none: makes the slot "
	"itself\n"
	"  --token-file FILE    for a service on another machine: a token, or USER:PASSWORD\n"
	"  --format NAME        uyvy422, v210, nv12, p010, rgba (uyvy422)\n"
	"  --size WxH           (the source's)\n"
	"  --fps NUM[/DEN]      (the source's)\n"
	"  --depth N            frames in the ring (two seconds)\n"
	"  --channels N         of sound, 0 to 64 (the source's)\n"
	"  --rate HZ            of sound (48000)\n"
	"\n"
	"  --once               ends with the source instead of waiting for it; files do anyway\n"
	"  --loop               a file again and again\n"
	"  --pace yes|no        as fast as it is meant to be seen (yes, but for live sources)\n"
	"  --timeout S          silence after which a source has gone (10)\n"
	"  --threads N          of the decoder (one a core, 4 at most)\n"
	"  --no-sandbox         for debugging: no seccomp filter\n";

/* The first line of a file. NULL: it was said why. */
static char *secret_read(const char *path)
{
	char line[512];
	FILE *file = fopen(path, "re");

	if (!file || !fgets(line, sizeof line, file)) {
		say("%s: %s", path, file ? "there is no line in it" : strerror(errno));
		if (file)
			fclose(file);
		return NULL;
	}
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	if (!line[0]) {
		say("%s: its first line is empty", path);
		return NULL;
	}
	return strdup(line);
}

static bool number(const char *name, const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || value < least || value > most) {
		say("%s: %s is no number from %u to %u", name, text, least, most);
		return false;
	}
	*out = (uint32_t)value;
	return true;
}

static bool pair(const char *name, const char *text, char between, bool one_will_do, uint32_t *a,
		 uint32_t *b)
{
	char first[16], *middle;

	snprintf(first, sizeof first, "%s", text);
	middle = strchr(first, between);
	if (middle)
		*middle++ = '\0';
	else if (!one_will_do) {
		say("%s: expected two numbers with %c between them, found %s", name, between, text);
		return false;
	}
	*b = 1;
	return number(name, first, 1, 1000000, a) &&
	       (!middle || number(name, middle, 1, 1000000, b));
}

static bool yes_or_no(const char *name, const char *text, int *out)
{
	*out = strcmp(text, "yes") == 0;
	if (*out || strcmp(text, "no") == 0)
		return true;
	say("%s: expected yes or no, found %s", name, text);
	return false;
}

/* One option. False: it was said what is wrong. */
static bool take(struct options *o, const char *name, const char *value)
{
	uint32_t count;
	int format;

#define IS(text) (strcmp(name, text) == 0)
	if (IS("key-file"))
		return (o->key = secret_read(value));
	if (IS("passphrase-file"))
		return (o->passphrase = secret_read(value));
	if (IS("token-file"))
		return (o->token = secret_read(value));
	if (IS("latency"))
		return number("--latency", value, 1, 60000, &o->latency_ms);
	if (IS("size"))
		return pair("--size", value, 'x', false, &o->width, &o->height);
	if (IS("fps"))
		return pair("--fps", value, '/', true, &o->fps_num, &o->fps_den);
	if (IS("depth"))
		return number("--depth", value, 2, 100000, &o->depth);
	if (IS("rate"))
		return number("--rate", value, 8000, 192000, &o->rate);
	if (IS("timeout"))
		return number("--timeout", value, 1, 3600, &o->timeout_s);
	if (IS("pace"))
		return yes_or_no("--pace", value, &o->pace);
	if (IS("channels") || IS("threads")) {
		if (!number(name, value, 0, FC_CHANNELS_MAX, &count))
			return false;
		*(IS("threads") ? &o->threads : &o->channels) = (int)count;
		return true;
	}
	if (IS("format")) {
		format = fc_pix_by_name(value);
		o->pixel_format = format < 0 ? 0 : (uint32_t)format;
		if (format < 0)
			say("--format: %s is none of uyvy422, v210, nv12, p010, rgba", value);
		return format >= 0;
	}
	if (IS("api"))
		o->api = value;
	else if (IS("listen"))
		o->listen = true;
	else if (IS("no-key"))
		o->open_to_all = true;
	else if (IS("once"))
		o->once = true;
	else if (IS("loop"))
		o->loop = true;
	else if (IS("no-sandbox"))
		o->no_sandbox = true;
#undef IS
	return true;
}

/* scheme://HOST:PORT/APP in its parts. */
static bool address_split(struct options *o)
{
	const char *at = strstr(o->url, "://") + 3, *end = at + strcspn(at, "/?");
	const char *colon = NULL;

	if (strchr(o->url, '?')) {
		say("%s: an address to listen at has no \"?\"; see --latency, --passphrase-file "
		    "and "
		    "--key-file",
		    o->shown);
		return false;
	}
	for (const char *c = end; c > at && !colon; c--)
		if (*c == ':')
			colon = c;
		else if (*c == ']')
			break;
	snprintf(o->port, sizeof o->port, "%s", "1935");
	if (colon)
		snprintf(o->port, sizeof o->port, "%.*s", (int)(end - colon - 1), colon + 1);
	else if (o->srt) {
		say("%s: an SRT address to listen at needs a port", o->shown);
		return false;
	} else
		colon = end;
	if (*at == '[' && colon[-1] == ']')
		snprintf(o->host, sizeof o->host, "%.*s", (int)(colon - at - 2), at + 1);
	else
		snprintf(o->host, sizeof o->host, "%.*s", (int)(colon - at), at);
	snprintf(o->app, sizeof o->app, "%s", *end ? end + 1 : "");
	if (o->rtmp && (!o->app[0] || strchr(o->app, '/'))) {
		say("%s: expected rtmp://HOST:PORT/APP; the stream key is in --key-file", o->shown);
		return false;
	}
	return true;
}

static bool listen_check(struct options *o)
{
	if (!o->rtmp && !o->srt) {
		say("%s: only rtmp:// and srt:// addresses can be listened at", o->shown);
		return false;
	}
	if (!o->open_to_all && !o->key && !(o->srt && o->passphrase)) {
		say("%s: anybody could publish here: give --key-file%s, or say --no-key", o->shown,
		    o->srt ? " or --passphrase-file" : "");
		return false;
	}
	return address_split(o);
}

static bool together(struct options *o)
{
	size_t len = o->passphrase ? strlen(o->passphrase) : 10;

	o->rtmp = strncmp(o->url, "rtmp://", 7) == 0;
	o->srt = strncmp(o->url, "srt://", 6) == 0;
	o->file = address_is_file(o->url);
	if (!fc_slot_id_ok(o->slot)) {
		say("%s is no slot: 1 to 64 letters, digits, _ and -, a letter or digit first",
		    o->slot);
		return false;
	}
	if (!address_protocols(o->url)) {
		say("%s is not read: expected %s", o->shown, address_schemes);
		return false;
	}
	if (len < 10 || len > 79) {
		say("--passphrase-file: SRT wants 10 to 79 characters, these are %zu", len);
		return false;
	}
	if (o->passphrase && !o->srt) {
		say("--passphrase-file: only SRT has one, and this is %s", o->shown);
		return false;
	}
	if (o->loop && (!o->file || strncmp(o->url, "pipe:", 5) == 0)) {
		say("--loop: only a file can begin again, and this is %s", o->shown);
		return false;
	}
	return !o->listen || listen_check(o);
}

int options_parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"listen", 0, NULL, 1},  {"key-file", 1, NULL, 1},        {"no-key", 0, NULL, 1},
		{"latency", 1, NULL, 1}, {"passphrase-file", 1, NULL, 1}, {"api", 1, NULL, 1},
		{"format", 1, NULL, 1},  {"token-file", 1, NULL, 1},      {"size", 1, NULL, 1},
		{"fps", 1, NULL, 1},     {"channels", 1, NULL, 1},        {"depth", 1, NULL, 1},
		{"rate", 1, NULL, 1},    {"threads", 1, NULL, 1},         {"once", 0, NULL, 1},
		{"loop", 0, NULL, 1},    {"timeout", 1, NULL, 1},         {"pace", 1, NULL, 1},
		{"help", 0, NULL, 'h'},  {"no-sandbox", 0, NULL, 1},      {NULL, 0, NULL, 0},
	};
	int letter, which;

	*o = (struct options){.api = "http://127.0.0.1:7435",
			      .pace = -1,
			      .channels = -1,
			      .rate = 48000,
			      .timeout_s = 10};
	while ((letter = getopt_long(argc, argv, "", known, &which)) != -1) {
		if (letter == 'h')
			return fputs(usage, stdout) == EOF ? 1 : -1;
		if (letter != 1 || !take(o, known[which].name, optarg)) {
			if (letter != 1)
				fputs("net_ingest: see net_ingest --help\n", stderr);
			return 2;
		}
	}
	if (optind + 2 != argc) {
		fputs(usage, stderr);
		return 2;
	}
	o->slot = argv[optind];
	o->url = argv[optind + 1];
	say_url(o->url, o->shown, sizeof o->shown);
	return together(o) ? 0 : 2;
}

void options_fini(struct options *o)
{
	free(o->key);
	free(o->passphrase);
	free(o->token);
}
