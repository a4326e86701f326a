#include "framecache/slot_face.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "edge/access.h"
#include "edge/api.h"
#include "framecache/slot_board.h"
#include "framecache/slot_order.h"
#include "framecache/slot_readers.h"

#define READ      (METHOD_GET | METHOD_HEAD)
#define SILENT_MS 1500u

/* Of the settings in force: they last until a baton has passed here. */
static _Atomic(const char *) its_token = "";

void slot_face_configure(const struct framecache_conf *conf)
{
	/* Pairs with has_token(). */
	atomic_store_explicit(&its_token, conf->token, memory_order_release);
}

/* --- who may -------------------------------------------------------------------------------- */

/* Whoever guesses wrongly goes on to access_require, which counts it. */
static bool has_token(const struct request *request)
{
	struct bytes said = http1_header_get(&request->head, BYTES("Authorization"));
	struct bytes scheme = bytes_cut(&said, ' ');
	struct bytes token = bytes_str(atomic_load_explicit(&its_token, memory_order_acquire));

	said = bytes_trim(said);
	return token.len && bytes_equal_nocase(scheme, BYTES("Bearer")) && said.len == token.len &&
	       sodium_memcmp(said.at, token.at, token.len) == 0;
}

/* Came in by a Unix socket. */
static bool is_beside(const struct conn *conn)
{
	int domain = 0;
	socklen_t len = sizeof domain;

	return getsockopt(conn_link(conn).fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       domain == AF_UNIX;
}

RUNS_ON(on_worker) static bool is_from_here(const struct conn *conn)
{
	const struct request *request = conn_request(conn);

	/* Whom its file lets in may call us what he likes: no page has a name that leads there. */
	return is_beside(conn) ? !access_is_brought(request) : access_is_local(request);
}

RUNS_ON(on_worker) static void let_in(struct conn *conn, void (*then)(struct conn *conn))
{
	const struct request *request = conn_request(conn);

	if (is_from_here(conn) || has_token(request))
		then(conn);
	else
		access_require(conn, RANK_OPERATOR, (struct bytes){0}, then);
}

/* --- a slot as JSON ------------------------------------------------------------------------- */

static const char *state_name(const struct board_slot *slot)
{
	switch (slot->state) {
	case FC_OK: return "live";
	case FC_TIMEOUT: return "init";
	default: return fc_result_name(slot->state);
	}
}

static void set_u64(json_t *tree, const char *name, uint64_t value)
{
	json_object_set_new(tree, name, json_integer((json_int_t)value));
}

static void names_set(json_t *tree, const char *slot_id)
{
	json_object_set_new(tree, "slot_id", json_string(slot_id));
	json_object_set_new(tree, "shm_path", json_sprintf("%s/%s", board_directory(), slot_id));
	json_object_set_new(tree, "sem_name", json_sprintf("/framecache-%s-write", slot_id));
}

static json_t *planes_tree(const fc_info_t *info)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < info->plane_count; i++)
		json_array_append_new(
			list, json_pack("{s:I, s:I}", "offset", (json_int_t)info->plane_offset[i],
					"row_bytes", (json_int_t)info->plane_row_bytes[i]));
	return list;
}

RUNS_ON(on_control)
static json_t *readers_tree(const struct board_slot *slot, uint64_t now)
{
	const fc_info_t *info = &slot->info;
	const struct slot_reader *reader = NULL;
	json_t *list = json_array();

	while ((reader = readers_next(reader, info->slot_id, info->generation))) {
		uint64_t position = reader->position;
		uint64_t silent = now > reader->seen_ns ? (now - reader->seen_ns) / 1000000 : 0;
		/* Who has told nothing for longer than they do stands where he was. */
		uint64_t cursor = silent < SILENT_MS ? reader->cursor : info->write_cursor;
		json_t *tree = json_object();

		json_object_set_new(tree, "name", json_string(reader->name));
		set_u64(tree, "pid", reader->pid);
		set_u64(tree, "position", position);
		set_u64(tree, "lag", cursor > position ? cursor - position : 0);
		set_u64(tree, "lost", reader->lost);
		set_u64(tree, "silent_ms", silent);
		json_array_append_new(list, tree);
	}
	return list;
}

