#include "sfu/sfu_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/auth.h"
#include "edge/document.h"
#include "sfu/proto/record_name.h"
#include "sfu/proto/unpack.h"
#include "sfu/sfu.h"
#include "sfu/sfu_record_file.h"
#include "sfu/sfu_record_order.h"

#define LOOK_MS  200u
#define TOO_MANY "as many are running as sfu.recordings allows"

/* A room that is recorded, or is going to be. */
struct recording {
	struct recording *next;
	char room[ROOM_NAME_MAX + 1];
	bool ordered;           /* else: by the settings, as long as the publisher is there */
	uint32_t row;           /* of the order */
	struct record_job *job; /* NULL: it waits for a publisher */
	int64_t since_us;
};

static struct {
	struct recording *list;
	uint64_t count;
	uv_timer_t look;
	bool runs;
} all OWNED_BY(on_control);

RUNS_ON(on_control) static struct recording *find(const char *room)
{
	struct recording *recording = all.list;

	while (recording && strcmp(recording->room, room) != 0)
		recording = recording->next;
	return recording;
}

RUNS_ON(on_control) static void drop(struct recording *recording)
{
	struct recording **at = &all.list;

	while (*at != recording)
		at = &(*at)->next;
	*at = recording->next;
	all.count--;
	record_order_end(recording->row);
	free(recording);
}

RUNS_ON(on_control) static struct recording *make(const char *room, bool ordered)
{
	struct recording *recording = calloc(1, sizeof *recording);

	if (!recording)
		return NULL;
	bytes_to_str(bytes_str(room), recording->room, sizeof recording->room);
	recording->ordered = ordered;
	recording->row = RECORD_ORDER_NONE;
	recording->since_us = wall_now_us();
	recording->next = all.list;
	all.list = recording;
	all.count++;
	return recording;
}

/* --- jobs ------------------------------------------------------------------------------------ */

static void on_over(struct message *message)
{
	struct record_job *job = container_of(message, struct record_job, message);
	struct recording *recording;

	enter_control();
	recording = find(job->room);
	metric_add(METRIC_sfu_recordings, -1);
	room_changed();
	if (job->error) {
		metric_add(METRIC_sfu_record_failures, 1);
		log_warnx("sfu", "recording failed", kv_str("room", job->room),
			  kv_str("directory", job->folder), kv_str("file", job->file),
			  kv_str("what", job->why), kv_str("why", strerror(-job->error)));
	} else {
		log_info("sfu", "recording ended", kv_str("room", job->room),
			 kv_str("file", job->file),
			 kv_str("why", job->why ? job->why : job->ended));
	}
	if (recording && recording->job == job) {
		recording->job = NULL;
		/* What ended by itself is not begun again with the next publisher. */
		if (job->why || !recording->ordered)
			drop(recording);
	}
	record_job_free(job);
}

static int add_tracks(struct record_job *job, const struct sfu_room *room)
{
	for (unsigned i = 0; i < room->track_count; i++) {
		const struct sfu_track *track = room->tracks[i];
		int error;

		if (!unpack_can(track->codec)) {
			log_warnx("sfu",
				  "a track is not recorded: no such codec goes into Matroska here",
				  kv_str("room", room->name),
				  kv_str("codec", codec_name(track->codec)));
			continue;
		}
		error = record_track_open(&job->track[job->count], track);
		if (error)
			return error;
		job->count++;
	}
	return job->count ? 0 : -ENOTSUP;
}

/* fresh: the publisher has just come. */
RUNS_ON(on_control)
static int begin(struct recording *recording, const struct sfu_session *publisher, bool fresh)
{
	const struct sfu_conf *conf = sfu_conf();
	struct record_job *job = calloc(1, sizeof *job);
	int error;

	if (!job)
		return -ENOMEM;
	memcpy(job->room, recording->room, sizeof job->room);
	memcpy(job->session, publisher->id, sizeof job->session);
	bytes_to_str(bytes_str(conf->record_directory), job->folder, sizeof job->folder);
	bytes_to_str(bytes_str(conf->record_layer), job->layer, sizeof job->layer);
	job->bytes_most = conf->record_size;
	job->files_most = conf->record_files;
	job->keep_free = conf->record_free;
	job->length_us = (int64_t)conf->record_length * 1000;
	job->keep_us = (int64_t)conf->record_keep * 1000;
	job->fresh = fresh;
	auth_random(&job->uid, sizeof job->uid);
	error = add_tracks(job, publisher->room);
	metric_add(METRIC_sfu_recordings, 1); /* before the thread may count it off */
	if (!error)
		error = sfu_record_thread_give(job, on_over);
	if (error) {
		metric_add(METRIC_sfu_recordings, -1);
		record_job_free(job);
		return error;
	}
	recording->job = job;
	recording->since_us = wall_now_us();
	room_changed();
	log_info("sfu", "recording began", kv_str("room", recording->room),
		 kv_bool("ordered", recording->ordered));
	return 0;
}

