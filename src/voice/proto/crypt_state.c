#include "voice/proto/crypt_state.h"

#define AHEAD_MAX 128
#define SEEN_BITS 64u

_Static_assert(CRYPT_LATE_MAX < SEEN_BITS, "what may come late is remembered");

static uint64_t load_le64(const uint8_t *at)
{
	uint64_t word = 0;

	for (unsigned i = 8; i > 0; i--)
		word = word << 8 | at[i - 1];
	return word;
}

static void store_le64(uint8_t *at, uint64_t word)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(word >> (8 * i));
}

struct crypt_nonce crypt_nonce_read(const uint8_t at[OCB2_BLOCK])
{
	return (struct crypt_nonce){load_le64(at), load_le64(at + 8)};
}

void crypt_nonce_write(struct crypt_nonce nonce, uint8_t at[OCB2_BLOCK])
{
	store_le64(at, nonce.low);
	store_le64(at + 8, nonce.high);
}

struct crypt_nonce crypt_nonce_add(struct crypt_nonce nonce, uint64_t n)
{
	struct crypt_nonce sum = {nonce.low + n, nonce.high};

	sum.high += sum.low < n;
	return sum;
}

static struct crypt_nonce nonce_sub(struct crypt_nonce nonce, uint64_t n)
{
	return (struct crypt_nonce){nonce.low - n, nonce.high - (nonce.low < n)};
}

size_t crypt_seal(struct crypt_key key, struct crypt_nonce nonce, struct bytes plain, uint8_t *out)
{
	uint8_t whole[OCB2_BLOCK], tag[OCB2_BLOCK];

	crypt_nonce_write(nonce, whole);
	(void)ocb2_seal(key.cipher, key.key, whole, plain, out + CRYPT_HEAD, tag);
	out[0] = whole[0];
	memcpy(out + 1, tag, CRYPT_HEAD - 1);
	return CRYPT_HEAD + plain.len;
}

void crypt_in_start(struct crypt_in *in, struct crypt_nonce last)
{
	in->highest = last;
	in->seen = 1;
}

/* How far from the highest the number is: 1 to 128 ahead, else 0 to 127 behind. */
static int distance(const struct crypt_in *in, uint8_t number)
{
	int ahead = (uint8_t)(number - (uint8_t)in->highest.low);

	return ahead <= AHEAD_MAX ? ahead : ahead - 256;
}

static enum crypt_status judge(const struct crypt_in *in, int at)
{
	if (at > 0)
		return CRYPT_GOOD;
	if (at < -CRYPT_LATE_MAX)
		return CRYPT_STALE;
	return in->seen >> -at & 1 ? CRYPT_REPLAYED : CRYPT_GOOD;
}

bool crypt_may_be(const struct crypt_in *in, uint8_t number, unsigned within)
{
	int at = distance(in, number);

	return judge(in, at) == CRYPT_GOOD && (unsigned)(at > 0 ? at : -at) <= within;
}

static void accept(struct crypt_in *in, int at, struct crypt_nonce nonce)
{
	in->good++;
	if (at > 0) {
		in->lost += (uint32_t)(at - 1);
		in->seen = (unsigned)at < SEEN_BITS ? in->seen << at | 1 : 1;
		in->highest = nonce;
	} else {
		in->late++;
		in->lost -= in->lost > 0;
		in->seen |= UINT64_C(1) << -at;
	}
}

enum crypt_status crypt_open(struct crypt_in *in, struct crypt_key key, struct bytes datagram,
			     uint8_t *out)
{
	uint8_t whole[OCB2_BLOCK], tag[OCB2_BLOCK], differs = 0;
	struct crypt_nonce nonce;
	enum crypt_status status;
	bool sound;
	int at;

	if (datagram.len < CRYPT_HEAD || datagram.len > CRYPT_MAX)
		return CRYPT_BAD_SIZE;
	at = distance(in, datagram.at[0]);
	status = judge(in, at);
	if (status != CRYPT_GOOD)
		return status;
	nonce = at > 0 ? crypt_nonce_add(in->highest, (uint64_t)at)
		       : nonce_sub(in->highest, (uint64_t)-at);
	crypt_nonce_write(nonce, whole);
	sound = ocb2_open(key.cipher, key.key, whole, bytes_skip(datagram, CRYPT_HEAD), out, tag);
	for (unsigned i = 0; i + 1 < CRYPT_HEAD; i++)
		differs |= tag[i] ^ datagram.at[1 + i];
	if (!sound || differs)
		return CRYPT_FORGED;
	accept(in, at, nonce);
	return CRYPT_GOOD;
}