RUNS_ON(on_control) static json_t *slot_tree(const struct board_slot *slot)
{
	const fc_info_t *info = &slot->info;
	uint64_t now = uv_hrtime();
	json_t *tree = json_object();

	names_set(tree, info->slot_id);
	set_u64(tree, "width", info->width);
	set_u64(tree, "height", info->height);
	set_u64(tree, "fps_num", info->fps_num);
	set_u64(tree, "fps_den", info->fps_den);
	json_object_set_new(tree, "source_type", json_string(info->source_type));
	set_u64(tree, "write_cursor", info->write_cursor);
	set_u64(tree, "dropped_frames", info->dropped_frames);
	json_object_set_new(tree, "current_fps", json_real(slot->fps));
	json_object_set_new(tree, "state", json_string(state_name(slot)));
	json_object_set_new(tree, "pixel_format", json_string(fc_pix_name(info->pixel_format)));
	set_u64(tree, "frame_size", info->frame_size);
	set_u64(tree, "ring_depth", info->ring_depth);
	json_object_set_new(tree, "planes", planes_tree(info));
	set_u64(tree, "audio_channels", info->audio_channels);
	set_u64(tree, "audio_rate", info->audio_rate);
	set_u64(tree, "bytes", info->file_size);
	set_u64(tree, "generation", info->generation);
	set_u64(tree, "writers", info->writer_epoch);
	if (info->heartbeat_ns && info->heartbeat_ns <= now)
		set_u64(tree, "heartbeat_age_ms", (now - info->heartbeat_ns) / 1000000);
	json_object_set_new(tree, "readers", readers_tree(slot, now));
	return tree;
}

/* --- answers -------------------------------------------------------------------------------- */

RUNS_ON(on_control) static json_t *slots_tree(void)
{
	json_t *list = json_array();

	board_look();
	for (const struct board_slot *slot = board_first(); slot; slot = slot->next)
		json_array_append_new(list, slot_tree(slot));
	return list;
}

static void answer_list(struct call *call)
{
	enter_control();
	api_answer(call, slots_tree());
}

/* "ok" while slots can be made and found. How writers are, and what room there is, is for who asks to judge. */
static void answer_health(struct call *call)
{
	uint64_t slots = 0, live = 0, silent = 0;
	char fault[PATH_MAX + 64];
	json_t *tree;
	bool failing;

	enter_control();
	board_look();
	for (const struct board_slot *slot = board_first(); slot; slot = slot->next) {
		slots++;
		live += slot->state == FC_OK;
		silent += slot->state == FC_STALLED || slot->state == FC_DEAD;
	}
	failing = board_fault(fault, sizeof fault);
	tree = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "status",
			 failing ? "failing" : "ok", "slots", (json_int_t)slots, "live",
			 (json_int_t)live, "stalled_or_dead", (json_int_t)silent, "bytes",
			 (json_int_t)board_taken(), "budget", (json_int_t)board_budget(), "free",
			 (json_int_t)board_room());
	if (failing)
		json_object_set_new(tree, "why", json_string(fault));
	api_answer_as(call, failing ? 503 : 200, tree);
}

/* The name behind "/slots/" or API_ROOT "/slots/"; whether it could be one. */
static bool name_of(const struct call *call, char name[FC_SLOT_ID_MAX + 1])
{
	struct bytes in = call->request.path;

	if (bytes_start_with(in, BYTES(API_ROOT)))
		in = bytes_skip(in, strlen(API_ROOT));
	in = bytes_skip(in, strlen("/slots/"));
	if (in.len > FC_SLOT_ID_MAX || memchr(in.at, 0, in.len))
		return false;
	memcpy(name, in.at, in.len);
	name[in.len] = '\0';
	return fc_slot_id_ok(name);
}

