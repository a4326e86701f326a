#include "radio/proto/framer.h"

#include "radio/proto/tag.h"

#define TS_PACKET 188u

static enum framer_status raw_next(struct framer *framer, struct bytes in, bool end,
				   struct unit *unit)
{
	(void)framer;
	(void)end;
	if (in.len == 0)
		return FRAMER_MORE;
	return cut_unit(bytes_first(in, FRAMER_UNIT_MAX), UNIT_KEY, 0, unit);
}

static void raw_start(struct framer *framer)
{
	framer->of.about = (struct framer_about){0};
}

/* The formats' own functions take their own structs. */
#define FORMAT(format)                                                                           \
	static void format##_start(struct framer *framer)                                        \
	{                                                                                        \
		format##_init(&framer->of.format);                                               \
	}                                                                                        \
	static enum framer_status format##_cut(struct framer *framer, struct bytes in, bool end, \
					       struct unit *unit)                                \
	{                                                                                        \
		return format##_next(&framer->of.format, in, end, unit);                         \
	}

FORMAT(mp3)
FORMAT(adts)
FORMAT(flac)
FORMAT(ogg)
FORMAT(webm)
FORMAT(ts)

static bool ogg_take_title(struct framer *framer, struct bytes *title)
{
	return ogg_title(&framer->of.ogg, title);
}

static const struct format {
	void (*start)(struct framer *framer);
	enum framer_status (*next)(struct framer *framer, struct bytes in, bool end,
				   struct unit *unit);
	bool (*title)(struct framer *framer, struct bytes *title); /* NULL: carries none */
} formats[] = {
	[FRAMER_MP3] = {mp3_start, mp3_cut, NULL},
	[FRAMER_ADTS] = {adts_start, adts_cut, NULL},
	[FRAMER_OGG] = {ogg_start, ogg_cut, ogg_take_title},
	[FRAMER_FLAC] = {flac_start, flac_cut, NULL},
	[FRAMER_WEBM] = {webm_start, webm_cut, NULL},
	[FRAMER_TS] = {ts_start, ts_cut, NULL},
	[FRAMER_RAW] = {raw_start, raw_next, NULL},
};

static const struct {
	const char *name;
	const char *type;
} words[] = {
	[FRAMER_MP3] = {"mp3", "audio/mpeg"},
	[FRAMER_ADTS] = {"adts", "audio/aac"},
	[FRAMER_OGG] = {"ogg", "application/ogg"},
	[FRAMER_FLAC] = {"flac", "audio/flac"},
	[FRAMER_WEBM] = {"webm", "video/webm"},
	[FRAMER_TS] = {"ts", "video/mp2t"},
	[FRAMER_RAW] = {"raw", "application/octet-stream"},
};

/* As encoders send them, registered or not. */
static const struct {
	const char *type;
	enum framer_kind kind;
} types[] = {
	{"audio/mpeg", FRAMER_MP3},
	{"audio/mp3", FRAMER_MP3},
	{"audio/mpeg3", FRAMER_MP3},
	{"audio/x-mpeg", FRAMER_MP3},
	{"audio/x-mpeg-3", FRAMER_MP3},
	{"audio/x-mpegaudio", FRAMER_MP3},
	{"audio/x-mp3", FRAMER_MP3},
	{"audio/mp2", FRAMER_MP3},
	{"audio/x-mp2", FRAMER_MP3},
	{"audio/aac", FRAMER_ADTS},
	{"audio/aacp", FRAMER_ADTS},
	{"audio/x-aac", FRAMER_ADTS},
	{"audio/x-aacp", FRAMER_ADTS},
	{"audio/x-hx-aac-adts", FRAMER_ADTS},
	{"audio/vnd.dlna.adts", FRAMER_ADTS},
	{"audio/mp4a-latm", FRAMER_ADTS},
	{"application/ogg", FRAMER_OGG},
	{"application/x-ogg", FRAMER_OGG},
	{"audio/ogg", FRAMER_OGG},
	{"audio/x-ogg", FRAMER_OGG},
	{"video/ogg", FRAMER_OGG},
	{"video/x-ogg", FRAMER_OGG},
	{"audio/opus", FRAMER_OGG},
	{"audio/vorbis", FRAMER_OGG},
	{"audio/x-vorbis", FRAMER_OGG},
	{"audio/x-vorbis+ogg", FRAMER_OGG},
	{"audio/x-opus+ogg", FRAMER_OGG},
	{"audio/x-flac+ogg", FRAMER_OGG},
	{"audio/x-speex+ogg", FRAMER_OGG},
	{"video/x-theora+ogg", FRAMER_OGG},
	{"audio/speex", FRAMER_OGG},
	{"audio/flac", FRAMER_FLAC},
	{"audio/x-flac", FRAMER_FLAC},
	{"application/flac", FRAMER_FLAC},
	{"application/x-flac", FRAMER_FLAC},
	{"audio/webm", FRAMER_WEBM},
	{"video/webm", FRAMER_WEBM},
	{"audio/x-matroska", FRAMER_WEBM},
	{"video/x-matroska", FRAMER_WEBM},
	{"audio/matroska", FRAMER_WEBM},
	{"video/matroska", FRAMER_WEBM},
	{"application/x-matroska", FRAMER_WEBM},
	{"video/mp2t", FRAMER_TS},
	{"audio/mp2t", FRAMER_TS},
	{"video/mpegts", FRAMER_TS},
	{"video/x-mpegts", FRAMER_TS},
};

