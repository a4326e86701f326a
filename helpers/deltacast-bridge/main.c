/* deltacast-bridge: from a DELTACAST card into a slot of the frame cache.
 *
 *   libvideomasterhd.so (the user's own)
 *      ├─ is RX locked, on which standard and clock? ── no ──▶ feed_no_signal, ask again
 *      └─ yes: a stream; lock a slot ─▶ feed_frame ─▶ unlock, until it stops or the standard changes
 *
 * One thread. Nothing of the card's maker is in this program; see videomaster_abi.h. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "feed.h"
#include "videomaster_abi.h"

#define TIMEOUT_MS   200u
#define ASK_EVERY    25u /* frames from one question for the standard to the next */
#define SAMPLES_MAX  4096u
#define SAMPLE_BYTES 3u

static struct {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): names and lists of types take none */
#define POINTER(name, symbol, arguments) vm_result(*name) arguments;
	VM_FUNCTIONS(POINTER)
	VM_FUNCTIONS_AUDIO(POINTER)
#undef POINTER
} vm;

static const struct options *options;

static struct {
	vm_handle board, stream;
	uint32_t input;
	uint32_t standard, clock; /* of the stream */
	struct feed_format format;
	uint64_t before;  /* frames of the streams before this one, of the same format */
	uint64_t next;    /* index of the next frame */
	uint64_t lost_ns; /* when the signal went; 0: it is there, or never was */
	struct vm_sound sound;
	uint8_t samples[16][SAMPLES_MAX * SAMPLE_BYTES];
	int32_t mixed[16 * SAMPLES_MAX];
} card;

/* --- the library ---------------------------------------------------------------------------- */

static bool symbol_find(void *library, const char *name, void *out)
{
	void *found = dlsym(library, name);

	if (!found)
		say("fault: the library has no %s", name);
	memcpy(out, &found, sizeof found);
	return found;
}

static bool library_open(void)
{
	const char *path = options->library ? options->library : VM_LIBRARY;
	void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	void *audio;
	bool good = true;

	if (!library) {
		say("fault: %s; it comes with DELTACAST's VideoMaster", dlerror());
		return false;
	}
	audio = dlopen(VM_LIBRARY_AUDIO, RTLD_NOW | RTLD_GLOBAL);
	/* Sound is in a library of its own, or in the same. */
	if (!audio)
		audio = library;
#define FIND(name, symbol, arguments) good = good && symbol_find(library, #symbol, &vm.name);
	VM_FUNCTIONS(FIND)
#undef FIND
#define FIND(name, symbol, arguments) good = good && symbol_find(audio, #symbol, &vm.name);
	VM_FUNCTIONS_AUDIO(FIND)
#undef FIND
	return good;
}

/* "0" is the first input of the first board, "1:3" the fourth of the second. */
static bool device_parse(uint32_t *board)
{
	const char *colon = strchr(options->device, ':');
	char *end;

	*board = colon ? (uint32_t)strtoul(options->device, &end, 10) : 0;
	card.input = (uint32_t)strtoul(colon ? colon + 1 : options->device, &end, 10);
	if (!*end && end != options->device && card.input < VM_INPUTS_MAX)
		return true;
	say("fault: --device is an input, 0 to 7, or BOARD:INPUT");
	return false;
}

static void boards_list(uint32_t boards)
{
	for (uint32_t i = 0; i < boards; i++) {
		uint32_t inputs = 0;
		vm_handle board;

		if (vm.board_open(i, &board, NULL, 0) != 0)
			continue;
		vm.board_get(board, VM_BOARD_INPUTS, &inputs);
		printf("%u:0\tboard %u, %u inputs\n", i, i, inputs);
		vm.board_close(board);
	}
}

static bool board_open(void)
{
	uint32_t version, boards = 0, board, inputs = 0;

	if (vm.api_info(&version, &boards) != 0) {
		say("fault: the card's driver is not loaded");
		return false;
	}
	if (options->list) {
		boards_list(boards);
		return true;
	}
	if (!device_parse(&board))
		return false;
	if (boards == 0) {
		say("fault: there is no card");
		return false;
	}
	if (board >= boards || vm.board_open(board, &card.board, NULL, 0) != 0) {
		say("fault: there is no board %u of %u, or it cannot be opened", board, boards);
		return false;
	}
	vm.board_get(card.board, VM_BOARD_INPUTS, &inputs);
	if (card.input < inputs)
		return true;
	say("fault: the board has %u inputs, and no %u", inputs, card.input);
	return false;
}

