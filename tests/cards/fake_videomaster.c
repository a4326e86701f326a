/* libvideomasterhd.so without a card: what script.h says comes in, in real time. What it does is what public
 * programs expect of the real one; nobody else has judged it.
 *
 * A frame comes in when its time has come, whether somebody asks for it or not: of those that nobody fetched, the
 * queue keeps as many as it is deep and counts the others as dropped. */
#include "videomaster_abi.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "script.h"
#include "test_card.h"

#define API       __attribute__((visibility("default")))
#define DEPTH_MAX 32u

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t came;
	pthread_t thread;
	bool begun;
	const struct script_mode *mode; /* on the wire; NULL: nothing is */
	/* the stream */
	bool open, started;
	uint32_t standard, packing, depth, timeout_ms, count, dropped;
	struct script_step queue[DEPTH_MAX];
	uint32_t queued;
	struct script_step locked;
	uint8_t *pixels;
} card = {.mutex = PTHREAD_MUTEX_INITIALIZER,
	  .came = PTHREAD_COND_INITIALIZER,
	  .standard = 1,
	  .depth = 4,
	  .timeout_ms = 100};

/* --- time goes on --------------------------------------------------------------------------- */

static void step_take(const struct script_step *step)
{
	pthread_mutex_lock(&card.mutex);
	card.mode = step->what == SCRIPT_NONE ? NULL : step->mode;
	if (card.started && step->what == SCRIPT_LOST) {
		card.dropped++;
	} else if (card.started && step->what == SCRIPT_FRAME &&
		   step->mode->standard == card.standard) {
		if (card.queued == card.depth) {
			memmove(card.queue, card.queue + 1, (card.depth - 1) * sizeof *card.queue);
			card.queued--;
			card.dropped++;
		}
		card.queue[card.queued++] = *step;
		pthread_cond_signal(&card.came);
	}
	pthread_mutex_unlock(&card.mutex);
}

static void *wire_run(void *unused)
{
	struct timespec next;

	(void)unused;
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (card.begun) {
		struct script_step step = script_next();

		if (step.what == SCRIPT_END)
			step.what = SCRIPT_NONE;
		next.tv_nsec += 1000000000l * step.mode->fps_den / step.mode->fps_num +
				(long)step.late * 2000000;
		while (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		step_take(&step);
	}
	return NULL;
}

/* --- the board ------------------------------------------------------------------------------ */

#define DECLARE(name, symbol, arguments) API vm_result symbol arguments;
VM_FUNCTIONS(DECLARE)
VM_FUNCTIONS_AUDIO(DECLARE)

#define BAD  6u
#define USED 18u

vm_result VHD_GetApiInfo(uint32_t *version, uint32_t *boards)
{
	const char *said = getenv("FAKE_CARDS");

	if (getenv("FAKE_CARD_NO_DRIVER"))
		return 1;
	*version = 0x06200000;
	*boards = said ? (uint32_t)atoi(said) : 1;
	return 0;
}

vm_result VHD_OpenBoardHandle(uint32_t index, vm_handle *out, vm_handle event, uint32_t mask)
{
	(void)index;
	(void)event;
	(void)mask;
	*out = &card;
	pthread_mutex_lock(&card.mutex);
	if (!card.begun) {
		card.begun = true;
		script_begin();
		pthread_create(&card.thread, NULL, wire_run, NULL);
	}
	pthread_mutex_unlock(&card.mutex);
	return 0;
}

vm_result VHD_CloseBoardHandle(vm_handle board)
{
	return board == &card ? 0 : BAD;
}

vm_result VHD_GetBoardProperty(vm_handle board, uint32_t property, uint32_t *out)
{
	vm_result result = 0;

	if (board != &card)
		return BAD;
	pthread_mutex_lock(&card.mutex);
	/* There is a wire in input 1. */
	switch (property) {
	case VM_BOARD_INPUTS: *out = 2; break;
	case VM_RX0_STATUS: *out = VM_STATUS_UNLOCKED; break;
	case VM_RX0_STATUS + 1: *out = card.mode ? 0 : VM_STATUS_UNLOCKED; break;
	case VM_RX0_STANDARD + 1: *out = card.mode ? card.mode->standard : 55; break;
	case VM_RX0_CLOCK + 1:
		*out = card.mode && card.mode->fps_den == 1001 ? VM_CLOCK_1001 : VM_CLOCK_1;
		break;
	default: result = BAD;
	}
	pthread_mutex_unlock(&card.mutex);
	return result;
}

/* --- the stream ----------------------------------------------------------------------------- */

vm_result VHD_OpenStreamHandle(vm_handle board, uint32_t type, uint32_t processing, int32_t *lock,
			       vm_handle *out, vm_handle event)
{
	(void)lock;
	(void)event;
	if (board != &card || type != 1 || processing != VM_JOINED)
		return BAD;
	if (card.open || getenv("FAKE_CARD_BUSY"))
		return USED;
	card.open = true;
	*out = &card.open;
	return 0;
}

vm_result VHD_CloseStreamHandle(vm_handle stream)
{
	card.open = false;
	return stream == &card.open ? 0 : BAD;
}

vm_result VHD_GetStreamProperty(vm_handle stream, uint32_t property, uint32_t *out)
{
	vm_result result = stream == &card.open ? 0 : BAD;

	pthread_mutex_lock(&card.mutex);
	if (property == VM_SLOTS_COUNT)
		*out = card.count;
	else if (property == VM_SLOTS_DROPPED)
		*out = card.dropped;
	else
		result = BAD;
	pthread_mutex_unlock(&card.mutex);
	return result;
}

vm_result VHD_SetStreamProperty(vm_handle stream, uint32_t property, uint32_t value)
{
	if (stream != &card.open || card.started)
		return BAD;
	switch (property) {
	case VM_VIDEO_STANDARD: card.standard = value; return 0;
	case VM_TRANSFER_SCHEME: return value == VM_TRANSFER_SLAVED ? 0 : BAD;
	case VM_IO_TIMEOUT: card.timeout_ms = value; return 0;
	case VM_QUEUE_DEPTH: card.depth = value; return value >= 2 && value <= DEPTH_MAX ? 0 : BAD;
	case VM_BUFFER_PACKING:
		card.packing = value;
		return value == VM_PACKING_8 || value == VM_PACKING_10 ? 0 : BAD;
	default: return BAD;
	}
}

vm_result VHD_StartStream(vm_handle stream)
{
	pthread_mutex_lock(&card.mutex);
	card.started = true;
	card.count = card.dropped = card.queued = 0;
	pthread_mutex_unlock(&card.mutex);
	return stream == &card.open ? 0 : BAD;
}

vm_result VHD_StopStream(vm_handle stream)
{
	pthread_mutex_lock(&card.mutex);
	card.started = false;
	pthread_mutex_unlock(&card.mutex);
	return stream == &card.open ? 0 : BAD;
}

vm_result VHD_LockSlotHandle(vm_handle stream, vm_handle *out)
{
	struct timespec until;
	int late = 0;

	if (stream != &card.open || !card.started)
		return BAD;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)card.timeout_ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&card.mutex);
	while (card.queued == 0 && !late)
		late = pthread_cond_timedwait(&card.came, &card.mutex, &until);
	if (card.queued) {
		card.locked = card.queue[0];
		card.queued--;
		memmove(card.queue, card.queue + 1, card.queued * sizeof *card.queue);
		card.count++;
		late = 0;
	}
	pthread_mutex_unlock(&card.mutex);
	*out = &card.locked;
	return late ? VM_TIMEOUT : 0;
}

