/* websocket: the same bytes give the same messages and the same answers however they are cut, up to the
 * goodbye, and no message is longer than allowed. The first byte seeds the cutting. The goodbye itself
 * may differ: libwslay judges the text in a close frame that is not whole yet by where it was cut. */
#include "edge/websocket.h"

#include "property.h"

#define MESSAGE_MAX 300u

struct ear {
	struct websocket *websocket;
	uint64_t heard, said; /* FNV-1a of all, of the answers only up to the goodbye */
	bool goodbye;
	size_t put;
};

static uint64_t hash(uint64_t so_far, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		so_far = (so_far ^ in.at[i]) * 0x100000001b3u;
	return so_far;
}

static bool on_message(void *user, struct bytes message, bool text)
{
	struct ear *ear = user;
	uint8_t end = text ? 1 : 2;

	PROPERTY(message.len <= MESSAGE_MAX);
	ear->heard = hash(hash(ear->heard, message), bytes_of(&end, 1));
	return true;
}

static bool on_put(void *user, struct bytes wire)
{
	struct ear *ear = user;

	PROPERTY(wire.len > 0);
	ear->goodbye |= wire.at[0] == 0x88;
	if (!ear->goodbye)
		ear->said = hash(ear->said, wire);
	ear->put += wire.len;
	return true;
}

static const struct websocket_use use = {MESSAGE_MAX, on_message, on_put};

static struct ear run(struct bytes in, uint32_t seed, size_t most)
{
	struct ear ear = {0};
	bool open = true;

	ear.websocket = websocket_create(&use, &ear);
	PROPERTY(ear.websocket);
	for (size_t at = 0; at < in.len && open;) {
		struct bytes piece;

		seed = seed * 1664525 + 1013904223;
		piece = bytes_first(bytes_skip(in, at), 1 + (seed >> 8) % most);
		open = websocket_take(ear.websocket, piece);
		at += piece.len;
	}
	/* Whoever is sent away has been told so. */
	PROPERTY(open || ear.goodbye);
	/* Pongs are no longer than their pings, one goodbye comes on top. */
	PROPERTY(ear.put <= in.len + 127);
	websocket_destroy(&ear.websocket);
	return ear;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ear whole, cut;

	if (size == 0)
		return 0;
	whole = run(bytes_of(data + 1, size - 1), 0, SIZE_MAX / 2);
	cut = run(bytes_of(data + 1, size - 1), data[0], 1 + data[0] % 16);
	PROPERTY(whole.heard == cut.heard && whole.said == cut.said);
	return 0;
}
