/* The body of POST /slots: what is taken, and what is said of what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "framecache/slot_order.h"

/* The document's order, with more members, or others. */
static bool read_with(const char *more, struct board_order *order, char fault[SLOT_FAULT_SIZE])
{
	json_t *body =
		json_loads("{\"slot_id\": \"studio1\", \"width\": 1920, \"height\": 1080, "
			   "\"fps_num\": 60000, \"fps_den\": 1001, \"source_type\": \"sdi\"}",
			   0, NULL);
	json_t *others = json_loads(more, 0, NULL);
	const char *name;
	json_t *value;
	bool good;

	assert_non_null(body);
	assert_non_null(others);
	json_object_foreach(others, name, value)
	{
		if (json_is_null(value))
			json_object_del(body, name);
		else
			json_object_set(body, name, value);
	}
	*order = (struct board_order){.flags = 77};
	fault[0] = '\0';
	good = slot_order_read(body, order, fault);
	json_decref(others);
	json_decref(body);
	return good;
}

static void what_is_asked_for_is_ordered(void **state)
{
	struct board_order order;
	char fault[SLOT_FAULT_SIZE];

	(void)state;
	assert_true(read_with("{}", &order, fault));
	assert_string_equal(order.slot_id, "studio1");
	assert_string_equal(order.source_type, "sdi");
	assert_int_equal(order.config.width, 1920);
	assert_int_equal(order.config.fps_den, 1001);
	assert_int_equal(order.config.pixel_format, FC_PIX_UYVY422);
	assert_int_equal(order.flags, 0);
	assert_true(read_with("{\"pixel_format\": \"V210\", \"replace\": true, \"ring_depth\": 0, "
			      "\"audio_channels\": 16, \"audio_rate\": 48000, \"file_mode\": 432}",
			      &order, fault));
	assert_int_equal(order.config.pixel_format, FC_PIX_V210);
	assert_int_equal(order.config.file_mode, 0660);
	assert_int_equal(order.flags, FC_REPLACE);
	assert_true(read_with("{\"pixel_format\": \"UYVY422\"}", &order, fault));
	assert_true(read_with("{\"pixel_format\": 4, \"replace\": false}", &order, fault));
	assert_int_equal(order.config.pixel_format, FC_PIX_RGBA);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *more, *said;
	} cases[] = {
		{"{\"heights\": 1080}",
		 "heights: there is no such member; there are slot_id, width"},
		{"{\"pixelformat\": \"v210\"}", "pixelformat: there is no such member"},
		{"{\"\": 1}", ": there is no such member"},
		{"{\"width\": null}", "width is missing"},
		{"{\"slot_id\": null}", "slot_id is missing"},
		{"{\"width\": 1.5}", "width: expected a whole number from 16 to 16384"},
		{"{\"width\": \"1920\"}", "width: expected a whole number"},
		{"{\"width\": 18446744073709551616e0}", "width: expected a whole number"},
		{"{\"height\": -1080}", "height: expected a whole number"},
		{"{\"height\": 16385}", "height: expected a whole number"},
		{"{\"width\": 1919}", "width: expected an even number"},
		{"{\"height\": 1081, \"pixel_format\": \"nv12\"}",
		 "height: expected an even number"},
		{"{\"fps_num\": 1}", "fps_num / fps_den: expected 1 to 1,000"},
		{"{\"fps_num\": 1000000, \"fps_den\": 1}",
		 "fps_num / fps_den: expected 1 to 1,000"},
		{"{\"fps_den\": 0}", "fps_den: expected a whole number from 1"},
		{"{\"pixel_format\": \"yuyv\"}",
		 "pixel_format: \"yuyv\" is none of uyvy422, v210, nv12, p010, rgba"},
		{"{\"pixel_format\": 5}", "pixel_format: this is none of uyvy422"},
		{"{\"pixel_format\": -1}", "pixel_format: this is none of uyvy422"},
		{"{\"pixel_format\": 4294967296}", "pixel_format: this is none of uyvy422"},
		{"{\"pixel_format\": true}", "pixel_format: this is none of uyvy422"},
		{"{\"slot_id\": 7}", "slot_id: expected a text of at most 64 bytes"},
		{"{\"slot_id\": \"../x\"}", "slot_id: expected 1 to 64 letters, digits, _ and -"},
		{"{\"slot_id\": \"registry.json\"}", "slot_id: expected 1 to 64 letters"},
		{"{\"source_type\": \"a b\"}", "source_type: expected letters, digits"},
		{"{\"source_type\": 1}", "source_type: expected a text of at most 31 bytes"},
		{"{\"ring_depth\": 1}", "ring_depth: expected at least 2"},
		{"{\"ring_depth\": 65537}", "ring_depth: expected a whole number from 0 to 65536"},
		{"{\"audio_channels\": 65}",
		 "audio_channels: expected a whole number from 0 to 64"},
		{"{\"audio_rate\": 48000}", "audio_rate: there is no sound without audio_channels"},
		{"{\"audio_rate\": 7999, \"audio_channels\": 2}", "audio_rate: expected 8000"},
		{"{\"scan\": 4}", "scan: expected a whole number from 0 to 3"},
		{"{\"colour\": 4}", "colour: expected a whole number from 0 to 3"},
		{"{\"file_mode\": 512}", "file_mode: expected a whole number from 0 to 511"},
		{"{\"replace\": 1}", "replace: expected true or false"},
		{"{\"replace\": \"yes\"}", "replace: expected true or false"},
		{"{\"width\": 16384, \"height\": 16384, \"pixel_format\": \"rgba\", "
		 "\"ring_depth\": "
		 "65536}",
		 "no slot can have this shape"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct board_order order;
		char fault[SLOT_FAULT_SIZE];

		assert_false(read_with(cases[i].more, &order, fault));
		if (strncmp(fault, cases[i].said, strlen(cases[i].said)) != 0)
			fail_msg("%s: %s", cases[i].more, fault);
	}
}

/* A name of any length, and with anything in it, fits into what is said. */
static void names_of_strangers_are_cut_off(void **state)
{
	char more[2048] = "{\"", fault[SLOT_FAULT_SIZE];
	struct board_order order;

	(void)state;
	memset(more + 2, 'x', 1500);
	strcpy(more + 1502, "\": 1}");
	assert_false(read_with(more, &order, fault));
	assert_in_range(strlen(fault), 64, SLOT_FAULT_SIZE - 1);
	assert_non_null(strstr(fault, "replace"));
	snprintf(more, sizeof more, "{\"pixel_format\": \"%0500d\"}", 7);
	assert_false(read_with(more, &order, fault));
	assert_non_null(strstr(fault, "rgba"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for_is_ordered),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(names_of_strangers_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