static struct test_card drawn(uint32_t channels)
{
	const struct script_mode *mode = card.locked.mode;
	bool ten = card.packing == VM_PACKING_10;
	fc_info_t info = {.width = mode->width,
			  .height = mode->height,
			  .fps_num = mode->fps_num,
			  .fps_den = mode->fps_den,
			  .pixel_format = ten ? FC_PIX_V210 : FC_PIX_UYVY422,
			  .plane_row_bytes = {ten ? (mode->width + 47) / 48 * 128
						  : mode->width * 2},
			  .audio_rate = 48000,
			  .audio_channels = channels};

	return test_card_of(&info);
}

vm_result VHD_GetSlotBuffer(vm_handle slot, uint32_t type, uint8_t **out, uint32_t *size)
{
	struct test_card test = drawn(0);

	if (slot != &card.locked || type != VM_BUFFER_VIDEO)
		return BAD;
	*size = test.row_bytes[0] * test.height;
	card.pixels = realloc(card.pixels, *size);
	test_card_draw(&test, card.locked.number, card.pixels);
	*out = card.pixels;
	return 0;
}

vm_result VHD_UnlockSlotHandle(vm_handle slot)
{
	return slot == &card.locked ? 0 : BAD;
}

vm_result VHD_SlotExtractAudio(vm_handle slot, struct vm_sound *sound)
{
	static int32_t samples[16 * 4096];
	struct test_card test = drawn(16);
	uint32_t count = test_card_sound(&test, card.locked.number, samples);

	if (slot != &card.locked)
		return BAD;
	for (uint32_t c = 0; c < 16; c++) {
		struct vm_channel *channel = &sound->groups[c / 4].channels[c % 4];

		if (channel->mode == 0)
			continue;
		if (channel->mode != VM_MONO || channel->format != VM_24_BIT)
			return BAD;
		if (channel->size < count * 3)
			return BAD;
		channel->size = count * 3;
		for (uint32_t i = 0; i < count; i++)
			for (uint32_t byte = 0; byte < 3; byte++)
				channel->data[i * 3 + byte] =
					(uint8_t)((uint32_t)samples[i * 16 + c] >> (8 + 8 * byte));
	}
	return 0;
}
