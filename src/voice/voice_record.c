#include "voice/voice_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_record_file.h"

#define SIGN_FIRST  0x40000000u /* sessions of the users who are signs: nobody else's reach so far */
#define SIGN_NAME   "Recording"
#define IS_RECORDED "This room is being recorded."
#define ACTION      "ringmain.record"

struct record {
	struct record *next;
	uint32_t id;
	uint32_t channel;
	int64_t began_s; /* Unix */
	char folder[4096];
	uv_timer_t end;
};

static struct {
	struct record *list;
	uint32_t count, last_id;
} all OWNED_BY(on_control);

void voice_record_hear(uint32_t record, const struct voice_speech *speech)
{
	if (speech->packet.codec != VOICE_OPUS)
		return;
	if (!record_packet(record, speech->speaker->session, speech->packet.frame,
			   speech->packet.last, speech->packet.payload))
		metric_add(METRIC_voice_record_lost, 1);
}

/* --- who sees it ---------------------------------------------------------------------------- */

RUNS_ON(on_control) static void sign(const struct record *record, struct voice_user *to)
{
	struct mumble_message message;
	struct mumble_user_state *state = &message.user_state;

	message_init(&message, MUMBLE_USER_STATE);
	MUMBLE_SET(state, user_state, session, SIGN_FIRST + record->id);
	MUMBLE_SET(state, user_state, name, BYTES(SIGN_NAME));
	MUMBLE_SET(state, user_state, channel_id, record->channel);
	MUMBLE_SET(state, user_state, mute, true);
	MUMBLE_SET(state, user_state, deaf, true);
	MUMBLE_SET(state, user_state, recording, true);
	if (to)
		voice_send(to, &message);
	else
		voice_send_all(&message, NULL);
}

RUNS_ON(on_control) static void unsign(uint32_t id)
{
	struct mumble_message message;

	message_init(&message, MUMBLE_USER_REMOVE);
	MUMBLE_SET(&message.user_remove, user_remove, session, SIGN_FIRST + id);
	voice_send_all(&message, NULL);
}

RUNS_ON(on_control) static void write_to_room(const struct record *record, struct bytes text)
{
	const struct voice_channel *channel = voice_channel_find(record->channel);
	struct mumble_message message;

	message_init(&message, MUMBLE_TEXT_MESSAGE);
	message.text_message.channel_id.at = &record->channel;
	message.text_message.channel_id.count = 1;
	MUMBLE_SET(&message.text_message, text_message, message, text);
	for (struct voice_user *user = channel ? channel->users : NULL; user;
	     user = user->next_here)
		voice_send(user, &message);
}

void voice_record_warn(struct voice_user *user)
{
	struct mumble_message message;

	if (!user->channel || !atomic_load_explicit(&user->peer->record, memory_order_relaxed))
		return;
	message_init(&message, MUMBLE_TEXT_MESSAGE);
	message.text_message.channel_id.at = &user->channel->id;
	message.text_message.channel_id.count = 1;
	MUMBLE_SET(&message.text_message, text_message, message, BYTES(IS_RECORDED));
	voice_send(user, &message);
}

void voice_record_tell(struct voice_user *to)
{
	for (const struct record *record = all.list; record; record = record->next)
		sign(record, to);
}

/* --- what is recorded ----------------------------------------------------------------------- */

RUNS_ON(on_control) static struct record *of_channel(uint32_t channel)
{
	struct record *record = all.list;

	while (record && record->channel != channel)
		record = record->next;
	return record;
}

void voice_record_follow(struct voice_user *user)
{
	const struct record *record = user->channel ? of_channel(user->channel->id) : NULL;
	struct record_order order = {.kind = RECORD_SPEAKER};

	if (record) {
		order.record = record->id;
		order.session = user->peer->session;
		bytes_to_str(bytes_str(user->name), order.name, sizeof order.name);
		if (!record_order(&order))
			record = NULL;
	}
	atomic_store_explicit(&user->peer->record, record ? record->id : 0, memory_order_relaxed);
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct record, end));
}

