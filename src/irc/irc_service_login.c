/* BouncerServ: how we log in to networks, and clients to us. */
#include <stdlib.h>

#include "irc/irc_certificate.h"
#include "irc/irc_network.h"
#include "irc/irc_service.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"

/* --- logins --------------------------------------------------------------------------------- */

bool service_sasl_status(struct irc_words *words, unsigned from)
{
	struct irc_network *network = irc_order_network(words, from);

	if (!network)
		return false;
	return irc_say(words, "%s: %s%s%s", network->name,
		       network->conf.sasl_mechanism[0] ? network->conf.sasl_mechanism
						       : "no SASL is set",
		       network->conf.sasl_username[0] ? " as " : "", network->conf.sasl_username);
}

/* Kept, and tried at once. */
static void renew(struct irc_network *network)
{
	irc_network_keep(network);
	irc_network_stop(network, "Settings changed");
	irc_network_start(network);
}

static bool sasl_set(struct irc_words *words, unsigned from, const char *mechanism)
{
	struct irc_network *network = irc_order_network(words, from);

	if (!network)
		return false;
	if (words->count < from + 2)
		return irc_refuse(words, "sasl set-plain USER PASSWORD");
	if (irc_network_set(network, BYTES("sasl_mechanism"), bytes_str(mechanism)) ||
	    irc_network_set(network, BYTES("sasl_username"), bytes_str(words->at[from])) ||
	    irc_network_set(network, BYTES("sasl_password"), bytes_str(words->at[from + 1])))
		return irc_refuse(words, "that cannot be");
	renew(network);
	return irc_say(words, "%s logs in by %s from now on", network->name, mechanism);
}

bool service_sasl_set_plain(struct irc_words *words, unsigned from)
{
	return sasl_set(words, from, "PLAIN");
}

bool service_sasl_set_scram(struct irc_words *words, unsigned from)
{
	return sasl_set(words, from, "SCRAM-SHA-256");
}

/* One that has a certificate of ours; else it is said. */
static struct irc_network *certified_network(struct irc_words *words, unsigned from)
{
	struct irc_network *network = irc_order_network(words, from);

	if (!network || network->certificate[0])
		return network;
	irc_say(words, "%s has no certificate: certfp generate makes one", network->name);
	return NULL;
}

bool service_sasl_set_external(struct irc_words *words, unsigned from)
{
	struct irc_network *network = certified_network(words, from);

	if (!network)
		return false;
	(void)irc_network_set(network, BYTES("sasl_mechanism"), BYTES("EXTERNAL"));
	(void)irc_network_set(network, BYTES("sasl_username"), BYTES(""));
	(void)irc_network_set(network, BYTES("sasl_password"), BYTES(""));
	renew(network);
	return irc_say(words, "%s logs in by its certificate from now on", network->name);
}

bool service_sasl_reset(struct irc_words *words, unsigned from)
{
	struct irc_network *network = irc_order_network(words, from);

	if (!network)
		return false;
	(void)irc_network_set(network, BYTES("sasl_mechanism"), BYTES(""));
	(void)irc_network_set(network, BYTES("sasl_username"), BYTES(""));
	(void)irc_network_set(network, BYTES("sasl_password"), BYTES(""));
	irc_set(&network->certificate, BYTES(""));
	irc_set(&network->key, BYTES(""));
	irc_network_keep(network);
	return irc_say(words, "%s has no login any more", network->name);
}

/* --- certificates to networks ----------------------------------------------------------------- */

struct certfp {
	uv_work_t work;
	struct irc_order *order;
	enum irc_key_type type;
	unsigned bits;
	char *certificate, *key;
};

static void certfp_say(struct irc_order *order, const struct irc_network *network)
{
	static const char *const hashes[] = {"SHA1", "SHA256", "SHA512"};
	char text[IRC_FINGERPRINT_SIZE];

	for (size_t i = 0; i < COUNT_OF(hashes); i++)
		if (irc_certificate_fingerprint(network->certificate, hashes[i], text))
			irc_order_say(order, "%s: %s", hashes[i], text);
}

/* The new one is kept, and shown where that can be. */
static void certfp_show(struct irc_order *order, struct irc_network *network)
{
	struct irc_place place;

	if (irc_upstream_place_of(network, &place) && place.tls) {
		renew(network);
		irc_order_say(order, "%s is shown a new certificate from %s", network->name,
			      network->conf.enabled ? "now on: it is called anew"
						    : "its next connection on");
	} else {
		irc_network_keep(network);
		irc_order_say(order,
			      "%s has a new certificate, and is shown it once it is called over "
			      "TLS (network update %s -addr ircs://…)",
			      network->name, network->name);
	}
	irc_order_say(order, "Tell NickServ there: CERT ADD and one of these; then sasl "
			     "set-external logs in by it");
}

static void certfp_pool(uv_work_t *work)
{
	struct certfp *certfp = container_of(work, struct certfp, work);

	(void)!irc_certificate_make(certfp->type, certfp->bits, &certfp->certificate, &certfp->key);
}

static void certfp_made(uv_work_t *work, int status)
{
	struct certfp *certfp = container_of(work, struct certfp, work);
	struct irc_order *order = certfp->order;
	bool good = irc_order_back(order) && order->network && certfp->certificate && !status;

	enter_worker();
	if (good) {
		struct irc_network *network = order->network;

		irc_set(&network->certificate, bytes_str(certfp->certificate));
		irc_set(&network->key, bytes_str(certfp->key));
		certfp_show(order, network);
		certfp_say(order, network);
	} else {
		irc_order_say(order, "no certificate could be made");
	}
	free(certfp->certificate);
	free(certfp->key);
	free(certfp);
	irc_order_end(order, good);
}

