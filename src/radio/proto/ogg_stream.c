#include "radio/proto/ogg_stream.h"

#include "core/reader.h"

/* More extra headers than any Speex encoder writes; a lie here must not turn a whole stream into
 * headers. */
#define SPEEX_EXTRA_MAX 64u

static void name(struct framer_about *about, const char *codec)
{
	bytes_to_str(bytes_str(codec), about->codec, sizeof about->codec);
}

static void audio(struct ogg_stream *stream, struct framer_about *about, const char *codec,
		  uint32_t rate)
{
	stream->rate = rate;
	stream->per = 1;
	name(about, codec);
	about->sample_rate = rate;
}

/* Vorbis I specification, section 4.2.2. */
static void vorbis(struct ogg_stream *stream, struct reader r, struct framer_about *about)
{
	uint32_t nominal;

	reader_skip(&r, 7 + 4); /* "\x01vorbis", version */
	about->channels = reader_u8(&r);
	audio(stream, about, "vorbis", reader_le32(&r));
	reader_skip(&r, 4); /* maximum */
	nominal = reader_le32(&r);
	about->bitrate = nominal <= INT32_MAX ? nominal : 0; /* signed; negative: not set */
	stream->header_left = 3;
}

/* RFC 7845 section 5.1. Its granule positions count at 48 kHz whatever the input's rate was. */
static void opus(struct ogg_stream *stream, struct reader r, struct framer_about *about)
{
	reader_skip(&r, 8 + 1); /* "OpusHead", version */
	about->channels = reader_u8(&r);
	audio(stream, about, "opus", 48000);
	stream->header_left = 2;
}

/* RFC 9639 section 10.1, and section 8.2 for STREAMINFO. */
static void flac(struct ogg_stream *stream, struct reader r, struct framer_about *about)
{
	uint32_t count;
	uint64_t fields;

	reader_skip(&r, 5 + 2); /* "\x7fFLAC", mapping version */
	count = reader_be16(&r);
	reader_skip(&r, 4 + 4 + 10); /* "fLaC", block header, block and frame sizes */
	fields = reader_be64(&r);
	about->channels = (uint32_t)(fields >> 41 & 7) + 1;
	audio(stream, about, "flac", (uint32_t)(fields >> 44));
	/* This packet is not counted; 0: the count is not known. */
	stream->header_left = count ? count + 1 : OGG_HEADERS_OPEN;
}

/* The Speex manual, section "Ogg file format". */
static void speex(struct ogg_stream *stream, struct reader r, struct framer_about *about)
{
	uint32_t bitrate;
	uint32_t extra;
	uint32_t rate;

	reader_skip(&r, 8 + 20 + 4 + 4); /* "Speex   ", version text and number, header size */
	rate = reader_le32(&r);
	reader_skip(&r, 4 + 4); /* mode, bitstream version */
	about->channels = reader_le32(&r);
	bitrate = reader_le32(&r);
	reader_skip(&r, 4 + 4 + 4); /* frame size, vbr, frames in a packet */
	extra = reader_le32(&r);
	audio(stream, about, "speex", rate);
	about->bitrate = bitrate <= INT32_MAX ? bitrate : 0; /* -1: not set */
	stream->header_left = 2 + (extra < SPEEX_EXTRA_MAX ? extra : SPEEX_EXTRA_MAX);
}

/* Theora specification, section 6.2. */
static void theora(struct ogg_stream *stream, struct reader r, struct framer_about *about)
{
	reader_skip(&r, 7 + 3 + 4 + 6 + 2); /* "\x80theora", version, sizes and offsets */
	stream->rate = reader_be32(&r);
	stream->per = reader_be32(&r);
	if (stream->per == 0)
		stream->rate = 0;
	reader_skip(&r, 6 + 1 + 3); /* aspect, colour space, bitrate */
	stream->granule_bits = (uint32_t)reader_be16(&r) >> 5 & 31; /* KFGSHIFT, behind QUAL */
	stream->header_left = 3;
	name(about, "theora");
}

void ogg_stream_identify(struct ogg_stream *stream, struct bytes packet, struct framer_about *about)
{
	static const struct {
		const char *magic;
		size_t len;
		enum ogg_codec codec;
		void (*read)(struct ogg_stream *, struct reader, struct framer_about *);
	} codecs[] = {
		{"\x01vorbis", 7, OGG_VORBIS, vorbis},
		{"OpusHead", 8, OGG_OPUS, opus},
		{"\x7f"
		 "FLAC",
		 5, OGG_FLAC, flac},
		{"Speex   ", 8, OGG_SPEEX, speex},
		{"\x80theora", 7, OGG_THEORA, theora},
	};

	stream->codec = OGG_OTHER;
	stream->header_left = 1;
	if (bytes_start_with(packet, bytes_of("fishead", 8))) {
		/* Skeleton: fisbone and index packets follow, up to an empty end-of-stream page. */
		stream->codec = OGG_SKELETON;
		stream->header_left = OGG_HEADERS_OPEN;
	}
	for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
		if (bytes_start_with(packet, bytes_of(codecs[i].magic, codecs[i].len))) {
			stream->codec = codecs[i].codec;
			codecs[i].read(stream, reader_of(packet), about);
		}
}

bool ogg_stream_has_comment(const struct ogg_stream *stream, struct bytes first,
			    struct bytes *prefix, uint32_t *gap)
{
	/* Type 4 of a FLAC metadata block (RFC 9639 section 8.1); its bit 7 says "last". */
	static const uint8_t block[] = {0x04, 0x84};

	*prefix = bytes_of(NULL, 0);
	*gap = 0;
	switch (stream->codec) {
	case OGG_VORBIS: *prefix = BYTES("\x03vorbis"); break;
	case OGG_OPUS: *prefix = BYTES("OpusTags"); break;
	case OGG_THEORA: *prefix = BYTES("\x81theora"); break;
	case OGG_FLAC:
		for (size_t i = 0; i < sizeof block; i++)
			if (bytes_start_with(first, bytes_of(&block[i], 1)))
				*prefix = bytes_of(&block[i], 1);
		*gap = 3;
		return prefix->len > 0;
	case OGG_SPEEX: break;
	case OGG_OTHER:
	case OGG_SKELETON: return false;
	}
	return stream->header_done == 1;
}

bool ogg_stream_headers_over(const struct ogg_stream *stream, struct bytes first)
{
	/* No metadata block is of type 127, and every audio frame begins with this byte. */
	return stream->codec == OGG_FLAC && stream->header_left == OGG_HEADERS_OPEN &&
	       bytes_start_with(first, BYTES("\xff"));
}

void ogg_stream_header_done(struct ogg_stream *stream)
{
	stream->header_done++;
	if (stream->header_left != OGG_HEADERS_OPEN)
		stream->header_left--;
	else if (stream->codec == OGG_FLAC && stream->header_done > 1 && stream->first_byte & 0x80)
		stream->header_left = 0; /* the block says that it is the last one */
}

uint64_t ogg_stream_units(const struct ogg_stream *stream, uint64_t granule)
{
	uint64_t low = ((uint64_t)1 << stream->granule_bits) - 1;

	/* Theora: number of the keyframe, then of the frame since then. */
	return stream->granule_bits ? (granule >> stream->granule_bits) + (granule & low) : granule;
}
