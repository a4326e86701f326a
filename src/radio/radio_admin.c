#include "radio/radio_admin.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "edge/audit.h"
#include "edge/document.h"
#include "edge/hook.h"
#include "edge/proto/charset.h"
#include "radio/radio.h"
#include "radio/radio_directory.h"
#include "radio/radio_htpasswd.h"
#include "radio/radio_listener.h"
#include "radio/radio_mount.h"
#include "radio/radio_outlet.h"
#include "radio/radio_push.h"
#include "radio/radio_relay.h"
#include "radio/radio_status.h"

enum need { NEED_NOTHING, NEED_MOUNT };

struct admin_call {
	const char *name;
	enum need need;
	enum rank rank; /* for the mount, or for all of the server where none is named */
	bool changes;
	void (*run)(struct call *call, struct mount *mount);
};

/* --- answers -------------------------------------------------------------------------------- */

static enum document_form form_of(const struct call *call)
{
	return bytes_end_with(call->request.path, BYTES(".json")) ? DOCUMENT_JSON : DOCUMENT_XML;
}

RUNS_ON(on_control) static void answer_tree(struct call *call, const char *root, json_t *tree)
{
	document_reply(&call->reply, form_of(call), root, tree);
	call_reply(call);
}

/* Icecast's answer to an order. */
RUNS_ON(on_control)
static void answer_done(struct call *call, unsigned status, bool done, const char *message)
{
	json_t *tree = json_object();

	json_object_set_new(tree, "message", document_text(message));
	json_object_set_new(tree, "return", json_integer(done));
	document_reply(&call->reply, form_of(call), "iceresponse", tree);
	call->reply.status = status;
	call_reply(call);
}

RUNS_ON(on_control) static void answer_fault(struct call *call, unsigned status, const char *why)
{
	reply_text(&call->reply, status, why);
	call_reply(call);
}

static void log_order(const struct call *call, const char *mount)
{
	char address[ADDRESS_TEXT_MAX + 1];

	log_info("radio", "order", kv_bytes("path", call->request.path.at, call->request.path.len),
		 kv_str("mount", mount), kv_str("user", call->user),
		 kv_str("address", address_text(&call->request.peer, address)));
	audit_call(call, mount, "done");
}

/* --- reading -------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void run_stats(struct call *call, struct mount *mount)
{
	char name[FEED_NAME_MAX + 1];

	if (!mount && call_param(call, "mount", name, sizeof name)) {
		answer_fault(call, 404, "Source does not exist");
		return;
	}
	answer_tree(call, "icestats", status_admin(mount, request_site(&call->request)));
}

RUNS_ON(on_control) static void run_listmounts(struct call *call, struct mount *mount)
{
	(void)mount;
	answer_tree(call, "icestats", status_mounts());
}

/* A relay's way to learn which mounts there are: one a line. */
RUNS_ON(on_control) static void run_streamlist(struct call *call, struct mount *mount)
{
	struct writer w;

	(void)mount;
	call->reply.status = 200;
	call->reply.type = "text/plain; charset=utf-8";
	do {
		w = buffer_writer(&call->reply.body);
		for (const struct mount *m = mount_first(); m; m = m->next)
			if ((m->heard || m->expecting) && !mount_hidden(m)) {
				writer_str(&w, m->name);
				writer_str(&w, "\r\n");
			}
	} while (buffer_again(&call->reply.body, &w));
	call_reply(call);
}

RUNS_ON(on_control) static void run_buildm3u(struct call *call, struct mount *mount)
{
	char user[64], password[256];
	struct writer w;

	if (!call_param(call, "username", user, sizeof user) ||
	    !call_param(call, "password", password, sizeof password)) {
		answer_fault(call, 400, "username and password are missing");
		return;
	}
	call->reply.status = 200;
	call->reply.type = "audio/x-mpegurl";
	reply_header(&call->reply, "Content-Disposition",
		     BYTES("attachment; filename=\"listen.m3u\""));
	do {
		w = buffer_writer(&call->reply.body);
		status_write_login_url(&w, request_site(&call->request), bytes_str(mount->name),
				       bytes_str(user), bytes_str(password));
		writer_str(&w, "\r\n");
	} while (buffer_again(&call->reply.body, &w));
	call_reply(call);
}