void framer_init(struct framer *framer, enum framer_kind kind)
{
	framer->kind = kind;
	formats[kind].start(framer);
}

enum framer_status framer_next(struct framer *framer, struct bytes in, bool end, struct unit *unit)
{
	return formats[framer->kind].next(framer, in, end, unit);
}

const struct framer_about *framer_about(const struct framer *framer)
{
	return &framer->of.about;
}

bool framer_title(struct framer *framer, struct bytes *title)
{
	bool (*title_of)(struct framer *, struct bytes *) = formats[framer->kind].title;

	return title_of && title_of(framer, title);
}

enum framer_kind framer_kind_of_type(struct bytes content_type)
{
	struct bytes type = bytes_trim(bytes_cut(&content_type, ';'));

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (bytes_equal_nocase(type, bytes_str(types[i].type)))
			return types[i].kind;
	return FRAMER_RAW;
}

static enum look look_ts(struct bytes in)
{
	size_t seen = 0;

	for (size_t at = 0; at < in.len && seen < 3; at += TS_PACKET, seen++)
		if (in.at[at] != 0x47)
			return LOOK_NO;
	return seen == 3 ? LOOK_YES : LOOK_SHORT;
}

/* The formats that begin with a word of their own. */
static enum look look_container(struct bytes in, enum framer_kind *kind)
{
	const struct {
		enum framer_kind kind;
		enum look look;
	} all[] = {
		{FRAMER_OGG, look_magic(in, BYTES("OggS"))},
		{FRAMER_FLAC, look_magic(in, BYTES("fLaC"))},
		{FRAMER_WEBM, look_magic(in, BYTES("\x1A\x45\xDF\xA3"))}, /* EBML */
		{FRAMER_TS, look_ts(in)},
	};
	enum look look = LOOK_NO;

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (all[i].look == LOOK_YES)
			*kind = all[i].kind;
		if (all[i].look > look)
			look = all[i].look;
	}
	return look;
}

static enum look look_audio(struct bytes in, enum framer_kind *kind)
{
	enum look mp3 = mp3_look(in);
	enum look adts = adts_look(in);

	*kind = mp3 == LOOK_YES ? FRAMER_MP3 : FRAMER_ADTS;
	return mp3 > adts ? mp3 : adts;
}

bool framer_kind_of_bytes(struct bytes first, enum framer_kind *kind)
{
	struct bytes in = bytes_first(first, FRAMER_SNIFF_MAX);
	bool full = in.len == FRAMER_SNIFF_MAX;
	enum look look;
	uint64_t tag_size;

	/* No decision may rest on bytes that a shorter input would have decided without: wherever
	 * a look is short, it ends there until the input is full. */
	while (in.len && (look = tag_look(in, &tag_size)) != LOOK_NO) {
		if (look == LOOK_SHORT && !full)
			return false;
		if (look == LOOK_SHORT)
			break;
		if (tag_size >= in.len) {
			*kind = FRAMER_MP3;
			return full;
		}
		in = bytes_skip(in, (size_t)tag_size);
	}
	look = look_container(in, kind);
	if (look == LOOK_YES)
		return true;
	if (look == LOOK_SHORT && !full)
		return false;
	for (; in.len; in = bytes_skip(in, 1)) {
		look = look_audio(in, kind);
		if (look == LOOK_YES)
			return true;
		if (look == LOOK_SHORT && !full)
			return false;
	}
	*kind = FRAMER_RAW;
	return full;
}

const char *framer_type_of_kind(enum framer_kind kind)
{
	return words[kind].type;
}

const char *framer_kind_name(enum framer_kind kind)
{
	return words[kind].name;
}
