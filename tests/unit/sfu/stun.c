#include "sfu/proto/stun.h"

#include "hex.h"

/* RFC 5769 2.1 to 2.3, which share the password. */
#define PASSWORD BYTES("VOkJxbRl1RmTxUk/WvJxBt")

static const char request_hex[] = "000100582112a442b7e7a701bc34d686fa87dfae"
				  "802200105354554e207465737420636c69656e74"
				  "002400046e0001ff"
				  "80290008932ff9b151263b36"
				  "0006000965 76746a3a68367659202020"
				  "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
				  "80280004e57a3bcf";
static const char answer_v4_hex[] = "0101003c2112a442b7e7a701bc34d686fa87dfae"
				    "8022000b7465737420766563746f7220"
				    "002000080001a147e112a643"
				    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
				    "80280004c07d4c96";
static const char answer_v6_hex[] = "010100482112a442b7e7a701bc34d686fa87dfae"
				    "8022000b7465737420766563746f7220"
				    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
				    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
				    "80280004c8fb0b4c";

static void test_vectors(void **state)
{
	uint8_t buf[256];
	struct bytes in = guarded(from_hex(request_hex, buf));
	struct stun stun;

	(void)state;
	assert_int_equal(stun_parse(in, &stun), STUN_OK);
	assert_int_equal(stun.class, STUN_REQUEST);
	assert_int_equal(stun.method, STUN_BINDING);
	assert_same(stun.username, BYTES("evtj:h6vY"));
	assert_true(stun.controlled && !stun.controlling && stun.fingerprint);
	assert_int_equal(stun.priority, 0x6e0001ff);
	assert_true(stun.tie_breaker == 0x932ff9b151263b36);
	assert_true(stun_is_authentic(&stun, PASSWORD, hmac_sha1));
	assert_false(stun_is_authentic(&stun, BYTES("VOkJxbRl1RmTxUk/WvJxBs"), hmac_sha1));
	guarded_free(in);
}

static void test_mapped_addresses(void **state)
{
	static const struct {
		const char *hex, *address;
	} cases[] = {{answer_v4_hex, "192.0.2.1"},
		     {answer_v6_hex, "2001:db8:1234:5678:11:2233:4455:6677"}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t buf[256], out[256];
		struct bytes in = guarded(from_hex(cases[i].hex, buf));
		struct writer w = writer_of(out, sizeof out);
		struct address wanted;
		struct stun stun, again;

		assert_true(address_parse_ip(bytes_str(cases[i].address), &wanted));
		assert_int_equal(stun_parse(in, &stun), STUN_OK);
		assert_int_equal(stun.class, STUN_SUCCESS);
		assert_true(stun_is_authentic(&stun, PASSWORD, hmac_sha1));
		assert_true(stun.has_mapped && address_same_ip(&stun.mapped, &wanted));
		assert_int_equal(stun.mapped.port, 32853);
		/* What we write says the same. */
		stun_begin(&w, STUN_SUCCESS, STUN_BINDING, stun.id);
		stun_put_mapped(&w, &stun.mapped, stun.id);
		stun_end(&w, PASSWORD, hmac_sha1);
		assert_true(writer_ok(&w));
		assert_int_equal(stun_parse(writer_done(&w), &again), STUN_OK);
		assert_true(stun_is_authentic(&again, PASSWORD, hmac_sha1));
		assert_true(again.fingerprint && address_same_ip(&again.mapped, &wanted));
		guarded_free(in);
	}
}

/* Each byte that is changed is noticed, and no shorter message is taken. */
static void test_broken(void **state)
{
	uint8_t buf[256];
	struct bytes in = from_hex(request_hex, buf);
	struct stun stun;

	(void)state;
	for (size_t i = 0; i < in.len; i++) {
		struct bytes part = guarded(bytes_first(in, i));

		assert_int_not_equal(stun_parse(part, &stun), STUN_OK);
		guarded_free(part);
		if (i >= in.len - 8)
			continue; /* the type of the fingerprint: then there is none */
		buf[i] ^= 1;
		assert_true(stun_parse(in, &stun) != STUN_OK ||
			    !stun_is_authentic(&stun, PASSWORD, hmac_sha1));
		buf[i] ^= 1;
	}
	assert_int_equal(stun_parse(in, &stun), STUN_OK);
}

static void test_what_lies_behind_the_integrity_does_not_count(void **state)
{
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof buf);
	struct bytes id = BYTES("0123456789ab");
	uint8_t hash[20];
	struct stun stun;

	(void)state;
	stun_begin(&w, STUN_REQUEST, STUN_BINDING, id);
	stun_put_username(&w, BYTES("a"), BYTES("b"));
	buf[3] = (uint8_t)(w.len - STUN_HEADER + 24);
	hmac_sha1(PASSWORD, writer_done(&w), hash);
	writer_be(&w, 0x0008, 2);
	writer_be(&w, 20, 2);
	writer_put(&w, bytes_of(hash, 20));
	stun_put_use_candidate(&w);
	buf[3] = (uint8_t)(w.len - STUN_HEADER);
	assert_int_equal(stun_parse(writer_done(&w), &stun), STUN_OK);
	assert_true(stun_is_authentic(&stun, PASSWORD, hmac_sha1));
	assert_false(stun.use_candidate);
}

static void test_unknown_attributes_are_named(void **state)
{
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof buf);
	struct stun stun;

	(void)state;
	stun_begin(&w, STUN_REQUEST, STUN_BINDING, BYTES("0123456789ab"));
	writer_be(&w, 0x7777, 2);
	writer_be(&w, 0, 2);
	writer_be(&w, 0x8888, 2); /* may be passed over */
	writer_be(&w, 0, 2);
	stun_end(&w, PASSWORD, hmac_sha1);
	assert_int_equal(stun_parse(writer_done(&w), &stun), STUN_OK);
	assert_int_equal(stun.unknown_count, 1);
	assert_int_equal(stun.unknown[0], 0x7777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_mapped_addresses),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_what_lies_behind_the_integrity_does_not_count),
		cmocka_unit_test(test_unknown_attributes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
