#include "sfu/sfu_idle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/writer.h"
#include "sfu/sfu.h"
#include "sfu/sfu_clip.h"
#include "sfu/sfu_peer.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_stage.h"

#define PERIOD_MS    200u  /* between two grey pictures, each of which needs no other */
#define SILENCE_MS   60u   /* between three pieces of silence */
#define PIECE_US     20000 /* the length that every decoder takes */
#define HISTORY      65536u
#define PACKET_MORE  32u     /* bytes of headers in the feed, at most */
#define LATE_US      1000000 /* a film that is later goes on from now */
#define KEY_GAP_LONG 2000000

/* One grey picture of 320 by 180 as a payload, made with
 *     ffmpeg -f lavfi -i color=c=0x202428:size=320x180 -frames:v 1 -c:v libvpx idle.ivf
 *     ffmpeg -f lavfi -i color=c=0x202428:size=320x180 -frames:v 1 -c:v libx264 -profile:v baseline
 *            -pix_fmt yuv420p idle.h264
 * VP8: a descriptor and the frame (RFC 7741 4.2). H.264: parameter sets and the picture as one STAP-A
 * (RFC 6184 5.7.1). */
static const uint8_t vp8[] = {
	0x10, 0x10, 0x0f, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00, 0x00, 0x47, 0x08, 0x85,
	0x85, 0x88, 0x85, 0x84, 0x88, 0x02, 0x02, 0x02, 0x74, 0xf2, 0x3a, 0x3a, 0xb4, 0xbe, 0xd7,
	0xb7, 0x36, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e,
	0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e,
	0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e,
	0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e,
	0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e,
	0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e,
	0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x70, 0xf6, 0x4e, 0x6f, 0x00, 0xfe, 0xff, 0x15, 0x0e,
	0xec, 0xa0, 0x4f, 0x58, 0x78, 0xe0,
};
static const uint8_t h264[] = {
	0x78, 0x00, 0x18, 0x67, 0x42, 0xc0, 0x0b, 0xdc, 0x14, 0x19, 0xf9, 0xf0, 0x11, 0x00, 0x00,
	0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x0a, 0x0f, 0x14, 0x2b, 0x80, 0x00, 0x05, 0x68,
	0xce, 0x0f, 0x2c, 0x80, 0x00, 0xc9, 0x65, 0x88, 0x84, 0x04, 0xbc, 0x46, 0x28, 0x00, 0x0c,
	0x7d, 0xc7, 0x00, 0x03, 0x51, 0xc0, 0x00, 0xdc, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c,
	0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9c, 0x9d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d,
	0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5d, 0x75, 0xd7, 0x5e,
};

/* RFC 6716 3.1: one CELT frame of 20 ms, the empty one that encoders make of silence. */
static const uint8_t opus[] = {0xf8, 0xff, 0xfe};

/* Films for all rooms, grey pictures, silence, and films of single rooms. */
enum { FILMS = 2, GREYS = 2, SILENCE = FILMS + GREYS, OWN, IDLES = OWN + FILMS * ROOM_FILMS };

/* What is shown to some viewers. The track is the control thread's to make and free, the rest worker 0's. */
struct idle {
	struct sfu_track *track;
	int64_t seq;

	struct bytes same; /* the one payload, grey or silent, or a film: */
	uint8_t *file;
	size_t file_len;
	struct clip clip;
	struct clip_picture next;
	int64_t began_us; /* the film; or when the next piece of silence is due */
	uint16_t picture_id;
};

/* Another takes its place when the files are read anew; when its baton is home, no worker knows of the
 * one before. */
struct idle_set {
	struct baton baton;
	struct idle_set *before;
	unsigned rate;
	unsigned own_count;
	char *own[ROOM_FILMS]; /* which files: as own_make() says it */
	char *rooms;           /* and which rooms have them */
	struct idle idles[IDLES];
};

static struct idle_set *newest;             /* the control thread's; workers look when they start */
static _Thread_local struct idle_set *here; /* what is shown on this worker */
static uv_timer_t timers[IDLES];            /* worker 0's */
static bool running;                        /* likewise */

