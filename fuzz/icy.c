/* Titles in audio: what was put in comes out, whatever the title, the audio, the interval and the
 * cuts; and what anybody else put in comes out the same wherever the input is cut. */
#include "radio/proto/icy.h"

#include "edge/proto/charset.h"
#include "text.h"

#define MUX_ENOUGH  (1u << 15) /* from here on no title is told again */
#define SIZE_OF_RUN (1u << 18)

struct heard {
	struct writer audio, titles;
};

static uint8_t mux_buf[SIZE_OF_RUN], audio_buf[2][SIZE_OF_RUN], title_buf[2][SIZE_OF_RUN];

static void note(struct writer *w, bool has, struct bytes text)
{
	writer_u8(w, has);
	writer_be(w, text.len, 4);
	writer_put(w, text);
}

/* Runs in through a demux, step bytes at a time (0: all at once). */
static struct heard hear(struct bytes in, uint32_t interval, size_t step, int which)
{
	struct heard heard = {writer_of(audio_buf[which], SIZE_OF_RUN),
			      writer_of(title_buf[which], SIZE_OF_RUN)};
	struct icy_demux demux;

	icy_demux_init(&demux, interval);
	while (in.len) {
		struct bytes part = take(&in, step ? step : in.len);
		enum icy_demux_status status;

		do {
			struct bytes audio;
			struct icy_fields fields;
			size_t used;

			status = icy_demux_next(&demux, part, &audio, &fields, &used);
			PROPERTY(used <= part.len && (used > 0 || part.len == 0));
			if (status == ICY_DEMUX_AUDIO) {
				PROPERTY(audio.len && part_inside(audio, bytes_first(part, used)));
				writer_put(&heard.audio, audio);
			} else if (status == ICY_DEMUX_TITLE) {
				struct bytes block = bytes_of(demux.block, sizeof demux.block);

				PROPERTY(fields.has_title || fields.has_url);
				PROPERTY(part_inside(fields.title, block));
				PROPERTY(part_inside(fields.url, block));
				note(&heard.titles, fields.has_title, fields.title);
				note(&heard.titles, fields.has_url, fields.url);
			}
			part = bytes_skip(part, used);
		} while (status != ICY_DEMUX_MORE);
		PROPERTY(part.len == 0);
	}
	PROPERTY(writer_ok(&heard.audio) && writer_ok(&heard.titles));
	return heard;
}

static bool same(const struct heard *a, const struct heard *b)
{
	return bytes_equal(writer_done(&a->audio), writer_done(&b->audio)) &&
	       bytes_equal(writer_done(&a->titles), writer_done(&b->titles));
}

/* Whether a title goes into a block as it is. */
static bool plain(struct bytes title)
{
	return title.len <= 4064 && oracle_clean(title) && !bytes_start_with(title, BYTES(";")) &&
	       bytes_find_nocase(title, BYTES("';")) == title.len;
}

/* What is in the block goes into a second one unchanged. */
static void check_block(struct bytes block, struct bytes title, struct bytes url,
			enum icy_charset charset, struct icy_fields *fields)
{
	static uint8_t again_buf[ICY_BLOCK_MAX], utf8_buf[2 * ICY_TEXT_MAX];
	struct writer again = writer_of(again_buf, sizeof again_buf);
	struct writer utf8 = writer_of(utf8_buf, sizeof utf8_buf);

	PROPERTY(block.len >= 17 && block.len <= ICY_BLOCK_MAX);
	PROPERTY(block.len == 1 + 16 * (size_t)block.at[0] && block.at[block.len - 1] == 0);
	PROPERTY(icy_parse_fields(bytes_skip(block, 1), fields) && fields->has_title);
	PROPERTY(url.len || !fields->has_url);
	charset_to_utf8(fields->title, charset == ICY_UTF8 ? CHARSET_UTF8 : CHARSET_LATIN1, &utf8);
	PROPERTY(oracle_clean(writer_done(&utf8)));
	if (charset == ICY_UTF8 && plain(title))
		PROPERTY(bytes_equal(title, fields->title));
	icy_metadata_write(writer_done(&utf8), fields->url, charset, &again);
	PROPERTY(writer_ok(&again) && bytes_equal(block, writer_done(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t block_buf[ICY_BLOCK_MAX];
	struct bytes in = bytes_of(data, size < 32768 ? size : 32768);
	uint32_t interval = 1u + take_u8(&in);
	size_t step = take_u8(&in);
	uint8_t flags = take_u8(&in);
	enum icy_charset charset = flags & 1 ? ICY_LATIN1 : ICY_UTF8;
	struct bytes raw = in;
	struct bytes title = take(&in, 16 * (size_t)take_u8(&in) + (flags >> 4));
	struct bytes url = take(&in, take_u8(&in));
	struct writer block = writer_of(block_buf, sizeof block_buf);
	struct writer mux = writer_of(mux_buf, sizeof mux_buf);
	struct icy_phase phase = icy_phase_of(interval);
	struct bytes audio = bytes_first(in, 4096);
	struct icy_fields fields;
	size_t blocks = 0;

	icy_metadata_write(title, url, charset, &block);
	PROPERTY(writer_ok(&block));
	check_block(writer_done(&block), title, url, charset, &fields);

	for (struct bytes left = audio; left.len || icy_phase_due(&phase);) {
		if (icy_phase_due(&phase)) {
			/* the flags say how often it is told again */
			bool tell = blocks++ % (1u + (flags >> 1 & 7)) == 0 && mux.len < MUX_ENOUGH;

			writer_put(&mux, tell ? writer_done(&block) : icy_empty());
			icy_phase_block_sent(&phase);
			continue;
		}
		struct bytes part = take(&left, icy_phase_audio(&phase, step ? step : left.len));

		PROPERTY(part.len);
		writer_put(&mux, part);
		icy_phase_sent(&phase, part.len);
	}
	PROPERTY(writer_ok(&mux) && blocks == audio.len / interval);

	struct heard whole = hear(writer_done(&mux), interval, 0, 0);
	struct heard cut = hear(writer_done(&mux), interval, 1 + step, 1);

	PROPERTY(bytes_equal(writer_done(&whole.audio), audio));
	PROPERTY(same(&whole, &cut));
	if (blocks) {
		static uint8_t want_buf[2 * ICY_BLOCK_MAX];
		struct writer want = writer_of(want_buf, sizeof want_buf);

		note(&want, true, fields.title);
		note(&want, fields.has_url, fields.url);
		PROPERTY(bytes_start_with(writer_done(&whole.titles), writer_done(&want)));
		PROPERTY(whole.titles.len % want.len == 0);
	}

	whole = hear(raw, interval, 0, 0);
	cut = hear(raw, interval, 1 + step, 1);
	PROPERTY(same(&whole, &cut));
	return 0;
}
