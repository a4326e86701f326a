/* soju's database (SQLite): users, networks, channels, certificates of clients. What was said stays there. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"

/* One row, by names of columns: versions of soju differ in which there are. */
struct row {
	sqlite3_stmt *statement;
};

static const char *text_of(const struct row *row, const char *name)
{
	for (int i = 0; i < sqlite3_column_count(row->statement); i++)
		if (strcmp(sqlite3_column_name(row->statement, i), name) == 0) {
			const char *text = (const char *)sqlite3_column_text(row->statement, i);

			return text ? text : "";
		}
	return "";
}

static sqlite3_int64 number_of(const struct row *row, const char *name)
{
	return strtoll(text_of(row, name), NULL, 10);
}

/* Calls for each row of a table, where key is id (or of all: key NULL). -1: there is no such table. */
static int
each(sqlite3 *db, const char *sql, sqlite3_int64 id, struct import *import, const char *user,
     void (*take)(sqlite3 *db, const struct row *row, struct import *import, const char *user))
{
	struct row row;
	int code;

	if (sqlite3_prepare_v2(db, sql, -1, &row.statement, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(row.statement, 1, id);
	while ((code = sqlite3_step(row.statement)) == SQLITE_ROW)
		take(db, &row, import, user);
	sqlite3_finalize(row.statement);
	return code == SQLITE_DONE ? 0 : -1;
}

/* Names here are without blanks and slashes; so are soju's, but for hosts with a port. */
static void network_name(const struct row *row, char *out, size_t size)
{
	const char *name = text_of(row, "name"), *host;
	size_t len = 0;

	if (!name[0]) {
		name = text_of(row, "addr");
		host = strstr(name, "://");
		name = host ? host + 3 : name;
	}
	for (; *name && len + 1 < size && *name != ':'; name++)
		out[len++] =
			*name == '/' || *name == '@' || *name == ' ' || *name == ',' ? '-' : *name;
	out[len] = '\0';
}

static void take_channel(sqlite3 *db, const struct row *row, struct import *import,
			 const char *user)
{
	static const char *const filters[] = {"", "none", "highlight", "message"};
	static const char *const names[][2] = {{"relay_detached", "relay-detached"},
					       {"reattach_on", "reattach-on"},
					       {"detach_on", "detach-on"}};
	char network[80];

	(void)db;
	network_name(row, network, sizeof network);
	import_order(import, user, "channel create");
	import_word(import, text_of(row, "channel_name"));
	import_option(import, "network", network);
	import_option(import, "key", text_of(row, "key"));
	if (number_of(row, "detached"))
		import_option(import, "detached", "true");
	for (size_t i = 0; i < 3; i++) {
		sqlite3_int64 filter = number_of(row, names[i][0]);

		if (filter > 0 && filter < 4)
			import_option(import, names[i][1], filters[filter]);
	}
	if (number_of(row, "detach_after"))
		import_option(import, "detach-after", text_of(row, "detach_after"));
	import_order_end(import);
}

static void take_commands(struct import *import, const char *commands)
{
	while (*commands) {
		size_t len = strcspn(commands, "\r\n");
		char *one = strndup(commands, len);

		if (one)
			import_option(import, "connect-command", one);
		free(one);
		commands += len + strspn(commands + len, "\r\n");
	}
}

static void take_network(sqlite3 *db, const struct row *row, struct import *import,
			 const char *user)
{
	const char *mechanism = text_of(row, "sasl_mechanism");
	char network[80];

	network_name(row, network, sizeof network);
	import_order(import, user, "network create");
	import_option(import, "name", network);
	import_option(import, "addr", text_of(row, "addr"));
	import_option(import, "nick", text_of(row, "nick"));
	import_option(import, "username", text_of(row, "username"));
	import_option(import, "realname", text_of(row, "realname"));
	import_option(import, "pass", text_of(row, "pass"));
	import_option(import, "certfp", text_of(row, "certfp"));
	if (strcmp(text_of(row, "auto_away"), "0") == 0)
		import_option(import, "auto-away", "false");
	if (strcmp(text_of(row, "enabled"), "0") == 0)
		import_option(import, "enabled", "false");
	if (strcmp(mechanism, "PLAIN") == 0) {
		import_option(import, "sasl-mechanism", mechanism);
		import_option(import, "sasl-username", text_of(row, "sasl_plain_username"));
		import_option(import, "sasl-password", text_of(row, "sasl_plain_password"));
	} else if (mechanism[0]) {
		import_note(import, 0,
			    "%s: %s: the certificate for %s is not taken over; certfp generate "
			    "makes one, which its NickServ has to be told of",
			    user, network, mechanism);
	}
	take_commands(import, text_of(row, "connect_commands"));
	import_order_end(import);
	if (each(db,
		 "SELECT n.name, n.addr, c.name AS channel_name, c.* FROM Channel "
		 "c "
		 "JOIN Network n ON n.id = c.network WHERE c.network = ?1 ORDER BY c.id",
		 number_of(row, "id"), import, user, take_channel))
		import_note(import, 0, "%s: %s: its channels cannot be read", user, network);
}

static void take_device(sqlite3 *db, const struct row *row, struct import *import, const char *user)
{
	const unsigned char *blob = NULL;
	char hex[129];

	(void)db;
	for (int i = 0; i < sqlite3_column_count(row->statement); i++)
		if (strcmp(sqlite3_column_name(row->statement, i), "fingerprint") == 0 &&
		    sqlite3_column_bytes(row->statement, i) == 64)
			blob = sqlite3_column_blob(row->statement, i);
	for (int i = 0; blob && i < 64; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", blob[i]);
	import_order(import, user, "device-certificate create");
	import_option(import, "label", text_of(row, "label"));
	import_option(import, "fingerprint", blob ? hex : text_of(row, "fingerprint"));
	import_order_end(import);
}

/* Accounts here have letters, digits and a few signs. */
static bool name_good(const char *name)
{
	return name[0] && name[0] != '.' && strlen(name) < 64 &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@+") ==
		       strlen(name);
}

static void take_user(sqlite3 *db, const struct row *row, struct import *import, const char *none)
{
	const char *password = text_of(row, "password"), *most = text_of(row, "max_networks");
	char user[64];

	(void)none;
	if (!name_good(text_of(row, "username"))) {
		import_note(import, 0, "%s cannot be a name here", text_of(row, "username"));
		return;
	}
	snprintf(user, sizeof user, "%s", text_of(row, "username"));
	import_order(import, "admin", "user create");
	import_option(import, "username", user);
	/* bcrypt, which is taken as it stands. */
	if (strncmp(password, "$2", 2) == 0) {
		import_option(import, "password-hash", password);
	} else {
		import_option(import, "disable-password", "true");
		import_note(import, 0,
			    "%s: has no password that could be taken over: user update %s "
			    "-password …",
			    user, user);
	}
	if (number_of(row, "admin"))
		import_option(import, "admin", "true");
	if (strcmp(text_of(row, "enabled"), "0") == 0)
		import_option(import, "enabled", "false");
	import_option(import, "nick", text_of(row, "nick"));
	import_option(import, "realname", text_of(row, "realname"));
	if (most[0] && number_of(row, "max_networks") >= 0)
		import_option(import, "max-networks", most);
	import_order_end(import);
	if (each(db, "SELECT * FROM Network WHERE user = ?1 ORDER BY id", number_of(row, "id"),
		 import, user, take_network))
		import_note(import, 0, "%s: his networks cannot be read", user);
	/* Older versions have none. */
	(void)each(db, "SELECT * FROM DeviceCertificate WHERE user = ?1", number_of(row, "id"),
		   import, user, take_device);
}

/* What is not taken over, counted. */
static void note_count(sqlite3 *db, struct import *import, const char *table, const char *what)
{
	char sql[80];
	sqlite3_stmt *statement;

	snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int64(statement, 0))
		import_note(import, 0, "%s: %lld %s are not taken over", table,
			    (long long)sqlite3_column_int64(statement, 0), what);
	sqlite3_finalize(statement);
}

int import_soju(struct import *import)
{
	sqlite3 *db;
	int code = sqlite3_open_v2(import->file, &db, SQLITE_OPEN_READONLY, NULL);

	if (code == SQLITE_OK)
		code = each(db, "SELECT * FROM User ORDER BY id", 0, import, NULL, take_user);
	if (code) {
		import_note(import, 0, "this is no database of soju's, or cannot be read: %s",
			    sqlite3_errmsg(db));
		sqlite3_close(db);
		return 1;
	}
	note_count(db, import, "Message", "lines that were said");
	note_count(db, import, "ReadReceipt", "places up to which was read");
	note_count(db, import, "WebPushSubscription", "subscriptions to push messages");
	sqlite3_close(db);
	return 0;
}
