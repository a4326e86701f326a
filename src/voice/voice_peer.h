/* voice_peer: one who is connected, as far as more than one thread knows him; and who hears whom.
 *
 *   control   decides: who he is, where he is, who may hear him           ── user (voice_user.h)
 *   worker c  has his connection                                          ── conn
 *   worker r  gets his datagrams, because his address leads there         ── rx
 *   any       sends to him: draws a number of out, looks where he is      ── out, way
 *
 *   speaker ─▶ stage ─▶ crowd: hearers, one array that never changes
 *
 * When somebody comes, goes or is muted, control makes a new crowd and puts it in the place of the
 * old one; whoever sends just then goes on with what he has. Crowds, stages and peers are freed when
 * a baton has been everywhere three times since nobody can find them any more (voice_retire), so
 * nobody counts references and nobody waits. */
#pragma once

#include <stdatomic.h>

#include "core/udp.h"
#include "core/worker.h"
#include "voice/proto/crypt_state.h"
#include "voice/proto/voice_packet.h"
#include "voice/voice_cipher.h"

#define VOICE_AIMS      30u /* targets that a client may set up: 1 to 30 */
#define VOICE_WAYS      4u
#define VOICE_DOORS_MAX 64u
#define VOICE_HASH_SIZE 41u /* of a certificate: SHA-1 as hexadecimal digits */

struct voice_peer;
struct voice_conn;
struct voice_user;

/* Something that is freed when nobody can be using it. */
struct voice_retired {
	struct voice_retired *next;
	void (*free)(struct voice_retired *retired);
};

struct voice_hearer {
	struct voice_peer *peer;
	float volume; /* a factor; 0: as it is */
	uint8_t why;  /* enum voice_context */
};

struct voice_crowd {
	struct voice_retired retired;
	size_t count;
	struct voice_hearer hearers[];
};

/* Those who hear what is said in some channels together. */
struct voice_stage {
	struct voice_retired retired;
	_Atomic(struct voice_crowd *)
		crowd; /* never NULL; release by control, acquire by workers */
	struct voice_stage *next OWNED_BY(on_control);
	uint32_t users OWNED_BY(on_control); /* who speak here */
	bool dirty OWNED_BY(on_control);
	size_t count OWNED_BY(on_control);
	uint32_t ids[]; /* of the channels, rising */
};

struct voice_aims {
	struct voice_retired retired;
	_Atomic(struct voice_crowd *) crowd[VOICE_AIMS]; /* NULL: not set up */
};

/* How datagrams reach a peer. */
struct voice_way {
	struct udp_path path;
	unsigned door; /* which of our ends */
};

/* What he told of our datagrams, and we of his: for statistics alone, relaxed. */
struct voice_counts {
	_Atomic uint32_t good, late, lost, resync;                 /* his, as we saw them */
	_Atomic uint32_t far_good, far_late, far_lost, far_resync; /* ours, as he says */
	_Atomic uint32_t udp_packets, tcp_packets;                 /* his pings, as he says */
	_Atomic uint32_t udp_average, udp_variance, tcp_average, tcp_variance; /* floats' bits */
	_Atomic uint64_t heard;   /* packets of voice of his */
	_Atomic uint64_t bytes;   /* of those */
	_Atomic int64_t spoke_us; /* mono */
};

/* Worker r's. */
struct voice_rx {
	struct crypt_in in;
	struct voice_peer *next_at, *next_host; /* in its tables */
	bool expected, bound;
	struct voice_way way;
	mono_t last_good, last_asked;
	int64_t budget; /* bytes that he may still send */
	mono_t budget_at;
	unsigned way_next;       /* the place of the next way, */
	mono_t left[VOICE_WAYS]; /* and since when none is there */
	uint64_t frame;          /* of his last packet of voice, and when it came */
	mono_t frame_at;
	uint32_t bad; /* in a row */
};

struct voice_peer {
	struct voice_retired retired;
	/* before anybody else knows him; then constant */
	struct worker *worker;
	struct tcp_end address;
	char hash[VOICE_HASH_SIZE]; /* of his certificate; "": he has none */
	uint8_t *certificate;       /* DER */
	size_t certificate_len;
	/* control, before he is admitted; then constant */
	uint32_t session; /* 0: not admitted */
	enum voice_form form;
	struct voice_key key;
	struct crypt_nonce out_base, in_base;

	_Atomic uint64_t sealed; /* datagrams numbered for him; relaxed: only that each differs */
	/* NULL: through the tunnel. Release by worker r, acquire by whoever sends, perhaps a while
	 * after it is no longer his: the places are used in turn, and each lies idle for a second. */
	_Atomic(struct voice_way *) way;
	struct voice_way ways[VOICE_WAYS];
	_Atomic bool
		tunnels; /* his own voice comes through the tunnel, or our datagrams do not reach him */
	_Atomic bool outside;   /* not admitted yet; release by control, acquire by worker c */
	_Atomic bool silent;    /* may not be heard: muted, suppressed, deaf, not admitted */
	_Atomic bool deaf;      /* hears nothing */
	_Atomic uint64_t place; /* hash of where a game has him; 0: nowhere */
	_Atomic(struct voice_stage *) stage;
	_Atomic(struct voice_aims *) aims;
	_Atomic uint32_t record; /* what he says in his room is recorded; 0: it is not */
	struct voice_counts counts;

	struct voice_rx rx;
	struct voice_conn *conn OWNED_BY(on_worker);
	struct voice_user *user OWNED_BY(on_control); /* NULL until he says who he is */
};

/* Something that somebody said, on its way to a crowd. */
struct voice_speech {
	struct voice_packet packet;
	struct voice_peer *speaker;
};
