#include "radio/proto/ogg.h"

#include "core/reader.h"
#include "core/writer.h"
#include "radio/proto/crc_msb.h"

/* RFC 3533 section 6. */
#define PAGE_HEAD    27u
#define PAGE_CRC_AT  22u
#define CONTINUED    0x01u
#define BOS          0x02u
#define EOS          0x04u
#define NO_GRANULE   UINT64_MAX /* -1: no packet ends on the page */
#define FIRST_MAX_S  6u
#define STEP_MAX_S   60u
#define CRC_CREDIT   16u
#define CRC_DEBT_MAX 1048576u

struct page {
	uint8_t flags;
	uint64_t granule;
	uint32_t serial;
	uint32_t sequence;
	struct bytes lacing;
	struct bytes body;
	struct bytes whole;
};

enum look { LOOK_PAGE, LOOK_SHORT, LOOK_JUNK };

void ogg_init(struct ogg_framer *framer)
{
	memset(framer, 0, sizeof *framer);
	framer->clock = -1;
}

/* --- pages --- */

static uint32_t page_crc(struct bytes page)
{
	/* The field itself counts as zero. */
	uint32_t crc = crc_msb_update(0, bytes_first(page, PAGE_CRC_AT));

	crc = crc_msb_update(crc, bytes_of("\0\0\0\0", 4));
	return crc_msb_update(crc, bytes_skip(page, PAGE_CRC_AT + 4));
}

static bool starts_page(struct bytes in)
{
	/* Capture pattern and version, as much of it as is there. */
	return bytes_start_with(in, bytes_first(bytes_of("OggS", 5), in.len));
}

static enum look look_at_page(struct ogg_framer *framer, struct bytes in, struct page *page)
{
	struct reader r = reader_of(in);
	size_t body_len = 0;
	uint32_t crc;

	if (!starts_page(in))
		return LOOK_JUNK;
	if (in.len < framer->need || in.len < PAGE_HEAD)
		return LOOK_SHORT;
	reader_skip(&r, 5);
	page->flags = reader_u8(&r);
	page->granule = reader_le64(&r);
	page->serial = reader_le32(&r);
	page->sequence = reader_le32(&r);
	crc = reader_le32(&r);
	page->lacing = reader_take(&r, reader_u8(&r));
	if (!reader_ok(&r)) {
		framer->need = PAGE_HEAD + in.at[PAGE_HEAD - 1];
		return LOOK_SHORT;
	}
	for (size_t i = 0; i < page->lacing.len; i++)
		body_len += page->lacing.at[i];
	framer->need = PAGE_HEAD + page->lacing.len + body_len;
	page->body = reader_take(&r, body_len);
	if (!reader_ok(&r))
		return LOOK_SHORT;
	/* Rubbish may claim a page of 64 KiB in every 28 bytes, which would CRC each byte 2,000
	 * times. So a CRC in vain is a debt that the bytes passed pay off; with too much of it,
	 * what looks like a page is not believed. It depends on nothing but the stream's bytes. */
	if (framer->debt > CRC_DEBT_MAX)
		return LOOK_JUNK;
	page->whole = bytes_first(in, framer->need);
	if (page_crc(page->whole) == crc)
		return LOOK_PAGE;
	framer->debt += framer->need;
	return LOOK_JUNK;
}

/* All up to where the next page may begin, which is not at 0. */
static struct bytes junk_before_page(struct bytes in)
{
	size_t off = 1;

	while (off < in.len && off < FRAMER_UNIT_MAX && !starts_page(bytes_skip(in, off)))
		off += 1 + bytes_find(bytes_skip(in, off + 1), 'O');
	return bytes_first(bytes_first(in, off), FRAMER_UNIT_MAX);
}

static void drop(struct ogg_framer *framer, size_t len)
{
	uint64_t earned = (uint64_t)len * CRC_CREDIT;

	framer->need = 0;
	framer->debt -= framer->debt < earned ? framer->debt : earned;
}

/* --- packets on a page --- */

struct packet_piece {
	struct bytes data;
	bool first; /* the packet begins with it */
	bool last;  /* and ends with it */
};

struct packet_walk {
	struct bytes lacing;
	struct bytes body;
	bool continued;
};

static struct packet_walk packet_walk_of(const struct page *page)
{
	return (struct packet_walk){page->lacing, page->body, page->flags & CONTINUED};
}