RUNS_ON(on_control) static void run_manageauth(struct call *call, struct mount *mount)
{
	char action[16];

	if (!mount_conf(mount)->htpasswd[0]) {
		answer_fault(call, 400, "mountpoint does not have a listener authenticator");
		return;
	}
	if (call_param(call, "action", action, sizeof action) &&
	    !bytes_equal(bytes_str(action), BYTES("list")))
		log_order(call, mount->name);
	htpasswd_manage(call, mount->name, mount_conf(mount)->htpasswd);
}

RUNS_ON(on_control) static void run_reloadconfig(struct call *call, struct mount *mount)
{
	(void)mount;
	log_order(call, "");
	if (radio_ask_reload())
		answer_done(call, 200, true, "Config reloaded");
	else
		answer_done(call, 500, false, "Config not reloaded: see the log");
}

/* --- relays --------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void run_relays(struct call *call, struct mount *mount)
{
	json_t *tree = json_object();

	(void)mount;
	json_object_set_new(tree, "relay", relays_tree());
	json_object_set_new(tree, "push", pushes_tree());
	answer_tree(call, "relays", tree);
}

RUNS_ON(on_control) static void run_directory(struct call *call, struct mount *mount)
{
	json_t *tree = json_object();

	(void)mount;
	json_object_set_new(tree, "listing", directory_tree());
	answer_tree(call, "directory", tree);
}

RUNS_ON(on_control) static void run_hooks(struct call *call, struct mount *mount)
{
	json_t *tree;
	char name[128];

	(void)mount;
	if (call_param(call, "test", name, sizeof name)) {
		log_order(call, "");
		if (hook_test(bytes_str(name)))
			answer_done(call, 200, true, "Test event queued");
		else
			answer_fault(call, 404, "no such webhook");
		return;
	}
	tree = json_object();
	json_object_set_new(tree, "hook", hooks_tree(true));
	answer_tree(call, "hooks", tree);
}

RUNS_ON(on_control) static void run_relay(struct call *call, struct mount *mount)
{
	static const char *const words[] = {"start", "stop", "restart"};
	struct relay *relay = relay_find(bytes_str(mount->name));
	char word[16];

	if (!relay) {
		answer_fault(call, 404, "this mount has no relay");
		return;
	}
	for (unsigned i = 0; call_param(call, "action", word, sizeof word) && i < COUNT_OF(words);
	     i++)
		if (bytes_equal(bytes_str(word), bytes_str(words[i]))) {
			log_order(call, mount->name);
			relay_do(relay, (enum relay_order)i);
			answer_done(call, 200, true, "Relay told");
			return;
		}
	answer_fault(call, 400, "action is start, stop or restart");
}

/* --- titles --------------------------------------------------------------------------------- */

/* A parameter, read in the charset that the call names or the mount is set to. */
static bool title_param(const struct call *call, const char *name, enum charset charset, char *out,
			size_t size)
{
	char raw[8192]; /* more than a title may have: it is cut between characters */

	out[0] = '\0';
	if (!call_param(call, name, raw, sizeof raw))
		return false;
	charset_to_field(bytes_str(raw), charset, out, size);
	return true;
}

/* song, or artist and title, whichever there is. */
static bool title_of(const struct call *call, enum charset charset, char *out, size_t size)
{
	char artist[TITLE_SIZE], title[TITLE_SIZE];
	bool has_artist, has_title;
	struct writer w = writer_of(out, size - 1);

	if (title_param(call, "song", charset, out, size))
		return true;
	has_artist = title_param(call, "artist", charset, artist, sizeof artist);
	has_title = title_param(call, "title", charset, title, sizeof title);
	if (!has_artist && !has_title)
		return false;
	writer_str(&w, artist);
	if (artist[0] && title[0])
		writer_str(&w, " - ");
	writer_put(&w, charset_cut(bytes_str(title), w.size - w.len));
	out[w.len] = '\0';
	return true;
}

