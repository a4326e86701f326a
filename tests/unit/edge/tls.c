/* tls: our record layer against OpenSSL's, in every suite and both directions: sizes, small sockets,
 * new keys, tampering, renegotiation, ends; and by a successor that has nothing but the tables. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

#include "guarded.h"

#include "edge/edge.h"
#include "edge/tls_handshake.h"
#include "edge/tls_identity.h"
#include "edge/tls_part.h"
#include "edge/tls_self.h"
#include "edge/tls_ticket.h"

static struct worker worker;
static char pem[64];
static const char *const names[] = {"localhost", "other.example"};

static const struct {
	const char *name;
	int version;
} suites[] = {
	{"TLS_AES_128_GCM_SHA256", TLS1_3_VERSION},
	{"TLS_AES_256_GCM_SHA384", TLS1_3_VERSION},
	{"TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION},
	{"ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_2_VERSION},
	{"ECDHE-ECDSA-AES256-GCM-SHA384", TLS1_2_VERSION},
	{"ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION},
};

/* OpenSSL is the client, with its wire in our hands; the other end of the socket is the server's. */
struct box {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
	int wire;
	struct link link;
	size_t largest; /* record that the client was sent */
};

/* --- the client ----------------------------------------------------------------------------- */

/* What the client has to say goes to the wire, all or nothing being there to say; flip: the n-th byte
 * is another on its way. */
static void client_push(struct box *box, size_t flip)
{
	char *at;
	long len = BIO_get_mem_data(box->out, &at);

	if (len <= 0)
		return;
	if (flip)
		at[flip < (size_t)len ? flip : (size_t)len - 1] ^= 1;
	assert_int_equal(write(box->wire, at, (size_t)len), len);
	assert_int_equal(BIO_reset(box->out), 1);
}

static size_t client_pull(struct box *box)
{
	static uint8_t room[4096];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(box->wire, room, sizeof room, MSG_DONTWAIT)) > 0) {
		assert_int_equal(BIO_write(box->in, room, (int)n), n);
		all += (size_t)n;
	}
	return all;
}

static void on_record(int writing, int version, int type, const void *buf, size_t len, SSL *ssl,
		      void *argument)
{
	struct box *box = argument;
	const uint8_t *header = buf;

	(void)version;
	(void)ssl;
	if (!writing && type == SSL3_RT_HEADER && len == 5 && header[0] == TLS_DATA) {
		size_t size = (size_t)header[3] << 8 | header[4];

		box->largest = size > box->largest ? size : box->largest;
	}
}

static void client_open(struct box *box, size_t suite, SSL_SESSION *session)
{
	int version = suites[suite].version;

	box->context = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_set_min_proto_version(box->context, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(box->context, version), 1);
	if (version == TLS1_3_VERSION)
		assert_int_equal(SSL_CTX_set_ciphersuites(box->context, suites[suite].name), 1);
	else
		assert_int_equal(SSL_CTX_set_cipher_list(box->context, suites[suite].name), 1);
	box->ssl = SSL_new(box->context);
	if (session)
		assert_int_equal(SSL_set_session(box->ssl, session), 1);
	box->in = BIO_new(BIO_s_mem());
	box->out = BIO_new(BIO_s_mem());
	SSL_set_bio(box->ssl, box->in, box->out);
	SSL_set_msg_callback(box->ssl, on_record);
	SSL_set_msg_callback_arg(box->ssl, box);
	SSL_set_connect_state(box->ssl);
}

/* --- a connection --------------------------------------------------------------------------- */

/* TCP brings what was sent when the kernel has time, and nobody knows what is still under way. */
#define IDLE_MS 60000

static int box_nap(void)
{
	usleep(1000);
	return 1;
}

static void shake(struct box *box)
{
	struct handshake *handshake;
	enum handshake_status status = HANDSHAKE_READS;

	enter_worker();
	handshake = handshake_create((struct bytes){0});
	assert_non_null(handshake);
	for (int idle = 0;
	     idle < IDLE_MS && (status != HANDSHAKE_DONE || !SSL_is_init_finished(box->ssl));) {
		(void)SSL_do_handshake(box->ssl);
		client_push(box, 0);
		if (status != HANDSHAKE_DONE)
			status = handshake_step(handshake, &box->link);
		assert_int_not_equal(status, HANDSHAKE_FAILED);
		if (!client_pull(box))
			idle += box_nap();
	}
	assert_int_equal(status, HANDSHAKE_DONE);
	assert_int_not_equal(box->link.tls, 0);
	handshake_destroy(&handshake);
}