/* The paths of room.NAME.idle_clip, each with a line break behind it. */
static bool own_is(const char *own, const struct conf_list *clips)
{
	for (size_t i = 0; i < clips->count; i++) {
		size_t len = strlen(clips->at[i]);

		if (strncmp(own, clips->at[i], len) != 0 || own[len] != '\n')
			return false;
		own += len + 1;
	}
	return *own == '\0';
}

static char *own_make(const struct conf_list *clips)
{
	size_t size = 1;
	struct writer w;
	char *own;

	for (size_t i = 0; i < clips->count; i++)
		size += strlen(clips->at[i]) + 1;
	own = malloc(size);
	if (!own)
		return NULL;
	w = writer_of(own, size);
	for (size_t i = 0; i < clips->count; i++) {
		writer_str(&w, clips->at[i]);
		writer_u8(&w, '\n');
	}
	writer_u8(&w, '\0');
	return own;
}

/* Those of the room, or else those for all. After a reload they are looked for among those of before until the
 * baton was here. */
static const struct idle *films_for(const char *room)
{
	const struct conf_list *clips;

	if (!here->own_count)
		return here->idles;
	clips = &room_conf_for(sfu_settings(), room)->idle_clip;
	for (unsigned i = 0; i < here->own_count && clips->count; i++)
		if (own_is(here->own[i], clips))
			return &here->idles[OWN + FILMS * i];
	return here->idles;
}

static struct sfu_track *first_that_fits(const struct sfu_sender *sender, const struct idle *idles,
					 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sfu_track *track = idles[i].track;

		if (track && track->video == sender->video && sender_format_for(sender, track))
			return track;
	}
	return NULL;
}

struct sfu_track *idle_track(const struct sfu_sender *sender)
{
	struct sfu_track *track = NULL;

	if (!here || sender->only)
		return NULL;
	if (sender->video)
		track = first_that_fits(sender, films_for(sender->peer->room->name), FILMS);
	return track ? track : first_that_fits(sender, here->idles + FILMS, OWN - FILMS);
}

bool idle_is(const struct sfu_track *track)
{
	return track && !track->room;
}

/* --- showing, on worker 0 -------------------------------------------------------------------------------- */

static void on_grey(uv_timer_t *handle)
{
	struct idle *idle = handle->data;
	struct rtp rtp = {.marker = true, .payload = idle->same};
	mono_t now = mono_now();

	enter_worker();
	track_publish(idle->track, &rtp, idle->seq++, now.us * 9 / 100, -1, now);
}

/* Piece by piece without a hole between, however late the clock is. */
static void on_silence(uv_timer_t *handle)
{
	struct idle *idle = handle->data;
	struct rtp rtp = {.payload = idle->same};
	mono_t now = mono_now();

	enter_worker();
	if (now.us - idle->began_us > LATE_US)
		idle->began_us = now.us;
	for (; idle->began_us <= now.us; idle->began_us += PIECE_US)
		track_publish(idle->track, &rtp, idle->seq++, idle->began_us * 6 / 125, -1, now);
}

RUNS_ON(on_worker) static void publish_picture(struct idle *idle, mono_t now)
{
	int64_t ts = (idle->began_us + idle->next.at_us) * 9 / 100;
	uint8_t buf[CLIP_PAYLOAD_MAX];
	struct writer w = writer_of(buf, sizeof buf);
	struct rtp rtp = {0};

	idle->next.id = idle->picture_id++;
	while (clip_payload(idle->clip.codec, &idle->next, &w, &rtp.marker)) {
		rtp.payload = writer_done(&w);
		track_publish(idle->track, &rtp, idle->seq++, ts, -1, now);
		w = writer_of(buf, sizeof buf);
	}
}

static void on_film(uv_timer_t *handle)
{
	struct idle *idle = handle->data;
	mono_t now = mono_now();
	int64_t wait_us;

	enter_worker();
	if (now.us - (idle->began_us + idle->next.at_us) > LATE_US)
		idle->began_us = now.us - idle->next.at_us;
	while ((wait_us = idle->began_us + idle->next.at_us - now.us) <= 0) {
		publish_picture(idle, now);
		if (clip_next(&idle->clip, &idle->next))
			continue;
		clip_rewind(&idle->clip);
		(void)clip_next(&idle->clip, &idle->next);
		idle->began_us += idle->clip.length_us;
	}
	uv_timer_start(handle, on_film, (uint64_t)(wait_us + 999) / 1000, 0);
}

