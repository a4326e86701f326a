/* unit_dump: prints how a framer cuts a file, one line a unit, for tests that hold it against
 * another program.
 *
 *     unit_dump ogg|webm|ts FILE [bytes a call]
 *     unit|skip OFFSET LENGTH FLAGS(KHCP) DURATION_US      title TEXT      about CODEC RATE … */
#include <stdio.h>
#include <stdlib.h>

#include "radio/proto/ogg.h"
#include "radio/proto/ts.h"
#include "radio/proto/webm.h"

static union {
	struct ogg_framer ogg;
	struct webm_framer webm;
	struct ts_framer ts;
} framer;

static char kind;

static enum framer_status next(struct bytes in, bool end, struct unit *unit)
{
	return kind == 'o'   ? ogg_next(&framer.ogg, in, end, unit)
	       : kind == 'w' ? webm_next(&framer.webm, in, end, unit)
			     : ts_next(&framer.ts, in, end, unit);
}

static void print(enum framer_status status, size_t offset, const struct unit *unit)
{
	struct bytes title;

	printf("%s %zu %zu %s%s%s%s- %u\n", status == FRAMER_UNIT ? "unit" : "skip", offset,
	       unit->data.len, unit->flags & UNIT_KEY ? "K" : "",
	       unit->flags & UNIT_HEADER ? "H" : "", unit->flags & UNIT_CHAIN ? "C" : "",
	       unit->flags & UNIT_PART ? "P" : "", unit->duration_us);
	if (kind == 'o' && ogg_title(&framer.ogg, &title))
		printf("title %.*s\n", (int)title.len, (const char *)title.at);
}

int main(int argc, char **argv)
{
	static uint8_t data[1 << 26];
	FILE *file = argc > 2 ? fopen(argv[2], "rb") : NULL;
	size_t chunk = argc > 3 ? strtoul(argv[3], NULL, 10) : sizeof data;
	size_t len;
	size_t at = 0;
	size_t to = 0;

	if (!file || chunk == 0)
		return 2;
	len = fread(data, 1, sizeof data, file);
	fclose(file);
	kind = argv[1][0];
	if (kind == 'o')
		ogg_init(&framer.ogg);
	else if (kind == 'w')
		webm_init(&framer.webm);
	else
		ts_init(&framer.ts);
	while (at < len) {
		struct unit unit;
		enum framer_status status;

		status = next(bytes_of(data + at, to - at), to == len, &unit);
		if (status != FRAMER_MORE) {
			print(status, at, &unit);
			at += unit.data.len;
		} else {
			to = len - to < chunk ? len : to + chunk;
		}
	}
	const struct framer_about *about = kind == 'o'   ? &framer.ogg.about
					   : kind == 'w' ? &framer.webm.about
							 : &framer.ts.about;

	printf("about %s %u %u %u\n", about->codec, about->sample_rate, about->channels,
	       about->bitrate);
	return 0;
}