RUNS_ON(on_control) static void answer_none(struct call *call)
{
	char name[FC_SLOT_ID_MAX + 1];

	if (name_of(call, name))
		api_fault(call, 404, "no_such_slot", "there is no slot %s in %s", name,
			  board_directory());
	else
		api_fault(call, 404, "no_such_slot",
			  "no slot has such a name: 1 to 64 letters, digits, _ and -, a letter or "
			  "digit first");
}

static void answer_one(struct call *call)
{
	const struct board_slot *slot;
	char name[FC_SLOT_ID_MAX + 1];

	enter_control();
	board_look();
	slot = name_of(call, name) ? board_find(name) : NULL;
	if (!slot)
		answer_none(call);
	else
		api_answer(call, slot_tree(slot));
}

static void answer_delete(struct call *call)
{
	char name[FC_SLOT_ID_MAX + 1], force[8] = "";
	int error;

	enter_control();
	(void)call_param(call, "force", force, sizeof force);
	error = name_of(call, name) ? board_remove(name, strcmp(force, "1") == 0) : -ENOENT;
	if (error == 0)
		api_done(call);
	else if (error == -EBUSY)
		api_fault(call, 409, "has_writer",
			  "a living writer has this slot; ?force=1 takes it away all the same");
	else if (error == -ENOENT)
		answer_none(call);
	else
		api_fault(call, 500, "not_removed", "%s/%s cannot be removed: %s",
			  board_directory(), name, strerror(-error));
}

/* --- making one ----------------------------------------------------------------------------- */

struct creation {
	struct board_order order;
	struct call *call;
};

RUNS_ON(on_control) static void answer_created(struct call *call, const char *slot_id)
{
	const struct board_slot *slot = board_find(slot_id);
	json_t *tree = slot ? slot_tree(slot) : json_object();
	bool api = bytes_start_with(call->request.path, BYTES(API_ROOT));
	char where[FC_SLOT_ID_MAX + 32];

	if (!slot)
		names_set(tree, slot_id);
	snprintf(where, sizeof where, "%s/slots/%s", api ? API_ROOT : "", slot_id);
	reply_header(&call->reply, "Location", bytes_str(where));
	api_answer_as(call, 201, tree);
}

static void on_created(struct board_order *order)
{
	struct creation *creation = container_of(order, struct creation, order);
	struct call *call = creation->call;

	enter_control();
	switch (-order->error) {
	case 0: answer_created(call, order->slot_id); break;
	case EINVAL:
		api_fault(call, 400, "bad_slot",
			  "no slot can have this shape: see fc_config_t in fc_client.h");
		break;
	case EEXIST:
		api_fault(call, 409, "slot_exists",
			  "there is a slot %s already; \"replace\": true makes it anew",
			  order->slot_id);
		break;
	case EBUSY:
		api_fault(call, 409, "has_writer", "a living writer has this slot: %s",
			  order->slot_id);
		break;
	case EDQUOT:
	case ENOSPC:
		api_fault(call, 507, "no_room",
			  "%s takes %llu bytes; of the budget of %llu %llu are taken, and %s has "
			  "%llu "
			  "left",
			  order->slot_id, (unsigned long long)order->size,
			  (unsigned long long)board_budget(), (unsigned long long)board_taken(),
			  board_directory(), (unsigned long long)board_room());
		break;
	default:
		api_fault(call, 500, "not_created", "%s/%s cannot be made: %s", board_directory(),
			  order->slot_id, strerror(-order->error));
	}
	free(creation);
}