static void wires_make(struct box *box, int domain)
{
	int fds[2], small = 4608;

	assert_int_equal(socketpair(domain, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	box->wire = fds[1];
	box->link = link_plain(fds[0]);
}

static void box_open(struct box *box, size_t suite)
{
	*box = (struct box){0};
	wires_make(box, AF_UNIX);
	client_open(box, suite, NULL);
	shake(box);
}

static void box_close(struct box *box)
{
	enter_worker();
	link_close_gently(box->link);
	SSL_free(box->ssl);
	SSL_CTX_free(box->context);
	close(box->wire);
	assert_int_equal(tls_here.slots.used, 0);
	assert_int_equal(tls_here.rows.used, 0);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

/* Sends len bytes, of which first is at_; the client must get exactly those. cut: bytes a call. */
static void send_all(struct box *box, size_t first, size_t len, size_t cut)
{
	static uint8_t data[400000], got[400000];
	size_t sent = 0, have = 0;

	enter_worker();
	assert_true(len <= sizeof data);
	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(first + i);
	for (int idle = 0; have < len || link_flush(box->link) != 1;) {
		struct bytes rest = bytes_first(bytes_of(data + sent, len - sent), cut);
		struct bytes two[] = {bytes_first(rest, 3), bytes_skip(rest, 3)};
		ssize_t n = rest.len ? link_sendv(box->link, two, 2) : link_flush(box->link);
		int read;

		assert_true(n >= 0);
		if (rest.len)
			sent += (size_t)n;
		n = (ssize_t)client_pull(box);
		idle = n ? 0 : idle + 1;
		assert_true(idle < 10);
		while ((read = SSL_read(box->ssl, got + have, (int)(len - have))) > 0)
			have += (size_t)read;
	}
	assert_memory_equal(got, data, len);
}

/* The client sends len bytes; we must get exactly those, in pieces of at most cut bytes. */
static void recv_all(struct box *box, size_t len, size_t cut)
{
	static uint8_t data[100000];
	uint8_t got[32768];
	size_t have = 0;

	enter_worker();
	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(i);
	assert_int_equal(SSL_write(box->ssl, data, (int)len), len);
	client_push(box, 0);
	while (have < len) {
		ssize_t n = link_recv(box->link, got, cut);

		if (n == -EAGAIN)
			continue; /* records of nothing go by */
		assert_true(n > 0 && (size_t)n <= cut);
		assert_memory_equal(got, data + have, (size_t)n);
		have += (size_t)n;
	}
	assert_false(link_ready(box->link));
	assert_int_equal(link_recv(box->link, got, cut), -EAGAIN);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void bytes_go_both_ways_in_all_suites(void **state)
{
	static const size_t sizes[] = {1, 2, 100, 4096, 16383, 16384, 16385, 70000, 300000};
	struct box box;

	(void)state;
	for (size_t s = 0; s < COUNT_OF(suites); s++) {
		box_open(&box, s);
		for (size_t i = 0; i < COUNT_OF(sizes); i++)
			send_all(&box, i, sizes[i], SIZE_MAX);
		send_all(&box, 0, 20000, 997);
		for (size_t i = 0; i < 7; i++)
			recv_all(&box, sizes[i], 32768);
		recv_all(&box, 16384, 1);
		recv_all(&box, 16384, 16383);
		recv_all(&box, 50000, 8192);
		assert_true(box.largest > 16384);
		box_close(&box);
	}
}

static void keys_are_renewed_on_both_sides(void **state)
{
	struct box box;

	(void)state;
	for (size_t s = 0; s < 3; s++) {
		box_open(&box, s);
		for (int i = 0; i < 5; i++) {
			int kind = i % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;

			assert_int_equal(SSL_key_update(box.ssl, kind), 1);
			recv_all(&box, 1000, 32768);
			send_all(&box, 7, 30000, SIZE_MAX);
		}
		/* Ours: every fourth record has other keys. */
		tls_set_key_limit(4);
		send_all(&box, 0, 40000, 500);
		tls_set_key_limit(1u << 23);
		recv_all(&box, 1000, 32768);
		box_close(&box);
	}
}

/* The second client reads the ends of the first. */
static void either_side_can_end_it(void **state)
{
	struct box box;
	uint8_t byte;

	(void)state;
	enter_worker();
	for (size_t s = 0; s < COUNT_OF(suites); s++) {
		box_open(&box, s);
		assert_true(link_alive(box.link));
		assert_int_equal(SSL_shutdown(box.ssl), 0);
		client_push(&box, 0);
		assert_false(link_alive(box.link));
		assert_int_equal(link_recv(box.link, &byte, 1), 0);
		box_close(&box);

		box_open(&box, s);
		send_all(&box, 0, 100, SIZE_MAX);
		link_close_gently(box.link);
		client_pull(&box);
		assert_true(SSL_read(box.ssl, &byte, 1) <= 0);
		assert_int_equal(SSL_get_shutdown(box.ssl), SSL_RECEIVED_SHUTDOWN);
		SSL_free(box.ssl);
		SSL_CTX_free(box.context);
		close(box.wire);
		assert_int_equal(tls_here.rows.used, 0);
	}
}

static void a_changed_byte_ends_the_connection_and_is_named(void **state)
{
	static const size_t at[] = {5, 6, 13, 14, 20, 99, SIZE_MAX};
	struct box box;
	uint8_t got[200];

	(void)state;
	enter_worker();
	for (size_t s = 0; s < COUNT_OF(suites); s++)
		for (size_t i = 0; i < COUNT_OF(at); i++) {
			box_open(&box, s);
			assert_int_equal(SSL_write(box.ssl, got, 100), 100);
			client_push(&box, at[i]);
			assert_int_equal(link_recv(box.link, got, sizeof got), -EPROTO);
			assert_true(link_recv(box.link, got, sizeof got) < 0);
			assert_int_equal(link_send(box.link, BYTES("x")), -EPIPE);
			client_pull(&box);
			ERR_clear_error();
			assert_true(SSL_read(box.ssl, got, sizeof got) <= 0);
			assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
					 SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
			box_close(&box);
		}
}

static void a_header_that_is_none_ends_the_connection(void **state)
{
	static const struct {
		const char *wire;
		int reason;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE},
		{"\x17\3\3\x7f\xff", SSL_R_TLSV1_ALERT_RECORD_OVERFLOW},
		{"\x14\3\3\0\1\1", SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE},
	};
	struct box box;
	uint8_t got[200];

	(void)state;
	enter_worker();
	for (size_t s = 0; s < COUNT_OF(suites); s++)
		for (size_t i = 0; i < COUNT_OF(rows); i++) {
			size_t len = i == 2 ? 6 : strlen(rows[i].wire);

			box_open(&box, s);
			assert_int_equal(write(box.wire, rows[i].wire, len), len);
			assert_int_equal(link_recv(box.link, got, sizeof got), -EPROTO);
			client_pull(&box);
			ERR_clear_error();
			assert_true(SSL_read(box.ssl, got, sizeof got) <= 0);
			assert_int_equal(ERR_GET_REASON(ERR_peek_error()), rows[i].reason);
			box_close(&box);
		}
}

static void renegotiation_is_refused_and_nothing_else_happens(void **state)
{
	struct box box;
	uint8_t got[200];

	(void)state;
	enter_worker();
	for (size_t s = 3; s < COUNT_OF(suites); s++) {
		box_open(&box, s);
		assert_int_equal(SSL_renegotiate(box.ssl), 1);
		(void)SSL_do_handshake(box.ssl);
		client_push(&box, 0);
		assert_int_equal(link_recv(box.link, got, sizeof got), -EAGAIN);
		assert_int_equal(link_send(box.link, BYTES("still here")), 10);
		client_pull(&box);
		ERR_clear_error();
		assert_true(SSL_read(box.ssl, got, sizeof got) <= 0);
		assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
		box_close(&box);
	}
}

static void a_small_client_gets_small_records(void **state)
{
	struct box box = {0};

	(void)state;
	for (size_t s = 0; s < COUNT_OF(suites); s++) {
		box = (struct box){0};
		wires_make(&box, AF_UNIX);
		client_open(&box, s, NULL);
		assert_int_equal(SSL_set_tlsext_max_fragment_length(box.ssl,
								    TLSEXT_max_fragment_length_512),
				 1);
		shake(&box);
		box.largest = 0;
		send_all(&box, 0, 40000, SIZE_MAX);
		assert_in_range(box.largest, 512, 512 + 24);
		box_close(&box);
	}
}

/* What a new process does: other maps of the same tables, and no context. */
static void succeed(void)
{
	struct tls_tables tables = tls_tables_of(0);

	enter_worker();
	tables = (struct tls_tables){dup(tables.rows), dup(tables.slots), dup(tables.batch)};
	tls_worker_stop();
	tls_adopt(0, &tables);
	assert_int_equal(tls_worker_start(&worker), 0);
}

static void a_successor_goes_on_with_the_tables_alone(void **state)
{
	static uint8_t data[60000], got[60000];
	struct box box;

	(void)state;
	enter_worker();
	for (size_t s = 0; s < COUNT_OF(suites); s++) {
		size_t sent = 0, have = 0;
		uint8_t scrap[1000];
		char *at;
		long wire;
		int n;

		box_open(&box, s);
		succeed();
		recv_all(&box, 3000, 1000);
		/* In the middle of records of both directions. */
		for (size_t i = 0; i < sizeof data; i++)
			data[i] = byte_at(i);
		assert_int_equal(SSL_write(box.ssl, data, 5000), 5000);
		wire = BIO_get_mem_data(box.out, &at);
		assert_int_equal(write(box.wire, at, 1234), 1234);
		assert_int_equal(link_recv(box.link, scrap, sizeof scrap), -EAGAIN);
		while (sent < sizeof data) {
			ssize_t went =
				link_send(box.link, bytes_of(data + sent, sizeof data - sent));

			assert_true(went >= 0);
			sent += (size_t)went;
			succeed();
			client_pull(&box);
			while ((n = SSL_read(box.ssl, got + have, (int)(sizeof got - have))) > 0)
				have += (size_t)n;
		}
		while (link_flush(box.link) != 1)
			client_pull(&box);
		client_pull(&box);
		while ((n = SSL_read(box.ssl, got + have, (int)(sizeof got - have))) > 0)
			have += (size_t)n;
		assert_int_equal(have, sizeof data);
		assert_memory_equal(got, data, sizeof data);
		assert_int_equal(write(box.wire, at + 1234, (size_t)wire - 1234), wire - 1234);
		assert_int_equal(BIO_reset(box.out), 1);
		for (have = 0; have < 5000; have += (size_t)n) {
			n = (int)link_recv(box.link, got, 1000);
			assert_true(n > 0);
			assert_memory_equal(got, data + have, (size_t)n);
			succeed();
		}
		box_close(&box);
	}
}

static void what_nobody_claims_is_given_back(void **state)
{
	static uint8_t data[300000];
	struct box kept, lost;

	(void)state;
	enter_worker();
	box_open(&kept, 0);
	lost = (struct box){0};
	wires_make(&lost, AF_UNIX);
	client_open(&lost, 3, NULL);
	shake(&lost);
	assert_true(link_send(lost.link, bytes_of(data, sizeof data)) > 0);
	assert_int_not_equal(tls_row_of(lost.link)->out_slot, 0);
	succeed();
	assert_true(tls_claim(kept.link));
	tls_drop_unclaimed();
	assert_int_equal(tls_here.rows.used, 1);
	assert_int_equal(tls_here.slots.used, 0);
	send_all(&kept, 0, 20000, SIZE_MAX);
	SSL_free(lost.ssl);
	SSL_CTX_free(lost.context);
	close(lost.link.fd);
	close(lost.wire);
	box_close(&kept);
}

static void tcp_pair(struct box *box)
{
	struct tcp_end end = {.ip = {[10] = 0xff, 0xff, 127, 0, 0, 1}}, peer;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = tcp_listen(&end), fd, small = 4608;
	struct pollfd knock = {.fd = listener, .events = POLLIN};

	assert_true(listener >= 0);
	to.sin_port = htons(tcp_port(listener));
	box->wire = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(box->wire, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	assert_int_equal(connect(box->wire, (const struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(poll(&knock, 1, IDLE_MS), 1);
	fd = tcp_accept(listener, &peer);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	box->link = link_plain(fd);
	close(listener);
}

/* It died between the send and the books: the kernel has bytes of which the row says nothing. */
static void a_send_that_was_not_booked_is_found_out(void **state)
{
	static uint8_t data[30000], got[30000];
	uint64_t out, in;

	(void)state;
	enter_worker();
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = byte_at(i);
	for (size_t s = 0; s < COUNT_OF(suites); s++) {
		struct box box = {0};
		size_t sent = 0, have = 0;
		int n;

		tcp_pair(&box);
		client_open(&box, s, NULL);
		shake(&box);
		for (int idle = 0; have < sizeof data;) {
			struct tls_row *row = tls_row_of(box.link);
			struct tls_row before, after;
			uint32_t slot_at = row->out_slot ? tls_slot_of(row->out_slot)->at : 0;
			bool flushes = row->out_slot;

			before = *row;
			if (flushes)
				assert_true(link_flush(box.link) >= 0);
			else if (sent < sizeof data)
				sent += (size_t)link_send(box.link, bytes_of(data + sent,
									     sizeof data - sent));
			after = *row;
			if (!flushes && after.wire_out != before.wire_out) {
				*row = before;
				if (after.out_slot)
					tls_slot_give(&after.out_slot);
				tls_here.batch->row = box.link.tls;
				succeed();
				assert_true(tcp_carried(box.link.fd, &out, &in));
				assert_true(tls_recover(box.link, out, in));
				row = tls_row_of(box.link);
				assert_int_equal(row->out_seq, after.out_seq);
				assert_int_equal(row->taken, after.taken);
				assert_int_equal(row->wire_out, after.wire_out);
			} else if (flushes && row->out_slot) {
				struct tls_slot *slot = tls_slot_of(row->out_slot);

				slot->at = slot_at;
				row->wire_out = before.wire_out;
				assert_true(tcp_carried(box.link.fd, &out, &in));
				assert_true(tls_recover(box.link, out, in));
				assert_int_equal(row->wire_out, after.wire_out);
			}
			if (!client_pull(&box))
				idle += box_nap();
			while ((n = SSL_read(box.ssl, got + have, (int)(sizeof got - have))) > 0)
				have += (size_t)n;
			assert_true(idle < IDLE_MS);
		}
		assert_memory_equal(got, data, sizeof data);
		assert_true(tcp_carried(box.link.fd, &out, &in));
		assert_false(tls_recover(box.link, out + 1, in));
		assert_false(tls_recover(box.link, out, in - 1));
		box_close(&box);
	}
}

/* What a full socket left of a record must be kept somewhere: without a place for it the connection is
 * over, and the others go on. */
static void without_a_slot_left_only_that_connection_ends(void **state)
{
	static uint8_t data[300000];
	uint32_t taken[256], count = 0;
	struct box box;
	ssize_t n;

	(void)state;
	enter_worker();
	box_open(&box, 0);
	while (count < COUNT_OF(taken) && tls_slot_take(&taken[count]))
		count++;
	assert_in_range(count, 1, COUNT_OF(taken) - 1);
	do
		n = link_send(box.link, bytes_of(data, sizeof data));
	while (n > 0);
	assert_int_equal(n, -ENOMEM);
	assert_int_equal(link_send(box.link, BYTES("x")), -EPIPE);
	assert_int_equal(SSL_write(box.ssl, data, 100), 100);
	client_push(&box, 0);
	assert_true(link_recv(box.link, data, sizeof data) < 0);
	while (count)
		tls_slot_give(&taken[--count]);
	box_close(&box);
	box_open(&box, 0);
	send_all(&box, 0, 100000, SIZE_MAX);
	box_close(&box);
}

static bool resumes(size_t suite, SSL_SESSION **session)
{
	struct box box = {0};
	bool reused;

	wires_make(&box, AF_UNIX);
	client_open(&box, suite, *session);
	shake(&box);
	send_all(&box, 0, 5000, SIZE_MAX); /* the tickets of 1.3 come before */
	recv_all(&box, 5000, 8192);
	reused = SSL_session_reused(box.ssl);
	SSL_SESSION_free(*session);
	*session = SSL_get1_session(box.ssl);
	/* A client that is gone without a word has no session that OpenSSL would resume. */
	(void)SSL_shutdown(box.ssl);
	box_close(&box);
	return reused;
}

static void who_comes_again_resumes_until_keys_have_changed_twice(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(suites); s++) {
		SSL_SESSION *session = NULL;

		assert_false(resumes(s, &session));
		assert_true(resumes(s, &session));
		assert_true(tls_ticket_rotate());
		assert_true(resumes(s, &session));
		/* That brought a ticket of the new key, or 1.2 would be at its end here. */
		assert_true(tls_ticket_rotate());
		assert_true(resumes(s, &session));
		assert_true(tls_ticket_rotate());
		assert_true(tls_ticket_rotate());
		assert_false(resumes(s, &session));
		SSL_SESSION_free(session);
	}
}

static void garbage_is_no_handshake(void **state)
{
	static const char *const garbage[] = {
		"\x16",
		"\x16\3\1\0\5hello",
		"\x16\3\1\x40\1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"\x16GET / HTTP/1.1\r\n\r\n",
	};

	(void)state;
	enter_worker();
	for (size_t i = 0; i < COUNT_OF(garbage); i++) {
		struct box box = {0};
		struct handshake *handshake;

		wires_make(&box, AF_UNIX);
		handshake = handshake_create(bytes_of(garbage[i], i ? strlen(garbage[i]) : 1));
		assert_non_null(handshake);
		shutdown(box.wire, SHUT_WR);
		assert_int_equal(handshake_step(handshake, &box.link), HANDSHAKE_FAILED);
		handshake_destroy(&handshake);
		close(box.link.fd);
		close(box.wire);
	}
}

/* --- the stage ------------------------------------------------------------------------------ */

static int setup(void **state)
{
	static const struct edge_conf edge = {.http_connections = 64};
	const struct conf_list list = {names, COUNT_OF(names)};
	const struct tls_conf conf = {.ticket_lifetime = 3600000};
	const struct tls_pair pair = {pem, pem};
	struct tls_identity *identity;
	char fault[200];

	(void)state;
	role_here = ROLE_WORKER;
	enter_worker();
	snprintf(pem, sizeof pem, "/tmp/ringmain-tls-test-%ld.pem", (long)getpid());
	assert_true(tls_crypto_init() && tls_ticket_init());
	assert_true(tls_self_write(pem, &list, 1));
	identity = tls_identity_load(&conf, &pair, 1, fault, sizeof fault);
	if (!identity)
		fail_msg("%s", fault);
	assert_int_equal(edge_configure(&edge), 0);
	role_here = ROLE_CONTROL;
	enter_control();
	tls_identity_use(identity);
	role_here = ROLE_WORKER;
	return tls_worker_start(&worker);
}

static int teardown(void **state)
{
	(void)state;
	enter_worker();
	tls_worker_stop();
	tls_identity_fini();
	role_here = ROLE_CONTROL;
	enter_control();
	edge_fini();
	tls_crypto_fini();
	return unlink(pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways_in_all_suites),
		cmocka_unit_test(keys_are_renewed_on_both_sides),
		cmocka_unit_test(either_side_can_end_it),
		cmocka_unit_test(a_changed_byte_ends_the_connection_and_is_named),
		cmocka_unit_test(a_header_that_is_none_ends_the_connection),
		cmocka_unit_test(renegotiation_is_refused_and_nothing_else_happens),
		cmocka_unit_test(a_small_client_gets_small_records),
		cmocka_unit_test(a_successor_goes_on_with_the_tables_alone),
		cmocka_unit_test(what_nobody_claims_is_given_back),
		cmocka_unit_test(a_send_that_was_not_booked_is_found_out),
		cmocka_unit_test(without_a_slot_left_only_that_connection_ends),
		cmocka_unit_test(who_comes_again_resumes_until_keys_have_changed_twice),
		cmocka_unit_test(garbage_is_no_handshake),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
