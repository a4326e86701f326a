/* mumble_link: one client's connection to a Mumble server: TLS for control, UDP for voice where it gets
 * through, the tunnel in TLS where not.
 *
 *     open ─▶ CONNECTED ─▶ Version, Authenticate … CryptSetup … ServerSync ─▶ JOINED ─▶ … ─▶ GONE
 *
 *     poll(tcp, udp) ──▶ mumble_link_turn() ──▶ hooks: message, voice
 *                        mumble_link_say(), mumble_link_send()
 *
 * The owner polls and says what the time is: one thread can turn hundreds of links. What can block is only
 * mumble_link_open() (names, the TLS handshake), for at most its limit. Nothing is lost on the way
 * out but voice: what the peer does not take at once waits in a bounded queue, and voice that would
 * have to wait in it is dropped and counted.
 *
 * Source: Mumble's docs/dev/network-protocol. No thread, no signal, no log. */
#pragma once

#include <openssl/ssl.h>

#include "core/buffer.h"
#include "core/check.h"
#include "core/clock.h"
#include "mumble_crypt.h"

#include "voice/proto/message.h"
#include "voice/proto/voice_packet.h"

#define MUMBLE_PORT 64738

struct mumble_link;

struct mumble_hooks {
	/* Every control message but pings, also those before ServerSync. It holds during the call. */
	void (*message)(struct mumble_link *link, const struct mumble_message *message);
	/* Somebody speaks. It holds during the call. tunnelled: it came through TLS. */
	void (*voice)(struct mumble_link *link, const struct voice_packet *packet, bool tunnelled);
};

struct mumble_options {
	const char *host;
	uint16_t port;
	const char *from; /* an address of ours to connect from, or NULL */
	const char *user, *password;
	const char *const *tokens; /* ends with NULL; or NULL */
	const char *certificate;   /* a PEM file with certificate and key, or NULL */
	const char *fingerprint; /* SHA-256 in hex that the server's must have; NULL: any will do */
	bool tunnel_only;        /* never UDP */
	bool modern; /* says that it is 1.5: protobuf voice where the server has it too */
	int seconds; /* what opening may take */
};

enum mumble_state {
	MUMBLE_CONNECTED,
	MUMBLE_JOINED,
	MUMBLE_GONE, /* why says it */
};

struct mumble_link {
	const struct mumble_hooks *hooks;
	enum mumble_state state;
	int tcp, udp; /* to be polled; udp is -1 where there is none */
	char why[256];
	uint32_t session;
	uint64_t server_version;
	enum voice_form form;

	bool udp_works; /* a ping came back a short time ago */
	mono_t udp_heard, tcp_heard, pinged;

	uint64_t sent_udp, sent_tunnel, heard_udp, heard_tunnel, dropped;

	SSL *ssl;
	struct mumble_crypt crypt;
	struct buffer in, out;
	size_t out_sent; /* bytes of out that the server has */
	bool wants_write, modern;
};

/* Connects, shakes hands, says who we are. False: link->why says why. Zeroes *link first; close it in
 * any case. */
bool mumble_link_open(struct mumble_link *link, const struct mumble_options *options,
		      const struct mumble_hooks *hooks);
void mumble_link_close(struct mumble_link *link);

/* What poll() is to wait for on link->tcp; on link->udp it is always POLLIN. */
short mumble_link_wants(const struct mumble_link *link);

/* Takes what is there on both, and sends pings when it is time. Call it when poll() says so, and a few
 * times a second. False: GONE. */
bool mumble_link_turn(struct mumble_link *link, mono_t now);

/* Takes datagrams alone, for those who turn hundreds of links and know which descriptor is ready. */
void mumble_link_hear(struct mumble_link *link, mono_t now);

/* A control message. False: GONE, or more waits than the server will ever take. */
bool mumble_link_send(struct mumble_link *link, const struct mumble_message *message);

/* A voice packet, by UDP where that works. False: dropped. */
bool mumble_link_say(struct mumble_link *link, const struct voice_packet *packet);