RUNS_ON(on_control) static void end(struct record *record, struct bytes why)
{
	struct record_order order = {.kind = RECORD_END, .record = record->id};
	const struct voice_channel *channel = voice_channel_find(record->channel);
	struct record **at = &all.list;

	while (*at != record)
		at = &(*at)->next;
	*at = record->next;
	all.count--;
	metric_add(METRIC_voice_recordings, -1);
	for (struct voice_user *user = channel ? channel->users : NULL; user;
	     user = user->next_here)
		atomic_store_explicit(&user->peer->record, 0, memory_order_relaxed);
	(void)record_order(&order);
	unsign(record->id);
	write_to_room(record, why);
	log_info("voice", "recording ended", kv_u64("channel", record->channel),
		 kv_str("folder", record->folder), kv_bytes("why", why.at, why.len));
	uv_close((uv_handle_t *)&record->end, on_timer_closed);
}

static void on_time_over(uv_timer_t *timer)
{
	enter_control();
	end(container_of(timer, struct record, end),
	    BYTES("The recording has ended: it was long enough."));
}

static void on_fault(struct message *message)
{
	struct record_fault *fault = container_of(message, struct record_fault, message);
	struct record *record;

	enter_control();
	record = all.list;
	while (record && record->id != fault->record)
		record = record->next;
	if (record) {
		log_warnx("voice", "recording cannot be written", kv_str("folder", record->folder),
			  kv_str("why", uv_strerror(fault->error)));
		metric_add(METRIC_voice_record_failures, 1);
		end(record, BYTES("The recording has ended: it could not be written."));
	}
	free(fault);
}