RUNS_ON(on_control) static void run_metadata(struct call *call, struct mount *mount)
{
	enum charset charset = radio_charset_of(mount_conf(mount)->charset);
	char mode[16], named[32], title[TITLE_SIZE], url[512];

	/* libshout says Keep-Alive and then reads to the end of the connection. */
	call->reply.close = true;
	if (call_param(call, "mode", mode, sizeof mode) &&
	    !bytes_equal(bytes_str(mode), BYTES("updinfo"))) {
		answer_fault(call, 400, "No such action");
		return;
	}
	if (call_param(call, "charset", named, sizeof named) &&
	    !charset_of_name(bytes_str(named), &charset)) {
		answer_fault(call, 400, "unknown charset: expected utf-8, latin1 or windows-1252");
		return;
	}
	if (!mount->has_source) {
		answer_fault(call, 400, "Source does not exist");
		return;
	}
	if (!title_of(call, charset, title, sizeof title)) {
		answer_fault(call, 400, "song, or artist and title, is missing");
		return;
	}
	(void)title_param(call, "url", charset, url, sizeof url);
	if (!mount_set_title(mount, bytes_str(title), bytes_str(url)))
		answer_fault(call, 503, "out of memory");
	else
		answer_done(call, 200, true, "Metadata update successful");
}

/* --- sources and fallbacks ------------------------------------------------------------------ */

RUNS_ON(on_control) static void run_killsource(struct call *call, struct mount *mount)
{
	if (!mount->has_source) {
		answer_fault(call, 404, "Source does not exist");
		return;
	}
	log_order(call, mount->name);
	mount_kill_source(mount);
	answer_done(call, 200, true, "Source Removed");
}

/* Listeners are sent only where whoever sends them has a right to. False: it was answered. */
RUNS_ON(on_control) static bool may_lead_to(struct call *call, const char *mount)
{
	if (!mount[0] || rights_allow(&call->access.rights, RANK_OPERATOR, bytes_str(mount)))
		return true;
	answer_fault(call, 403, "you may not do this with that mount");
	return false;
}

RUNS_ON(on_control) static void run_fallbacks(struct call *call, struct mount *mount)
{
	char fallback[FEED_NAME_MAX + 1];

	if (!call_param(call, "fallback", fallback, sizeof fallback)) {
		answer_fault(call, 400, "fallback is missing");
		return;
	}
	if (!may_lead_to(call, fallback))
		return;
	log_order(call, mount->name);
	if (mount_set_fallback(mount, bytes_str(fallback)))
		answer_done(call, 200, true, "Fallback configured");
	else
		answer_fault(call, 400, "this fallback would be a loop");
}

/* --- listeners: a baton goes around --------------------------------------------------------- */

struct round {
	struct baton baton;
	struct call *call;
	char mount[FEED_NAME_MAX + 1];
	char to[FEED_NAME_MAX + 1];
	uint64_t id;   /* 0: all */
	uint64_t done; /* how many it was done to */
	json_t *list;
};

/* False after an answer when there is no memory. */
RUNS_ON(on_control)
static bool round_begin(struct call *call, const struct mount *mount,
			void (*visit)(struct baton *, struct worker *),
			void (*home)(struct baton *), struct round **out)
{
	struct round *round = calloc(1, sizeof *round);
	char id[24];

	if (!round) {
		answer_fault(call, 503, "out of memory");
		return false;
	}
	round->call = call;
	bytes_to_str(bytes_str(mount->name), round->mount, sizeof round->mount);
	if (call_param(call, "id", id, sizeof id) &&
	    !bytes_to_u64(bytes_str(id), UINT64_MAX, &round->id)) {
		free(round);
		answer_fault(call, 400, "id is not a number");
		return false;
	}
	round->baton.visit = visit;
	round->baton.home = home;
	*out = round;
	return true;
}

static json_t *listener_tree(const struct listener *listener, int64_t now)
{
	struct address address = {.port = listener->port};
	char text[ADDRESS_TEXT_MAX + 1];
	json_t *tree = json_object();

	memcpy(address.ip, listener->ip, sizeof address.ip);
	json_object_set_new(tree, "@id", json_integer((json_int_t)listener->id));
	json_object_set_new(tree, "IP", json_string(address_text(&address, text)));
	json_object_set_new(tree, "UserAgent", document_text(listener->agent));
	json_object_set_new(tree, "Connected",
			    json_integer((now - listener->since_wall_us) / 1000000));
	json_object_set_new(tree, "ID", json_integer((json_int_t)listener->id));
	if (listener->user[0])
		json_object_set_new(tree, "username", document_text(listener->user));
	json_object_set_new(tree, "Sent", json_integer((json_int_t)listener->sent));
	json_object_set_new(tree, "Skips", json_integer(listener->skips));
	json_object_set_new(tree, "Lost", json_integer((json_int_t)listener->lost));
	return tree;
}

