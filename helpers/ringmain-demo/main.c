/* ringmain-demo: an encoder that needs no music: it makes its own up and publishes it.
 *
 *     composer ──▶ LAME (MP3, 128 kbit/s) ──▶ PUT or SOURCE to a radio server, in real time
 *                                        └──▶ or a file, as fast as it goes
 *
 * To the server it is a source like any other, so what it shows is what every encoder gets. */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <lame/lame.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "composer.h"
#include "core/writer.h"
#include "publisher.h"
#include "song.h"
#include "synth.h"

#define CHUNK       (70u * SYNTH_BLOCK)    /* frames a turn: about a tenth of a second */
#define MP3_MAX     (CHUNK * 5 / 4 + 7200) /* LAME's own bound (lame.h) */
#define LEAD_US     800000                 /* sent ahead of the clock, at most */
#define LATE_US     3000000                /* later than this is not caught up with */
#define BACKOFF_MAX 30                     /* seconds between two attempts */
#define KBITS       128
#define NOBODY      65534

struct options {
	const char *wav, *mp3;
	struct publisher_target target;
	bool publish;
	uint64_t seed, seconds; /* seconds 0: for ever */
	long parent;            /* 0: whoever it is may die */
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("demo ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

__attribute__((noreturn)) static void die(const char *why, const char *what)
{
	say("failed why=\"%s\" what=\"%s\"", why, what);
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_us(int64_t us)
{
	struct timespec left = {us / 1000000, us % 1000000 * 1000};

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

/* LAME, set for a live stream: a constant rate, and frames that lean on no earlier frame, so that
 * a listener hears from the first frame that it gets. No tag: a stream has no length to put there. */
static lame_t encoder_open(void)
{
	lame_t lame = lame_init();

	if (!lame || lame_set_in_samplerate(lame, (int)SONG_RATE) < 0 ||
	    lame_set_num_channels(lame, 2) < 0 || lame_set_brate(lame, KBITS) < 0 ||
	    lame_set_mode(lame, JOINT_STEREO) < 0 || lame_set_quality(lame, 5) < 0 ||
	    lame_set_disable_reservoir(lame, 1) < 0 || lame_set_bWriteVbrTag(lame, 0) < 0 ||
	    lame_init_params(lame) < 0)
		die("the MP3 encoder cannot be set up", "lame");
	return lame;
}

static size_t encoder_take(lame_t lame, const float *pcm, unsigned char *mp3)
{
	int len = lame_encode_buffer_interleaved_ieee_float(lame, pcm, (int)CHUNK, mp3, MP3_MAX);

	if (len < 0)
		die("the MP3 encoder failed", "lame");
	return (size_t)len;
}

static FILE *file_open(const char *path)
{
	FILE *file = fopen(path, "wb");

	if (!file)
		die(strerror(errno), path);
	return file;
}

static void file_put(FILE *file, const void *data, size_t len)
{
	if (len && fwrite(data, len, 1, file) != 1)
		die("cannot write", strerror(errno));
}

/* The 44 bytes before the samples (RIFF WAVE, PCM, 16 bit). */
static void wav_header(FILE *file, uint64_t frames)
{
	uint8_t head[44];
	struct writer w = writer_of(head, sizeof head);
	uint64_t size = frames * 4;

	writer_str(&w, "RIFF");
	writer_le(&w, size + 36, 4);
	writer_str(&w, "WAVEfmt ");
	writer_le(&w, 16, 4);
	writer_le(&w, 1, 2);
	writer_le(&w, 2, 2);
	writer_le(&w, SONG_RATE, 4);
	writer_le(&w, SONG_RATE * 4, 4);
	writer_le(&w, 4, 2);
	writer_le(&w, 16, 2);
	writer_str(&w, "data");
	writer_le(&w, size, 4);
	file_put(file, head, sizeof head);
}

static void wav_put(FILE *file, const float *pcm, size_t frames)
{
	uint8_t data[CHUNK * 4];
	struct writer w = writer_of(data, sizeof data);

	for (size_t i = 0; i < 2 * frames; i++)
		writer_le(&w, (uint16_t)(int16_t)(pcm[i] * 32767.0F), 2);
	file_put(file, data, w.len);
}

static void render(const struct options *options, struct composer *composer, FILE *wav, FILE *mp3)
{
	static float pcm[2 * CHUNK];
	static unsigned char out[MP3_MAX];
	uint64_t chunks = options->seconds * SONG_RATE / CHUNK;
	uint32_t number = UINT32_MAX;
	lame_t lame = encoder_open();

	if (wav)
		wav_header(wav, chunks * CHUNK);
	for (uint64_t i = 0; i < chunks; i++) {
		composer_render(composer, pcm, CHUNK);
		if (number != composer_number(composer)) {
			number = composer_number(composer);
			say("title at=%.1fs title=\"%s\"", (double)i * CHUNK / SONG_RATE,
			    composer_title(composer));
		}
		if (wav)
			wav_put(wav, pcm, CHUNK);
		if (mp3)
			file_put(mp3, out, encoder_take(lame, pcm, out));
	}
	if (mp3) {
		int len = lame_encode_flush(lame, out, sizeof out);

		file_put(mp3, out, len > 0 ? (size_t)len : 0);
	}
	lame_close(lame);
	if ((wav && fclose(wav) != 0) || (mp3 && fclose(mp3) != 0))
		die("cannot write", strerror(errno));
}

/* One connection, from its first frame until it is lost or all is played. The clock and not the
 * server sets the pace: a server may take any amount at once. */
static uint64_t publish_once(struct composer *composer, lame_t lame, uint64_t frames_left)
{
	static float pcm[2 * CHUNK];
	static unsigned char mp3[MP3_MAX];
	uint32_t number = UINT32_MAX;
	int64_t start = now_us();
	uint64_t sent = 0; /* frames since start */
	uint64_t total = 0;

	while (total < frames_left) {
		int64_t ahead = (int64_t)(sent * 1000000 / SONG_RATE) - (now_us() - start);

		if (ahead > LEAD_US)
			sleep_us(ahead - LEAD_US);
		if (ahead < -LATE_US) {
			say("late by=%.1fs", -(double)ahead / 1e6);
			start = now_us();
			sent = 0;
		}
		composer_render(composer, pcm, CHUNK);
		if (!publisher_send(mp3, encoder_take(lame, pcm, mp3)))
			break;
		sent += CHUNK;
		total += CHUNK;
		if (number != composer_number(composer)) {
			number = composer_number(composer);
			say("title title=\"%s\"%s", composer_title(composer),
			    publisher_title(composer_title(composer)) ? "" : " taken=no");
		}
	}
	return total;
}

static void publish(const struct options *options, struct composer *composer)
{
	const struct publisher_target *target = &options->target;
	uint64_t left = options->seconds ? options->seconds * SONG_RATE : UINT64_MAX;
	unsigned wait = 1;
	lame_t lame = encoder_open();

	while (left > 0) {
		const char *why = NULL;
		uint64_t sent = 0;

		if (publisher_open(target, &why)) {
			say("on air host=%s port=%u mount=%s", target->host, target->port,
			    target->mount);
			sent = publish_once(composer, lame, left);
			publisher_close();
			why = "connection lost";
		}
		left = sent < left ? left - sent : 0;
		if (left == 0)
			break;
		/* A connection that held for a while was a good one: start over with short waits. */
		if (sent > 10 * SONG_RATE)
			wait = 1;
		say("off air why=\"%s\" again_in=%us", why, wait);
		sleep_us((int64_t)wait * 1000000);
		wait = wait * 2 < BACKOFF_MAX ? wait * 2 : BACKOFF_MAX;
	}
	lame_close(lame);
}

static void on_signal(int signal)
{
	(void)signal;
	/* There is nothing to tidy: the kernel closes the connection, which ends the source. */
	_exit(0);
}

/* What this process does not need, it gives up before it talks to anyone. The parent's death is
 * asked for last: a change of user takes that wish away (prctl(2)). */
static void give_up_rights(const struct options *options)
{
	struct rlimit none = {0, 0};

	/* No core file: it would hold the password. */
	(void)setrlimit(RLIMIT_CORE, &none);
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) == -1 || setresgid(NOBODY, NOBODY, NOBODY) == -1 ||
	     setresuid(NOBODY, NOBODY, NOBODY) == -1))
		die("cannot become nobody", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("cannot give up new privileges", strerror(errno));
	if (options->parent && (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == -1 ||
				getppid() != (pid_t)options->parent))
		die("the parent is gone", "parent");
}

static void usage(FILE *out)
{
	fputs("usage: ringmain-demo --url http://USER[:PASSWORD]@HOST:PORT/MOUNT [options]\n"
	      "       ringmain-demo --wav FILE | --mp3 FILE  --seconds N [--seed N]\n"
	      "\n"
	      "Makes up soft music and publishes it to a radio server, or writes it to a file.\n"
	      "\n"
	      "  --url URL     where to publish; without a password there, it is taken from the\n"
	      "                environment variable RINGMAIN_SOURCE_PASSWORD\n"
	      "  --seconds N   stop after so many seconds (default: never; with a file: 60)\n"
	      "  --seed N      the music to make: the same number gives the same music\n"
	      "  --parent PID  end when the parent process, which must be PID, ends\n"
	      "  --wav FILE    write 16-bit WAV instead of publishing\n"
	      "  --mp3 FILE    write MP3 instead of publishing\n"
	      "  --help        this text\n",
	      out);
}

static uint64_t option_number(const char *name, const char *text, uint64_t max)
{
	uint64_t value;

	if (!bytes_to_u64(bytes_str(text), max, &value)) {
		say("failed why=\"not a number\" what=\"--%s %s\"", name, text);
		exit(2);
	}
	return value;
}

static void option_url(struct options *options, char *url)
{
	const char *secret = getenv("RINGMAIN_SOURCE_PASSWORD");
	struct publisher_target *target = &options->target;

	if (!publisher_target_parse(url, target)) {
		say("failed why=\"not http://USER:PASSWORD@HOST:PORT/MOUNT\" what=--url");
		exit(2);
	}
	/* The process list shows arguments to everybody. A user's name has no colon, so that the
	 * password begins behind the first one. */
	if (target->password[0])
		memset(strchr(url + strlen("http://"), ':') + 1, '*', strlen(target->password));
	if (target->password[0] == '\0' && secret && strlen(secret) < sizeof target->password)
		strcpy(target->password, secret);
	if (target->password[0] == '\0') {
		say("failed why=\"no password in the URL nor in RINGMAIN_SOURCE_PASSWORD\"");
		exit(2);
	}
	unsetenv("RINGMAIN_SOURCE_PASSWORD");
	options->publish = true;
}

static void options_read(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"url", required_argument, NULL, 'u'},  {"seconds", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'}, {"parent", required_argument, NULL, 'p'},
		{"wav", required_argument, NULL, 'w'},  {"mp3", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (option) {
		case 'u': option_url(options, optarg); break;
		case 'n': options->seconds = option_number("seconds", optarg, 10000000); break;
		case 's': options->seed = option_number("seed", optarg, UINT64_MAX); break;
		case 'p': options->parent = (long)option_number("parent", optarg, INT32_MAX); break;
		case 'w': options->wav = optarg; break;
		case 'm': options->mp3 = optarg; break;
		case 'h': usage(stdout); exit(0);
		default: usage(stderr); exit(2);
		}
	if (optind < argc || options->publish == (options->wav || options->mp3)) {
		usage(stderr);
		exit(2);
	}
	if (!options->publish && options->seconds == 0)
		options->seconds = 60;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct sigaction action = {.sa_handler = on_signal};
	struct composer *composer;
	FILE *wav, *mp3;

	if (getrandom(&options.seed, sizeof options.seed, 0) != sizeof options.seed)
		die("no random numbers", strerror(errno));
	options_read(&options, argc, argv);
	wav = options.wav ? file_open(options.wav) : NULL;
	mp3 = options.mp3 ? file_open(options.mp3) : NULL;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	give_up_rights(&options);
	composer = composer_create(options.seed);
	if (!composer)
		die("out of memory", "composer");
	if (options.publish)
		publish(&options, composer);
	else
		render(&options, composer, wav, mp3);
	composer_destroy(composer);
	return 0;
}
