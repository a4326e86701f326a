/* CLIENTCERT (soju.im/client-cert): a client has its own certificate known, looks at those that are, and
 * takes one back. They are those of BouncerServ's device-certificate. */
#include "irc/irc_login.h"

#include <stdio.h>
#include <string.h>

#include "edge/proto/address.h"
#include "edge/proto/charset.h"
#include "irc/irc_certificate.h"
#include "irc/irc_user.h"

#define NAME_MAX_LEN 64u /* client-cert: "at least 1 and at most 64 bytes" */

static void fail(struct irc_client *client, const char *code, const char *sub, const char *why)
{
	irc_client_fail(client, "CLIENTCERT", code, sub, "%s", why);
}

/* --- CREATE --------------------------------------------------------------------------------- */

static bool is_taken(const struct irc_user *user, const char *name)
{
	for (const struct irc_password *p = user->passwords; p; p = p->next)
		if (strcmp(p->label, name) == 0)
			return true;
	return false;
}

/* "The server MUST NOT fail on the sole reason that the name is deemed invalid": it becomes one that is
 * good and nobody else's. The last bytes are kept for its number. */
static void name_choose(char out[NAME_MAX_LEN + 1], const struct irc_user *user,
			struct bytes wanted)
{
	char base[NAME_MAX_LEN + 1] = "";
	size_t len = 0;

	wanted = bytes_trim(wanted);
	if (charset_is_utf8(wanted)) {
		while (len < wanted.len && len < NAME_MAX_LEN) {
			base[len] = (char)(wanted.at[len] < 0x20 || wanted.at[len] == 0x7f
						   ? '_'
						   : wanted.at[len]);
			len++;
		}
		/* Not within a character. */
		while (len && len < wanted.len && (wanted.at[len] & 0xc0) == 0x80)
			len--;
	}
	base[len] = '\0';
	snprintf(out, NAME_MAX_LEN + 1, "%s", len ? base : "certificate");
	for (unsigned number = 2; is_taken(user, out); number++) {
		while (len > NAME_MAX_LEN - 6)
			do
				len--;
			while (len && ((uint8_t)base[len] & 0xc0) == 0x80);
		base[len] = '\0';
		snprintf(out, NAME_MAX_LEN + 1, "%.58s %u", len ? base : "certificate",
			 number % 10000);
	}
}

static void create(struct irc_client *client, struct irc_user *user, struct bytes wanted)
{
	struct irc_password *pinned;
	char name[NAME_MAX_LEN + 1];

	if (!client->fingerprint) {
		fail(client, "NOCERT", "CREATE", "Your client has shown no certificate");
		return;
	}
	pinned = irc_password_find(user, bytes_str(client->fingerprint), true);
	if (pinned) {
		irc_certificate_seen(user, pinned, bytes_str(client->fingerprint));
	} else {
		name_choose(name, user, wanted);
		if (!irc_certificate_add(user, bytes_str(name), bytes_str(client->fingerprint))) {
			fail(client, "INTERNAL_ERROR", "CREATE",
			     "No more certificates are kept: delete one");
			return;
		}
	}
	irc_client_say(client, ":%s CLIENTCERT CREATE", irc_conf_now()->hostname);
}

/* --- LIST ----------------------------------------------------------------------------------- */

/* Base16 (RFC 4648 section 8) has large letters. */
static void put_fingerprint(struct writer *w, const char *digits)
{
	for (; *digits; digits++)
		writer_u8(w, (uint8_t)(*digits >= 'a' ? *digits - 'a' + 'A' : *digits));
}

static void put_certificate(struct writer *w, const struct irc_password *p)
{
	static const uint8_t nowhere[16];
	struct address address = {0};
	char text[ADDRESS_TEXT_MAX + 1];

	put_fingerprint(w, p->fingerprint);
	writer_str(w, " name=");
	irc_tag_escape(w, bytes_first(bytes_str(p->label), NAME_MAX_LEN));
	if (!p->used_ms)
		return;
	writer_str(w, " time=");
	irc_time_write(w, p->used_ms);
	if (memcmp(p->ip, nowhere, sizeof nowhere) == 0)
		return;
	memcpy(address.ip, p->ip, sizeof address.ip);
	writer_str(w, " ip=");
	writer_str(w, address_text(&address, text));
}

static void list(struct irc_client *client, const struct irc_user *user)
{
	const char *host = irc_conf_now()->hostname;
	struct irc_batched batch;

	irc_client_batch_begin(client, &batch, NULL, "soju.im/client-cert", BYTES(""));
	for (const struct irc_password *p = user->passwords; p; p = p->next) {
		char text[512];
		struct writer w = writer_of(text, sizeof text);

		/* One from before fingerprints were kept is told of once it has been used. */
		if (!p->is_certificate || !p->fingerprint || !p->fingerprint[0])
			continue;
		put_certificate(&w, p);
		if (writer_ok(&w))
			irc_client_say(client, "%s:%s CLIENTCERT LIST %.*s", batch.tag, host,
				       (int)w.len, text);
	}
	irc_client_batch_end(client, &batch);
}

/* --- DELETE --------------------------------------------------------------------------------- */

static void drop(struct irc_client *client, struct irc_user *user, struct bytes given)
{
	struct irc_password *pinned = NULL;
	char text[2 * IRC_FINGERPRINT_SIZE], digits[IRC_FINGERPRINT_SIZE];

	if (!given.len && !client->fingerprint) {
		fail(client, "INTERNAL_ERROR", "DELETE", "Your client has shown no certificate");
		return;
	}
	bytes_to_str(given.len ? given : bytes_str(client->fingerprint), text, sizeof text);
	if (irc_fingerprint_take(text, digits))
		pinned = irc_password_find(user, bytes_str(digits), true);
	if (!pinned || !irc_password_drop(user, bytes_str(pinned->label)))
		fail(client, "INTERNAL_ERROR", "DELETE", "No such certificate is known");
	else
		irc_client_say(client, ":%s CLIENTCERT DELETE%s%.*s", irc_conf_now()->hostname,
			       given.len ? " " : "", (int)given.len, (const char *)given.at);
}

/* Also of one who has not said CAP END yet: his login is what counts. */
static struct irc_user *owner(const struct irc_client *client)
{
	if (client->user)
		return client->user;
	return client->login && client->login->is_in ? irc_user_make(bytes_str(client->login->user))
						     : NULL;
}

void irc_clientcert(struct irc_client *client, const struct irc_line *line)
{
	struct bytes sub = irc_param(line, 0), word = irc_param(line, 1);
	struct irc_user *user = owner(client);
	char name[64];

	if (!user) {
		irc_client_number(client, 451, ":You have not registered");
	} else if (!(client->caps & IRC_CAP(SOJU_CLIENT_CERT))) {
		irc_client_number(client, 421, "CLIENTCERT :Unknown command");
	} else if (bytes_equal_nocase(sub, BYTES("CREATE"))) {
		create(client, user, word);
	} else if (bytes_equal_nocase(sub, BYTES("LIST"))) {
		list(client, user);
	} else if (bytes_equal_nocase(sub, BYTES("DELETE"))) {
		drop(client, user, word);
	} else {
		bytes_to_str(irc_is_middle(sub) && sub.len < sizeof name ? sub : BYTES("*"), name,
			     sizeof name);
		fail(client, "UNKNOWN_COMMAND", name, "Unknown subcommand");
	}
}