static void visit_list(struct baton *baton, struct worker *worker)
{
	struct round *round = container_of(baton, struct round, baton);
	struct outlet *outlet;
	int64_t now = wall_now_us();

	(void)worker;
	enter_worker();
	outlet = outlet_find(bytes_str(round->mount));
	for (unsigned s = 0; outlet && s < TURN_SLOTS; s++)
		for (uint32_t i = 0; i < outlet->slot[s].count; i++)
			json_array_append_new(
				round->list,
				listener_tree(table_row(outlet_table(), outlet->slot[s].rows[i]),
					      now));
}

static void home_list(struct baton *baton)
{
	struct round *round = container_of(baton, struct round, baton);
	json_t *tree = json_object(), *source = json_object();

	enter_control();
	json_object_set_new(source, "@mount", document_text(round->mount));
	json_object_set_new(source, "Listeners",
			    json_integer((json_int_t)json_array_size(round->list)));
	json_object_set_new(source, "listener", round->list);
	json_object_set_new(tree, "source", source);
	answer_tree(round->call, "icestats", tree);
	free(round);
}

RUNS_ON(on_control) static void run_listclients(struct call *call, struct mount *mount)
{
	struct round *round;

	if (!round_begin(call, mount, visit_list, home_list, &round))
		return;
	round->list = json_array();
	baton_send(&round->baton);
}

static void visit_kill(struct baton *baton, struct worker *worker)
{
	struct round *round = container_of(baton, struct round, baton);
	struct outlet *outlet;

	(void)worker;
	enter_worker();
	outlet = outlet_find(bytes_str(round->mount));
	for (unsigned s = 0; outlet && s < TURN_SLOTS; s++)
		for (uint32_t i = 0; i < outlet->slot[s].count; i++) {
			uint32_t row = outlet->slot[s].rows[i];
			struct listener *listener = table_row(outlet_table(), row);

			if (listener->id != round->id)
				continue;
			outlet_remove(outlet, row);
			listener_end(outlet, row, LEAVE_KILLED);
			round->done++;
			return;
		}
}

static void home_kill(struct baton *baton)
{
	struct round *round = container_of(baton, struct round, baton);
	char message[64];

	enter_control();
	snprintf(message, sizeof message, "Client %llu %s", (unsigned long long)round->id,
		 round->done ? "removed" : "not found");
	/* 200 either way, as Icecast: what was done is in the answer. */
	answer_done(round->call, 200, round->done > 0, message);
	free(round);
}

RUNS_ON(on_control) static void run_killclient(struct call *call, struct mount *mount)
{
	struct round *round;

	if (!round_begin(call, mount, visit_kill, home_kill, &round))
		return;
	if (round->id == 0) {
		free(round);
		answer_fault(call, 400, "id is missing");
		return;
	}
	log_order(call, mount->name);
	baton_send(&round->baton);
}

static void visit_move(struct baton *baton, struct worker *worker)
{
	struct round *round = container_of(baton, struct round, baton);
	struct outlet *from, *to;

	(void)worker;
	enter_worker();
	from = outlet_find(bytes_str(round->mount));
	to = outlet_find(bytes_str(round->to));
	for (unsigned s = 0; from && to && s < TURN_SLOTS; s++)
		for (uint32_t i = 0; i < from->slot[s].count;) {
			uint32_t row = from->slot[s].rows[i];
			struct listener *listener = table_row(outlet_table(), row);

			if ((round->id && listener->id != round->id) ||
			    !listener_move(from, to, row)) {
				i++;
				continue;
			}
			outlet_remove_at(from, s, i);
			round->done++;
		}
}

static void home_move(struct baton *baton)
{
	struct round *round = container_of(baton, struct round, baton);
	char message[FEED_NAME_MAX + 64];

	enter_control();
	snprintf(message, sizeof message, "%llu clients moved to %s",
		 (unsigned long long)round->done, round->to);
	answer_done(round->call, 200, true, message);
	free(round);
}