/* A packet is a run of segments of 255 bytes and one that is shorter (RFC 3533 section 5). */
static bool packet_walk_next(struct packet_walk *walk, struct packet_piece *piece)
{
	size_t segments = 0;
	size_t len = 0;

	if (walk->lacing.len == 0)
		return false;
	piece->first = !walk->continued;
	piece->last = false;
	while (segments < walk->lacing.len && !piece->last) {
		piece->last = walk->lacing.at[segments] < 255;
		len += walk->lacing.at[segments++];
	}
	piece->data = bytes_first(walk->body, len);
	walk->body = bytes_skip(walk->body, len);
	walk->lacing = bytes_skip(walk->lacing, segments);
	walk->continued = false;
	return true;
}

/* --- headers --- */

static void make_title(struct ogg_framer *framer)
{
	const struct vorbis_comment *c = &framer->comment;
	struct writer w = writer_of(framer->title, sizeof framer->title);

	writer_put(&w, bytes_of(c->artist.at, c->artist.len));
	if (c->artist.len && c->title.len)
		writer_str(&w, " - ");
	writer_put(&w, bytes_of(c->title.at, c->title.len));
	framer->title_len = w.len;
	framer->title_new = w.len > 0;
}

static void start_chain(struct ogg_framer *framer)
{
	memset(&framer->about, 0, sizeof framer->about);
	framer->stream_count = 0;
	framer->clock = -1;
	framer->overfull = framer->has_video = framer->broken = false;
	framer->granule_known = false;
	framer->rest = 0;
	framer->in_comment = framer->title_new = false;
}

static struct ogg_stream *add_stream(struct ogg_framer *framer, const struct page *page)
{
	struct packet_walk walk = packet_walk_of(page);
	struct packet_piece piece = {.first = false};
	struct framer_about about = {.codec = ""};
	struct ogg_stream *stream;
	bool audio;

	if (framer->stream_count == OGG_STREAMS) {
		framer->overfull = true;
		return NULL;
	}
	stream = &framer->streams[framer->stream_count];
	memset(stream, 0, sizeof *stream);
	stream->serial = page->serial;
	stream->next_sequence = page->sequence;
	packet_walk_next(&walk, &piece);
	ogg_stream_identify(stream, piece.data, &about);
	audio = ogg_stream_is_audio(stream);
	framer->has_video |= stream->codec == OGG_THEORA;
	if (framer->clock < 0 ? audio || stream->codec == OGG_THEORA
			      : audio && !ogg_stream_is_audio(&framer->streams[framer->clock])) {
		framer->clock = (int32_t)framer->stream_count;
		framer->about = about;
	}
	framer->stream_count++;
	return stream;
}

static struct ogg_stream *find_stream(struct ogg_framer *framer, uint32_t serial)
{
	for (uint32_t i = 0; i < framer->stream_count; i++)
		if (framer->streams[i].serial == serial)
			return &framer->streams[i];
	return NULL;
}

static bool is_clock(const struct ogg_framer *framer, const struct ogg_stream *stream)
{
	return framer->clock >= 0 && stream == &framer->streams[framer->clock];
}

/* The comment of the clock's stream; those of the others would be of the same piece. */
static void take_comment(struct ogg_framer *framer, struct ogg_stream *stream,
			 const struct packet_piece *piece)
{
	struct bytes data = piece->data;
	struct bytes prefix;
	uint32_t gap;

	if (piece->first) {
		framer->in_comment = ogg_stream_has_comment(stream, data, &prefix, &gap);
		if (framer->in_comment)
			vorbis_comment_init(&framer->comment, prefix, gap);
	}
	if (!framer->in_comment)
		return;
	vorbis_comment_feed(&framer->comment, data);
	if (piece->last) {
		vorbis_comment_end(&framer->comment);
		framer->in_comment = false;
		make_title(framer);
	}
}

