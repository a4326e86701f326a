/* framer: what the first bytes show does not change with more of them, and the framer of any kind
 * gives out the same units however the input is split. The first byte chooses the kind, the next two
 * say how the rest is split; its first line is also taken for a content type. */
#include "property.h"

#define FRAMING_CHECK(what) PROPERTY(what)
#include "../tests/unit/framing.h"
#include "radio/proto/framer.h"

static const enum framer_kind kinds[] = {FRAMER_MP3, FRAMER_ADTS, FRAMER_FLAC, FRAMER_RAW};

#define KINDS (sizeof kinds / sizeof kinds[0])

static struct framer framer;

static enum framer_status next(void *from, struct bytes in, bool end, struct unit *unit)
{
	enum framer_status status = framer_next(from, in, end, unit);
	const struct framer_about *about = framer_about(from);
	struct bytes title;

	PROPERTY(memchr(about->codec, '\0', sizeof about->codec));
	if (framer_title(from, &title))
		PROPERTY(title.len > 0);
	return status;
}

/* Once a prefix shows a kind, every longer one shows the same; enough bytes always do. */
static bool sniff(struct bytes in, enum framer_kind *kind)
{
	bool known = framer_kind_of_bytes(in, kind);
	bool before = false;

	PROPERTY(known || in.len < FRAMER_SNIFF_MAX);
	for (size_t len = 0; len < in.len; len += len / 8 + 1) {
		enum framer_kind one;
		bool now = framer_kind_of_bytes(bytes_first(in, len), &one);

		PROPERTY(now || !before);
		PROPERTY(!now || (known && one == *kind));
		before = now;
	}
	return known;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cuts whole, split;
	enum framer_kind kind;

	if (size < 3)
		return 0;
	struct bytes in = bytes_of(data + 3, size - 3);

	sniff(in, &kind);
	struct bytes type = bytes_first(in, bytes_find(in, '\n'));
	enum framer_kind announced = framer_kind_of_type(type);

	PROPERTY(announced >= FRAMER_MP3 && announced <= FRAMER_RAW);
	PROPERTY(framer_kind_of_type(bytes_str(framer_type_of_kind(announced))) == announced);

	kind = kinds[data[0] % KINDS];
	whole.raw = split.raw = kind == FRAMER_RAW;
	framer_init(&framer, kind);
	framing_run(next, &framer, in, FRAMING_WHOLE, &whole);
	framer_init(&framer, kind);
	framing_run(next, &framer, in,
		    (struct framing_feed){.step = data[1] * 8u + 1, .seed = data[2]}, &split);
	PROPERTY(framing_same(&whole, &split));
	return 0;
}
