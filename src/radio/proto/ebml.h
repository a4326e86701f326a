/* ebml: the head of an EBML element (RFC 8794), and the Matroska elements that matter (RFC 9559).
 *
 *     ID 1-4 bytes | size 1-8 bytes | that many bytes, or, size unknown, up to a parent's sibling
 *
 * Pure: any thread, no state. */
#pragma once

#include "core/bytes.h"

enum ebml_id {
	EBML_HEADER = 0x1a45dfa3,
	EBML_VOID = 0xec,
	EBML_CRC32 = 0xbf,
	EBML_SEGMENT = 0x18538067,
	/* level 1 */
	EBML_SEEK_HEAD = 0x114d9b74,
	EBML_INFO = 0x1549a966,
	EBML_TRACKS = 0x1654ae6b,
	EBML_CHAPTERS = 0x1043a770,
	EBML_CLUSTER = 0x1f43b675,
	EBML_CUES = 0x1c53bb6b,
	EBML_ATTACHMENTS = 0x1941a469,
	EBML_TAGS = 0x1254c367,
	/* in Info */
	EBML_TIMESTAMP_SCALE = 0x2ad7b1,
	/* in Tracks */
	EBML_TRACK_ENTRY = 0xae,
	EBML_TRACK_NUMBER = 0xd7,
	EBML_TRACK_TYPE = 0x83,
	EBML_CODEC_ID = 0x86,
	EBML_AUDIO = 0xe1,
	EBML_SAMPLING_FREQUENCY = 0xb5,
	EBML_CHANNEL_COUNT = 0x9f,
	/* in Cluster */
	EBML_TIMESTAMP = 0xe7,
	EBML_SILENT_TRACKS = 0x5854,
	EBML_POSITION = 0xa7,
	EBML_PREV_SIZE = 0xab,
	EBML_SIMPLE_BLOCK = 0xa3,
	EBML_BLOCK_GROUP = 0xa0,
	EBML_ENCRYPTED_BLOCK = 0xaf,
	/* in BlockGroup */
	EBML_BLOCK = 0xa1,
	EBML_REFERENCE_BLOCK = 0xfb,
};

/* The longest head of an element. */
#define EBML_HEAD_MAX 12u

struct ebml {
	uint32_t id;   /* with its length marker, as the RFCs write it */
	uint64_t size; /* of the payload; 0 when it is not known */
	bool unsized;  /* the size is the one that means "not known" */
	size_t head;   /* bytes of ID and size */
};

enum ebml_status {
	EBML_OK,
	EBML_SHORT, /* the head goes on behind in */
	EBML_BAD,   /* no element can begin so */
};

enum ebml_status ebml_parse(struct bytes in, struct ebml *element);

/* A variable-size integer off the beginning of in (RFC 8794 section 4); its length in *len. */
enum ebml_status ebml_vint(struct bytes in, uint64_t *value, size_t *len);

/* The next child off *in, cut to what is there: *whole says whether that is all of it. False at the
 * end and where nothing sensible follows. */
bool ebml_child(struct bytes *in, struct ebml *element, struct bytes *payload, bool *whole);

/* A payload as unsigned integer (longer than 8 bytes: 0) and as float (neither 4 nor 8: 0). */
uint64_t ebml_uint(struct bytes payload);
double ebml_float(struct bytes payload);