RUNS_ON(on_control) static void run_moveclients(struct call *call, struct mount *mount)
{
	char name[FEED_NAME_MAX + 1];
	const struct mount *to;
	struct round *round;

	if (!call_param(call, "destination", name, sizeof name)) {
		answer_fault(call, 400, "destination is missing");
		return;
	}
	if (!may_lead_to(call, name))
		return;
	to = mount_find(bytes_str(name));
	if (!to || !to->heard || to == mount) {
		answer_fault(call, 400,
			     to == mount ? "supplied mountpoints are identical"
					 : "No such destination");
		return;
	}
	if (!round_begin(call, mount, visit_move, home_move, &round))
		return;
	bytes_to_str(bytes_str(name), round->to, sizeof round->to);
	log_order(call, mount->name);
	baton_send(&round->baton);
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct admin_call admin_calls[] = {
	{"stats", NEED_NOTHING, RANK_OPERATOR, false, run_stats},
	{"listmounts", NEED_NOTHING, RANK_OPERATOR, false, run_listmounts},
	{"streamlist", NEED_NOTHING, RANK_OPERATOR, false, run_listmounts},
	{"streamlist.txt", NEED_NOTHING, RANK_OPERATOR, false, run_streamlist},
	{"listclients", NEED_MOUNT, RANK_OPERATOR, false, run_listclients},
	{"metadata", NEED_MOUNT, RANK_DJ, true, run_metadata},
	{"updatemetadata", NEED_MOUNT, RANK_DJ, true, run_metadata},
	{"killclient", NEED_MOUNT, RANK_DJ, true, run_killclient},
	{"killsource", NEED_MOUNT, RANK_DJ, true, run_killsource},
	{"moveclients", NEED_MOUNT, RANK_OPERATOR, true, run_moveclients},
	{"fallbacks", NEED_MOUNT, RANK_OPERATOR, true, run_fallbacks},
	{"fallback", NEED_MOUNT, RANK_OPERATOR, true, run_fallbacks},
	{"manageauth", NEED_MOUNT, RANK_OPERATOR, true, run_manageauth},
	{"buildm3u", NEED_MOUNT, RANK_OPERATOR, false, run_buildm3u},
	{"reloadconfig", NEED_NOTHING, RANK_ADMIN, true, run_reloadconfig},
	{"relays", NEED_NOTHING, RANK_OPERATOR, false, run_relays},
	{"relay", NEED_MOUNT, RANK_OPERATOR, true, run_relay},
	{"hooks", NEED_NOTHING, RANK_ADMIN, true, run_hooks},
	{"directory", NEED_NOTHING, RANK_OPERATOR, false, run_directory},
};

/* NAME of /admin/NAME, /admin/NAME.json and /admin/NAME.xsl. */
static struct bytes call_name(struct bytes path)
{
	struct bytes name = bytes_skip(path, sizeof "/admin/" - 1);

	if (bytes_end_with(name, BYTES(".json")))
		name.len -= 5;
	else if (bytes_end_with(name, BYTES(".xsl")) || bytes_end_with(name, BYTES(".xml")))
		name.len -= 4;
	return name;
}

static const struct admin_call *call_of(struct bytes path)
{
	struct bytes name = call_name(path);

	if (bytes_equal(path, BYTES("/admin.cgi")))
		name = BYTES("metadata");
	if (name.len == 0)
		name = BYTES("stats");
	for (size_t i = 0; i < COUNT_OF(admin_calls); i++)
		if (bytes_equal(name, bytes_str(admin_calls[i].name)))
			return &admin_calls[i];
	return NULL;
}

enum rank admin_rank(struct bytes path, bool *changes)
{
	const struct admin_call *found = call_of(path);

	*changes = found && found->changes;
	return found ? found->rank : RANK_OPERATOR;
}

RUNS_ON(on_control) static void run_call(struct call *call, const struct admin_call *found)
{
	char name[FEED_NAME_MAX + 1];
	struct mount *mount = NULL;

	if (call_param(call, "mount", name, sizeof name))
		mount = mount_find(bytes_str(name));
	else if (found->run == run_metadata)
		mount = mount_find(bytes_str(radio_conf()->shoutcast_mount));
	if (found->need == NEED_MOUNT && !mount) {
		if (found->run == run_metadata)
			answer_fault(call, 400, "Source does not exist");
		else
			answer_fault(call, name[0] ? 404 : 400,
				     name[0] ? "Source does not exist" : "mount is missing");
		return;
	}
	found->run(call, mount);
}

void admin_answer(struct call *call)
{
	const struct admin_call *found = call_of(call->request.path);

	enter_control();
	if (found)
		run_call(call, found);
	else
		answer_fault(call, 404, "no such call");
}
