/* framecat: a slot as y4m on standard output.
 *
 *     framecat studio1 | ffplay -
 *     framecat --frames 100 studio1 | ffmpeg -i - -c:v libx264 out.mp4
 *
 * y4m has no time: a frame that was lost is replaced by the one before it, so that the count stays that of
 * the slot; --skip leaves it out instead. What is written was whole. Ends when the writer closes the slot,
 * or when nobody reads any more; a writer that died is waited for as long as --wait says, as is the slot.
 * What went on is said on standard error at the end. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "y4m.h"

static const char usage[] = "usage: framecat [options] SLOT\n"
			    "A slot of the frame cache (FC_DIR) as y4m on standard output.\n\n"
			    "  --frames N     ends after so many\n"
			    "  --wait S       for the slot, and for a writer that died (10)\n"
			    "  --oldest       begins with the oldest frame, not the newest\n"
			    "  --skip         leaves out what was lost, instead of repeating\n"
			    "  --help         prints this\n";

#define FRAMES_MOST 1000000000000ull
#define WAIT_MOST_S 31536000ull /* a year */

static const char frame_line[] = "FRAME\n";

struct options {
	uint64_t frames, wait_ms;
	bool oldest, skip;
	const char *slot;
};

struct cat {
	const struct options *options;
	fc_slot_t *slot;
	fc_info_t info;
	uint8_t *out; /* "FRAME\n" and the planes */
	size_t out_len;
	uint64_t written, repeated, torn, silent_ms;
	bool any; /* out holds a whole frame */
};

static bool write_all(const void *at, size_t len)
{
	const uint8_t *from = at;

	while (len > 0) {
		ssize_t put = write(STDOUT_FILENO, from, len);

		if (put == -1 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		from += put;
		len -= (size_t)put;
	}
	return true;
}

static bool write_out(struct cat *cat)
{
	cat->written++;
	return write_all(cat->out, cat->out_len);
}

/* What was lost before a frame, and a frame that was overwritten while it was used. */
static bool repeat(struct cat *cat, uint64_t count)
{
	if (cat->options->skip || !cat->any)
		return true;
	for (; count > 0 && cat->written < cat->options->frames; count--) {
		cat->repeated++;
		if (!write_out(cat))
			return false;
	}
	return true;
}

/* The picture goes to a buffer of our own, is found to have been whole, and only then is written. A torn
 * one has spoiled the buffer that repeats come from, so there are two. */
static bool pass_on(struct cat *cat, const fc_frame_t *frame, uint8_t **spare)
{
	uint8_t *drawn = *spare;
	bool going = repeat(cat, frame->lost);

	y4m_frame(&cat->info, frame->data, drawn + sizeof frame_line - 1);
	if (!fc_frame_valid(cat->slot, frame)) {
		cat->torn++;
		return going && repeat(cat, 1);
	}
	*spare = cat->out;
	cat->out = drawn;
	cat->any = true;
	return going && (cat->written >= cat->options->frames || write_out(cat));
}

static int run(struct cat *cat, uint8_t *spare)
{
	int result = FC_OK;

	while (cat->written < cat->options->frames) {
		fc_frame_t *frame;

		result = fc_read_frame(cat->slot, &frame, 200);
		cat->silent_ms = result == FC_OK ? 0 : cat->silent_ms + 200;
		if (result == FC_OK && frame->size != cat->info.frame_size)
			cat->torn++;
		else if (result == FC_OK && !pass_on(cat, frame, &spare))
			break;
		if (result == FC_CLOSED || result == FC_SUPERSEDED || result == FC_BROKEN)
			break;
		if (result == FC_DEAD && cat->silent_ms > cat->options->wait_ms)
			break;
	}
	free(spare);
	return result;
}

static int framecat(const struct options *options)
{
	struct cat cat = {.options = options,
			  .slot = fc_open_wait(options->slot, options->wait_ms)};
	uint8_t *spare;
	char header[128];
	size_t len;
	int result;

	if (!cat.slot) {
		fprintf(stderr, "framecat: %s: %s\n", options->slot,
			errno == ETIMEDOUT ? "there is no slot of this name (FC_DIR says where)"
					   : strerror(errno));
		return 1;
	}
	fc_info(cat.slot, &cat.info);
	if (options->oldest)
		fc_seek(cat.slot, FC_SEEK_OLDEST, 0);
	cat.out_len = sizeof frame_line - 1 + y4m_frame_size(&cat.info);
	cat.out = malloc(cat.out_len);
	spare = malloc(cat.out_len);
	if (!cat.out || !spare) {
		fprintf(stderr, "framecat: no memory\n");
		return 1;
	}
	memcpy(cat.out, frame_line, sizeof frame_line - 1);
	memcpy(spare, frame_line, sizeof frame_line - 1);
	len = y4m_header(&cat.info, header, sizeof header);
	result = write_all(header, len) ? run(&cat, spare) : FC_OK;
	fprintf(stderr,
		"framecat: %s: %" PRIu64 " frames, of them %" PRIu64 " repeated; lost %" PRIu64
		", void %" PRIu64 "; %s\n",
		options->slot, cat.written, cat.repeated, fc_lost(cat.slot), cat.torn,
		fc_result_name(result));
	free(cat.out);
	fc_close(cat.slot);
	return result == FC_BROKEN || result == FC_DEAD ? 1 : 0;
}

static bool take_number(const char *name, const char *text, uint64_t low, uint64_t high,
			uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end && errno == 0 && *out >= low && *out <= high)
		return true;
	fprintf(stderr,
		"framecat: %s: %s is no number from %" PRIu64 " to %" PRIu64
		"; see framecat --help\n",
		name, text, low, high);
	return false;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"frames", 1, NULL, 'n'}, {"wait", 1, NULL, 'w'}, {"oldest", 0, NULL, 'o'},
		{"skip", 0, NULL, 's'},   {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0},
	};
	struct options options = {.frames = UINT64_MAX, .wait_ms = 10000};
	bool good = true;
	int letter;

	while (good && (letter = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (letter) {
		case 'n':
			good = take_number("--frames", optarg, 1, FRAMES_MOST, &options.frames);
			break;
		case 'w':
			good = take_number("--wait", optarg, 0, WAIT_MOST_S, &options.wait_ms);
			options.wait_ms *= 1000;
			break;
		case 'o': options.oldest = true; break;
		case 's': options.skip = true; break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	if (!good)
		return 2;
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		return 2;
	}
	options.slot = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	return framecat(&options);
}
