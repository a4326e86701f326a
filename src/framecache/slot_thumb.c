#include "framecache/slot_thumb.h"
#include "core/fault.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framecache/slot_board.h"
#include "framecache/thumbnail.h"

#define SHOTS_MAX 32u
#define FRESH_NS  500000000ull
#define TRIES     4 /* frames that are overwritten while they are drawn */

struct asker {
	struct asker *next;
	struct call *call;
};

enum shot_result {
	SHOT_WHOLE,
	SHOT_NONE, /* no frame was written yet */
	SHOT_GONE, /* no such slot (any more) */
	SHOT_TORN, /* the writer was quicker each time */
	SHOT_AWAY, /* the server ends */
};

struct shot {
	struct shot *next; /* of those that wait for the pool */
	struct asker *askers;
	bool waits;          /* for the pool, or in it */
	uint64_t at_ns;      /* when it was made; 0: never */
	uint64_t generation; /* of the slot that it is of */
	uint64_t index;      /* of the frame */
	enum shot_result result;
	size_t len;
	char slot_id[FC_SLOT_ID_MAX + 1];
	uint8_t bmp[THUMBNAIL_BYTES_MAX];
};

static struct {
	uv_loop_t *loop;
	struct shot *shots[SHOTS_MAX];
	struct shot *first, **last; /* that wait for the pool; the first is in it */
	uv_work_t work;
} thumb OWNED_BY(on_control);

/* --- on libuv's pool ------------------------------------------------------------------------ */

static enum shot_result shot_take(struct shot *shot, fc_slot_t *slot)
{
	fc_frame_t *frame;
	fc_info_t info;

	fc_info(slot, &info);
	for (int i = 0; i < TRIES; i++) {
		(void)fc_seek(slot, FC_SEEK_NEWEST, 0);
		if (fc_read_frame(slot, &frame, 0) != FC_OK)
			return SHOT_NONE;
		shot->index = frame->index;
		shot->len = thumbnail_draw(&info, frame->data, shot->bmp);
		if (fc_frame_valid(slot, frame))
			return SHOT_WHOLE;
	}
	return SHOT_TORN;
}