/* The first reason counts: it may still be ending. */
RUNS_ON(on_control) static void end(struct recording *recording, const char *why)
{
	if (!recording->job)
		return;
	if (!recording->job->ended)
		recording->job->ended = why;
	atomic_store_explicit(&recording->job->end, true, memory_order_release);
	sfu_record_thread_wake();
}

/* --- publishers ------------------------------------------------------------------------------ */

static bool is_wanted(const char *room)
{
	const struct conf_list *rooms = &sfu_conf()->record;

	for (size_t i = 0; i < rooms->count; i++)
		if (strcmp(rooms->at[i], "*") == 0 || strcmp(rooms->at[i], room) == 0)
			return true;
	return false;
}

void sfu_record_publishes(const struct sfu_session *session)
{
	const char *room = session->room->name;
	struct recording *recording = find(room);
	bool wanted = is_wanted(room);
	int error = -ENOMEM;

	/* One that was ordered to end, and is just ending, is not begun again. */
	if (!sfu_conf()->record_directory[0] || (!wanted && !(recording && recording->ordered)))
		return;
	if (!recording && all.count >= sfu_conf()->recordings) {
		log_warnx("sfu", "recording not begun", kv_str("room", room),
			  kv_str("why", TOO_MANY));
		metric_add(METRIC_sfu_record_failures, 1);
		return;
	}
	if (!recording)
		recording = make(room, false);
	/* It took the place of another. */
	if (recording && recording->job)
		end(recording, "another publisher took the place");
	if (recording)
		error = begin(recording, session, true);
	if (!error)
		return;
	log_warnx("sfu", "recording not begun", kv_str("room", room),
		  kv_str("why", strerror(-error)));
	metric_add(METRIC_sfu_record_failures, 1);
	if (recording && !recording->job && !recording->ordered)
		drop(recording);
}

/* Of one that found no path, or was silent, there is nothing. */
static bool has_come(const struct record_job *job)
{
	for (unsigned i = 0; i < job->count; i++)
		if (ring_head_seq(&job->track[i].feed.ring[FEED_RECORDS]) > 1)
			return true;
	return false;
}

void sfu_record_gone(const struct sfu_session *session)
{
	for (struct recording *r = all.list; r; r = r->next)
		if (r->job && strcmp(r->job->session, session->id) == 0)
			end(r, has_come(r->job) ? "the publisher left"
						: "nothing came of the publisher");
}

bool sfu_record_is_on(const struct sfu_room *room)
{
	const struct recording *recording = find(room->name);

	return recording && recording->job && room->publisher &&
	       strcmp(recording->job->session, room->publisher->id) == 0;
}

/* What the recorder wants of publishers. */
static void on_look(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	for (struct recording *r = all.list; r; r = r->next) {
		struct sfu_room *room = r->job ? room_find(bytes_str(r->room)) : NULL;

		if (!room || !sfu_record_is_on(room) ||
		    !atomic_exchange_explicit(&r->job->wants_key, false, memory_order_relaxed))
			continue;
		for (unsigned i = 0; i < room->track_count; i++)
			if (room->tracks[i]->video)
				atomic_store_explicit(&room->tracks[i]->wants_key, true,
						      memory_order_relaxed);
	}
}

/* The last server was ordered to, and may have been allowed more. */
static void on_left(const char *room, int64_t since_us, uint32_t row)
{
	struct recording *recording;
	bool fits;

	enter_control();
	fits = all.count < sfu_conf()->recordings;
	recording = find(room) || !fits ? NULL : make(room, true);
	if (!fits) {
		log_warnx("sfu", "recording not ordered any more", kv_str("room", room),
			  kv_str("why", TOO_MANY));
		metric_add(METRIC_sfu_record_failures, 1);
	}
	if (!recording) {
		record_order_end(row);
		return;
	}
	recording->row = row;
	recording->since_us = since_us;
	log_info("sfu", "recording still ordered", kv_str("room", room));
}

int sfu_record_start(uv_loop_t *loop)
{
	uv_timer_init(loop, &all.look);
	uv_timer_start(&all.look, on_look, LOOK_MS, LOOK_MS);
	uv_unref((uv_handle_t *)&all.look);
	all.runs = true;
	return record_order_start(on_left);
}

void sfu_record_stop(void)
{
	if (all.runs)
		uv_close((uv_handle_t *)&all.look, NULL);
	all.runs = false;
	sfu_record_thread_stop();
	while (all.list) {
		all.list->row = RECORD_ORDER_NONE; /* for the next server */
		drop(all.list);
	}
	record_order_fini();
}

/* --- the API --------------------------------------------------------------------------------- */

static json_int_t count_of(_Atomic uint64_t *counter)
{
	return (json_int_t)atomic_load_explicit(counter, memory_order_relaxed);
}

