/* The CRC of Ogg and MPEG against its definition, one bit at a time. */
#include "guarded.h"

#include "radio/proto/crc_msb.h"

static uint32_t by_definition(uint32_t crc, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		crc ^= (uint32_t)in.at[i] << 24;
		for (int bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
	}
	return crc;
}

static void is_what_the_polynomial_says(void **state)
{
	uint8_t data[300];

	(void)state;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 167 + (i >> 3) * 89 + 1);
	for (size_t len = 0; len <= sizeof data; len++) {
		struct bytes in = guarded(bytes_of(data, len));

		assert_int_equal(crc_msb_update(0, in), by_definition(0, in));
		assert_int_equal(crc_msb_update(UINT32_MAX, in), by_definition(UINT32_MAX, in));
		guarded_free(in);
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		/* Each entry of each table. */
		for (size_t at = 0; at < 8; at++) {
			uint8_t block[8] = {0};

			block[at] = (uint8_t)byte;
			assert_int_equal(crc_msb_update(0, bytes_of(block, 8)),
					 by_definition(0, bytes_of(block, 8)));
		}
	}
}

static void knows_the_published_check_values(void **state)
{
	(void)state;
	/* CRC-32/MPEG-2 and, started at 0, the one of Ogg (CRC-32/CKSUM before its inversion is
	 * another: it adds the length). */
	assert_int_equal(crc_msb_update(UINT32_MAX, BYTES("123456789")), 0x0376e6e7);
	assert_int_equal(crc_msb_update(0, BYTES("123456789")), 0x89a1897f);
}

static void goes_on_where_it_stopped(void **state)
{
	struct bytes in = BYTES("OggS and the rest of a page, long enough for two steps of eight");

	(void)state;
	for (size_t cut = 0; cut <= in.len; cut++)
		assert_int_equal(crc_msb_update(crc_msb_update(0, bytes_first(in, cut)),
						bytes_skip(in, cut)),
				 crc_msb_update(0, in));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_what_the_polynomial_says),
		cmocka_unit_test(knows_the_published_check_values),
		cmocka_unit_test(goes_on_where_it_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
