/* frametest: writes the test card (test_card.h) into a slot, or checks every byte of one that does.
 *
 *     frametest --seconds 10 studio1            makes the slot if need be, and writes in real time
 *     frametest --check --seconds 10 studio1    reads it; exit status 0 when all was as it should be
 *
 * Prints one JSON line at the end. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test_card.h"

static const char usage[] =
	"usage: frametest [options] SLOT\n"
	"  --size WxH             (1280x720)\n"
	"  --fps NUM/DEN          (60000/1001)\n"
	"  --format NAME          uyvy422, v210, nv12, p010, rgba (uyvy422)\n"
	"  --channels N           of audio, 48 kHz (2)\n"
	"  --depth N              frames in the ring (two seconds)\n"
	"  --frames N, --seconds N  when to end; by default at SIGINT or SIGTERM\n"
	"  --start N              the number of the first frame drawn (0)\n"
	"  --open                 the slot is there: do not make it\n"
	"  --check                read and check instead; --all from the oldest on\n"
	"  --picture              with --check: which frame it is, is read from the picture, not "
	"its time\n"
	"  --crawl MS             with --check: sleep so long after each frame\n";

static volatile sig_atomic_t stopped;

struct options {
	fc_config_t config;
	uint64_t frames, start;
	unsigned seconds, crawl_ms;
	bool open, check, all, picture;
	const char *slot;
};

static void on_signal(int number)
{
	stopped = number;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec at = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* --- writing -------------------------------------------------------------------------------- */

static int write_card(const struct options *options)
{
	int flags = FC_REPLACE, result = FC_OK;
	fc_writer_t *writer;
	struct test_card card;
	uint64_t begin, n = 0;
	int32_t *sound;
	fc_info_t info;

	if (!options->open && fc_slot_create(options->slot, &options->config, flags) != 0) {
		perror(options->slot);
		return 1;
	}
	writer = fc_writer_open(options->slot);
	if (!writer) {
		perror(options->slot);
		return 1;
	}
	fc_writer_info(writer, &info);
	card = test_card_of(&info);
	sound = malloc(((size_t)info.audio_rate + 1) * (info.audio_channels + 1) * 4);
	begin = now_ns();
	for (; sound && !stopped && result == FC_OK && n < options->frames; n++) {
		const fc_frame_meta_t meta = {
			.pts_us = fc_pts_us(info.fps_num, info.fps_den, n + options->start)};
		uint64_t at = begin + fc_pts_us(info.fps_num, info.fps_den, n) * 1000;

		test_card_draw(&card, n + options->start, fc_write_begin(writer));
		if (info.audio_channels)
			(void)fc_write_audio(writer, sound,
					     test_card_sound(&card, n + options->start, sound));
		sleep_until(at);
		result = fc_write_commit(writer, &meta);
	}
	printf("{\"slot\": \"%s\", \"written\": %" PRIu64 ", \"ended\": \"%s\"}\n", options->slot,
	       n, fc_result_name(result));
	free(sound);
	fc_writer_close(writer);
	return 0;
}

/* --- checking ------------------------------------------------------------------------------- */

struct tally {
	uint64_t read, wrong, torn, sound_wrong, flags, made_up;
};

/* Which frame it says it is: the number that is drawn into it. UYVY and v210 only. */
static uint64_t number_drawn(const fc_info_t *info, const fc_frame_t *frame)
{
	const uint8_t *row = frame->data + info->height / 32 * info->plane_row_bytes[0];
	uint64_t number = 0;

	for (uint32_t block = 0; block < 64; block++) {
		uint32_t x = block * info->width / 64 + info->width / 128;
		uint32_t luma = row[x * 2 + 1], word;

		if (info->pixel_format == FC_PIX_V210) {
			/* The 12 values of six pixels lie three to a word; luma is each second of them. */
			uint32_t place = x % 6 * 2 + 1;

			memcpy(&word, row + x / 6 * 16 + place / 3 * 4, sizeof word);
			luma = word >> place % 3 * 10 >> 2 & 255;
		}
		number = number << 1 | (luma > 125);
	}
	return number;
}

/* Which frame it says it is: its time, as drawn. */
static uint64_t number_of(const fc_info_t *info, const fc_frame_t *frame)
{
	return (frame->pts_us * info->fps_num + (uint64_t)info->fps_den * 500000) /
	       ((uint64_t)info->fps_den * 1000000);
}

static void check_frame(fc_slot_t *slot, const fc_info_t *info, const fc_frame_t *frame,
			uint8_t *drawn, bool picture, struct tally *tally)
{
	struct test_card card = test_card_of(info);
	uint64_t n = picture ? number_drawn(info, frame) : number_of(info, frame);
	bool same;

	memset(drawn, 0, info->frame_size);
	test_card_draw(&card, n, drawn);
	same = frame->size == info->frame_size && memcmp(drawn, frame->data, frame->size) == 0;
	if (!fc_frame_valid(slot, frame)) {
		tally->torn++;
		return;
	}
	tally->read++;
	/* Not from where the card came from. */
	if (frame->flags & (FC_FRAME_NO_SIGNAL | FC_FRAME_REPEATED)) {
		tally->made_up++;
		return;
	}
	tally->wrong += !same;
	tally->flags += frame->flags != 0;
	if (info->audio_channels && frame->audio_samples) {
		size_t size = (size_t)frame->audio_samples * info->audio_channels * 4;
		int32_t *heard = malloc(size), *should = malloc(size + info->audio_channels * 4);

		if (heard && should && fc_frame_audio(slot, frame, heard, size) == FC_OK)
			tally->sound_wrong +=
				test_card_sound(&card, n, should) != frame->audio_samples ||
				memcmp(heard, should, size) != 0;
		free(heard);
		free(should);
	}
}

