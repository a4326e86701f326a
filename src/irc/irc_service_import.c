/* BouncerServ: what another bouncer knew: certificates, lines, how far they were read and told. */
#include <stdlib.h>

#include "core/clock.h"
#include "irc/irc_buffer.h"
#include "irc/irc_certificate.h"
#include "irc/irc_network.h"
#include "irc/irc_service.h"
#include "irc/irc_store.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"
#include "store/store_port.h"

/* --- certificates ---------------------------------------------------------------------------- */

/* The key comes first and alone, as both together are longer than an order. */
static bool key_import(struct irc_words *words, struct irc_network *network, const char *base64)
{
	char *pem = irc_certificate_key_take(base64);

	if (!pem)
		return irc_refuse(words, "-key is no private key in base64");
	irc_set(&network->key, bytes_str(pem));
	irc_set(&network->certificate, BYTES(""));
	irc_forget(pem);
	irc_network_keep(network);
	return irc_say(words, "%s has a key; its certificate is wanted next", network->name);
}

static bool certificate_import(struct irc_words *words, struct irc_network *network,
			       const char *base64)
{
	char *pem = irc_certificate_take(base64);

	if (!pem || !irc_certificate_fits(pem, network->key)) {
		free(pem);
		return irc_refuse(words,
				  "-certificate is none that belongs to the key; -key comes first");
	}
	irc_set(&network->certificate, bytes_str(pem));
	free(pem);
	irc_network_keep(network);
	return irc_say(words,
		       "%s shows this certificate from its next connection on; "
		       "sasl set-external logs in by it",
		       network->name);
}

bool service_certfp_import(struct irc_words *words, unsigned from)
{
	const char *key = irc_words_take(words, from, "key"),
		   *certificate = irc_words_take(words, from, "certificate");
	struct irc_network *network = irc_order_network(words, from);

	if (!network || !irc_words_end(words, from))
		return false;
	if (!key && !certificate)
		return irc_refuse(words, "certfp import -key BASE64, and then -certificate BASE64");
	return (!key || key_import(words, network, key)) &&
	       (!certificate || certificate_import(words, network, certificate));
}

/* --- lines ------------------------------------------------------------------------------------ */

/* The buffer of "-in", made where it is not there yet. */
static struct irc_buffer *buffer_in(struct irc_words *words, unsigned from, const char *in)
{
	struct irc_network *network = irc_order_network(words, from);
	struct irc_buffer *buffer;

	if (!network)
		return NULL;
	if (!in) {
		irc_say(words, "-in says which channel or person");
		return NULL;
	}
	buffer = irc_buffer_make(network, bytes_str(in));
	if (!buffer)
		irc_say(words, "%s cannot be a channel, or there are too many", in);
	return buffer;
}

/* NULL, or what is wrong with the line. */
static const char *line_import(struct irc_buffer *buffer, const char *text, unsigned *passed_over)
{
	int64_t at_ms, now = wall_now_us() / 1000;
	struct irc_line line;
	struct bytes value;

	if (!irc_line_parse(bytes_str(text), &line))
		return "is no line of IRC";
	if (!irc_tag_get(line.tags, "time", &value) || !irc_time_parse(value, &at_ms) ||
	    at_ms > now)
		return "has no @time=, or one that is still to come";
	/* A ring is in order. */
	if (at_ms < buffer->last_ms)
		return "is older than what is there";
	*passed_over += !irc_hear_import(buffer, &line);
	return NULL;
}

static void on_written(struct irc_ask *ask)
{
	struct irc_order *order = ask->context;
	bool good = irc_order_back(order) && !ask->store.ask.fault;

	if (!good)
		irc_order_say(order, "the lines cannot be kept now: %s",
			      store_fault_text(ask->store.ask.fault));
	irc_ask_free(ask);
	irc_order_end(order, good);
}

