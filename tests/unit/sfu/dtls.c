#include "sfu/dtls.h"

#include <openssl/ssl.h>
#include <string.h>

#include "guarded.h"
#include "sfu/proto/rtp.h"

/* Datagrams on their way to one side. */
struct wire {
	struct dtls *to;
	unsigned count, drop; /* drop: bit n loses the n-th */
	unsigned sent;
	struct {
		uint8_t at[2048];
		size_t len;
	} held[32];
};

static struct wire to_server, to_client;

static void put(void *owner, struct bytes datagram)
{
	struct wire *wire = owner;
	unsigned n = wire->sent++;

	if (n < 32 && wire->drop >> n & 1)
		return;
	assert_true(wire->count < 32 && datagram.len <= 1500);
	memcpy(wire->held[wire->count].at, datagram.at, datagram.len);
	wire->held[wire->count++].len = datagram.len;
}

static void carry(struct wire *wire, bool reversed)
{
	unsigned count = wire->count;
	static uint8_t at[32][2048];
	size_t len[32];

	for (unsigned i = 0; i < count; i++) {
		memcpy(at[i], wire->held[i].at, wire->held[i].len);
		len[i] = wire->held[i].len;
	}
	wire->count = 0;
	for (unsigned i = 0; i < count; i++) {
		unsigned n = reversed ? count - 1 - i : i;

		(void)dtls_input(wire->to, bytes_of(at[n], len[n]));
	}
}

static void make(struct dtls **server, struct dtls **client, const char *print)
{
	to_server = to_client = (struct wire){0};
	*server = dtls_create(false, BYTES("sha-256"), bytes_str(print), put, &to_client);
	*client =
		dtls_create(true, BYTES("SHA-256"), bytes_str(dtls_fingerprint()), put, &to_server);
	assert_non_null(*server);
	assert_non_null(*client);
	to_server.to = *server;
	to_client.to = *client;
}

static enum dtls_state shake(struct dtls *server, struct dtls *client, bool reversed)
{
	enum dtls_state of_server = DTLS_RUNNING, of_client = DTLS_RUNNING;

	(void)dtls_start(client);
	for (unsigned turn = 0;
	     turn < 400 && (of_server == DTLS_RUNNING || of_client == DTLS_RUNNING); turn++) {
		if (!to_server.count && !to_client.count)
			usleep(20000);
		carry(&to_server, reversed);
		carry(&to_client, reversed);
		(void)dtls_tick(server, &of_server);
		(void)dtls_tick(client, &of_client);
	}
	assert_int_equal(of_client == DTLS_DONE, of_server == DTLS_DONE);
	return of_server;
}

static void test_both_have_the_same_keys(void **state)
{
	struct srtp s_in, s_out, c_in, c_out;
	struct dtls *server, *client;
	uint8_t sealed[64], opened[64];
	struct bytes packet = BYTES("\x80\x60\0\1\0\0\0\2\0\0\0\3hello");
	size_t len;

	(void)state;
	make(&server, &client, dtls_fingerprint());
	assert_int_equal(shake(server, client, false), DTLS_DONE);
	assert_int_equal(dtls_keys(server, &s_in, &s_out), 0);
	assert_int_equal(dtls_keys(client, &c_in, &c_out), 0);
	assert_int_equal(s_out.profile, SRTP_GCM_128);
	len = srtp_seal(&s_out, bytes_first(packet, 12), bytes_skip(packet, 12), 3, 1, sealed);
	assert_int_equal(srtp_unseal(&c_in, bytes_of(sealed, len), opened, &len), SRTP_OK);
	assert_memory_equal(opened, packet.at, packet.len);
	len = srtp_seal(&c_out, bytes_first(packet, 12), bytes_skip(packet, 12), 3, 1, sealed);
	assert_int_equal(srtp_unseal(&s_in, bytes_of(sealed, len), opened, &len), SRTP_OK);
	srtp_close(&s_in);
	srtp_close(&s_out);
	srtp_close(&c_in);
	srtp_close(&c_out);
	/* The farewell is understood. Who was late may have said more than was needed before. */
	to_server.count = 0;
	dtls_destroy(client);
	to_client.to = NULL;
	assert_int_equal(to_server.count, 1);
	assert_int_equal(dtls_input(server, bytes_of(to_server.held[0].at, to_server.held[0].len)),
			 DTLS_CLOSED);
	dtls_destroy(server);
}

