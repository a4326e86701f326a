/* soju's database (SQLite): users, networks, channels, certificates; what was said is soju_history.c's. */
#include "soju.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take_channel(sqlite3 *db, const struct soju_row *row, struct import *import,
			 const char *user)
{
	static const char *const filters[] = {"", "none", "highlight", "message"};
	static const char *const names[][2] = {{"relay_detached", "relay-detached"},
					       {"reattach_on", "reattach-on"},
					       {"detach_on", "detach-on"}};
	char network[80];

	(void)db;
	soju_network_name(row, network, sizeof network);
	import_order(import, user, "channel create");
	import_word(import, soju_text_of(row, "channel_name"));
	import_option(import, "network", network);
	import_option(import, "key", soju_text_of(row, "key"));
	if (soju_number_of(row, "detached"))
		import_option(import, "detached", "true");
	for (size_t i = 0; i < 3; i++) {
		sqlite3_int64 filter = soju_number_of(row, names[i][0]);

		if (filter > 0 && filter < 4)
			import_option(import, names[i][1], filters[filter]);
	}
	if (soju_number_of(row, "detach_after"))
		import_option(import, "detach-after", soju_text_of(row, "detach_after"));
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

static bool put_base64(const struct soju_row *row, struct import *import, const char *user,
		       const char *network, const char *column, const char *option)
{
	for (int i = 0; i < sqlite3_column_count(row->statement); i++) {
		const unsigned char *blob = sqlite3_column_blob(row->statement, i);
		int len = sqlite3_column_bytes(row->statement, i);
		char *text;

		if (strcmp(sqlite3_column_name(row->statement, i), column) != 0 || !blob || !len)
			continue;
		text = import_base64(blob, (size_t)len);
		import_order(import, user, "certfp import");
		import_option(import, "network", network);
		import_option(import, option, text);
		import_order_end(import);
		free(text);
		return true;
	}
	return false;
}

/* The key alone first: both together are longer than an order. */
static void take_certificate(const struct soju_row *row, struct import *import, const char *user,
			     const char *network)
{
	bool external = strcmp(soju_text_of(row, "sasl_mechanism"), "EXTERNAL") == 0;
	bool good = put_base64(row, import, user, network, "sasl_external_key", "key") &&
		    put_base64(row, import, user, network, "sasl_external_cert", "certificate");

	if (good && external) {
		import_order(import, user, "sasl set-external");
		import_option(import, "network", network);
		import_order_end(import);
	} else if (external) {
		import_note(import, 0,
			    "%s: %s: logs in by a certificate that is not there; certfp generate "
			    "makes one, which its NickServ has to be told of",
			    user, network);
	}
}

static void take_network(sqlite3 *db, const struct soju_row *row, struct import *import,
			 const char *user)
{
	const char *mechanism = soju_text_of(row, "sasl_mechanism");
	char network[80];

	soju_network_name(row, network, sizeof network);
	import_order(import, user, "network create");
	import_option(import, "name", network);
	import_option(import, "addr", soju_text_of(row, "addr"));
	import_option(import, "nick", soju_text_of(row, "nick"));
	import_option(import, "username", soju_text_of(row, "username"));
	import_option(import, "realname", soju_text_of(row, "realname"));
	import_option(import, "pass", soju_text_of(row, "pass"));
	import_option(import, "certfp", soju_text_of(row, "certfp"));
	if (strcmp(soju_text_of(row, "auto_away"), "0") == 0)
		import_option(import, "auto-away", "false");
	/* Until all is there: soju_history.c. */
	import_option(import, "enabled", "false");
	if (strcmp(mechanism, "PLAIN") == 0) {
		import_option(import, "sasl-mechanism", mechanism);
		import_option(import, "sasl-username", soju_text_of(row, "sasl_plain_username"));
		import_option(import, "sasl-password", soju_text_of(row, "sasl_plain_password"));
	} else if (mechanism[0] && strcmp(mechanism, "EXTERNAL") != 0) {
		import_note(import, 0, "%s: %s: a login by %s is not known here", user, network,
			    mechanism);
	}
	take_commands(import, soju_text_of(row, "connect_commands"));
	import_order_end(import);
	take_certificate(row, import, user, network);
	if (soju_each(db,
		      "SELECT n.name, n.addr, c.name AS channel_name, c.* FROM Channel "
		      "c "
		      "JOIN Network n ON n.id = c.network WHERE c.network = ?1 ORDER BY c.id",
		      soju_number_of(row, "id"), import, user, take_channel))
		import_note(import, 0, "%s: %s: its channels cannot be read", user, network);
}

static void take_device(sqlite3 *db, const struct soju_row *row, struct import *import,
			const char *user)
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
	import_option(import, "label", soju_text_of(row, "label"));
	import_option(import, "fingerprint", blob ? hex : soju_text_of(row, "fingerprint"));
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

static void take_user(sqlite3 *db, const struct soju_row *row, struct import *import,
		      const char *none)
{
	const char *password = soju_text_of(row, "password"),
		   *most = soju_text_of(row, "max_networks");
	char user[64];

	(void)none;
	if (!name_good(soju_text_of(row, "username"))) {
		import_note(import, 0, "%s cannot be a name here", soju_text_of(row, "username"));
		return;
	}
	snprintf(user, sizeof user, "%s", soju_text_of(row, "username"));
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
	if (soju_number_of(row, "admin"))
		import_option(import, "admin", "true");
	if (strcmp(soju_text_of(row, "enabled"), "0") == 0)
		import_option(import, "enabled", "false");
	import_option(import, "nick", soju_text_of(row, "nick"));
	import_option(import, "realname", soju_text_of(row, "realname"));
	if (most[0] && soju_number_of(row, "max_networks") >= 0)
		import_option(import, "max-networks", most);
	import_order_end(import);
	if (soju_each(db, "SELECT * FROM Network WHERE user = ?1 ORDER BY id",
		      soju_number_of(row, "id"), import, user, take_network))
		import_note(import, 0, "%s: his networks cannot be read", user);
	/* Older versions have none. */
	(void)soju_each(db, "SELECT * FROM DeviceCertificate WHERE user = ?1",
			soju_number_of(row, "id"), import, user, take_device);
	soju_history(db, soju_number_of(row, "id"), import, user);
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
		code = soju_each(db, "SELECT * FROM User ORDER BY id", 0, import, NULL, take_user);
	if (code) {
		import_note(import, 0, "this is no database of soju's, or cannot be read: %s",
			    sqlite3_errmsg(db));
		sqlite3_close(db);
		return 1;
	}
	note_count(db, import, "WebPushSubscription",
		   "subscriptions to push messages (browsers and phones ask anew)");
	sqlite3_close(db);
	return 0;
}
