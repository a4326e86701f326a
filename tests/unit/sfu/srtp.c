#include "sfu/srtp.h"
#include "sfu/srtp_fast.h"

#include <srtp2/srtp.h>

#include "hex.h"
#include "sfu/proto/rtp.h"

static const uint8_t key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t salt[14] = {0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
static const enum srtp_profile profiles[] = {SRTP_GCM_128, SRTP_CM_SHA1_80};

static srtp_t other(enum srtp_profile profile, srtp_ssrc_type_t direction)
{
	static uint8_t both[30];
	srtp_policy_t policy = {.ssrc = {.type = direction}, .key = both, .window_size = 128};
	srtp_t session;

	memcpy(both, key, 16);
	memcpy(both + 16, salt, srtp_salt_len(profile));
	if (profile == SRTP_GCM_128) {
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
	} else {
		srtp_crypto_policy_set_rtp_default(&policy.rtp);
		srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
	}
	assert_int_equal(srtp_create(&session, &policy), srtp_err_status_ok);
	return session;
}

static struct bytes packet(uint8_t *buf, int64_t seq, size_t payload)
{
	struct rtp rtp = {.pt = 96, .seq = (uint16_t)seq, .ts = (uint32_t)seq * 3000, .ssrc = 77};
	struct writer w = writer_of(buf, 1400);

	rtp_write_header(&w, &rtp, true);
	writer_be(&w, 0xbede0001, 4);
	writer_be(&w, 0x10310000, 4);
	for (size_t i = 0; i < payload; i++)
		writer_u8(&w, (uint8_t)(i + (size_t)seq));
	return writer_done(&w);
}

/* Ours is opened by theirs, over two rounds of the sequence number. */
static void test_ours_is_understood(void **state)
{
	(void)state;
	for (size_t p = 0; p < 2; p++) {
		srtp_t them = other(profiles[p], ssrc_any_inbound);
		struct srtp us;

		assert_int_equal(srtp_open(&us, profiles[p], true, key, salt), 0);
		for (int64_t index = 65000; index < 65000 + 70000; index += 97) {
			uint8_t buf[1500], sealed[1500];
			struct bytes in = packet(buf, index, (size_t)index % 1200);
			size_t len = srtp_seal(&us, bytes_first(in, 20), bytes_skip(in, 20), 77,
					       (uint64_t)index, sealed);
			int opened = (int)len;

			assert_int_equal(len, in.len + srtp_tag_len(profiles[p]));
			assert_int_equal(srtp_unprotect(them, sealed, &opened), srtp_err_status_ok);
			assert_same(bytes_of(sealed, (size_t)opened), in);
		}
		srtp_close(&us);
		srtp_dealloc(them);
	}
}

static void test_theirs_is_understood(void **state)
{
	(void)state;
	for (size_t p = 0; p < 2; p++) {
		srtp_t them = other(profiles[p], ssrc_any_outbound);
		struct srtp us;

		assert_int_equal(srtp_open(&us, profiles[p], false, key, salt), 0);
		for (int64_t index = 65000; index < 65000 + 70000; index += 97) {
			uint8_t buf[1500], sealed[1500], out[1500];
			struct bytes in = packet(buf, index, (size_t)index % 1200), guard;
			int len = (int)in.len;
			size_t opened;

			memcpy(sealed, in.at, in.len);
			assert_int_equal(srtp_protect(them, sealed, &len), srtp_err_status_ok);
			guard = guarded(bytes_of(sealed, (size_t)len));
			assert_int_equal(srtp_unseal(&us, guard, out, &opened), SRTP_OK);
			assert_same(bytes_of(out, opened), in);
			/* Once more is once too often. */
			assert_int_equal(srtp_unseal(&us, guard, out, &opened), SRTP_REPLAY);
			guarded_free(guard);
		}
		srtp_close(&us);
		srtp_dealloc(them);
	}
}

static void test_rtcp_both_ways(void **state)
{
	uint8_t plain[200] = {0x80, 201, 0, 1, 0, 0, 0, 77};

	(void)state;
	for (size_t p = 0; p < 2; p++) {
		srtp_t in = other(profiles[p], ssrc_any_inbound);
		srtp_t out = other(profiles[p], ssrc_any_outbound);
		struct srtp seals, opens;

		assert_int_equal(srtp_open(&seals, profiles[p], true, key, salt), 0);
		assert_int_equal(srtp_open(&opens, profiles[p], false, key, salt), 0);
		for (size_t len = 8; len < 200; len += 4) {
			uint8_t buf[300], back[300];
			size_t sealed = srtcp_seal(&seals, bytes_of(plain, len), buf), opened;
			int n = (int)sealed;

			assert_int_equal(srtp_unprotect_rtcp(in, buf, &n), srtp_err_status_ok);
			assert_same(bytes_of(buf, (size_t)n), bytes_of(plain, len));
			memcpy(buf, plain, len);
			n = (int)len;
			assert_int_equal(srtp_protect_rtcp(out, buf, &n), srtp_err_status_ok);
			assert_int_equal(srtcp_unseal(&opens, bytes_of(buf, (size_t)n), back,
						      &opened),
					 SRTP_OK);
			assert_same(bytes_of(back, opened), bytes_of(plain, len));
			assert_int_equal(srtcp_unseal(&opens, bytes_of(buf, (size_t)n), back,
						      &opened),
					 SRTP_REPLAY);
		}
		srtp_close(&seals);
		srtp_close(&opens);
		srtp_dealloc(in);
		srtp_dealloc(out);
	}
}

/* Each source counts by itself (RFC 3711 3.2.1): who says little is not taken for one who says the same again. */
static void test_rtcp_sources(void **state)
{
	(void)state;
	for (size_t p = 0; p < 2; p++) {
		srtp_t out = other(profiles[p], ssrc_any_outbound);
		struct srtp opens;

		assert_int_equal(srtp_open(&opens, profiles[p], false, key, salt), 0);
		for (unsigned i = 0; i < 300 + SRTCP_SOURCES; i++) {
			/* One that says much, and others, one after the other. */
			uint8_t ssrc = (uint8_t)(i < 300 ? i % 100 == 99 : i - 300);
			uint8_t plain[300] = {0x80, 201, 0, 1, 0, 0, 0, ssrc}, back[300];
			size_t opened;
			int n = 8;

			assert_int_equal(srtp_protect_rtcp(out, plain, &n), srtp_err_status_ok);
			assert_int_equal(srtcp_unseal(&opens, bytes_of(plain, (size_t)n), back,
						      &opened),
					 SRTP_OK);
			assert_int_equal(srtcp_unseal(&opens, bytes_of(plain, (size_t)n), back,
						      &opened),
					 SRTP_REPLAY);
			if (i == 299 + SRTCP_SOURCES) {
				plain[7] = SRTCP_SOURCES;
				assert_int_equal(srtcp_unseal(&opens, bytes_of(plain, (size_t)n),
							      back, &opened),
						 SRTP_FULL);
			}
		}
		srtp_close(&opens);
		srtp_dealloc(out);
	}
}

/* Every bit counts, and what is cut is refused without a look behind its end. */
static void test_forgeries(void **state)
{
	(void)state;
	for (size_t p = 0; p < 2; p++) {
		uint8_t buf[300], sealed[300], out[300];
		struct bytes in = packet(buf, 5, 100);
		struct srtp seals, opens;
		size_t len, opened;

		assert_int_equal(srtp_open(&seals, profiles[p], true, key, salt), 0);
		assert_int_equal(srtp_open(&opens, profiles[p], false, key, salt), 0);
		len = srtp_seal(&seals, bytes_first(in, 20), bytes_skip(in, 20), 77, 5, sealed);
		for (size_t i = 0; i < len; i++) {
			struct bytes part = guarded(bytes_of(sealed, i));

			assert_int_not_equal(srtp_unseal(&opens, part, out, &opened), SRTP_OK);
			guarded_free(part);
			sealed[i] ^= 0x10;
			assert_int_not_equal(
				srtp_unseal(&opens, bytes_of(sealed, len), out, &opened), SRTP_OK);
			sealed[i] ^= 0x10;
		}
		assert_int_equal(srtp_unseal(&opens, bytes_of(sealed, len), out, &opened), SRTP_OK);
		len = srtcp_seal(&seals, BYTES("\x80\xc9\0\1\0\0\0\1"), sealed);
		for (size_t i = 0; i < len; i++) {
			struct bytes part = guarded(bytes_of(sealed, i));

			assert_int_not_equal(srtcp_unseal(&opens, part, out, &opened), SRTP_OK);
			guarded_free(part);
			sealed[i] ^= 0x10;
			assert_int_not_equal(
				srtcp_unseal(&opens, bytes_of(sealed, len), out, &opened), SRTP_OK);
			sealed[i] ^= 0x10;
		}
		srtp_close(&seals);
		srtp_close(&opens);
	}
}

/* A forged packet far ahead must not move what is thought of the true ones. */
static void test_late_and_early(void **state)
{
	struct srtp seals, opens;
	uint8_t buf[300], sealed[300], out[300];
	size_t len, opened;

	(void)state;
	assert_int_equal(srtp_open(&seals, SRTP_GCM_128, true, key, salt), 0);
	assert_int_equal(srtp_open(&opens, SRTP_GCM_128, false, key, salt), 0);
	for (uint64_t index = 65500; index < 65600; index++) {
		uint64_t late = index % 10 == 9 ? index - 9 : index + 1; /* the tenth comes last */
		struct bytes in = packet(buf, (int64_t)late, 10);

		len = srtp_seal(&seals, bytes_first(in, 20), bytes_skip(in, 20), 77, late, sealed);
		assert_int_equal(srtp_unseal(&opens, bytes_of(sealed, len), out, &opened), SRTP_OK);
	}
	len = srtp_seal(&seals, bytes_first(packet(buf, 65500, 10), 20), BYTES("0123456789"), 77,
			65500, sealed);
	assert_int_equal(srtp_unseal(&opens, bytes_of(sealed, len), out, &opened), SRTP_REPLAY);
	srtp_close(&seals);
	srtp_close(&opens);
}

/* The same by libipsec-mb, where this was built with it and it is there. */
static void test_fast_is_understood_too(void **state)
{
	struct srtp seals;
	uint8_t buf[300], sealed[300];

	if (!fast_open(2))
		skip();
	assert_int_equal(srtp_open(&seals, SRTP_GCM_128, true, key, salt), 0);
	assert_true(
		srtp_seal(&seals, bytes_first(packet(buf, 1, 10), 20), BYTES("x"), 77, 1, sealed));
	assert_true(seals.fast && !seals.cipher);
	srtp_close(&seals);
	test_ours_is_understood(state);
	test_rtcp_both_ways(state);
	test_forgeries(state);
	test_late_and_early(state);
	fast_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours_is_understood),
		cmocka_unit_test(test_theirs_is_understood),
		cmocka_unit_test(test_rtcp_both_ways),
		cmocka_unit_test(test_rtcp_sources),
		cmocka_unit_test(test_forgeries),
		cmocka_unit_test(test_late_and_early),
		cmocka_unit_test(test_fast_is_understood_too),
	};

	if (srtp_init() != srtp_err_status_ok)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
