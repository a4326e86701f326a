#include "sfu/proto/stun.h"

#include "sfu/proto/crc32.h"

#define COOKIE 0x2112a442u

/* RFC 8489 18.3, RFC 8445 16.1. */
enum {
	ATTR_USERNAME = 0x0006,
	ATTR_INTEGRITY = 0x0008,
	ATTR_ERROR = 0x0009,
	ATTR_UNKNOWN = 0x000a,
	ATTR_XOR_MAPPED = 0x0020,
	ATTR_PRIORITY = 0x0024,
	ATTR_USE_CANDIDATE = 0x0025,
	ATTR_FINGERPRINT = 0x8028,
	ATTR_CONTROLLED = 0x8029,
	ATTR_CONTROLLING = 0x802a,
};

#define INTEGRITY_SIZE   20u
#define FINGERPRINT_SIZE 8u /* with its attribute's head */
#define FINGERPRINT_XOR  0x5354554eu

bool stun_looks(struct bytes in)
{
	struct reader r = reader_of(bytes_skip(in, 4));

	return in.len >= STUN_HEADER && in.at[0] < 4 && reader_be32(&r) == COOKIE;
}

/* RFC 8489 14.2: the port is XORed with the cookie's upper half, the address with cookie and id. */
static bool parse_xor_mapped(struct bytes in, struct bytes id, struct address *out)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	struct reader r = reader_of(bytes_skip(in, 1));
	uint8_t family = reader_u8(&r);
	uint16_t port = reader_be16(&r);
	size_t len = family == 1 ? 4 : 16;
	struct bytes ip = reader_take(&r, len);
	uint8_t *to;

	if (!reader_ok(&r) || reader_left(&r) || (family != 1 && family != 2))
		return false;
	*out = (struct address){.ip = {[10] = 0xff, [11] = 0xff}};
	out->port = port ^ (COOKIE >> 16);
	to = out->ip + 16 - len;
	for (size_t i = 0; i < len; i++)
		to[i] = ip.at[i] ^ (i < 4 ? cookie[i] : id.at[i - 4]);
	return true;
}

static bool parse_error(struct bytes in, unsigned *code)
{
	struct reader r = reader_of(in);
	unsigned class, number;

	reader_skip(&r, 2);
	class = reader_u8(&r) & 7u;
	number = reader_u8(&r);
	*code = class * 100 + number;
	return reader_ok(&r) && class >= 3 && class <= 6 && number < 100;
}

static bool parse_u32(struct bytes in, uint32_t *out)
{
	struct reader r = reader_of(in);

	*out = reader_be32(&r);
	return in.len == 4;
}

static bool parse_u64(struct bytes in, uint64_t *out)
{
	struct reader r = reader_of(in);

	*out = reader_be64(&r);
	return in.len == 8;
}

static void note_unknown(struct stun *out, uint16_t type)
{
	if (type < 0x8000 && out->unknown_count < STUN_UNKNOWN_MAX)
		out->unknown[out->unknown_count++] = type;
}

static bool parse_attribute(struct stun *out, uint16_t type, struct bytes value)
{
	switch (type) {
	case ATTR_USERNAME: out->username = value; return value.len <= 513;
	case ATTR_INTEGRITY: out->integrity = value; return value.len == INTEGRITY_SIZE;
	case ATTR_ERROR: return parse_error(value, &out->error);
	case ATTR_XOR_MAPPED:
		out->has_mapped = true;
		return parse_xor_mapped(value, out->id, &out->mapped);
	case ATTR_PRIORITY: out->has_priority = true; return parse_u32(value, &out->priority);
	case ATTR_USE_CANDIDATE: out->use_candidate = true; return value.len == 0;
	case ATTR_CONTROLLED: out->controlled = true; return parse_u64(value, &out->tie_breaker);
	case ATTR_CONTROLLING: out->controlling = true; return parse_u64(value, &out->tie_breaker);
	case ATTR_UNKNOWN: return true;
	default: note_unknown(out, type); return true;
	}
}

static bool fingerprint_fits(struct bytes message, const uint8_t *attribute, struct bytes value)
{
	uint32_t sum;

	/* It is the last one (RFC 8489 14.7). */
	return parse_u32(value, &sum) && value.at + 4 == message.at + message.len &&
	       sum == (crc32_of(bytes_of(message.at, (size_t)(attribute - message.at))) ^
		       FINGERPRINT_XOR);
}

static bool parse_attributes(struct reader *r, struct stun *out)
{
	while (reader_left(r)) {
		const uint8_t *at = r->at;
		uint16_t type = reader_be16(r);
		uint16_t len = reader_be16(r);
		struct bytes value = reader_take(r, len);

		reader_skip(r, (4u - len % 4u) % 4u);
		if (!reader_ok(r))
			return false;
		if (type == ATTR_FINGERPRINT) {
			out->fingerprint = fingerprint_fits(out->message, at, value);
			return out->fingerprint;
		}
		if (!out->integrity.at && !parse_attribute(out, type, value))
			return false;
	}
	return true;
}

enum stun_status stun_parse(struct bytes in, struct stun *out)
{
	struct reader r = reader_of(in);
	uint16_t type, len;

	*out = (struct stun){.message = in};
	if (!stun_looks(in))
		return STUN_OTHER;
	type = reader_be16(&r);
	len = reader_be16(&r);
	reader_skip(&r, 4);
	out->id = reader_take(&r, STUN_ID);
	if (len != in.len - STUN_HEADER || len % 4 || in.len > STUN_MAX)
		return STUN_BAD;
	/* RFC 8489 5: the two bits of the class lie between those of the method. */
	out->class = (enum stun_class)((type >> 4 & 1) | (type >> 7 & 2));
	out->method = (type & 0xfu) | (type >> 1 & 0x70u) | (type >> 2 & 0xf80u);
	return parse_attributes(&r, out) ? STUN_OK : STUN_BAD;
}

