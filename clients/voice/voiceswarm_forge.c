#include "voiceswarm.h"

#include <openssl/rand.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const forge_names[FORGE_KINDS] = {"tag",   "body", "replay", "moved", "stale",
					      "short", "long", "xex",    "plain"};

static void encrypt_block(const struct mumble_crypt *crypt, uint8_t block[OCB2_BLOCK])
{
	int len;

	EVP_EncryptUpdate(crypt->encrypt, block, &len, block, OCB2_BLOCK);
}

static void twice(uint8_t block[OCB2_BLOCK])
{
	uint8_t top = block[0] >> 7;

	for (size_t i = 0; i < OCB2_BLOCK - 1; i++)
		block[i] = (uint8_t)(block[i] << 1 | block[i + 1] >> 7);
	block[OCB2_BLOCK - 1] = (uint8_t)(block[OCB2_BLOCK - 1] << 1 ^ (top ? 0x87 : 0));
}

/* What an eavesdropper makes of the sealed message (128 as a block, M2), both known: C' = C1 ^ 128 as a
 * message of one block, and tag M2 ^ C2, which is E(4Δ ^ 128). Plain OCB2 takes it for genuine. */
static size_t forge_xex(const struct mumble_crypt *crypt, uint8_t *out)
{
	uint8_t nonce[OCB2_BLOCK], delta[OCB2_BLOCK], c1[OCB2_BLOCK], tag[OCB2_BLOCK];
	int carry = 1;

	for (size_t i = 0; i < OCB2_BLOCK; i++) {
		int sum = crypt->out[i] + carry;

		nonce[i] = (uint8_t)sum;
		carry = sum >> 8;
	}
	memcpy(delta, nonce, sizeof delta);
	encrypt_block(crypt, delta);
	twice(delta);
	memcpy(c1, delta, sizeof c1);
	c1[OCB2_BLOCK - 1] ^= 0x80;
	encrypt_block(crypt, c1);
	for (size_t i = 0; i < OCB2_BLOCK; i++)
		c1[i] ^= delta[i];
	c1[OCB2_BLOCK - 1] ^= 0x80;
	twice(delta);
	memcpy(tag, delta, sizeof tag);
	tag[OCB2_BLOCK - 1] ^= 0x80;
	encrypt_block(crypt, tag);
	out[0] = nonce[0];
	memcpy(out + 1, tag, MUMBLE_CRYPT_HEAD - 1);
	memcpy(out + MUMBLE_CRYPT_HEAD, c1, sizeof c1);
	return MUMBLE_CRYPT_HEAD + sizeof c1;
}

/* A good one: a ping or a packet that nobody can read. */
static size_t seal(struct mumble_link *link, bool ping, uint8_t *out)
{
	static const uint8_t legacy[] = {0x20, 1}, modern[] = {1, 0x08, 1};
	uint8_t plain[10] = {0xe0, 1};
	size_t len = sizeof plain;

	if (ping && link->form == VOICE_LEGACY)
		memcpy(plain, legacy, len = sizeof legacy);
	else if (ping)
		memcpy(plain, modern, len = sizeof modern);
	mumble_crypt_seal(&link->crypt, bytes_of(plain, len), out);
	return len + MUMBLE_CRYPT_HEAD;
}

static void out_with(const struct mumble_link *link, const uint8_t *at, size_t len)
{
	(void)!send(link->udp, at, len, MSG_DONTWAIT);
}

/* Whoever sees datagrams on their way can send them again: from elsewhere too, but not at somebody's
 * place. */
static void out_from_elsewhere(const struct mumble_link *link, const uint8_t *at, size_t len)
{
	struct sockaddr_storage here, there;
	socklen_t here_len = sizeof here, there_len = sizeof there;
	int fd;

	if (getsockname(link->udp, (struct sockaddr *)&here, &here_len) == -1 ||
	    getpeername(link->udp, (struct sockaddr *)&there, &there_len) == -1)
		return;
	if (here.ss_family == AF_INET)
		((struct sockaddr_in *)&here)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&here)->sin6_port = 0;
	fd = socket(here.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd != -1 && bind(fd, (struct sockaddr *)&here, here_len) == 0)
		(void)!sendto(fd, at, len, MSG_DONTWAIT, (struct sockaddr *)&there, there_len);
	if (fd != -1)
		close(fd);
}

static unsigned behind(const struct mumble_link *link, const struct forge_memory *memory)
{
	return (unsigned)(link->sent_udp - memory->sent_then);
}

void vswarm_forge(struct mumble_link *link, enum forge_kind kind, struct forge_memory *memory)
{
	uint8_t out[1400];
	size_t len = 60;

	RAND_bytes(out, sizeof out);
	switch (kind) {
	case FORGE_TAG: out[0] = (uint8_t)(link->crypt.out[0] + 1); break;
	case FORGE_BODY:
		len = seal(link, true, out);
		out[len - 1] ^= 1;
		break;
	case FORGE_REPLAY:
		len = seal(link, true, out);
		out_with(link, out, len);
		break;
	case FORGE_MOVED:
		len = seal(link, true, out);
		out_with(link, out, len);
		out_from_elsewhere(link, out, len);
		return;
	case FORGE_STALE:
		/* Its low byte has not come round again before 100 more. */
		if (memory->old_len == 0 || behind(link, memory) > 100) {
			memory->old_len = len = seal(link, true, out);
			memcpy(memory->old, out, len);
			memory->sent_then = link->sent_udp;
		} else {
			len = memory->old_len;
			memcpy(out, memory->old, len);
		}
		break;
	case FORGE_SHORT: len = link->sent_udp % 5; break;
	case FORGE_LONG: len = sizeof out - link->sent_udp % 300; break;
	case FORGE_XEX: len = forge_xex(&link->crypt, out); break;
	case FORGE_PLAIN: len = seal(link, false, out); break;
	case FORGE_KINDS: return;
	}
	out_with(link, out, len);
}
