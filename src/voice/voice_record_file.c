#include "voice/voice_record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/metric.h"
#include "core/side_thread.h"
#include "voice/proto/ogg_opus.h"

#define SLOTS     512u /* packets of a worker's that wait for the disk */
#define ROUND_NS  100000000u
#define FRAME     480u   /* samples that a frame number counts */
#define RESUME_US 500000 /* a longer silence is a new beginning: by the clock, not by numbers */

struct slot {
	uint32_t record, session;
	uint64_t frame;
	mono_t at;
	bool last;
	uint16_t len;
	uint8_t payload[VOICE_PACKET_MAX];
};

struct ring {
	_Atomic uint32_t head; /* release by the worker */
	_Atomic uint32_t tail; /* release by the thread */
	struct slot slots[SLOTS];
};

/* One speaker's file. */
struct track {
	struct track *next;
	uint32_t session;
	char name[RECORD_NAME];
	int fd; /* -1: he has said nothing yet */
	struct ogg_opus ogg;
	bool speaking;
	uint64_t frame,
		base; /* of the first packet since he began to speak: its number, its place */
	uint64_t next_frame;
	mono_t heard;
};

struct recording {
	struct recording *next;
	uint32_t id;
	mono_t began;
	bool failed;
	char room[RECORD_NAME], folder[4096];
	struct track *tracks;
};

struct order_item {
	struct message message;
	struct record_order order;
};

static struct {
	struct side_thread thread;
	void (*fault)(struct message *message);
	struct recording *recordings; /* the thread's */
	_Atomic(struct ring *) rings[WORKERS_MAX];
} here;

/* --- files ---------------------------------------------------------------------------------- */

static void track_free(struct track *track)
{
	if (track->fd >= 0)
		close(track->fd);
	free(track);
}

/* The recording is over, as far as the disk goes; nobody else notices. */
static void fail(struct recording *recording, int error)
{
	struct record_fault *fault = recording->failed ? NULL : calloc(1, sizeof *fault);

	recording->failed = true;
	if (!fault)
		return;
	fault->message.deliver = here.fault;
	fault->record = recording->id;
	fault->error = error;
	control_post(&fault->message);
}

static void write_out(struct recording *recording, struct track *track, struct writer *w)
{
	struct bytes out = writer_done(w);

	while (out.len && !recording->failed) {
		ssize_t n = write(track->fd, out.at, out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fail(recording, n < 0 ? -errno : -EIO);
			return;
		}
		metric_add(METRIC_voice_record_bytes, n);
		out = bytes_skip(out, (size_t)n);
	}
	w->len = 0;
}

/* Only what harms nobody in a name of a file. */
static void plain_name(const char *name, char *out, size_t size)
{
	size_t n = 0;

	for (; *name && n + 1 < size; name++)
		out[n++] = (*name >= '0' && *name <= '9') || (*name >= 'a' && *name <= 'z') ||
					   (*name >= 'A' && *name <= 'Z') || *name == '-' ||
					   (uint8_t)*name >= 0x80
				   ? *name
				   : '_';
	out[n] = '\0';
}

static bool track_open(struct recording *recording, struct track *track, struct writer *w)
{
	char path[sizeof recording->folder + RECORD_NAME + 32], name[128];

	if (track->fd >= 0)
		return true;
	plain_name(track->name, name, sizeof name);
	snprintf(path, sizeof path, "%s/%s-%u.opus", recording->folder, name, track->session);
	track->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (track->fd < 0) {
		fail(recording, -errno);
		return false;
	}
	ogg_opus_head(&track->ogg, track->session, bytes_str(track->name),
		      bytes_str(recording->room), w);
	write_out(recording, track, w);
	return true;
}

/* Where in the file this packet belongs: by the speaker's own numbers while he goes on, by the clock when
 * he begins. */
static uint64_t place_of(const struct recording *recording, struct track *track,
			 const struct slot *slot)
{
	bool goes_on = track->speaking && slot->frame >= track->frame &&
		       mono_since_us(slot->at, track->heard) < RESUME_US;

	if (!goes_on) {
		track->frame = slot->frame;
		track->base = (uint64_t)mono_since_us(slot->at, recording->began) * 48 / 1000;
		if (track->base < track->ogg.samples)
			track->base = track->ogg.samples;
		track->next_frame = slot->frame;
	}
	track->speaking = !slot->last;
	track->heard = slot->at;
	return track->base + (slot->frame - track->frame) * FRAME;
}

static void track_put(struct recording *recording, struct track *track, const struct slot *slot)
{
	static uint8_t room[4 * OGG_OPUS_PAGE];
	struct writer w = writer_of(room, sizeof room);
	struct bytes payload = bytes_of(slot->payload, slot->len);
	uint32_t samples = opus_samples(payload);
	uint64_t place;

	if (recording->failed || samples == 0 || !track_open(recording, track, &w))
		return;
	place = place_of(recording, track, slot);
	if (slot->frame < track->next_frame) {
		metric_add(METRIC_voice_record_late, 1);
		return;
	}
	while (!recording->failed && ogg_opus_pad(&track->ogg, place, &w))
		write_out(recording, track, &w);
	(void)ogg_opus_put(&track->ogg, payload, &w);
	track->next_frame = slot->frame + samples / FRAME;
	write_out(recording, track, &w);
}