/* The hash is over all before the attribute, with a length that ends behind it (RFC 8489 14.5). */
static void integrity_of(struct bytes before, struct bytes key, stun_hmac *hmac,
			 uint8_t out[INTEGRITY_SIZE])
{
	uint8_t text[STUN_MAX];
	size_t len = before.len - STUN_HEADER + 4 + INTEGRITY_SIZE;

	memcpy(text, before.at, before.len);
	text[2] = (uint8_t)(len >> 8);
	text[3] = (uint8_t)len;
	hmac(key, bytes_of(text, before.len), out);
}

bool stun_is_authentic(const struct stun *stun, struct bytes key, stun_hmac *hmac)
{
	uint8_t wanted[INTEGRITY_SIZE], differ = 0;
	size_t before;

	if (!stun->integrity.at || stun->message.len > STUN_MAX)
		return false;
	before = (size_t)(stun->integrity.at - stun->message.at) - 4;
	integrity_of(bytes_first(stun->message, before), key, hmac, wanted);
	for (size_t i = 0; i < sizeof wanted; i++)
		differ |= wanted[i] ^ stun->integrity.at[i];
	return differ == 0;
}

/* --- writing -------------------------------------------------------------------------------- */

void stun_begin(struct writer *w, enum stun_class class, unsigned method, struct bytes id)
{
	unsigned type = (method & 0xfu) | (method & 0x70u) << 1 | (method & 0xf80u) << 2 |
			((unsigned)class & 1u) << 4 | ((unsigned)class & 2u) << 7;

	writer_be(w, type, 2);
	writer_be(w, 0, 2);
	writer_be(w, COOKIE, 4);
	writer_put(w, bytes_first(id, STUN_ID));
}

static void put_head(struct writer *w, unsigned type, size_t len)
{
	writer_be(w, type, 2);
	writer_be(w, len, 2);
}

static void put_padding(struct writer *w, size_t len)
{
	writer_fill(w, 0, (4 - len % 4) % 4);
}

void stun_put_username(struct writer *w, struct bytes left, struct bytes right)
{
	size_t len = left.len + 1 + right.len;

	put_head(w, ATTR_USERNAME, len);
	writer_put(w, left);
	writer_u8(w, ':');
	writer_put(w, right);
	put_padding(w, len);
}

void stun_put_mapped(struct writer *w, const struct address *address, struct bytes id)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	size_t len = address_is_v4(address) ? 4 : 16;
	const uint8_t *ip = address->ip + 16 - len;

	put_head(w, ATTR_XOR_MAPPED, 4 + len);
	writer_u8(w, 0);
	writer_u8(w, len == 4 ? 1 : 2);
	writer_be(w, address->port ^ (COOKIE >> 16), 2);
	for (size_t i = 0; i < len; i++)
		writer_u8(w, ip[i] ^ (i < 4 ? cookie[i] : id.at[i - 4]));
}

void stun_put_error(struct writer *w, unsigned code, const char *reason)
{
	struct bytes text = bytes_str(reason);

	put_head(w, ATTR_ERROR, 4 + text.len);
	writer_be(w, 0, 2);
	writer_u8(w, (uint8_t)(code / 100));
	writer_u8(w, (uint8_t)(code % 100));
	writer_put(w, text);
	put_padding(w, text.len);
}

void stun_put_unknown(struct writer *w, const struct stun *stun)
{
	put_head(w, ATTR_UNKNOWN, 2u * stun->unknown_count);
	for (unsigned i = 0; i < stun->unknown_count; i++)
		writer_be(w, stun->unknown[i], 2);
	put_padding(w, 2u * stun->unknown_count);
}

void stun_put_priority(struct writer *w, uint32_t priority)
{
	put_head(w, ATTR_PRIORITY, 4);
	writer_be(w, priority, 4);
}

void stun_put_use_candidate(struct writer *w)
{
	put_head(w, ATTR_USE_CANDIDATE, 0);
}

void stun_put_role(struct writer *w, bool controlling, uint64_t tie_breaker)
{
	put_head(w, controlling ? ATTR_CONTROLLING : ATTR_CONTROLLED, 8);
	writer_be(w, tie_breaker, 8);
}

static void set_len(struct writer *w, size_t len)
{
	w->at[2] = (uint8_t)(len >> 8);
	w->at[3] = (uint8_t)len;
}

void stun_end(struct writer *w, struct bytes key, stun_hmac *hmac)
{
	uint8_t hash[INTEGRITY_SIZE];

	if (!writer_ok(w) || w->len < STUN_HEADER ||
	    w->len > STUN_MAX - 4 - INTEGRITY_SIZE - FINGERPRINT_SIZE) {
		w->failed = true;
		return;
	}
	if (key.at) {
		integrity_of(writer_done(w), key, hmac, hash);
		put_head(w, ATTR_INTEGRITY, INTEGRITY_SIZE);
		writer_put(w, bytes_of(hash, sizeof hash));
	}
	/* RFC 8489 14.7: the length counts the fingerprint, which is over all before it. */
	set_len(w, w->len - STUN_HEADER + FINGERPRINT_SIZE);
	put_head(w, ATTR_FINGERPRINT, 4);
	if (writer_ok(w))
		writer_be(w, crc32_of(bytes_of(w->at, w->len - 4)) ^ FINGERPRINT_XOR, 4);
}