static int check_card(const struct options *options)
{
	fc_slot_t *slot = fc_open_wait(options->slot, 20000);
	struct tally tally = {0};
	int result = FC_OK;
	uint8_t *drawn;
	fc_info_t info;
	uint64_t end;

	if (!slot) {
		perror(options->slot);
		return 1;
	}
	fc_info(slot, &info);
	if (options->all)
		fc_seek(slot, FC_SEEK_OLDEST, 0);
	drawn = malloc(info.frame_size);
	end = options->seconds ? now_ns() + options->seconds * 1000000000ull : UINT64_MAX;
	while (drawn && !stopped && tally.read < options->frames && now_ns() < end) {
		fc_frame_t *frame;

		result = fc_read_frame(slot, &frame, 200);
		if (result == FC_OK)
			check_frame(slot, &info, frame, drawn, options->picture, &tally);
		else if (result == FC_CLOSED || result == FC_SUPERSEDED || result == FC_BROKEN)
			break;
		if (options->crawl_ms)
			sleep_until(now_ns() + options->crawl_ms * 1000000ull);
	}
	printf("{\"slot\": \"%s\", \"read\": %" PRIu64 ", \"wrong\": %" PRIu64
	       ", \"void\": %" PRIu64 ", \"sound_wrong\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"flagged\": %" PRIu64 ", \"made_up\": %" PRIu64 ", \"ended\": \"%s\"}\n",
	       options->slot, tally.read, tally.wrong, tally.torn, tally.sound_wrong, fc_lost(slot),
	       tally.flags, tally.made_up, fc_result_name(result));
	free(drawn);
	fc_close(slot);
	return tally.read && !tally.wrong && !tally.sound_wrong ? 0 : 1;
}

/* --- options -------------------------------------------------------------------------------- */

/* "640x480": how many of the two numbers there are, or 0 for anything else. */
static int two_numbers(const char *text, char between, uint32_t *a, uint32_t *b)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || value > UINT32_MAX)
		return 0;
	*a = (uint32_t)value;
	if (!*end)
		return 1;
	text = end + 1;
	value = strtoul(text, &end, 10);
	if (text[-1] != between || end == text || *end || value > UINT32_MAX)
		return 0;
	*b = (uint32_t)value;
	return 2;
}

static bool options_parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"size", 1, NULL, 's'},     {"fps", 1, NULL, 'r'},   {"format", 1, NULL, 'f'},
		{"channels", 1, NULL, 'c'}, {"depth", 1, NULL, 'd'}, {"frames", 1, NULL, 'n'},
		{"seconds", 1, NULL, 't'},  {"start", 1, NULL, 'b'}, {"open", 0, NULL, 'o'},
		{"picture", 0, NULL, 'p'},  {"check", 0, NULL, 'k'}, {"all", 0, NULL, 'a'},
		{"crawl", 1, NULL, 'w'},    {NULL, 0, NULL, 0},
	};
	fc_config_t *config = &options->config;
	bool good = true;
	int letter, format;

	while (good && (letter = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (letter) {
		case 's':
			good = two_numbers(optarg, 'x', &config->width, &config->height) == 2;
			break;
		case 'r':
			config->fps_den = 1;
			good = two_numbers(optarg, '/', &config->fps_num, &config->fps_den) >= 1;
			break;
		case 'f':
			format = fc_pix_by_name(optarg);
			good = format >= 0;
			config->pixel_format = good ? (uint32_t)format : 0;
			break;
		case 'c': config->audio_channels = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'd': config->ring_depth = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'n': options->frames = strtoull(optarg, NULL, 10); break;
		case 't': options->seconds = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'b': options->start = strtoull(optarg, NULL, 10); break;
		case 'o': options->open = true; break;
		case 'k': options->check = true; break;
		case 'a': options->all = true; break;
		case 'p': options->picture = true; break;
		case 'w': options->crawl_ms = (unsigned)strtoul(optarg, NULL, 10); break;
		default: good = false;
		}
	options->slot = argv[optind];
	return good && optind + 1 == argc;
}

int main(int argc, char **argv)
{
	struct options options = {
		.config = {.width = 1280,
			   .height = 720,
			   .fps_num = 60000,
			   .fps_den = 1001,
			   .audio_channels = 2,
			   .scan = FC_SCAN_PROGRESSIVE,
			   .source_type = "frametest"},
		.frames = UINT64_MAX,
	};

	if (!options_parse(&options, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (options.check)
		return check_card(&options);
	if (options.seconds && options.frames == UINT64_MAX)
		options.frames =
			(uint64_t)options.seconds * options.config.fps_num / options.config.fps_den;
	return write_card(&options);
}