bool service_certfp_generate(struct irc_words *words, unsigned from)
{
	static const char *const types[] = {"rsa", "ecdsa", "ed25519"};
	const char *type = irc_words_take(words, from, "key-type");
	const char *bits = irc_words_take(words, from, "bits");
	struct irc_network *network = irc_order_network(words, from);
	uint64_t number = IRC_RSA_BITS;
	struct certfp *certfp;
	unsigned at = 0;

	while (type && at < COUNT_OF(types) && strcmp(types[at], type) != 0)
		at++;
	if (!network || !irc_words_end(words, from))
		return false;
	if (at == COUNT_OF(types))
		return irc_refuse(words, "-key-type is rsa, ecdsa or ed25519");
	if (bits && (!bytes_to_u64(bytes_str(bits), IRC_RSA_BITS_MAX, &number) ||
		     number < IRC_RSA_BITS_MIN))
		return irc_refuse(words, "-bits is %u to %u", IRC_RSA_BITS_MIN, IRC_RSA_BITS_MAX);
	certfp = calloc(1, sizeof *certfp);
	if (!certfp)
		return irc_refuse(words, "out of memory");
	*certfp = (struct certfp){
		.order = words->order, .type = (enum irc_key_type)at, .bits = (unsigned)number};
	if (uv_queue_work(&irc_here.worker->loop, &certfp->work, certfp_pool, certfp_made)) {
		free(certfp);
		return irc_refuse(words, "too much is under way");
	}
	words->order->network = network;
	irc_order_wait(words->order);
	return true;
}

bool service_certfp_fingerprint(struct irc_words *words, unsigned from)
{
	struct irc_network *network = certified_network(words, from);

	if (!network)
		return false;
	certfp_say(words->order, network);
	return true;
}

/* --- logins to us --------------------------------------------------------------------------------- */

bool service_password_create(struct irc_words *words, unsigned from)
{
	const char *label = irc_words_take(words, from, "label");
	char secret[IRC_PASSWORD_LEN + 1];
	const char *fault;

	if (!label && from < words->count)
		label = words->at[from];
	if (label && label[0] == '-')
		return irc_refuse(words, "%s is no label: password create -label LABEL", label);
	if (!label)
		return irc_refuse(words, "-label is missing: password create -label LABEL");
	fault = irc_label_fault(words->order->user, bytes_str(label));
	if (fault || !irc_password_make(words->order->user, bytes_str(label), secret))
		return irc_refuse(words, "%s", fault ? fault : "out of memory");
	irc_say(words, "The password for %s is %s", label, secret);
	return irc_say(words, "It is shown this once. Whoever has it may do on IRC what you may.");
}

static bool list_logins(struct irc_words *words, bool certificates)
{
	unsigned shown = 0;

	for (const struct irc_password *p = words->order->user->passwords; p; p = p->next) {
		struct address address = {0};
		char text[ADDRESS_TEXT_MAX + 1], when[IRC_TIME_LEN + 1];
		struct writer w = writer_of(when, sizeof when - 1);

		if (p->is_certificate != certificates)
			continue;
		shown++;
		memcpy(address.ip, p->ip, sizeof address.ip);
		irc_time_write(&w, p->used_ms);
		when[w.len] = '\0';
		irc_say(words, "%s (%s) %s%s%s%s", p->label,
			p->is_certificate ? "certificate" : "password",
			p->used_ms ? "last used " : "never used", p->used_ms ? when : "",
			p->used_ms ? " from " : "", p->used_ms ? address_text(&address, text) : "");
	}
	return shown || irc_say(words, "there is none");
}

bool service_password_status(struct irc_words *words, unsigned from)
{
	return irc_words_end(words, from) && list_logins(words, false);
}

bool service_device_status(struct irc_words *words, unsigned from)
{
	return irc_words_end(words, from) && list_logins(words, true);
}

static bool void_one(struct irc_words *words, unsigned from, bool certificate)
{
	const struct irc_password *p = words->order->user->passwords;

	while (p && from < words->count &&
	       (p->is_certificate != certificate || strcmp(p->label, words->at[from]) != 0))
		p = p->next;
	if (!p || from + 1 != words->count)
		return irc_refuse(words, "there is none of that label");
	(void)irc_password_drop(words->order->user, bytes_str(words->at[from]));
	return irc_say(words, "%s is void", words->at[from]);
}

bool service_password_delete(struct irc_words *words, unsigned from)
{
	return void_one(words, from, false);
}

bool service_device_delete(struct irc_words *words, unsigned from)
{
	return void_one(words, from, true);
}

bool service_device_create(struct irc_words *words, unsigned from)
{
	const char *label = irc_words_take(words, from, "label");
	const char *given = irc_words_take(words, from, "fingerprint"), *fault;
	char text[IRC_FINGERPRINT_SIZE];

	if (!irc_words_end(words, from))
		return false;
	if (!given)
		given = words->order->certificate;
	if (!label || label[0] == '-')
		return irc_refuse(words, "-label is missing");
	if (!given)
		return irc_refuse(
			words, "-fingerprint is missing, and your client has shown no certificate");
	if (!irc_fingerprint_take(given, text))
		return irc_refuse(words, "-fingerprint is 128 hexadecimal digits, of a SHA-512");
	fault = irc_label_fault(words->order->user, bytes_str(label));
	if (fault || !irc_certificate_add(words->order->user, bytes_str(label), bytes_str(text)))
		return irc_refuse(words, "%s", fault ? fault : "out of memory");
	return irc_say(words, "%s may log in by its certificate", label);
}