/* A server that has finished, and its client that has not. */
static void finish(struct dtls_rest *rest, struct dtls **client)
{
	struct dtls *server;

	make(&server, client, dtls_fingerprint());
	assert_int_equal(shake(server, *client, false), DTLS_DONE);
	to_server.count = to_client.count = 0;
	dtls_finish(server, rest);
	to_server.to = NULL;
	assert_int_equal(to_client.count, 0); /* not a word */
	assert_true(rest->reads && rest->flight_len && rest->farewell_len);
}

static void test_what_is_left_says_farewell(void **state)
{
	struct dtls_rest rest;
	struct dtls *client;

	(void)state;
	finish(&rest, &client);
	assert_int_equal(dtls_input(client, bytes_of(rest.farewell, rest.farewell_len)),
			 DTLS_CLOSED);
	dtls_destroy(client);
}

static void test_what_is_left_hears_a_farewell(void **state)
{
	struct dtls_rest rest;
	struct dtls *client;
	uint8_t *at;
	size_t len;

	(void)state;
	finish(&rest, &client);
	dtls_destroy(client);
	assert_int_equal(to_server.count, 1);
	at = to_server.held[0].at;
	len = to_server.held[0].len;
	assert_int_equal(dtls_rest_read(&rest, bytes_of(at, len)), DTLS_SAID_FAREWELL);
	/* A part of one is none, nor is one with a bit turned, of which none is idle: those of the
	 * version and the length too are authenticated. */
	for (size_t n = 0; n < len; n++) {
		struct bytes part = guarded(bytes_of(at, n));

		assert_int_equal(dtls_rest_read(&rest, part), DTLS_SAID_NOTHING);
		guarded_free(part);
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		at[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(dtls_rest_read(&rest, bytes_of(at, len)), DTLS_SAID_FAREWELL);
		at[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	rest.reads = false;
	assert_int_equal(dtls_rest_read(&rest, bytes_of(at, len)), DTLS_SAID_NOTHING);
}

/* The server is done when its last flight is lost; the client asks again. */
static void test_the_last_flight_is_kept(void **state)
{
	struct dtls *server, *client;
	struct dtls_rest rest;
	enum dtls_state of_client = DTLS_RUNNING;

	(void)state;
	make(&server, &client, dtls_fingerprint());
	(void)dtls_start(client);
	while (dtls_input(server, BYTES("")) != DTLS_DONE) {
		to_client.count = 0;
		carry(&to_server, false);
		if (dtls_input(server, BYTES("")) != DTLS_DONE)
			carry(&to_client, false);
		if (!to_server.count)
			(void)dtls_tick(client, &of_client);
	}
	to_client.count = to_server.count = 0;
	dtls_finish(server, &rest);
	to_server.to = NULL;
	for (unsigned turn = 0; turn < 400 && !to_server.count; turn++) {
		usleep(20000);
		(void)dtls_tick(client, &of_client);
	}
	assert_int_equal(of_client, DTLS_RUNNING);
	assert_int_equal(dtls_rest_read(&rest,
					bytes_of(to_server.held[0].at, to_server.held[0].len)),
			 DTLS_SAID_AGAIN);
	assert_int_equal(dtls_input(client, bytes_of(rest.flight, rest.flight_len)), DTLS_DONE);
	dtls_destroy(client);
}

static void test_another_certificate_is_refused(void **state)
{
	char print[DTLS_FINGERPRINT];
	struct dtls *server, *client;

	(void)state;
	strcpy(print, dtls_fingerprint());
	print[0] = print[0] == 'A' ? 'B' : 'A';
	make(&server, &client, print);
	(void)dtls_start(client);
	for (unsigned i = 0; i < 10; i++) {
		carry(&to_server, false);
		carry(&to_client, false);
	}
	assert_int_equal(dtls_input(server, BYTES("")), DTLS_FAILED);
	assert_non_null(strstr(dtls_fault(server), "certificate"));
	dtls_destroy(server);
	dtls_destroy(client);
}

static void test_datagrams_that_are_lost_or_late(void **state)
{
	(void)state;
	for (unsigned drop = 0; drop < 4; drop++) {
		struct dtls *server, *client;

		make(&server, &client, dtls_fingerprint());
		to_server.drop = 1u << drop;
		to_client.drop = drop ? 1u << (drop - 1) : 0;
		assert_int_equal(shake(server, client, drop == 3), DTLS_DONE);
		dtls_destroy(server);
		dtls_destroy(client);
	}
}

/* Of a handshake message that fills a record, the bytes of its body from one place to another: RFC 6347 4.2.3. */
static struct bytes fragment(struct bytes record, size_t from, size_t to, uint8_t number,
			     uint8_t *out)
{
	size_t len = to - from;

	memcpy(out, record.at, 25);
	out[10] = number;
	out[11] = (uint8_t)((len + 12) >> 8);
	out[12] = (uint8_t)(len + 12);
	out[19] = 0;
	out[20] = (uint8_t)(from >> 8);
	out[21] = (uint8_t)from;
	out[22] = 0;
	out[23] = (uint8_t)(len >> 8);
	out[24] = (uint8_t)len;
	memcpy(out + 25, record.at + 25 + from, len);
	return bytes_of(out, 25 + len);
}

/* As Chromium sends it: too long for one datagram. In order, the other way round, and each twice. */
static void test_a_client_hello_in_two_datagrams(void **state)
{
	static const unsigned orders[][4] = {
		{0, 1, 2, 2}, {1, 0, 2, 2}, {0, 0, 1, 1}, {1, 1, 0, 0}, {1, 0, 1, 0}};

	(void)state;
	for (unsigned order = 0; order < 5; order++) {
		for (size_t at = 1; at < 100; at += 33) {
			struct dtls *server, *client;
			uint8_t first[2048], second[2048];
			struct bytes hello, part[2];

			make(&server, &client, dtls_fingerprint());
			assert_int_equal(dtls_start(client), DTLS_RUNNING);
			hello = bytes_of(to_server.held[0].at, to_server.held[0].len);
			to_server.count = 0;
			part[0] = fragment(hello, 0, at, 10, first);
			part[1] = fragment(hello, at, hello.len - 25, 11, second);
			for (unsigned i = 0; i < 4; i++)
				if (orders[order][i] < 2)
					assert_int_equal(dtls_input(server, part[orders[order][i]]),
							 DTLS_RUNNING);
			assert_true(to_client.count > 0);
			assert_int_equal(shake(server, client, false), DTLS_DONE);
			dtls_destroy(server);
			dtls_destroy(client);
		}
	}
}

static void test_noise(void **state)
{
	struct dtls *server, *client;

	(void)state;
	make(&server, &client, dtls_fingerprint());
	for (unsigned i = 0; i < 200; i++) {
		uint8_t noise[40] = {22, 0xfe, 0xfd};

		for (size_t n = 3; n < sizeof noise; n++)
			noise[n] = (uint8_t)(i * 31 + n * 7);
		(void)dtls_input(server, bytes_of(noise, i % sizeof noise));
	}
	assert_int_equal(to_client.count, 0); /* not a word to who makes no sense */
	dtls_destroy(server);
	dtls_destroy(client);
}

static void test_unknown_hashes(void **state)
{
	(void)state;
	assert_null(dtls_create(false, BYTES("md2"), BYTES("AB:CD"), put, &to_client));
	assert_null(dtls_create(false, BYTES("sha-256"), BYTES("AB:CD"), put, &to_client));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_have_the_same_keys),
		cmocka_unit_test(test_what_is_left_says_farewell),
		cmocka_unit_test(test_what_is_left_hears_a_farewell),
		cmocka_unit_test(test_the_last_flight_is_kept),
		cmocka_unit_test(test_another_certificate_is_refused),
		cmocka_unit_test(test_datagrams_that_are_lost_or_late),
		cmocka_unit_test(test_a_client_hello_in_two_datagrams),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_unknown_hashes),
	};

	if (dtls_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