/* --- the signal ----------------------------------------------------------------------------- */

static uint32_t property(uint32_t first, uint32_t fifth)
{
	return card.input < 4 ? first + card.input : fifth + card.input - 4;
}

static bool is_locked(void)
{
	uint32_t status;

	return vm.board_get(card.board, property(VM_RX0_STATUS, VM_RX4_STATUS), &status) == 0 &&
	       !(status & VM_STATUS_UNLOCKED);
}

static bool signal_ask(uint32_t *standard, uint32_t *clock)
{
	return is_locked() &&
	       vm.board_get(card.board, property(VM_RX0_STANDARD, VM_RX4_STANDARD), standard) ==
		       0 &&
	       vm.board_get(card.board, property(VM_RX0_CLOCK, VM_RX4_CLOCK), clock) == 0;
}

static bool format_of(uint32_t standard, uint32_t clock, struct feed_format *out)
{
	static const struct vm_standard known[] = VM_STANDARDS;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (known[i].number != standard)
			continue;
		*out = (struct feed_format){
			.width = known[i].width,
			.height = known[i].height,
			.fps_num = clock == VM_CLOCK_1001 ? known[i].fps * 1000 : known[i].fps,
			.fps_den = clock == VM_CLOCK_1001 ? 1001 : 1,
			.pixel_format = options->pixel_format,
			.scan = known[i].scan,
			.colour = known[i].height < 720 ? FC_COLOUR_BT601 : FC_COLOUR_BT709,
			.channels = options->channels,
		};
		return true;
	}
	say("the standard %u that comes in is not known here", standard);
	return false;
}

/* --- the stream ----------------------------------------------------------------------------- */

static void stream_close(void)
{
	if (!card.stream)
		return;
	vm.stream_stop(card.stream);
	vm.stream_close(card.stream);
	card.stream = NULL;
}

static bool stream_start(void)
{
	static const uint32_t types[VM_INPUTS_MAX] = VM_STREAM_RX;
	bool ten = options->pixel_format == FC_PIX_V210;

	if (vm.stream_open(card.board, types[card.input], VM_JOINED, NULL, &card.stream, NULL) !=
	    0) {
		say("the input cannot be opened; another program may have it");
		card.stream = NULL;
		return false;
	}
	if (vm.stream_set(card.stream, VM_VIDEO_STANDARD, card.standard) == 0 &&
	    vm.stream_set(card.stream, VM_TRANSFER_SCHEME, VM_TRANSFER_SLAVED) == 0 &&
	    vm.stream_set(card.stream, VM_IO_TIMEOUT, TIMEOUT_MS) == 0 &&
	    vm.stream_set(card.stream, VM_QUEUE_DEPTH, 8) == 0 &&
	    vm.stream_set(card.stream, VM_BUFFER_PACKING, ten ? VM_PACKING_10 : VM_PACKING_8) ==
		    0 &&
	    vm.stream_start(card.stream) == 0)
		return true;
	say("the input refuses what is asked of it");
	stream_close();
	return false;
}

/* True when there is a signal and a stream of it. */
static bool signal_take(void)
{
	struct feed_format format;
	uint32_t standard, clock;

	if (!signal_ask(&standard, &clock) || !format_of(standard, clock, &format))
		return false;
	if (memcmp(&format, &card.format, sizeof format) != 0)
		card.next = 0;
	card.format = format;
	card.standard = standard;
	card.clock = clock;
	card.before = card.next;
	if (!stream_start())
		return false;
	feed_lock(&format);
	card.lost_ns = 0;
	return true;
}

/* --- frames --------------------------------------------------------------------------------- */

static void sound_prepare(void)
{
	memset(&card.sound, 0, sizeof card.sound);
	for (uint32_t i = 0; i < options->channels; i++) {
		struct vm_channel *channel = &card.sound.groups[i / 4].channels[i % 4];

		channel->mode = VM_MONO;
		channel->format = VM_24_BIT;
		channel->data = card.samples[i];
		channel->size = sizeof card.samples[i];
	}
}

