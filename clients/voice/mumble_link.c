#include "mumble_link.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "voice/proto/frame.h"
#include "voice/proto/voice_ping.h"

#define PING_US     5000000
#define UDP_SILENCE 12000000 /* so long without a datagram, and the tunnel is used */
#define TCP_SILENCE 30000000
#define QUEUE_MAX   (1u << 20) /* bytes that wait for the server */
#define QUEUE_VOICE 4096u      /* voice does not queue up behind more */
#define READ_SIZE   16384u
#define ROOM_SIZE   (1u << 20) /* arrays of one message */

static bool gone(struct mumble_link *link, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool gone(struct mumble_link *link, const char *format, ...)
{
	va_list args;

	if (link->state != MUMBLE_GONE) {
		va_start(args, format);
		vsnprintf(link->why, sizeof link->why, format, args);
		va_end(args);
	}
	link->state = MUMBLE_GONE;
	return false;
}

static const char *tls_fault(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;

	return why ? why : errno ? strerror(errno) : "it closed the connection";
}

/* --- opening ----------------------------------------------------------------------------------- */

static bool bind_from(int fd, int family, const char *from)
{
	struct addrinfo hints = {.ai_family = family, .ai_flags = AI_NUMERICHOST}, *at;
	bool bound;

	if (!from)
		return true;
	if (getaddrinfo(from, NULL, &hints, &at) != 0) {
		errno = EADDRNOTAVAIL;
		return false;
	}
	bound = bind(fd, at->ai_addr, at->ai_addrlen) == 0;
	freeaddrinfo(at);
	return bound;
}

static int socket_to(const struct addrinfo *at, const char *from, int type, int seconds)
{
	struct timeval limit = {.tv_sec = seconds};
	int fd = socket(at->ai_family, type | SOCK_CLOEXEC, 0), one = 1;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (!bind_from(fd, at->ai_family, from) || connect(fd, at->ai_addr, at->ai_addrlen) == -1) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static bool connect_both(struct mumble_link *link, const struct mumble_options *options)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
	char port[8];
	int error;

	snprintf(port, sizeof port, "%d", options->port ? options->port : MUMBLE_PORT);
	error = getaddrinfo(options->host, port, &hints, &all);
	if (error)
		return gone(link, "%s: %s", options->host, gai_strerror(error));
	for (const struct addrinfo *at = all; at && link->tcp == -1; at = at->ai_next) {
		link->tcp = socket_to(at, options->from, SOCK_STREAM, options->seconds);
		if (link->tcp != -1 && !options->tunnel_only)
			link->udp = socket_to(at, options->from, SOCK_DGRAM, options->seconds);
	}
	error = errno;
	freeaddrinfo(all);
	if (link->tcp == -1)
		return gone(link, "%s port %s: %s", options->host, port, strerror(error));
	return true;
}

static bool fingerprint_is(SSL *ssl, const char *wanted)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	char text[2 * EVP_MAX_MD_SIZE + 1];

	if (!certificate || X509_digest(certificate, EVP_sha256(), digest, &len) != 1)
		return false;
	for (unsigned i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return strcasecmp(text, wanted) == 0;
}

/* Mumble servers sign their own certificates: who cares which one it is names its fingerprint. */
static bool shake_hands(struct mumble_link *link, const struct mumble_options *options)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	ERR_clear_error();
	link->ssl = context ? SSL_new(context) : NULL;
	SSL_CTX_free(context);
	if (!link->ssl)
		return gone(link, "OpenSSL: %s", tls_fault());
	if (options->certificate &&
	    (SSL_use_certificate_file(link->ssl, options->certificate, SSL_FILETYPE_PEM) != 1 ||
	     SSL_use_PrivateKey_file(link->ssl, options->certificate, SSL_FILETYPE_PEM) != 1))
		return gone(link, "%s: a certificate and its key in PEM are wanted (%s)",
			    options->certificate, tls_fault());
	SSL_set_mode(link->ssl,
		     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_ctrl(link->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		 (void *)(uintptr_t)options->host);
	errno = 0;
	if (SSL_set_fd(link->ssl, link->tcp) != 1 || SSL_connect(link->ssl) != 1)
		return gone(link, "TLS: %s", tls_fault());
	if (options->fingerprint && !fingerprint_is(link->ssl, options->fingerprint))
		return gone(link, "the server's certificate is not the one that was named");
	fcntl(link->tcp, F_SETFL, O_NONBLOCK);
	if (link->udp != -1)
		fcntl(link->udp, F_SETFL, O_NONBLOCK);
	return true;
}

static bool introduce(struct mumble_link *link, const struct mumble_options *options)
{
	struct mumble_message version, login;
	struct bytes tokens[64];
	size_t count = 0;

	message_init(&version, MUMBLE_VERSION);
	MUMBLE_SET(&version.version, version, version_v1,
		   options->modern ? mumble_version_v1(1, 5, 0) : mumble_version_v1(1, 4, 0));
	if (options->modern)
		MUMBLE_SET(&version.version, version, version_v2, mumble_version_v2(1, 5, 0));
	MUMBLE_SET(&version.version, version, release, BYTES("ringmain client"));
	MUMBLE_SET(&version.version, version, os, BYTES("Linux"));
	message_init(&login, MUMBLE_AUTHENTICATE);
	MUMBLE_SET(&login.authenticate, authenticate, username, bytes_str(options->user));
	if (options->password)
		MUMBLE_SET(&login.authenticate, authenticate, password,
			   bytes_str(options->password));
	for (; options->tokens && options->tokens[count] && count < COUNT_OF(tokens); count++)
		tokens[count] = bytes_str(options->tokens[count]);
	login.authenticate.tokens.at = tokens;
	login.authenticate.tokens.count = count;
	MUMBLE_SET(&login.authenticate, authenticate, opus, true);
	return mumble_link_send(link, &version) && mumble_link_send(link, &login);
}

bool mumble_link_open(struct mumble_link *link, const struct mumble_options *options,
		      const struct mumble_hooks *hooks)
{
	*link = (struct mumble_link){.hooks = hooks, .tcp = -1, .udp = -1};
	link->form = VOICE_LEGACY;
	link->modern = options->modern;
	if (!connect_both(link, options) || !shake_hands(link, options))
		return false;
	link->tcp_heard = link->pinged = mono_now();
	return introduce(link, options);
}

void mumble_link_close(struct mumble_link *link)
{
	if (link->ssl && link->state != MUMBLE_GONE) {
		ERR_clear_error();
		SSL_shutdown(link->ssl);
	}
	SSL_free(link->ssl);
	link->ssl = NULL;
	if (link->tcp >= 0)
		close(link->tcp);
	if (link->udp >= 0)
		close(link->udp);
	link->tcp = link->udp = -1;
	mumble_crypt_fini(&link->crypt);
	buffer_fini(&link->in);
	buffer_fini(&link->out);
	link->state = MUMBLE_GONE;
}

/* --- out --------------------------------------------------------------------------------------- */

short mumble_link_wants(const struct mumble_link *link)
{
	return link->wants_write || link->out.len > link->out_sent ? POLLIN | POLLOUT : POLLIN;
}

static size_t queued(const struct mumble_link *link)
{
	return link->out.len - link->out_sent;
}

static bool flush(struct mumble_link *link)
{
	while (queued(link) > 0) {
		size_t written;
		int result;

		ERR_clear_error();
		errno = 0;
		result = SSL_write_ex(link->ssl, link->out.at + link->out_sent, queued(link),
				      &written);
		if (result == 1) {
			link->out_sent += written;
			continue;
		}
		switch (SSL_get_error(link->ssl, result)) {
		case SSL_ERROR_WANT_READ: return true;
		case SSL_ERROR_WANT_WRITE: link->wants_write = true; return true;
		default: return gone(link, "TLS: %s", tls_fault());
		}
	}
	link->wants_write = false;
	link->out.len = link->out_sent = 0;
	return true;
}

/* Room for len bytes more, behind what waits. NULL: there is none. */
static uint8_t *queue_room(struct mumble_link *link, size_t len)
{
	size_t waiting = queued(link);

	if (waiting + len > QUEUE_MAX)
		return NULL;
	if (link->out_sent > 0) {
		memmove(link->out.at, link->out.at + link->out_sent, waiting);
		link->out.len = waiting;
		link->out_sent = 0;
	}
	if (waiting + len > link->out.size) {
		size_t size = 2 * (waiting + len);
		uint8_t *at = realloc(link->out.at, size);

		if (!at)
			return NULL;
		link->out.at = at;
		link->out.size = size;
	}
	return link->out.at + waiting;
}

bool mumble_link_send(struct mumble_link *link, const struct mumble_message *message)
{
	size_t len = FRAME_HEAD + message_len(message);
	uint8_t *at = link->state == MUMBLE_GONE ? NULL : queue_room(link, len);
	struct writer w = writer_of(at, at ? len : 0);

	if (!at)
		return gone(link, "the server takes nothing any more");
	frame_write_message(message, &w);
	link->out.len += writer_done(&w).len;
	return flush(link);
}

static bool send_datagram(struct mumble_link *link, struct bytes plain)
{
	uint8_t sealed[VOICE_PACKET_MAX + MUMBLE_CRYPT_HEAD];

	mumble_crypt_seal(&link->crypt, plain, sealed);
	return send(link->udp, sealed, plain.len + MUMBLE_CRYPT_HEAD, MSG_DONTWAIT) != -1;
}

static bool tunnel(struct mumble_link *link, struct bytes packet)
{
	uint8_t *at = queued(link) > QUEUE_VOICE ? NULL : queue_room(link, FRAME_HEAD + packet.len);
	struct writer w = writer_of(at, at ? FRAME_HEAD + packet.len : 0);

	if (!at)
		return false;
	frame_write(MUMBLE_UDP_TUNNEL, packet, &w);
	link->out.len += writer_done(&w).len;
	return flush(link);
}

bool mumble_link_say(struct mumble_link *link, const struct voice_packet *packet)
{
	uint8_t plain[VOICE_PACKET_MAX];
	struct writer w = writer_of(plain, sizeof plain);

	if (link->state != MUMBLE_JOINED ||
	    !voice_packet_write(packet, link->form, VOICE_FROM_CLIENT, &w)) {
		link->dropped++;
		return false;
	}
	if (link->udp_works && send_datagram(link, writer_done(&w))) {
		link->sent_udp++;
		return true;
	}
	if (!tunnel(link, writer_done(&w))) {
		link->dropped++;
		return false;
	}
	link->sent_tunnel++;
	return true;
}

/* --- pings ------------------------------------------------------------------------------------- */

static void ping_udp(struct mumble_link *link, mono_t now)
{
	uint8_t plain[VOICE_PING_MAX];
	struct writer w = writer_of(plain, sizeof plain);
	const struct voice_ping ping = {.form = link->form, .timestamp = (uint64_t)now.us};

	voice_ping_write(&ping, &w);
	(void)!send_datagram(link, writer_done(&w));
}

static bool ping_tcp(struct mumble_link *link, mono_t now)
{
	struct mumble_message ping;

	message_init(&ping, MUMBLE_PING);
	MUMBLE_SET(&ping.ping, ping, timestamp, (uint64_t)now.us);
	MUMBLE_SET(&ping.ping, ping, good, link->crypt.good);
	MUMBLE_SET(&ping.ping, ping, late, link->crypt.late);
	MUMBLE_SET(&ping.ping, ping, lost, link->crypt.lost);
	MUMBLE_SET(&ping.ping, ping, resync, link->crypt.resyncs);
	MUMBLE_SET(&ping.ping, ping, udp_packets, (uint32_t)link->heard_udp);
	MUMBLE_SET(&ping.ping, ping, tcp_packets, (uint32_t)link->heard_tunnel);
	return mumble_link_send(link, &ping);
}

/* An empty CryptSetup asks for the server's nonce. */
static bool ask_for_resync(struct mumble_link *link)
{
	struct mumble_message setup;

	message_init(&setup, MUMBLE_CRYPT_SETUP);
	return mumble_link_send(link, &setup);
}

static bool tick(struct mumble_link *link, mono_t now)
{
	if (mono_since_us(now, link->tcp_heard) > TCP_SILENCE)
		return gone(link, "the server is silent");
	if (link->udp_works && mono_since_us(now, link->udp_heard) > UDP_SILENCE) {
		link->udp_works = false;
		if (!ask_for_resync(link))
			return false;
	}
	if (mono_since_us(now, link->pinged) < PING_US)
		return true;
	link->pinged = now;
	if (link->crypt.ready && link->udp != -1)
		ping_udp(link, now);
	return ping_tcp(link, now);
}

/* --- in ---------------------------------------------------------------------------------------- */

static void take_voice(struct mumble_link *link, struct bytes plain, bool tunnelled)
{
	struct voice_packet packet;

	if (voice_packet_kind(plain, link->form) != VOICE_IS_AUDIO ||
	    !voice_packet_parse(plain, link->form, VOICE_FROM_SERVER, &packet))
		return;
	if (tunnelled)
		link->heard_tunnel++;
	else
		link->heard_udp++;
	link->hooks->voice(link, &packet, tunnelled);
}

static bool take_crypt_setup(struct mumble_link *link, const struct mumble_crypt_setup *setup)
{
	struct mumble_message answer;

	if (setup->key.len > 0) {
		if (!mumble_crypt_start(&link->crypt, setup->key, setup->client_nonce,
					setup->server_nonce))
			return gone(link, "the server's keys cannot be used");
		/* At once, so that the server knows where we are. */
		if (link->udp != -1)
			ping_udp(link, mono_now());
		return true;
	}
	if (setup->server_nonce.len > 0) {
		mumble_crypt_resync(&link->crypt, setup->server_nonce);
		return true;
	}
	/* It has lost count of ours. */
	message_init(&answer, MUMBLE_CRYPT_SETUP);
	MUMBLE_SET(&answer.crypt_setup, crypt_setup, client_nonce,
		   bytes_of(link->crypt.out, sizeof link->crypt.out));
	return mumble_link_send(link, &answer);
}

/* What the link itself has to know of a message. */
static bool take_own(struct mumble_link *link, const struct mumble_message *message)
{
	switch ((unsigned)message->type) {
	case MUMBLE_VERSION:
		link->server_version = mumble_version_of(&message->version);
		if (link->modern && link->server_version >= mumble_version_v2(1, 5, 0))
			link->form = VOICE_PROTOBUF;
		return true;
	case MUMBLE_CRYPT_SETUP: return take_crypt_setup(link, &message->crypt_setup);
	case MUMBLE_SERVER_SYNC:
		link->session = message->server_sync.session;
		link->state = MUMBLE_JOINED;
		return true;
	case MUMBLE_REJECT:
		return gone(link, "refused: %.*s", (int)message->reject.reason.len,
			    (const char *)message->reject.reason.at);
	case MUMBLE_USER_REMOVE:
		if (link->state == MUMBLE_JOINED && message->user_remove.session == link->session)
			return gone(link, "put out: %.*s", (int)message->user_remove.reason.len,
				    (const char *)message->user_remove.reason.at);
		return true;
	default: return true;
	}
}

static bool take_frame(struct mumble_link *link, const struct frame *frame)
{
	static _Thread_local uint8_t arrays[ROOM_SIZE];
	struct message_room room = message_room_of(arrays, sizeof arrays);
	struct mumble_message message;
	enum message_status status;

	if (frame->type == MUMBLE_UDP_TUNNEL) {
		take_voice(link, frame->body, true);
		return true;
	}
	status = message_decode(frame->type, frame->body, &room, &message);
	if (status == MESSAGE_UNKNOWN)
		return true;
	if (status != MESSAGE_OK)
		return gone(link, "a message of type %u cannot be read", frame->type);
	if (!take_own(link, &message))
		return false;
	if (message.type != MUMBLE_PING)
		link->hooks->message(link, &message);
	return link->state != MUMBLE_GONE;
}

static bool take_frames(struct mumble_link *link)
{
	struct bytes rest = buffer_bytes(&link->in);
	struct frame frame;
	size_t used;

	for (;;) {
		switch (frame_parse(rest, 1u << 20, &frame, &used)) {
		case FRAME_TOO_LONG: return gone(link, "a frame of the server is too long");
		case FRAME_MORE:
			memmove(link->in.at, rest.at, rest.len);
			link->in.len = rest.len;
			return true;
		case FRAME_WHOLE:
			rest = bytes_skip(rest, used);
			if (!take_frame(link, &frame))
				return false;
		}
	}
}

static bool in_room(struct mumble_link *link)
{
	uint8_t *at;

	if (link->in.size - link->in.len >= READ_SIZE)
		return true;
	at = realloc(link->in.at, link->in.size * 2 + READ_SIZE);
	if (!at)
		return gone(link, "out of memory");
	link->in.at = at;
	link->in.size = link->in.size * 2 + READ_SIZE;
	return true;
}

static bool read_tcp(struct mumble_link *link, mono_t now)
{
	for (;;) {
		size_t got;
		int result;

		if (!in_room(link))
			return false;
		ERR_clear_error();
		errno = 0;
		result = SSL_read_ex(link->ssl, link->in.at + link->in.len, READ_SIZE, &got);
		if (result != 1) {
			switch (SSL_get_error(link->ssl, result)) {
			case SSL_ERROR_WANT_READ: return true;
			case SSL_ERROR_WANT_WRITE: link->wants_write = true; return true;
			case SSL_ERROR_ZERO_RETURN:
				return gone(link, "the server closed the connection");
			default: return gone(link, "TLS: %s", tls_fault());
			}
		}
		link->tcp_heard = now;
		link->in.len += got;
		if (!take_frames(link))
			return false;
	}
}

void mumble_link_hear(struct mumble_link *link, mono_t now)
{
	while (link->udp != -1) {
		uint8_t sealed[2048], plain[2048];
		ssize_t got = recv(link->udp, sealed, sizeof sealed, MSG_DONTWAIT);
		struct bytes packet;

		if (got <= 0)
			return;
		packet = mumble_crypt_open(&link->crypt, bytes_of(sealed, (size_t)got), plain, now);
		if (packet.len == 0) {
			if (mumble_crypt_asks(&link->crypt, now) && !ask_for_resync(link))
				return;
			continue;
		}
		link->udp_works = true;
		link->udp_heard = now;
		take_voice(link, packet, false);
	}
}

bool mumble_link_turn(struct mumble_link *link, mono_t now)
{
	if (link->state == MUMBLE_GONE)
		return false;
	mumble_link_hear(link, now);
	return flush(link) && read_tcp(link, now) && tick(link, now);
}