static void track_end(struct recording *recording, struct track **at)
{
	static uint8_t room[2 * OGG_OPUS_PAGE];
	struct track *track = *at;
	struct writer w = writer_of(room, sizeof room);

	*at = track->next;
	if (track->fd >= 0 && !recording->failed) {
		ogg_opus_end(&track->ogg, &w);
		write_out(recording, track, &w);
	}
	track_free(track);
}

static void recording_end(struct recording *recording)
{
	while (recording->tracks)
		track_end(recording, &recording->tracks);
	free(recording);
}

/* --- orders --------------------------------------------------------------------------------- */

static struct recording **find(uint32_t id)
{
	struct recording **at = &here.recordings;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static struct track **find_track(struct recording *recording, uint32_t session)
{
	struct track **at = &recording->tracks;

	while (*at && (*at)->session != session)
		at = &(*at)->next;
	return at;
}

static void begin(const struct record_order *order)
{
	struct recording *recording = calloc(1, sizeof *recording);

	if (!recording)
		return;
	recording->id = order->record;
	recording->began = order->began;
	memcpy(recording->room, order->name, sizeof recording->room);
	memcpy(recording->folder, order->folder, sizeof recording->folder);
	recording->next = here.recordings;
	here.recordings = recording;
}

/* Numbers of users are used again, though not soon: another name is another speaker. */
static void add_speaker(struct recording *recording, const struct record_order *order)
{
	struct track **at = find_track(recording, order->session), *track;

	if (*at && strcmp((*at)->name, order->name) == 0)
		return;
	if (*at)
		track_end(recording, at);
	track = calloc(1, sizeof *track);
	if (!track)
		return;
	track->session = order->session;
	track->fd = -1;
	memcpy(track->name, order->name, sizeof track->name);
	track->next = recording->tracks;
	recording->tracks = track;
}

static void drain(void);

static void obey(const struct record_order *order)
{
	struct recording **at = find(order->record);

	switch (order->kind) {
	case RECORD_BEGIN: begin(order); break;
	case RECORD_SPEAKER:
		if (*at)
			add_speaker(*at, order);
		break;
	case RECORD_END:
		drain(); /* what was said before */
		at = find(order->record);
		if (*at) {
			struct recording *recording = *at;

			*at = recording->next;
			recording_end(recording);
		}
		break;
	}
}

static bool take_orders(void)
{
	bool stop;
	struct message *list = side_thread_take(&here.thread, ROUND_NS, &stop);

	while (list) {
		struct order_item *item = container_of(list, struct order_item, message);

		list = list->next;
		obey(&item->order);
		free(item);
	}
	return stop;
}

/* --- packets -------------------------------------------------------------------------------- */

static void take_packet(const struct slot *slot)
{
	struct recording *recording = *find(slot->record);
	struct track *track = recording ? *find_track(recording, slot->session) : NULL;

	if (track)
		track_put(recording, track, slot);
}

static void drain(void)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		struct ring *ring = atomic_load_explicit(&here.rings[i], memory_order_acquire);
		uint32_t head, tail;

		if (!ring)
			continue;
		head = atomic_load_explicit(&ring->head, memory_order_acquire);
		tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
		for (; tail != head; tail++) {
			take_packet(&ring->slots[tail % SLOTS]);
			atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
		}
	}
}

bool record_packet(uint32_t record, uint32_t session, uint64_t frame, bool last,
		   struct bytes payload)
{
	struct ring *ring =
		atomic_load_explicit(&here.rings[worker_here()->id], memory_order_acquire);
	uint32_t head;
	struct slot *slot;

	if (!ring || payload.len > VOICE_PACKET_MAX)
		return false;
	head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == SLOTS)
		return false;
	slot = &ring->slots[head % SLOTS];
	slot->record = record;
	slot->session = session;
	slot->frame = frame;
	slot->at = mono_now();
	slot->last = last;
	slot->len = (uint16_t)payload.len;
	memcpy(slot->payload, payload.at, payload.len);
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return true;
}

/* --- the thread ----------------------------------------------------------------------------- */

static void record_main(void *unused)
{
	bool stop = false;

	(void)unused;
	while (!stop) {
		/* Who speaks is ordered before his first packet can come. */
		stop = take_orders();
		drain();
	}
	while (here.recordings) {
		struct recording *recording = here.recordings;

		here.recordings = recording->next;
		recording_end(recording);
	}
}

static int make_rings(void)
{
	for (unsigned i = 0; i < workers_count(); i++) {
		struct ring *ring;

		if (atomic_load_explicit(&here.rings[i], memory_order_relaxed))
			continue;
		ring = calloc(1, sizeof *ring);
		if (!ring)
			return -ENOMEM;
		atomic_store_explicit(&here.rings[i], ring, memory_order_release);
	}
	return 0;
}

int record_thread_start(void (*fault)(struct message *message))
{
	int error = make_rings();

	if (error || here.thread.runs)
		return error;
	here.fault = fault;
	return side_thread_start(&here.thread, record_main);
}

bool record_order(const struct record_order *order)
{
	struct order_item *item = here.thread.runs ? malloc(sizeof *item) : NULL;

	if (!item)
		return false;
	item->order = *order;
	side_thread_give(&here.thread, &item->message);
	return true;
}

void record_thread_stop(void)
{
	side_thread_stop(&here.thread);
}

void record_thread_fini(void)
{
	side_thread_fini(&here.thread);
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		free(atomic_load_explicit(&here.rings[i], memory_order_relaxed));
		atomic_store_explicit(&here.rings[i], NULL, memory_order_relaxed);
	}
}