/* Interleaved, 24 bits on top of 32. A channel that is not there is silent. */
static uint32_t sound_take(vm_handle slot)
{
	uint32_t count = 0, channels = options->channels;

	sound_prepare();
	if (channels == 0 || vm.slot_sound(slot, &card.sound) != 0)
		return 0;
	for (uint32_t i = 0; i < channels; i++) {
		uint32_t size = card.sound.groups[i / 4].channels[i % 4].size / SAMPLE_BYTES;

		count = size > count && size <= SAMPLES_MAX ? size : count;
	}
	for (uint32_t i = 0; i < channels; i++) {
		uint32_t size = card.sound.groups[i / 4].channels[i % 4].size / SAMPLE_BYTES;
		const uint8_t *from = card.samples[i];

		for (uint32_t n = 0; n < count; n++, from += SAMPLE_BYTES)
			card.mixed[n * channels + i] = n < size
							       ? (int32_t)((uint32_t)from[0] << 8 |
									   (uint32_t)from[1] << 16 |
									   (uint32_t)from[2] << 24)
							       : 0;
	}
	return count;
}

/* Frames of this stream up to the one at hand, with those that it dropped. */
static uint64_t frames_until_now(void)
{
	uint32_t count = 0, dropped = 0;

	vm.stream_get(card.stream, VM_SLOTS_COUNT, &count);
	vm.stream_get(card.stream, VM_SLOTS_DROPPED, &dropped);
	return (uint64_t)count + dropped;
}

static void take_slot(vm_handle slot)
{
	struct feed_frame out = {0};
	uint8_t *pixels = NULL;
	uint32_t size = 0;
	uint64_t until = frames_until_now();

	if (vm.slot_buffer(slot, VM_BUFFER_VIDEO, &pixels, &size) != 0 || !pixels)
		return;
	out.pixels = pixels;
	out.row_bytes = (long)(size / card.format.height);
	out.samples = sound_take(slot);
	out.sound = card.mixed;
	out.index = card.before + (until ? until - 1 : 0);
	if (out.index < card.next)
		out.index = card.next;
	feed_frame(&out);
	card.next = out.index + 1;
}

/* False: there is no stream any more. */
static bool stream_step(unsigned turn)
{
	uint32_t standard, clock;
	vm_handle slot;
	vm_result result = vm.slot_lock(card.stream, &slot);

	if (result == 0) {
		take_slot(slot);
		vm.slot_unlock(slot);
		if (turn % ASK_EVERY)
			return true;
	}
	/* A timeout, a fault, or every now and then: is it still what it was? */
	if (signal_ask(&standard, &clock) && standard == card.standard && clock == card.clock &&
	    (result == 0 || result == VM_TIMEOUT))
		return true;
	stream_close();
	return false;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Those frames that would have come since. */
static void wait_without(void)
{
	uint64_t frame_ns, now = now_ns();

	if (card.format.fps_num == 0)
		return;
	frame_ns = 1000000000ull * card.format.fps_den / card.format.fps_num;
	if (card.lost_ns == 0)
		card.lost_ns = now - frame_ns;
	for (; now - card.lost_ns >= frame_ns; card.lost_ns += frame_ns)
		feed_no_signal(card.next++);
}

static int run(void)
{
	if (feed_open(options))
		return 1;
	say("waiting for a signal");
	for (unsigned turn = 1; !ending_await(0) && !feed_fault(); turn++) {
		if (card.stream ? stream_step(turn) : signal_take())
			continue;
		wait_without();
		if (ending_await(10))
			break;
	}
	stream_close();
	feed_close();
	return feed_fault();
}

int main(int argc, char **argv)
{
	static struct options given;
	int result = 1;

	options = &given;
	if (!options_parse(&given, "DELTACAST", argc, argv))
		return 2;
	ending_prepare();
	if (!library_open() || !board_open())
		return 1;
	result = given.list ? 0 : run();
	if (card.board)
		vm.board_close(card.board);
	return result;
}
