/* A SHOUTcast handshake: the same is found wherever the input is cut, parts lie inside it, it stays
 * within its bounds, and what is_handshake says is what the parser then does. */
#include "radio/proto/shoutcast.h"

#include "text.h"

#define LOG_SIZE (1u << 18)

static uint8_t log_buf[2][LOG_SIZE];

/* Writes all that happens down; the input grows by step bytes at a time (0: all at once). Returns
 * the bytes that were used up to the audio or the error. */
static size_t run(struct bytes in, size_t step, struct writer *log)
{
	struct shoutcast shoutcast;
	size_t begin = 0, end = step && step < in.len ? step : in.len;

	shoutcast_init(&shoutcast);
	for (;;) {
		struct bytes there = bytes_skip(bytes_first(in, end), begin);
		struct shoutcast_part part;
		size_t used;
		enum shoutcast_status status = shoutcast_next(&shoutcast, there, &part, &used);

		PROPERTY(used <= there.len);
		PROPERTY(part_inside(part.line, there) && part_inside(part.mount, there));
		PROPERTY(part_inside(part.password, there) && part_inside(part.name, there));
		PROPERTY(part_inside(part.value, there));
		PROPERTY(shoutcast.headers <= SHOUTCAST_HEADERS_MAX);
		begin += used;
		if (status == SHOUTCAST_MORE) {
			PROPERTY(used == 0 && there.len < SHOUTCAST_LINE_MAX);
			if (end == in.len)
				return begin;
			end = in.len - end > step ? end + step : in.len;
			continue;
		}
		writer_u8(log, (uint8_t)status);
		if (status == SHOUTCAST_AUDIO || status == SHOUTCAST_BAD)
			return begin;
		PROPERTY(used > 0);
		if (status == SHOUTCAST_LOGIN)
			PROPERTY(part.password.len && (!part.mount.len || part.mount.at[0] == '/'));
		writer_put(log, part.mount);
		writer_put(log, part.password);
		writer_put(log, part.name);
		writer_u8(log, ':');
		writer_put(log, part.value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	size_t step = 1u + take_u8(&in);
	struct writer whole = writer_of(log_buf[0], LOG_SIZE),
		      cut = writer_of(log_buf[1], LOG_SIZE);
	enum shoutcast_first first = shoutcast_is_handshake(in);
	size_t used = run(in, 0, &whole);

	PROPERTY(run(in, step, &cut) == used);
	PROPERTY(writer_ok(&whole) && bytes_equal(writer_done(&whole), writer_done(&cut)));

	/* once it is decided, more bytes change nothing */
	for (size_t n = 0; n < in.len && n < 2 * SHOUTCAST_LINE_MAX; n += 1 + step / 16) {
		enum shoutcast_first early = shoutcast_is_handshake(bytes_first(in, n));

		PROPERTY(early == SHOUTCAST_FIRST_MORE || early == first);
	}
	PROPERTY(first != SHOUTCAST_FIRST_MORE || in.len < SHOUTCAST_LINE_MAX);
	if (first == SHOUTCAST_FIRST_PASSWORD || first == SHOUTCAST_FIRST_XAUDIOCAST) {
		struct shoutcast shoutcast;
		struct shoutcast_part part;

		shoutcast_init(&shoutcast);
		PROPERTY(shoutcast_next(&shoutcast, in, &part, &used) == SHOUTCAST_LOGIN);
		PROPERTY(shoutcast.xaudiocast == (first == SHOUTCAST_FIRST_XAUDIOCAST));
	}
	return 0;
}