/* By descriptor: a reader that looks for a moment is none of those whose lag is told. */
static fc_slot_t *slot_open(const char *slot_id)
{
	int dir = open(board_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir == -1 ? -1
			   : openat(dir, slot_id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	fc_slot_t *slot = fd == -1 ? NULL : fc_open_fd(fd);

	if (fd != -1)
		close(fd);
	if (dir != -1)
		close(dir);
	return slot;
}

static void shot_work(uv_work_t *work)
{
	struct shot *shot = work->data;
	fc_slot_t *slot;

	fault_guard_begin();
	slot = slot_open(shot->slot_id);
	shot->result = slot ? shot_take(shot, slot) : SHOT_GONE;
	fc_close(slot);
	if (fault_guard_end())
		shot->result = SHOT_GONE;
}

/* --- answers -------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void answer_shot(struct call *call, const struct shot *shot)
{
	char index[24];

	switch (shot->result) {
	case SHOT_WHOLE:
		snprintf(index, sizeof index, "%llu", (unsigned long long)shot->index);
		reply_header(&call->reply, "X-Frame-Index", bytes_str(index));
		buffer_put(&call->reply.body, bytes_of(shot->bmp, shot->len));
		api_answer_text(call, "image/bmp");
		return;
	case SHOT_NONE:
		api_fault(call, 404, "no_frame", "nothing was written into this slot yet");
		return;
	case SHOT_GONE: api_fault(call, 404, "no_such_slot", "there is no such slot"); return;
	case SHOT_TORN:
		api_fault(call, 503, "no_whole_frame", "each frame was overwritten too soon");
		return;
	case SHOT_AWAY: api_fault(call, 503, "going_away", "the server ends"); return;
	}
}

RUNS_ON(on_control) static void answer_askers(struct shot *shot)
{
	struct asker *asker;

	while ((asker = shot->askers)) {
		shot->askers = asker->next;
		answer_shot(asker->call, shot);
		free(asker);
	}
}

/* --- one shot after the other --------------------------------------------------------------- */

static void on_shot(uv_work_t *work, int status);

RUNS_ON(on_control) static void shoot(void)
{
	thumb.work.data = thumb.first;
	CHECK(uv_queue_work(thumb.loop, &thumb.work, shot_work, on_shot) == 0);
}

static void on_shot(uv_work_t *work, int status)
{
	struct shot *shot = work->data;

	enter_control();
	if (status)
		shot->result = SHOT_AWAY;
	shot->at_ns = uv_hrtime();
	shot->waits = false;
	thumb.first = shot->next;
	if (thumb.first)
		shoot();
	answer_askers(shot);
}

RUNS_ON(on_control) static void shot_wanted(struct shot *shot)
{
	bool idle = !thumb.first;

	if (shot->waits)
		return;
	shot->waits = true;
	shot->next = NULL;
	if (idle)
		thumb.last = &thumb.first;
	*thumb.last = shot;
	thumb.last = &shot->next;
	if (idle)
		shoot();
}

/* --- which shot ----------------------------------------------------------------------------- */

/* That of the slot, or a place for one: free, or what was made longest ago. NULL: all are in use. */
RUNS_ON(on_control) static struct shot **shot_place(const char *slot_id)
{
	struct shot **oldest = NULL, **at;

	for (at = thumb.shots; at < thumb.shots + SHOTS_MAX; at++)
		if (*at && strcmp((*at)->slot_id, slot_id) == 0)
			return at;
	for (at = thumb.shots; at < thumb.shots + SHOTS_MAX; at++) {
		if (!*at)
			return at;
		if (!(*at)->waits && (!oldest || (*at)->at_ns < (*oldest)->at_ns))
			oldest = at;
	}
	return oldest;
}

RUNS_ON(on_control) static struct shot *shot_of(const char *slot_id)
{
	struct shot **place = shot_place(slot_id);

	if (!place)
		return NULL;
	if (!*place)
		*place = calloc(1, sizeof **place);
	if (*place && strcmp((*place)->slot_id, slot_id) != 0) {
		(*place)->at_ns = 0;
		snprintf((*place)->slot_id, sizeof(*place)->slot_id, "%s", slot_id);
	}
	return *place;
}

RUNS_ON(on_control)
static bool is_fresh(const struct shot *shot, const struct board_slot *slot)
{
	return !shot->waits && shot->generation == slot->info.generation && shot->at_ns &&
	       uv_hrtime() - shot->at_ns < FRESH_NS;
}

RUNS_ON(on_control)
static void answer_thumbnail(struct call *call, const struct api_input *input)
{
	const struct board_slot *slot = board_find(input->arg);
	struct asker *asker;
	struct shot *shot;

	/* Only what the board knows: no page can make us open any name. */
	if (!slot) {
		api_fault(call, 404, "no_such_slot", "there is no such slot");
		return;
	}
	shot = shot_of(input->arg);
	if (shot && is_fresh(shot, slot)) {
		answer_shot(call, shot);
		return;
	}
	asker = shot ? calloc(1, sizeof *asker) : NULL;
	if (!asker) {
		api_fault(call, 503, "busy", "too many pictures are asked for at once");
		return;
	}
	asker->call = call;
	shot->generation = slot->info.generation;
	asker->next = shot->askers;
	shot->askers = asker;
	shot_wanted(shot);
}

/* --- life ----------------------------------------------------------------------------------- */

void thumb_start(uv_loop_t *loop)
{
	thumb.loop = loop;
}

void thumb_stop(void)
{
	struct shot *shot;

	/* Those behind the one in the pool are not begun any more. */
	while (thumb.first && (shot = thumb.first->next)) {
		thumb.first->next = shot->next;
		shot->waits = false;
		shot->result = SHOT_AWAY;
		answer_askers(shot);
	}
	while (thumb.first)
		uv_run(thumb.loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < SHOTS_MAX; i++) {
		free(thumb.shots[i]);
		thumb.shots[i] = NULL;
	}
}

const struct api_operation thumb_operations[] = {
	{"GET", API_ROOT "/slots/{slot}/thumbnail", RANK_OPERATOR, answer_thumbnail,
	 "The newest frame of a slot as a small picture (BMP), at most half a second old.", NULL,
	 "Picture", NULL},
	{0},
};