RUNS_ON(on_worker) static void begin(struct idle *idle, uv_timer_t *timer)
{
	timer->data = idle;
	if (!idle->track) {
		uv_timer_stop(timer);
	} else if (idle->file) {
		idle->began_us = mono_now().us;
		(void)clip_next(&idle->clip, &idle->next);
		uv_timer_start(timer, on_film, 0, 0);
	} else if (idle->track->video) {
		uv_timer_start(timer, on_grey, PERIOD_MS, PERIOD_MS);
	} else {
		uv_timer_start(timer, on_silence, SILENCE_MS, SILENCE_MS);
	}
}

RUNS_ON(on_worker) static void begin_all(void)
{
	for (size_t i = 0; i < COUNT_OF(timers) && running; i++)
		begin(&here->idles[i], &timers[i]);
}

void idle_worker_start(struct worker *worker)
{
	here = newest;
	if (worker->id != 0 || !here)
		return;
	for (size_t i = 0; i < COUNT_OF(timers); i++)
		uv_timer_init(&worker->loop, &timers[i]);
	running = true;
	begin_all();
}

void idle_worker_stop(struct worker *worker)
{
	here = NULL;
	if (worker->id != 0 || !running)
		return;
	running = false;
	for (size_t i = 0; i < COUNT_OF(timers); i++)
		uv_close((uv_handle_t *)&timers[i], NULL);
}

/* --- making ---------------------------------------------------------------------------------------------- */

static void make_track(struct idle *idle, enum codec codec, const char *profile, uint64_t history,
		       uint32_t mean)
{
	struct writer w;

	idle->track = track_create(NULL, codec, history, mean);
	if (!idle->track)
		return; /* then viewers wait before a still picture */
	idle->track->clock = codec_is_video(codec) ? 90000 : 48000;
	if (codec != CODEC_H264)
		return;
	w = writer_of(idle->track->fmtp, sizeof idle->track->fmtp - 1);
	writer_str(&w, "packetization-mode=1;profile-level-id=");
	writer_str(&w, profile);
}

/* What is once round of it is all that anybody needs of its past. */
static void make_film_track(struct idle *idle)
{
	uint64_t packets = idle->clip.pictures + idle->file_len / CLIP_PAYLOAD_MAX + 1;
	uint64_t size = idle->file_len + packets * PACKET_MORE;
	uint64_t mean = size / packets;

	if (size < HISTORY)
		size = HISTORY;
	if (size > sfu_conf()->history)
		size = sfu_conf()->history;
	make_track(idle, idle->clip.codec, idle->clip.profile, size,
		   mean < TRACK_MEAN ? (uint32_t)mean : TRACK_MEAN);
}

/* The grey picture stands in for what cannot be shown, and the log says so. */
static void open_film(const char *path, const struct idle *first, struct idle *idle)
{
	const char *fault = clip_read(path, (unsigned)sfu_conf()->idle_rate, &idle->file,
				      &idle->file_len, &idle->clip);

	if (!fault && idle != first && first->file && idle->clip.codec == first->clip.codec)
		fault = "there is one of that codec already";
	if (fault) {
		log_error("sfu", "idle clip cannot be shown", kv_str("file", path),
			  kv_str("why", fault));
		free(idle->file);
		idle->file = NULL;
		idle->file_len = 0;
		return;
	}
	make_film_track(idle);
	log_info("sfu", "idle clip", kv_str("file", path),
		 kv_str("codec", codec_name(idle->clip.codec)),
		 kv_u64("pictures", idle->clip.pictures),
		 kv_u64("ms", (uint64_t)idle->clip.length_us / 1000));
	if (idle->clip.key_gap_us > KEY_GAP_LONG)
		log_warnx("sfu", "idle clip has few key pictures: viewers wait for them",
			  kv_str("file", path),
			  kv_u64("gap_ms", (uint64_t)idle->clip.key_gap_us / 1000));
}

static void make_same(struct idle *idle, enum codec codec, struct bytes payload)
{
	idle->same = payload;
	make_track(idle, codec, "42c00d", HISTORY, TRACK_MEAN);
}