/* Who asks at the Unix socket gets a slot of his own. */
static void owner_take(const struct call *call, struct board_order *order)
{
	struct ucred who;
	socklen_t len = sizeof who;

	if (!is_beside(call->conn) ||
	    getsockopt(conn_link(call->conn).fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
		return;
	order->owned = true;
	order->uid = who.uid;
	order->gid = who.gid;
}

static void answer_create(struct call *call)
{
	struct bytes in = call->request.body;
	json_error_t error = {.text = "another type", .line = 1, .column = 1};
	json_t *body = json_loadb((const char *)in.at, in.len, JSON_REJECT_DUPLICATES, &error);
	struct creation *creation = calloc(1, sizeof *creation);
	char fault[SLOT_FAULT_SIZE];
	bool good;

	enter_control();
	if (!creation || !json_is_object(body)) {
		free(creation);
		json_decref(body);
		if (creation)
			api_fault(call, 400, "bad_json",
				  "the body is no JSON object: %s, line %d column %d", error.text,
				  error.line, error.column);
		else
			api_fault(call, 503, "no_memory", "out of memory");
		return;
	}
	owner_take(call, &creation->order);
	good = slot_order_read(body, &creation->order, fault);
	json_decref(body);
	if (!good) {
		free(creation);
		api_fault(call, 400, "bad_slot", "%s", fault);
		return;
	}
	creation->call = call;
	creation->order.done = on_created;
	board_create(&creation->order);
}

/* --- routes --------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void on_slots_let_in(struct conn *conn)
{
	conn_call(conn, bytes_equal(conn_request(conn)->method, BYTES("POST")) ? answer_create
									       : answer_list);
}

RUNS_ON(on_worker) static void serve_slots(struct conn *conn)
{
	if (bytes_equal(conn_request(conn)->method, BYTES("POST")) && conn_body(conn))
		return;
	let_in(conn, on_slots_let_in);
}

RUNS_ON(on_worker) static void on_slot_let_in(struct conn *conn)
{
	conn_call(conn, bytes_equal(conn_request(conn)->method, BYTES("DELETE")) ? answer_delete
										 : answer_one);
}

RUNS_ON(on_worker) static void serve_slot(struct conn *conn)
{
	let_in(conn, on_slot_let_in);
}

RUNS_ON(on_worker) static void serve_health(struct conn *conn)
{
	conn_call(conn, answer_health);
}

const struct route slot_routes[] = {
	{"/slots", READ | METHOD_POST, serve_slots, NULL},
	{"/slots/", READ | METHOD_DELETE, serve_slot, NULL},
	{"/health", READ, serve_health, NULL},
	{0},
};

/* --- the same for operators ----------------------------------------------------------------- */

RUNS_ON(on_control) static void api_list(struct call *call, const struct api_input *input)
{
	(void)input;
	api_answer(call, json_pack("{s:b, s:o}", "on", board_is_open(), "slots",
				   board_is_open() ? slots_tree() : json_array()));
}

RUNS_ON(on_control) static bool is_off(struct call *call)
{
	if (board_is_open())
		return false;
	api_fault(call, 503, "framecache_off",
		  "the frame cache is off: framecache.listen is empty");
	return true;
}

RUNS_ON(on_control) static void api_one(struct call *call, const struct api_input *input)
{
	(void)input;
	if (!is_off(call))
		answer_one(call);
}

RUNS_ON(on_control) static void api_create(struct call *call, const struct api_input *input)
{
	if (is_off(call))
		return;
	api_log_order(call, api_text(input, "slot_id") ? api_text(input, "slot_id") : "");
	answer_create(call);
}

RUNS_ON(on_control) static void api_delete(struct call *call, const struct api_input *input)
{
	if (is_off(call))
		return;
	api_log_order(call, input->arg);
	answer_delete(call);
}

const struct api_operation slot_operations[] = {
	{"GET", API_ROOT "/slots", RANK_OPERATOR, api_list,
	 "The frame cache's slots: what they are like, how their writers are, who reads them.",
	 NULL, "Slots", NULL},
	{"POST", API_ROOT "/slots", RANK_OPERATOR, api_create, "Makes a slot and takes its memory.",
	 "NewSlot", "Slot", NULL},
	{"GET", API_ROOT "/slots/{slot}", RANK_OPERATOR, api_one, "One slot.", NULL, "Slot", NULL},
	{"DELETE", API_ROOT "/slots/{slot}", RANK_OPERATOR, api_delete,
	 "Removes a slot; with a living writer only with ?force=1.", NULL, NULL, NULL},
	{0},
};
