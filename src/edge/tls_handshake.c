#include "edge/tls_handshake.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/log.h"
#include "core/metric.h"
#include "edge/tls.h"
#include "edge/tls_identity.h"

#define UNDER_WAY_MAX 4096u  /* a worker; some 40 KiB each */
#define TURN_US       20000u /* of handshakes in one turn of a loop */

#define READ_SIZE 4096u

struct handshake {
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
	struct bytes early;
	uint8_t head[TLS_HEADER_LEN]; /* of the record that is being read */
	size_t head_len, left;
	struct tls_start start;
	uint64_t sent; /* records since the client's Finished: RFC 8446 counts them from 0 */
	bool secrets[2];
	bool is_client; /* we are */
};

static _Thread_local unsigned under_way;
static _Thread_local uint64_t turn, turn_spent;

/* --- what OpenSSL tells --------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool secret_read(const char *hex, uint8_t *secret)
{
	size_t n = 0;

	for (; hex[0] && hex[1] && n < TLS_SECRET_MAX; hex += 2) {
		int high = hex_digit(hex[0]), low = hex_digit(hex[1]);

		if (high < 0 || low < 0)
			break;
		secret[n++] = (uint8_t)(high << 4 | low);
	}
	return n >= 32;
}

/* Lines of NSS's key log: LABEL, the client's random, the secret. */
void tls_handshake_secret(const SSL *ssl, const char *line)
{
	struct handshake *handshake = SSL_get_app_data(ssl);
	bool client = strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0;
	const char *secret = strrchr(line, ' ');

	if (!handshake || !secret ||
	    (!client && strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) != 0))
		return;
	handshake->secrets[client] = secret_read(secret + 1, client == handshake->is_client
								     ? handshake->start.out.secret
								     : handshake->start.in.secret);
}

static void on_message(int writing, int version, int type, const void *buf, size_t len, SSL *ssl,
		       void *argument)
{
	struct handshake *handshake = argument;
	const uint8_t *message = buf;

	(void)version;
	(void)ssl;
	if (writing && type == SSL3_RT_HEADER)
		handshake->sent++;
	else if (!writing && type == SSL3_RT_HANDSHAKE && len && message[0] == SSL3_MT_FINISHED)
		handshake->sent = 0;
}

/* --- the end of it -------------------------------------------------------------------------- */

static bool suite_of(const SSL *ssl, struct tls_start *start)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	bool old = SSL_version(ssl) == TLS1_2_VERSION;

	start->shape = old ? TLS_SHAPE_12_GCM : TLS_SHAPE_13;
	switch (SSL_CIPHER_get_cipher_nid(cipher)) {
	case NID_aes_128_gcm: start->suite = TLS_SUITE_AES_128_GCM; return true;
	case NID_aes_256_gcm: start->suite = TLS_SUITE_AES_256_GCM; return true;
	case NID_chacha20_poly1305:
		start->suite = TLS_SUITE_CHACHA20_POLY1305;
		if (old)
			start->shape = TLS_SHAPE_12_CHACHA;
		return true;
	default: return false;
	}
}

static bool keys_13(struct handshake *handshake)
{
	struct tls_start *start = &handshake->start;

	/* A client's Finished has the keys of the handshake. */
	start->out_seq = handshake->is_client ? 0 : handshake->sent;
	return handshake->secrets[0] && handshake->secrets[1] &&
	       tls_keys_of_secret(start->suite, &start->out) &&
	       tls_keys_of_secret(start->suite, &start->in);
}

/* RFC 5246 section 6.1: the Finished of either side was record 0. */
static bool keys_12(struct handshake *handshake)
{
	struct tls_start *start = &handshake->start;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(handshake->ssl);
	struct tls_master master = {
		.sha384 = EVP_MD_is_a(SSL_CIPHER_get_handshake_digest(cipher), "SHA384")};
	uint8_t secret[SSL_MAX_MASTER_KEY_LENGTH];
	bool made;

	master.secret = bytes_of(secret, SSL_SESSION_get_master_key(SSL_get_session(handshake->ssl),
								    secret, sizeof secret));
	SSL_get_client_random(handshake->ssl, master.client_random, 32);
	SSL_get_server_random(handshake->ssl, master.server_random, 32);
	start->out_seq = start->in_seq = 1;
	made = handshake->is_client
		       ? tls_keys_of_master(start->suite, &master, &start->out, &start->in)
		       : tls_keys_of_master(start->suite, &master, &start->in, &start->out);
	tls_wipe(secret, sizeof secret);
	return made;
}

