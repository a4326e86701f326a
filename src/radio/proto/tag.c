#include "radio/proto/tag.h"

#include "core/reader.h"

#define ID3V2_HEADER 10u
#define ID3V2_FOOTER 10u
#define ID3V1_SIZE   128u
#define APE_HEADER   32u
/* Anything larger is damage: the APE specification asks for 8 KiB at most. */
#define APE_MAX (16u << 20)

/* id3v2.4.0-structure, section 3.1: "ID3" version revision flags, then four times seven bits. */
static enum look look_id3v2(struct bytes in, uint64_t *size)
{
	struct reader r = reader_of(in);
	enum look look = look_magic(in, BYTES("ID3"));

	if (look != LOOK_YES)
		return look;
	reader_skip(&r, 3);
	uint8_t major = reader_u8(&r);
	uint8_t revision = reader_u8(&r);
	uint8_t flags = reader_u8(&r);
	uint32_t wire = reader_be32(&r);

	if (!reader_ok(&r))
		return LOOK_SHORT;
	if (major < 2 || major > 4 || revision == 0xFF || (flags & 0x0F) || (wire & 0x80808080u))
		return LOOK_NO;
	*size = ID3V2_HEADER + (uint64_t)((wire & 0x7F) | (wire & 0x7F00) >> 1 |
					  (wire & 0x7F0000) >> 2 | (wire & 0x7F000000) >> 3);
	/* Section 3.4: the footer is not counted in the size, and only version 4 has one. */
	if (major == 4 && (flags & 0x10))
		*size += ID3V2_FOOTER;
	return LOOK_YES;
}

/* APEv2: the header says how much follows it; a footer whose tag had no header ends here. */
static enum look look_ape(struct bytes in, uint64_t *size)
{
	struct reader r = reader_of(in);
	enum look look = look_magic(in, BYTES("APETAGEX"));

	if (look != LOOK_YES)
		return look;
	reader_skip(&r, 8);
	uint32_t version = reader_le32(&r);
	uint32_t follows = reader_le32(&r);

	reader_skip(&r, 4);
	bool is_header = reader_le32(&r) & 1u << 29;

	reader_skip(&r, 8);
	if (!reader_ok(&r))
		return LOOK_SHORT;
	if ((version != 1000 && version != 2000) || follows > APE_MAX)
		return LOOK_NO;
	*size = APE_HEADER + (is_header ? follows : 0);
	return LOOK_YES;
}

enum look tag_look(struct bytes in, uint64_t *size)
{
	if (in.len == 0)
		return LOOK_SHORT;
	switch (in.at[0]) {
	case 'I': return look_id3v2(in, size);
	case 'A': return look_ape(in, size);
	case 'T': *size = ID3V1_SIZE; return look_magic(in, BYTES("TAG"));
	default: return LOOK_NO;
	}
}