RUNS_ON(on_control) static json_t *recording_tree(struct recording *recording)
{
	struct record_job *job = recording->job;
	json_t *tree = json_object();
	char file[RECORD_PATH] = "";

	if (job)
		sfu_record_file(job, file);
	json_object_set_new(tree, "room", document_text(recording->room));
	json_object_set_new(tree, "state", json_string(job ? "recording" : "waiting"));
	json_object_set_new(tree, "ordered", json_boolean(recording->ordered));
	json_object_set_new(tree, "since_us", json_integer(recording->since_us));
	json_object_set_new(tree, "file", document_text(file));
	json_object_set_new(tree, "files", json_integer(job ? count_of(&job->files) : 0));
	json_object_set_new(tree, "bytes", json_integer(job ? count_of(&job->bytes) : 0));
	json_object_set_new(tree, "frames", json_integer(job ? count_of(&job->frames) : 0));
	json_object_set_new(tree, "lost", json_integer(job ? count_of(&job->lost) : 0));
	return tree;
}

static void answer_list(struct call *call, const struct api_input *input)
{
	json_t *list = json_array();

	(void)input;
	enter_control();
	for (struct recording *r = all.list; r; r = r->next)
		json_array_append_new(list, recording_tree(r));
	api_answer(call, json_pack("{s:o}", "recordings", list));
}

RUNS_ON(on_control)
static void answer_begin(struct call *call, const struct api_input *input)
{
	struct sfu_room *room;
	struct recording *recording;
	int error = 0;

	enter_control();
	room = room_find(bytes_str(input->arg));
	recording = find(input->arg);
	if (!room_name_is_good(bytes_str(input->arg))) {
		api_fault(call, 404, "no_such_room", "no room can have this name");
		return;
	}
	if (!sfu_conf()->record_directory[0]) {
		api_fault(call, 409, "no_directory", "sfu.record_directory is not set");
		return;
	}
	if (recording) {
		api_fault(call, 409, "records_already", "the room is recorded already");
		return;
	}
	if (all.count >= sfu_conf()->recordings) {
		api_fault(call, 409, "too_many", TOO_MANY ": %u", (unsigned)all.count);
		return;
	}
	recording = make(input->arg, true);
	if (recording && room && room->publisher)
		error = begin(recording, room->publisher, false);
	if (!recording || error) {
		if (recording)
			drop(recording);
		api_fault(call, 503, "cannot_record", "%s",
			  error == -ENOTSUP ? "nothing that is published there can be recorded"
					    : strerror(error ? -error : ENOMEM));
		return;
	}
	recording->row = record_order_put(recording->room, recording->since_us);
	api_log_order(call, recording->room);
	api_answer_as(call, 201, recording_tree(recording));
}

RUNS_ON(on_control)
static void answer_end(struct call *call, const struct api_input *input)
{
	struct recording *recording;

	enter_control();
	recording = find(input->arg);
	if (!recording) {
		api_fault(call, 404, "no_recording", "the room is not recorded");
		return;
	}
	api_log_order(call, recording->room);
	recording->ordered = false;
	record_order_end(recording->row);
	recording->row = RECORD_ORDER_NONE;
	if (recording->job)
		end(recording, "ordered");
	else
		drop(recording);
	api_done(call);
}

const struct api_operation sfu_record_operations[] = {
	{"GET", API_ROOT "/sfu/recordings", RANK_OPERATOR, answer_list,
	 "The rooms of live video that are recorded, or wait for a publisher to be.", NULL,
	 "SfuRecordings", NULL},
	{"POST", API_ROOT "/sfu/rooms/{room}/recording", RANK_OPERATOR, answer_begin,
	 "Records a room of live video.", NULL, "SfuRecording", NULL},
	{"DELETE", API_ROOT "/sfu/rooms/{room}/recording", RANK_OPERATOR, answer_end,
	 "Ends a room's recording.", NULL, NULL, NULL},
	{0},
};

/* --- what is kept ---------------------------------------------------------------------------- */

static bool place_of(unsigned number, struct kept_place *out)
{
	const char *directory = sfu_conf()->record_directory;

	if (number > 0 || !directory[0])
		return false;
	bytes_to_str(bytes_str(directory), out->directory, sizeof out->directory);
	bytes_to_str(BYTES("*" RECORD_NAME_GLOB), out->pattern, sizeof out->pattern);
	return true;
}

RUNS_ON(on_control) static void add_open(json_t *set)
{
	char file[RECORD_PATH];

	for (struct recording *r = all.list; r; r = r->next) {
		if (!r->job)
			continue;
		sfu_record_file(r->job, file);
		if (file[0])
			kept_is_open(set, file);
	}
}

static void room_of(const char *name, char out[KEPT_PATTERN])
{
	if (!record_name_room(bytes_str(name), out))
		out[0] = '\0';
}

const struct kept_family sfu_record_kept = {
	.name = "sfu",
	.place = place_of,
	.open = add_open,
	.of = room_of,
};
