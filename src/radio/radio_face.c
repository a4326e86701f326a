#include "radio/radio_face.h"

#include "edge/access.h"
#include "edge/document.h"
#include "edge/request.h"
#include "radio/radio.h"
#include "radio/radio_admin.h"
#include "radio/radio_auth_url.h"
#include "radio/radio_join.h"
#include "radio/radio_login.h"
#include "radio/radio_status.h"

/* --- open to all ---------------------------------------------------------------------------- */

static void open_reply(struct call *call, json_t *tree, const char *root)
{
	reply_header(&call->reply, "Access-Control-Allow-Origin", BYTES("*"));
	document_reply(&call->reply, DOCUMENT_JSON, root, tree);
}

/* All mounts, or the one of "mount=". */
static void answer_status(struct call *call)
{
	char mount[FEED_NAME_MAX + 1] = "";

	enter_control();
	(void)call_param(call, "mount", mount, sizeof mount);
	open_reply(call, status_public(request_site(&call->request), bytes_str(mount)), "icestats");
	call_reply(call);
}

/* SHOUTcast's one line of numbers: listeners, up, peak, most, unique, bitrate, title. */
static void answer_7(struct call *call)
{
	const struct mount *mount;
	struct writer w;

	enter_control();
	mount = mount_find(bytes_str(radio_conf()->shoutcast_mount));
	call->reply.status = 200;
	call->reply.type = "text/html; charset=utf-8";
	do {
		w = buffer_writer(&call->reply.body);
		writer_str(&w, "<html><body>");
		status_write_7(&w, mount);
		writer_str(&w, "</body></html>");
	} while (buffer_again(&call->reply.body, &w));
	call_reply(call);
}

RUNS_ON(on_worker) static void serve_status(struct conn *conn)
{
	conn_call(conn, answer_status);
}

RUNS_ON(on_worker) static void serve_7(struct conn *conn)
{
	conn_call(conn, answer_7);
}

/* Icecast's status page; ours is at the root. */
RUNS_ON(on_worker) static void serve_home(struct conn *conn)
{
	struct reply reply = {0};

	reply_text(&reply, 302, "the page is at /");
	reply_header(&reply, "Location", BYTES("/"));
	conn_reply(conn, &reply);
}

/* --- the administrator's -------------------------------------------------------------------- */

RUNS_ON(on_worker) static void admin_let_in(struct conn *conn)
{
	conn_call(conn, admin_answer);
}

/* Whose title is set, and so whose password counts: the mount of SHOUTcast encoders unless said. The
 * control thread comes to the same mount. */
RUNS_ON(on_worker) static void metadata_mount(struct conn *conn, char mount[FEED_NAME_MAX + 1])
{
	if (!request_param(conn_request(conn), "mount", mount, FEED_NAME_MAX + 1))
		bytes_to_str(bytes_str(radio_conf()->shoutcast_mount), mount, FEED_NAME_MAX + 1);
}

RUNS_ON(on_worker) static void on_metadata_verdict(struct conn *conn, enum verdict verdict)
{
	if (verdict == VERDICT_YES)
		admin_let_in(conn);
	else
		access_refuse(conn, verdict);
}

/* Titles: the encoder's own password will do, or whoever has a right to the mount. given: a password
 * that came as a parameter; or at is NULL. */
RUNS_ON(on_worker)
static void judge_metadata(struct conn *conn, struct bytes given, bool by_password)
{
	char mount[FEED_NAME_MAX + 1];
	struct access_need need = {.rank = RANK_DJ, .changes = true, .given = given, .encoder = ""};

	metadata_mount(conn, mount);
	need.mount = bytes_str(mount);
	if (by_password)
		need.encoder = radio_mount_conf(mount)->password;
	access_judge(conn, &need, on_metadata_verdict);
}

/* The station's own program, which lets encoders in, has said whether this is one. */
RUNS_ON(on_worker)
static void on_title_asked(struct conn *conn, enum auth_answer answer,
			   const struct admission *admission, const char *message)
{
	(void)admission;
	(void)message;
	if (answer == AUTH_URL_NO)
		judge_metadata(conn, (struct bytes){0}, false);
	else if (answer == AUTH_URL_YES && access_is_foreign(conn_request(conn)))
		on_metadata_verdict(conn, VERDICT_FOREIGN);
	else
		on_metadata_verdict(conn, answer == AUTH_URL_YES ? VERDICT_YES : VERDICT_BUSY);
}

RUNS_ON(on_worker) static void ask_metadata(struct conn *conn, struct bytes given)
{
	char mount[FEED_NAME_MAX + 1], user[64];

	metadata_mount(conn, mount);
	if (!auth_url_wanted(radio_mount_conf(mount), AUTH_SOURCE))
		judge_metadata(conn, given, true);
	else if (given.at || request_user(conn_request(conn), user, sizeof user))
		auth_url_ask(conn, mount, AUTH_TITLE, BYTES("source"), given, on_title_asked);
	else
		judge_metadata(conn, given, false);
}

RUNS_ON(on_worker) static void serve_metadata(struct conn *conn)
{
	if (!conn_body(conn))
		ask_metadata(conn, (struct bytes){0});
}

/* SHOUTcast's: the password is a parameter. */
RUNS_ON(on_worker) static void serve_admin_cgi(struct conn *conn)
{
	char password[256];

	if (conn_body(conn))
		return;
	if (request_param(conn_request(conn), "pass", password, sizeof password))
		ask_metadata(conn, bytes_str(password));
	else
		ask_metadata(conn, (struct bytes){0});
}

RUNS_ON(on_worker) static void on_streamlist_verdict(struct conn *conn, enum verdict verdict)
{
	if (verdict == VERDICT_YES)
		admin_let_in(conn);
	else
		access_refuse(conn, verdict);
}

/* Other servers read the list of mounts to relay them all. */
RUNS_ON(on_worker) static void serve_streamlist(struct conn *conn)
{
	const struct relays_conf *conf = radio_relays_conf();
	struct access_need need = {
		.rank = RANK_OPERATOR,
		.encoder = conf->slave_password,
		.encoder_user = bytes_str(conf->slave_user),
	};

	access_judge(conn, &need, on_streamlist_verdict);
}

RUNS_ON(on_worker) static void serve_admin(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	char mount[FEED_NAME_MAX + 1];
	bool changes;
	enum rank rank;

	if (conn_body(conn))
		return;
	rank = admin_rank(request->path, &changes);
	request_param(request, "mount", mount, sizeof mount);
	if (changes)
		access_require_change(conn, rank, bytes_str(mount), admin_let_in);
	else
		access_require(conn, rank, bytes_str(mount), admin_let_in);
}

/* --- the table ------------------------------------------------------------------------------ */

#define READ (METHOD_GET | METHOD_HEAD)

const struct route radio_routes[] = {
	{"/status-json.xsl", READ, serve_status, NULL},
	{"/status.xsl", READ, serve_home, NULL},
	{"/7.html", READ, serve_7, NULL},
	{"/admin/metadata", READ | METHOD_POST, serve_metadata, NULL},
	{"/admin/metadata.json", READ | METHOD_POST, serve_metadata, NULL},
	{"/admin.cgi", READ | METHOD_POST, serve_admin_cgi, NULL},
	{"/admin/streamlist.txt", READ, serve_streamlist, NULL},
	{"/admin/", READ | METHOD_POST, serve_admin, NULL},
	{NULL, METHOD_SOURCE | METHOD_PUT, login_serve_source, NULL},
	{NULL, READ | METHOD_OPTIONS, join_serve, NULL},
	{0},
};