/* RFC 6066 section 4: small clients say how much of a record they can hold. */
static uint16_t record_max_of(SSL *ssl)
{
	static const uint16_t sizes[] = {TLS_DATA_MAX, 512, 1024, 2048, 4096};
	uint8_t mode = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl));

	return sizes[mode < COUNT_OF(sizes) ? mode : 0];
}

RUNS_ON(on_worker)
static enum handshake_status handshake_end(struct handshake *handshake, struct link *link)
{
	struct tls_start *start = &handshake->start;
	int error;

	/* A client has nothing to send before it has our Finished: such bytes belong to no record of
	 * this connection. */
	if (handshake->early.len || BIO_ctrl_pending(handshake->in))
		return HANDSHAKE_FAILED;
	if (!suite_of(handshake->ssl, start))
		return HANDSHAKE_FAILED;
	start->record_max = record_max_of(handshake->ssl);
	if (!(start->shape == TLS_SHAPE_13 ? keys_13(handshake) : keys_12(handshake)))
		return HANDSHAKE_FAILED;
	start->from_server = handshake->is_client;
	error = tls_begin(link->fd, start, link);
	if (error) {
		metric_add(METRIC_edge_out_of_memory, 1);
		return HANDSHAKE_FAILED;
	}
	metric_add(METRIC_edge_tls_handshakes, 1);
	if (SSL_session_reused(handshake->ssl))
		metric_add(METRIC_edge_tls_resumed, 1);
	return HANDSHAKE_DONE;
}

/* --- steps ---------------------------------------------------------------------------------- */

/* What OpenSSL has to say. 1: said. 0: the socket is full. Or -errno. */
static int handshake_flush(const struct handshake *handshake, int fd)
{
	for (;;) {
		uint8_t scrap[READ_SIZE];
		char *at;
		long len = BIO_get_mem_data(handshake->out, &at);
		ssize_t n;

		if (len <= 0)
			return 1;
		n = tcp_send(fd,
			     bytes_of(at, (size_t)len < sizeof scrap ? (size_t)len : sizeof scrap));
		if (n <= 0)
			return (int)n;
		if (BIO_read(handshake->out, scrap, (int)n) != n)
			return -ENOMEM;
	}
}

/* Up to size bytes from what was read already, or else from the socket. */
static ssize_t handshake_take(struct handshake *handshake, int fd, uint8_t *at, size_t size)
{
	struct bytes early = bytes_first(handshake->early, size);

	if (early.len == 0)
		return tcp_recv(fd, at, size);
	memcpy(at, early.at, early.len);
	handshake->early = bytes_skip(handshake->early, early.len);
	return (ssize_t)early.len;
}

/* Some more of the record under way for OpenSSL, and nothing behind it. 1, 0: the end, or -errno. */
static ssize_t handshake_read(struct handshake *handshake, int fd)
{
	uint8_t room[READ_SIZE];
	bool head = handshake->left == 0;
	size_t want = head ? TLS_HEADER_LEN - handshake->head_len : handshake->left;
	ssize_t n = handshake_take(handshake, fd, room, want < sizeof room ? want : sizeof room);

	if (n <= 0)
		return n;
	if (BIO_write(handshake->in, room, (int)n) != n)
		return -ENOMEM;
	if (!head) {
		handshake->left -= (size_t)n;
		return 1;
	}
	memcpy(handshake->head + handshake->head_len, room, (size_t)n);
	handshake->head_len += (size_t)n;
	if (handshake->head_len == TLS_HEADER_LEN) {
		handshake->left = (size_t)handshake->head[3] << 8 | handshake->head[4];
		handshake->head_len = 0;
	}
	return 1;
}

RUNS_ON(on_worker)
static enum handshake_status handshake_refused(const struct handshake *handshake, int fd)
{
	unsigned long code = ERR_peek_error();
	const char *why = ERR_reason_error_string(code);

	(void)handshake_flush(handshake, fd); /* the alert */
	log_debug("edge", "tls handshake failed", kv_str("why", why ? why : "ended by the client"));
	metric_add(METRIC_edge_tls_handshakes_failed, 1);
	ERR_clear_error();
	return HANDSHAKE_FAILED;
}

RUNS_ON(on_worker)
static enum handshake_status handshake_go(struct handshake *handshake, struct link *link)
{
	for (;;) {
		int went, sent;
		ssize_t n;

		ERR_clear_error();
		went = SSL_do_handshake(handshake->ssl);
		if (went != 1 && SSL_get_error(handshake->ssl, went) != SSL_ERROR_WANT_READ)
			return handshake_refused(handshake, link->fd);
		sent = handshake_flush(handshake, link->fd);
		if (sent == 0)
			return HANDSHAKE_WRITES;
		if (sent < 0)
			return HANDSHAKE_FAILED;
		if (went == 1)
			return handshake_end(handshake, link);
		n = handshake_read(handshake, link->fd);
		if (n == -EAGAIN)
			return HANDSHAKE_READS;
		if (n <= 0) {
			metric_add(METRIC_edge_tls_handshakes_failed, 1);
			return HANDSHAKE_FAILED;
		}
	}
}

