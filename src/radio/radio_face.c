#include "radio/radio_face.h"

#include "core/log.h"
#include "edge/document.h"
#include "edge/edge.h"
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

static void answer_status(struct call *call)
{
	enter_control();
	open_reply(call, status_public(call->request.host), "icestats");
	call_reply(call);
}

static void answer_page(struct call *call)
{
	enter_control();
	open_reply(call, status_page(call->request.host), NULL);
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

RUNS_ON(on_worker) static void serve_page(struct conn *conn)
{
	conn_call(conn, answer_page);
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

RUNS_ON(on_worker) static void busy(struct conn *conn)
{
	struct reply reply = {.close = true};

	reply_text(&reply, 503, "too many logins at once");
	conn_reply(conn, &reply);
}

RUNS_ON(on_worker) static void on_admin_verdict(struct conn *conn, enum verdict verdict)
{
	const struct request *request = conn_request(conn);
	char address[ADDRESS_TEXT_MAX + 1];

	switch (verdict) {
	case VERDICT_YES: conn_call(conn, admin_answer); return;
	case VERDICT_NO: break;
	case VERDICT_NONE: login_unauthorized(conn); return;
	case VERDICT_BUSY: busy(conn); return;
	}
	log_warnx("radio", "admin login failed",
		  kv_str("address", address_text(&request->peer, address)),
		  kv_bytes("path", request->path.at, request->path.len));
	login_unauthorized(conn);
}

RUNS_ON(on_worker) static void verify_admin(struct conn *conn)
{
	const struct edge_conf *conf = &edge_settings()->conf;

	conn_verify(conn, bytes_str(conf->admin_user), conf->admin_password, (struct bytes){0},
		    on_admin_verdict);
}

/* Whose title is set, and so whose password counts: the mount of SHOUTcast encoders unless said. The
 * control thread comes to the same mount. */
RUNS_ON(on_worker) static void metadata_mount(struct conn *conn, char mount[FEED_NAME_MAX + 1])
{
	if (!request_param(conn_request(conn), "mount", mount, FEED_NAME_MAX + 1))
		bytes_to_str(bytes_str(radio_conf()->shoutcast_mount), mount, FEED_NAME_MAX + 1);
}

RUNS_ON(on_worker)
static void on_title_asked(struct conn *conn, enum auth_answer answer,
			   const struct admission *admission, const char *message)
{
	(void)admission;
	(void)message;
	on_admin_verdict(conn, answer == AUTH_URL_YES  ? VERDICT_YES
			       : answer == AUTH_URL_NO ? VERDICT_NO
						       : VERDICT_BUSY);
}

/* Titles: the encoder's own password will do, or the administrator's. */
RUNS_ON(on_worker) static void serve_metadata(struct conn *conn)
{
	const struct edge_conf *conf = &edge_settings()->conf;
	char user[64], mount[FEED_NAME_MAX + 1];

	if (conn_body(conn))
		return;
	if (conn_user(conn, user, sizeof user) &&
	    bytes_equal(bytes_str(user), bytes_str(conf->admin_user))) {
		verify_admin(conn);
		return;
	}
	metadata_mount(conn, mount);
	if (auth_url_wanted(radio_mount_conf(mount), AUTH_SOURCE) &&
	    conn_user(conn, user, sizeof user)) {
		auth_url_ask(conn, mount, AUTH_TITLE, BYTES(""), (struct bytes){0}, on_title_asked);
		return;
	}
	conn_verify(conn, BYTES(""), radio_mount_conf(mount)->password, (struct bytes){0},
		    on_admin_verdict);
}

/* SHOUTcast's: the password is a parameter. */
RUNS_ON(on_worker) static void serve_admin_cgi(struct conn *conn)
{
	char password[256], mount[FEED_NAME_MAX + 1];

	if (conn_body(conn))
		return;
	metadata_mount(conn, mount);
	if (!request_param(conn_request(conn), "pass", password, sizeof password)) {
		serve_metadata(conn);
		return;
	}
	if (auth_url_wanted(radio_mount_conf(mount), AUTH_SOURCE))
		auth_url_ask(conn, mount, AUTH_TITLE, BYTES("source"), bytes_str(password),
			     on_title_asked);
	else
		conn_verify(conn, BYTES(""), radio_mount_conf(mount)->password, bytes_str(password),
			    on_admin_verdict);
}

/* Other servers read the list of mounts to relay them all. The administrator may as well. */
RUNS_ON(on_worker) static void serve_streamlist(struct conn *conn)
{
	const struct relays_conf *conf = radio_relays_conf();
	char user[64];

	if (conf->slave_password[0] && conn_user(conn, user, sizeof user) &&
	    bytes_equal(bytes_str(user), bytes_str(conf->slave_user)))
		conn_verify(conn, bytes_str(conf->slave_user), conf->slave_password,
			    (struct bytes){0}, on_admin_verdict);
	else
		verify_admin(conn);
}

RUNS_ON(on_worker) static void serve_admin(struct conn *conn)
{
	if (conn_body(conn))
		return;
	verify_admin(conn);
}

/* --- the table ------------------------------------------------------------------------------ */

#define READ (METHOD_GET | METHOD_HEAD)

const struct route radio_routes[] = {
	{"/status-json.xsl", READ, serve_status, NULL},
	{"/api/v1/mounts", READ, serve_page, NULL},
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
