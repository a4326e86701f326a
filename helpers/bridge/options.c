#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *said_by = "bridge", *said_of = "-";
static sigset_t endings;

void say(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(stderr, "%s slot=%s %s\n", said_by, said_of, text);
}

void ending_prepare(void)
{
	sigemptyset(&endings);
	sigaddset(&endings, SIGINT);
	sigaddset(&endings, SIGTERM);
	sigaddset(&endings, SIGHUP);
	sigprocmask(SIG_BLOCK, &endings, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool ending_await(unsigned ms)
{
	const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

	return sigtimedwait(&endings, NULL, &time) != -1;
}

static void usage(FILE *out, const char *card)
{
	fprintf(out,
		"usage: %s --slot SLOT [OPTION]...\n"
		"Captures from a %s card into a slot of the frame cache.\n\n"
		"  --device N|NAME       which one [0]; --list shows them\n"
		"  --mode NAME           what to expect before something is detected, as 1080p50\n"
		"  --format FORMAT       uyvy422 [default] or v210\n"
		"  --channels N          of sound: 0, 2, 8 or 16 [2]\n"
		"  --sink shm|fifo|fifo,shm  where frames go [shm]\n"
		"  --video-fifo PATH     raw frames [/tmp/SLOT.video]; lost ones are repeated\n"
		"  --audio-fifo PATH     interleaved signed 32 bit [/tmp/SLOT.audio]\n"
		"  --no-signal WHAT      freeze [default], black or stop: what is written then\n"
		"  --depth N             frames in the ring [two seconds]\n"
		"  --api URL             the service: http://ADDRESS:PORT "
		"[http://127.0.0.1:7435],\n"
		"                        unix:PATH, or none: the slot is made without one\n"
		"  --library PATH        the card's library, where it is not in the usual place\n"
		"  --list                names the devices and ends\n"
		"The environment's FC_TOKEN is sent to the service, FC_DIR says where slots are.\n",
		said_by, card);
}

static bool wrong(const char *what, const char *value, const char *expected)
{
	fprintf(stderr, "%s: %s: %s makes no sense; expected %s\n", said_by, what, value, expected);
	return false;
}

static const char *expected_of(int letter)
{
	switch (letter) {
	case 's': return "1 to 64 letters, digits, _ and -, a letter or digit first";
	case 'k': return "shm, fifo or fifo,shm";
	case 'n': return "freeze, black or stop";
	case 'c': return "0, 2, 8 or 16";
	case 'p': return "4 to 65536 frames";
	case 'f': return "uyvy422 or v210";
	case 'u': return "http://ADDRESS:PORT, unix:/PATH or none";
	default: return "what --help says";
	}
}

static bool number(const char *text, uint32_t most, uint32_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*out = (uint32_t)value;
	return end != text && !*end && *text != '-' && value <= most;
}

static bool take_sink(struct options *options, const char *text)
{
	options->shm = strcmp(text, "shm") == 0 || strcmp(text, "fifo,shm") == 0 ||
		       strcmp(text, "shm,fifo") == 0;
	options->fifo = strstr(text, "fifo") && (options->shm || strcmp(text, "fifo") == 0);
	return options->shm || options->fifo;
}

static bool take_no_signal(struct options *options, const char *text)
{
	static const char *const names[] = {"freeze", "black", "stop"};

	for (unsigned i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0) {
			options->no_signal = (enum no_signal)i;
			return true;
		}
	return false;
}

static bool take(struct options *options, int letter, const char *value)
{
	switch (letter) {
	case 's': options->slot = value; return fc_slot_id_ok(value);
	case 'd': options->device = value; return true;
	case 'm': options->mode = value; return true;
	case 'l': options->library = value; return true;
	case 'v': options->video_fifo = value; return true;
	case 'a': options->audio_fifo = value; return true;
	case 'k': return take_sink(options, value);
	case 'n': return take_no_signal(options, value);
	case 'c':
		return number(value, 16, &options->channels) &&
		       (options->channels == 0 || options->channels == 2 ||
			options->channels == 8 || options->channels == 16);
	case 'p': return number(value, FC_DEPTH_MAX, &options->depth) && options->depth >= 4;
	case 'f':
		options->pixel_format = (uint32_t)fc_pix_by_name(value);
		return options->pixel_format == FC_PIX_UYVY422 ||
		       options->pixel_format == FC_PIX_V210;
	case 'u':
		options->alone = strcmp(value, "none") == 0;
		options->service.where = value;
		return options->alone || service_where_ok(value);
	default: return false;
	}
}

static bool fill_in(struct options *options)
{
	const char *token = getenv("FC_TOKEN");
	static char video[FC_SLOT_ID_MAX + 16], audio[FC_SLOT_ID_MAX + 16];

	if (options->list)
		return true;
	if (!options->slot) {
		fprintf(stderr, "%s: --slot is missing; --help says what there is\n", said_by);
		return false;
	}
	said_of = options->slot;
	snprintf(video, sizeof video, "/tmp/%s.video", options->slot);
	snprintf(audio, sizeof audio, "/tmp/%s.audio", options->slot);
	if (!options->video_fifo)
		options->video_fifo = video;
	if (!options->audio_fifo)
		options->audio_fifo = audio;
	if (token && *token) {
		if (strlen(token) >= sizeof options->token || strpbrk(token, "\r\n"))
			return wrong("FC_TOKEN", "what is in the environment",
				     "a line of at most 255 bytes");
		strcpy(options->token, token);
		options->service.token = options->token;
	}
	return true;
}

bool options_parse(struct options *options, const char *card, int argc, char **argv)
{
	static const struct option known[] = {
		{"slot", 1, NULL, 's'},       {"device", 1, NULL, 'd'},
		{"mode", 1, NULL, 'm'},       {"library", 1, NULL, 'l'},
		{"video-fifo", 1, NULL, 'v'}, {"audio-fifo", 1, NULL, 'a'},
		{"sink", 1, NULL, 'k'},       {"no-signal", 1, NULL, 'n'},
		{"channels", 1, NULL, 'c'},   {"depth", 1, NULL, 'p'},
		{"format", 1, NULL, 'f'},     {"api", 1, NULL, 'u'},
		{"list", 0, NULL, 'L'},       {"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int letter, place;

	*options = (struct options){.program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1
								     : argv[0],
				    .device = "0",
				    .channels = 2,
				    .shm = true,
				    .service = {.where = "http://127.0.0.1:7435"}};
	said_by = options->program;
	while ((letter = getopt_long(argc, argv, "", known, &place)) != -1) {
		if (letter == 'h') {
			usage(stdout, card);
			exit(0);
		}
		if (letter == 'L')
			options->list = true;
		else if (letter == '?')
			return false;
		else if (!take(options, letter, optarg))
			return wrong(known[place].name, optarg, expected_of(letter));
	}
	if (optind != argc)
		return wrong("an argument", argv[optind], "options only");
	return fill_in(options);
}