/* Each list of files once, however many rooms have it. */
static void make_own(struct idle_set *set)
{
	const struct conf *conf = sfu_settings();

	for (size_t i = 0; i < conf_entry_count(conf, &room_conf_section); i++) {
		const struct room_conf *room = conf_entry_values(conf, &room_conf_section, i);
		struct idle *idles = &set->idles[OWN + FILMS * set->own_count];
		bool again = !room->idle_clip.count || set->own_count == ROOM_FILMS;

		for (unsigned k = 0; k < set->own_count && !again; k++)
			again = own_is(set->own[k], &room->idle_clip);
		if (again)
			continue;
		set->own[set->own_count] = own_make(&room->idle_clip);
		if (!set->own[set->own_count])
			return;
		set->own_count++;
		for (size_t k = 0; k < room->idle_clip.count && k < FILMS; k++)
			open_film(room->idle_clip.at[k], &idles[0], &idles[k]);
	}
}

/* The settings of rooms, to be compared. NULL: no memory. */
static char *rooms_make(void)
{
	const struct conf *conf = sfu_settings();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < conf_entry_count(conf, &room_conf_section); i++) {
		const struct room_conf *room = conf_entry_values(conf, &room_conf_section, i);

		fprintf(out, "%s\n", conf_entry_name(conf, &room_conf_section, i));
		for (size_t k = 0; k < room->idle_clip.count; k++)
			fprintf(out, "\t%s\n", room->idle_clip.at[k]);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static struct idle_set *set_make(const struct sfu_conf *conf)
{
	struct idle_set *set = calloc(1, sizeof *set);
	struct idle *idles = set ? set->idles : NULL;

	if (!set)
		return NULL;
	set->rooms = rooms_make();
	if (!set->rooms) {
		free(set);
		return NULL;
	}
	set->rate = (unsigned)conf->idle_rate;
	for (size_t i = 0; i < conf->idle_clip.count && i < FILMS; i++)
		open_film(conf->idle_clip.at[i], &idles[0], &idles[i]);
	make_own(set);
	make_same(&idles[FILMS], CODEC_VP8, bytes_of(vp8, sizeof vp8));
	make_same(&idles[FILMS + 1], CODEC_H264, bytes_of(h264, sizeof h264));
	make_same(&idles[SILENCE], CODEC_OPUS, bytes_of(opus, sizeof opus));
	return set;
}

static void set_free(struct idle_set *set)
{
	for (size_t i = 0; set && i < COUNT_OF(set->idles); i++) {
		track_destroy(set->idles[i].track);
		free(set->idles[i].file);
	}
	for (unsigned i = 0; set && i < set->own_count; i++)
		free(set->own[i]);
	if (set)
		free(set->rooms);
	free(set);
}

void idle_open(void)
{
	newest = set_make(sfu_conf());
}

void idle_close(void)
{
	set_free(newest);
	newest = NULL;
}

/* --- another --------------------------------------------------------------------------------------------- */

static bool are_alike(const struct idle_set *a, const struct idle_set *b)
{
	if (strcmp(a->rooms, b->rooms) != 0)
		return false;
	for (size_t i = 0; i < IDLES; i++)
		if (!bytes_equal(bytes_of(a->idles[i].file, a->idles[i].file_len),
				 bytes_of(b->idles[i].file, b->idles[i].file_len)))
			return false;
	return a->rate == b->rate;
}

static void set_visit(struct baton *baton, struct worker *worker)
{
	enter_worker();
	if (!here)
		return;
	here = container_of(baton, struct idle_set, baton);
	if (worker->id == 0)
		begin_all();
	stage_renew_idle();
}

static void set_home(struct baton *baton)
{
	struct idle_set *set = container_of(baton, struct idle_set, baton);

	enter_control();
	set_free(set->before);
	set->before = NULL;
}

void idle_reload(void)
{
	struct idle_set *set = newest ? set_make(sfu_conf()) : NULL;

	if (!set)
		return;
	if (are_alike(set, newest)) {
		set_free(set);
		return;
	}
	set->before = newest;
	set->baton.visit = set_visit;
	set->baton.home = set_home;
	newest = set;
	baton_send(&set->baton);
}