bool service_data_import(struct irc_words *words, unsigned from)
{
	const char *in = irc_words_take(words, from, "in"), *fault = NULL;
	struct irc_buffer *buffer = buffer_in(words, from, in);
	unsigned passed_over = 0, count = 0;
	struct irc_ask *ask;

	if (!buffer)
		return false;
	/* To those who are here it would look as if it were said now. */
	if (buffer->network->attached)
		return irc_refuse(words, "%s has clients: this is done while there is none",
				  buffer->network->name);
	while (from + count < words->count && !fault)
		fault = line_import(buffer, words->at[from + count++], &passed_over);
	if (fault)
		irc_say(words, "line %u %s: %.200s", count, fault, words->at[from + count - 1]);
	irc_say(words, "%u lines were taken over%s", count - passed_over - (fault != NULL),
		passed_over ? ", some were of no kind that is kept" : "");
	ask = irc_ask_new(STORE_IRC_LINES_DOWN);
	if (!ask || fault) {
		free(ask);
		return irc_refuse(words, fault ? "the rest was not" : "out of memory");
	}
	/* The answer waits for the store, so that whoever orders cannot be faster than it. */
	irc_buffers_save();
	port_flush();
	ask->store.number[0] = (int64_t)buffer->id;
	ask->store.number[2] = INT64_MAX;
	ask->store.number[4] = 1;
	ask->context = words->order;
	irc_order_wait(words->order);
	irc_ask_send(ask, on_written);
	return true;
}

/* --- places ----------------------------------------------------------------------------------- */

bool service_data_mark(struct irc_words *words, unsigned from)
{
	const char *in = irc_words_take(words, from, "in"),
		   *read = irc_words_take(words, from, "read");
	int64_t at_ms = 0, now = wall_now_us() / 1000;
	struct irc_buffer *buffer;
	bool has_flag;

	if (read && !irc_time_parse(bytes_str(read), &at_ms))
		return irc_refuse(words, "-read is a time such as 2026-01-31T12:00:00.000Z");
	buffer = buffer_in(words, from, in);
	if (!buffer || !irc_words_flag(words, from, "pinned", &buffer->pinned, &has_flag) ||
	    !irc_words_flag(words, from, "muted", &buffer->muted, &has_flag) ||
	    !irc_words_flag(words, from, "blocked", &buffer->blocked, &has_flag) ||
	    !irc_words_end(words, from))
		return false;
	irc_buffer_keep(buffer);
	if (read && irc_buffer_mark(buffer, at_ms < now ? at_ms : now))
		irc_clients_marker(buffer, NULL);
	return irc_say(words, "%s was marked", buffer->named.name);
}

/* One that was never here has been told all, but where the orders say otherwise. */
static int device_take(struct irc_user *user, const char *name)
{
	bool is_new = false;
	int device = irc_device_make(user, bytes_str(name), &is_new);

	for (struct irc_network *n = is_new ? user->networks : NULL; n; n = n->next) {
		struct irc_named *named;
		uint32_t at = 0;

		while (device >= 0 && (named = irc_index_next(&n->buffers, &at))) {
			struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

			irc_buffer_set_place(buffer, (unsigned)device, buffer->ring.head);
		}
	}
	return device;
}

bool service_data_place(struct irc_words *words, unsigned from)
{
	const char *in = irc_words_take(words, from, "in"),
		   *name = irc_words_take(words, from, "client"),
		   *unread = irc_words_take(words, from, "unread");
	struct irc_user *user = words->order->user;
	struct irc_buffer *buffer;
	uint64_t count = 0, place;
	int device;

	if (unread && !bytes_to_u64(bytes_str(unread), UINT32_MAX, &count))
		return irc_refuse(words, "-unread is a number of lines");
	buffer = buffer_in(words, from, in);
	if (!buffer || !irc_words_end(words, from))
		return false;
	for (const struct irc_client *client = user->clients; client; client = client->next)
		if (client->device >= 0 &&
		    strcmp(user->devices[client->device].name, name ? name : "") == 0)
			return irc_refuse(words,
					  "that client is here: this is done while it is not");
	device = device_take(user, name ? name : "");
	if (device < 0)
		return irc_refuse(words, "out of memory");
	place = count < buffer->ring.head ? buffer->ring.head - count : 1;
	irc_buffer_set_place(buffer, (unsigned)device, place);
	irc_buffer_rewind(buffer, (unsigned)device, place);
	return irc_say(words, "%s has %llu lines of %s to be told", name && name[0] ? name : "it",
		       (unsigned long long)(buffer->ring.head - place), buffer->named.name);
}