/* ROOM-20260102-030405 in the directory; a number behind it when there are two. */
RUNS_ON(on_control)
static int make_folder(struct record *record, const struct voice_channel *channel)
{
	time_t now = (time_t)record->began_s;
	char room[64], stamp[32];
	struct tm parts;
	size_t n = 0;

	for (const char *c = channel->name; *c && n + 1 < sizeof room; c++)
		room[n++] = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
					    (*c >= 'A' && *c <= 'Z')
				    ? *c
				    : '_';
	room[n] = '\0';
	gmtime_r(&now, &parts);
	strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts);
	for (unsigned i = 1; i < 100; i++) {
		snprintf(record->folder, sizeof record->folder, i > 1 ? "%s/%s-%s-%u" : "%s/%s-%s",
			 voice_conf()->record_directory, room, stamp, i);
		if (mkdir(record->folder, 0750) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* id: 0 for a new one. */
RUNS_ON(on_control)
static int begin(struct voice_channel *channel, uint32_t id, struct record **made)
{
	struct record_order order = {.kind = RECORD_BEGIN, .began = mono_now()};
	struct record *record = calloc(1, sizeof *record);
	int error = record ? record_thread_start(on_fault) : -ENOMEM;

	if (!error) {
		if (!id)
			id = ++all.last_id;
		else if (id > all.last_id)
			all.last_id = id;
		record->id = id;
		record->channel = channel->id;
		record->began_s = wall_now_us() / 1000000;
		error = make_folder(record, channel);
	}
	if (!error) {
		order.record = record->id;
		bytes_to_str(bytes_str(channel->name), order.name, sizeof order.name);
		memcpy(order.folder, record->folder, sizeof order.folder);
		error = record_order(&order) ? uv_timer_init(voice_hub.loop, &record->end)
					     : -ENOMEM;
	}
	if (error) {
		free(record);
		return error;
	}
	if (voice_conf()->record_length)
		uv_timer_start(&record->end, on_time_over, voice_conf()->record_length, 0);
	record->next = all.list;
	all.list = record;
	all.count++;
	metric_add(METRIC_voice_recordings, 1);
	for (struct voice_user *user = channel->users; user; user = user->next_here)
		voice_record_follow(user);
	sign(record, NULL);
	write_to_room(record, BYTES(IS_RECORDED));
	log_info("voice", "recording began", kv_u64("channel", record->channel),
		 kv_str("folder", record->folder));
	*made = record;
	return 0;
}

void voice_record_channel_gone(const struct voice_channel *channel)
{
	struct record *record = of_channel(channel->id);

	if (record)
		end(record, BYTES("The recording has ended with the room."));
}

void voice_record_stop(void)
{
	while (all.list)
		end(all.list, BYTES("The recording has ended: the server stops."));
	record_thread_stop();
}

json_t *voice_record_tree(void)
{
	json_t *list = json_array();

	for (const struct record *record = all.list; record; record = record->next)
		json_array_append_new(list, json_pack("[I, I]", (json_int_t)record->id,
						      (json_int_t)record->channel));
	return list;
}

void voice_record_go_on(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *pair = json_array_get(list, i);
		uint32_t id = (uint32_t)json_integer_value(json_array_get(pair, 0));
		struct voice_channel *channel =
			voice_channel_find((uint32_t)json_integer_value(json_array_get(pair, 1)));
		struct record *record;
		int error = channel ? begin(channel, id, &record) : -ENOENT;

		if (!error)
			continue;
		log_warn_code(error, "voice", "recording not gone on with",
			      kv_str("directory", voice_conf()->record_directory));
		unsign(id);
	}
}

void voice_record_part(void)
{
	for (struct record *record = all.list; record; record = record->next)
		uv_timer_stop(&record->end);
	record_thread_stop();
}

void voice_record_fini(void)
{
	record_thread_fini();
}

/* --- from a client's menu ------------------------------------------------------------------- */

RUNS_ON(on_control) static bool may_record(const struct voice_user *user)
{
	return voice_conf()->record_directory[0] &&
	       voice_may(user, voice_channel_find(VOICE_ROOT)) & MAY_WRITE;
}

void voice_record_offer(struct voice_user *user)
{
	bool may = may_record(user);
	struct mumble_message message;
	struct mumble_context_action_modify *action = &message.context_action_modify;

	if (may == user->may_record)
		return;
	user->may_record = may;
	message_init(&message, MUMBLE_CONTEXT_ACTION_MODIFY);
	MUMBLE_SET(action, context_action_modify, action, BYTES(ACTION));
	MUMBLE_SET(action, context_action_modify, text, BYTES("Record this channel, or end it"));
	MUMBLE_SET(action, context_action_modify, context, CONTEXT_CHANNEL);
	MUMBLE_SET(action, context_action_modify, operation, may ? CONTEXT_ADD : CONTEXT_REMOVE);
	voice_send(user, &message);
}

void voice_record_asked(struct voice_user *user, const struct mumble_context_action *said)
{
	struct voice_channel *channel = said->has & MUMBLE_HAS(context_action, channel_id)
						? voice_channel_find(said->channel_id)
						: NULL;
	struct record *record = channel ? of_channel(channel->id) : NULL;
	int error = 0;

	if (!channel || !bytes_equal(said->action, BYTES(ACTION)))
		return;
	if (!may_record(user)) {
		voice_deny(user, MAY_WRITE, voice_channel_find(VOICE_ROOT));
		return;
	}
	log_info("voice", "recording asked for", kv_str("channel", channel->name),
		 kv_str("by", user->name), kv_bool("begins", record == NULL));
	if (record)
		end(record, BYTES("The recording has ended."));
	else if (all.count < voice_conf()->recordings)
		error = begin(channel, 0, &record);
	if (error)
		log_warn_code(error, "voice", "recording not begun",
			      kv_str("directory", voice_conf()->record_directory));
}

/* --- the API -------------------------------------------------------------------------------- */

static json_t *record_tree(const struct record *record)
{
	return json_pack("{s:I, s:I, s:s}", "channel", (json_int_t)record->channel, "since",
			 (json_int_t)record->began_s, "folder", record->folder);
}

static void answer_list(struct call *call, const struct api_input *input)
{
	json_t *list = json_array();

	enter_control();
	(void)input;
	for (const struct record *record = all.list; record; record = record->next)
		json_array_append_new(list, record_tree(record));
	api_answer(call, json_pack("{s:o}", "recordings", list));
}

RUNS_ON(on_control)
static struct voice_channel *channel_of(struct call *call, const struct api_input *input)
{
	uint64_t id = UINT32_MAX;
	struct voice_channel *channel = bytes_to_u64(bytes_str(input->arg), UINT32_MAX - 1, &id)
						? voice_channel_find((uint32_t)id)
						: NULL;

	if (!channel)
		api_fault(call, 404, "no_such_channel", "there is no such channel");
	return channel;
}

static void answer_begin(struct call *call, const struct api_input *input)
{
	struct voice_channel *channel;
	struct record *record;
	int error;

	enter_control();
	channel = channel_of(call, input);
	if (!channel)
		return;
	if (!voice_conf()->record_directory[0]) {
		api_fault(call, 409, "no_directory", "voice.record_directory is not set");
		return;
	}
	if (of_channel(channel->id)) {
		api_fault(call, 409, "records_already", "the channel is being recorded");
		return;
	}
	if (all.count >= voice_conf()->recordings) {
		api_fault(call, 409, "too_many",
			  "as many are running as voice.recordings allows: %u", all.count);
		return;
	}
	error = begin(channel, 0, &record);
	if (error) {
		api_fault(call, 503, "cannot_record", "%s: %s", voice_conf()->record_directory,
			  uv_strerror(error));
		return;
	}
	api_log_order(call, channel->name);
	api_answer_as(call, 201, record_tree(record));
}

static void answer_end(struct call *call, const struct api_input *input)
{
	struct voice_channel *channel;
	struct record *record;

	enter_control();
	channel = channel_of(call, input);
	if (!channel)
		return;
	record = of_channel(channel->id);
	if (!record) {
		api_fault(call, 404, "no_recording", "the channel is not being recorded");
		return;
	}
	api_log_order(call, channel->name);
	end(record, BYTES("The recording has ended."));
	api_done(call);
}

#define ROOT API_ROOT "/voice"

const struct api_operation voice_record_operations[] = {
	{"GET", ROOT "/recordings", RANK_OPERATOR, answer_list, "The channels that are recorded.",
	 NULL, "VoiceRecordings", NULL},
	{"POST", ROOT "/channels/{id}/recording", RANK_OPERATOR, answer_begin,
	 "Records a channel, a file for each speaker.", NULL, "VoiceRecording", NULL},
	{"DELETE", ROOT "/channels/{id}/recording", RANK_OPERATOR, answer_end,
	 "Ends a channel's recording.", NULL, NULL, NULL},
	{0},
};

/* --- what is kept --------------------------------------------------------------------------- */

#define TWO   "[0-9][0-9]"
#define STAMP "-" TWO TWO TWO TWO "-" TWO TWO TWO

static bool place_of(unsigned number, struct kept_place *out)
{
	const char *directory = voice_conf()->record_directory;

	if (number > 0 || !directory[0])
		return false;
	bytes_to_str(bytes_str(directory), out->directory, sizeof out->directory);
	bytes_to_str(BYTES("*" STAMP "*/*.opus"), out->pattern, sizeof out->pattern);
	return true;
}

RUNS_ON(on_control) static void add_open(json_t *set)
{
	for (const struct record *record = all.list; record; record = record->next)
		kept_is_open(set, record->folder);
}

/* The room as its folder has it: names of rooms have no dash there. */
static void channel_name_of(const char *name, char out[KEPT_PATTERN])
{
	struct bytes text = bytes_str(name);

	bytes_to_str(bytes_first(text, bytes_find(text, '-')), out, KEPT_PATTERN);
}

const struct kept_family voice_record_kept = {
	.name = "voice",
	.folders = true,
	.place = place_of,
	.open = add_open,
	.of = channel_name_of,
};