enum handshake_status handshake_step(struct handshake *handshake, struct link *link)
{
	uint64_t began = uv_hrtime();
	enum handshake_status status = handshake_go(handshake, link);

	turn_spent += (uv_hrtime() - began) / 1000;
	return status;
}

bool handshake_has_time(void)
{
	uint64_t now = uv_now(&worker_here()->loop);

	if (now != turn) {
		turn = now;
		turn_spent = 0;
	}
	return turn_spent < TURN_US;
}

/* --- life ----------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static struct handshake *handshake_make(SSL *ssl)
{
	struct handshake *handshake = NULL;

	if (under_way < UNDER_WAY_MAX)
		handshake = calloc(1, sizeof *handshake);
	if (!handshake) {
		SSL_free(ssl);
		metric_add(METRIC_edge_tls_refused, 1);
		return NULL;
	}
	under_way++;
	handshake->ssl = ssl;
	handshake->in = BIO_new(BIO_s_mem());
	handshake->out = BIO_new(BIO_s_mem());
	if (!handshake->ssl || !handshake->in || !handshake->out) {
		BIO_free(handshake->in);
		BIO_free(handshake->out);
		SSL_free(handshake->ssl);
		handshake->ssl = NULL;
		handshake_destroy(&handshake);
		metric_add(METRIC_edge_tls_refused, 1);
		return NULL;
	}
	SSL_set_bio(handshake->ssl, handshake->in, handshake->out);
	SSL_set_app_data(handshake->ssl, handshake);
	SSL_set_msg_callback(handshake->ssl, on_message);
	SSL_set_msg_callback_arg(handshake->ssl, handshake);
	return handshake;
}

struct handshake *handshake_create(struct bytes early)
{
	struct handshake *handshake = handshake_make(tls_identity_handshake());

	if (!handshake)
		return NULL;
	handshake->early = early;
	SSL_set_accept_state(handshake->ssl);
	return handshake;
}

struct handshake *handshake_create_client(SSL *ssl)
{
	struct handshake *handshake = handshake_make(ssl);

	if (!handshake)
		return NULL;
	handshake->is_client = true;
	SSL_set_connect_state(handshake->ssl);
	return handshake;
}

/* Who somebody is: not whether anybody vouches for it. */
static int take_any(int sound, X509_STORE_CTX *context)
{
	(void)sound;
	X509_STORE_CTX_set_error(context, X509_V_OK);
	return 1;
}

struct handshake *handshake_create_asking(struct bytes early, const struct tls_identity *otherwise)
{
	SSL *ssl = tls_identity_in_force() ? tls_identity_handshake()
					   : tls_identity_handshake_of(otherwise);
	struct handshake *handshake = handshake_make(ssl);

	if (!handshake)
		return NULL;
	handshake->early = early;
	SSL_set_accept_state(ssl);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, take_any);
	/* A session that is taken up again may be one without its certificate. */
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	(void)SSL_set_num_tickets(ssl, 0);
	return handshake;
}

size_t handshake_certificate(const struct handshake *handshake, uint8_t *der, size_t size)
{
	X509 *certificate = SSL_get1_peer_certificate(handshake->ssl);
	int len = certificate ? i2d_X509(certificate, NULL) : 0;

	if (len <= 0 || (size_t)len > size)
		len = 0;
	else
		len = i2d_X509(certificate, &der);
	X509_free(certificate);
	return len > 0 ? (size_t)len : 0;
}

uint8_t *handshake_fingerprint(const struct handshake *handshake)
{
	X509 *certificate = SSL_get1_peer_certificate(handshake->ssl);
	uint8_t *digest = certificate ? malloc(HANDSHAKE_FINGERPRINT) : NULL;

	if (digest && X509_digest(certificate, EVP_sha512(), digest, NULL) != 1) {
		free(digest);
		digest = NULL;
	}
	X509_free(certificate);
	return digest;
}

SSL *handshake_ssl(const struct handshake *handshake)
{
	return handshake->ssl;
}

void handshake_destroy(struct handshake **handshake)
{
	if (!*handshake)
		return;
	SSL_free((*handshake)->ssl);
	tls_wipe(*handshake, sizeof **handshake);
	free(*handshake);
	*handshake = NULL;
	under_way--;
}