/* Goes over the header packets on a page; whether there were any. */
static bool take_headers(struct ogg_framer *framer, struct ogg_stream *stream,
			 const struct page *page)
{
	struct packet_walk walk = packet_walk_of(page);
	struct packet_piece piece;
	bool any = false;

	if (page->sequence != stream->next_sequence) {
		stream->gap = true;
		framer->in_comment = false;
	}
	/* Header packets end at granule 0, so this is data, and a header was lost. */
	if (stream->gap && page->granule != 0 && page->granule != NO_GRANULE) {
		stream->header_left = 0;
		framer->broken = true;
	}
	while (stream->header_left && packet_walk_next(&walk, &piece)) {
		if (piece.first && ogg_stream_headers_over(stream, piece.data)) {
			stream->header_left = 0;
			break;
		}
		any = true;
		if (piece.first)
			stream->first_byte = piece.data.len ? piece.data.at[0] : 0;
		if (is_clock(framer, stream))
			take_comment(framer, stream, &piece);
		if (piece.last)
			ogg_stream_header_done(stream);
	}
	if (page->flags & EOS)
		stream->header_left = 0;
	return any;
}

/* --- data --- */

static bool headers_complete(const struct ogg_framer *framer)
{
	for (uint32_t i = 0; i < framer->stream_count; i++)
		if (framer->streams[i].header_left && framer->streams[i].codec != OGG_SKELETON)
			return false;
	return !framer->broken;
}

static bool is_key(const struct ogg_framer *framer, const struct ogg_stream *stream,
		   const struct page *page)
{
	struct packet_walk walk = packet_walk_of(page);
	struct packet_piece piece;

	if (!headers_complete(framer))
		return false;
	while (packet_walk_next(&walk, &piece)) {
		if (!piece.first)
			continue;
		if (!framer->has_video)
			return true;
		/* Theora specification, section 7.1: bit 7 clear is data, bit 6 clear a keyframe;
		 * an empty packet repeats the frame before it. */
		return stream->codec == OGG_THEORA && piece.data.len &&
		       (piece.data.at[0] & 0xc0) == 0;
	}
	return false;
}

static uint32_t duration_of(struct ogg_framer *framer, const struct ogg_stream *stream,
			    const struct page *page)
{
	uint64_t units = ogg_stream_units(stream, page->granule);
	uint64_t before = framer->granule_known ? framer->granule : 0;
	uint64_t most_s = framer->granule_known ? STEP_MAX_S : FIRST_MAX_S;
	uint64_t step = units - before;
	uint64_t scaled;

	if (page->granule == NO_GRANULE || stream->rate == 0)
		return 0;
	framer->granule = units;
	framer->granule_known = true;
	/* A step back is a huge one here. */
	if (step > most_s * stream->rate / stream->per)
		return 0;
	/* At most 60 s * rate * 1e6 < 2^58. The rest is carried, so that no drift comes of it. */
	scaled = step * stream->per * 1000000 + framer->rest;
	framer->rest = scaled % stream->rate;
	return (uint32_t)(scaled / stream->rate);
}

/* Takes a whole page into account. False: it is of no known stream. */
static bool take_page(struct ogg_framer *framer, const struct page *page, struct unit *unit)
{
	bool bos = page->flags & BOS;
	struct ogg_stream *stream;

	if (bos && !framer->in_bos) {
		start_chain(framer);
		unit->flags = UNIT_CHAIN;
	}
	framer->in_bos = bos;
	stream = bos ? add_stream(framer, page) : find_stream(framer, page->serial);
	if (bos)
		unit->flags |= UNIT_HEADER;
	if (!stream)
		return bos || framer->overfull;
	if (stream->header_left && take_headers(framer, stream, page)) {
		unit->flags |= UNIT_HEADER;
	} else if (!bos) {
		unit->flags |= is_key(framer, stream, page) ? UNIT_KEY : 0;
		if (is_clock(framer, stream))
			unit->duration_us = duration_of(framer, stream, page);
	}
	stream->next_sequence = page->sequence + 1;
	return true;
}

enum framer_status ogg_next(struct ogg_framer *framer, struct bytes in, bool end, struct unit *unit)
{
	struct page page;
	enum look look;

	*unit = (struct unit){.data = {in.at, 0}};
	if (in.len == 0)
		return FRAMER_MORE;
	look = look_at_page(framer, in, &page);
	if (look == LOOK_SHORT && !end)
		return FRAMER_MORE;
	unit->data = look == LOOK_PAGE ? page.whole : junk_before_page(in);
	drop(framer, unit->data.len);
	return look == LOOK_PAGE && take_page(framer, &page, unit) ? FRAMER_UNIT : FRAMER_SKIP;
}

bool ogg_title(struct ogg_framer *framer, struct bytes *title)
{
	if (!framer->title_new)
		return false;
	framer->title_new = false;
	*title = bytes_of(framer->title, framer->title_len);
	return true;
}
