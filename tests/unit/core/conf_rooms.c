/* conf_rooms: the tables of the real rooms, and the rules between their settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf_net.h"
#include "core/conf_print.h"
#include "core/core_conf.h"
#include "edge/edge_conf.h"
#include "radio/radio_conf.h"

static const struct conf_room *const rooms[] = {&core_conf_room, &edge_conf_room, &radio_conf_room};

static struct conf *load(const char *text, struct conf_errors *errors)
{
	struct conf_source source = {.path = "r.conf", .text = bytes_str(text)};

	*errors = (struct conf_errors){0};
	return conf_load(rooms, 3, &source, errors);
}

static void the_tables_load_without_a_file(void **state)
{
	(void)state;
	struct conf_errors errors;
	struct conf *conf = load("", &errors);

	assert_non_null(conf);
	assert_int_equal(core_conf_of(conf)->workers, 0);
	assert_int_equal(edge_conf_of(conf)->http_listen.count, 1);
	assert_int_equal(radio_conf_of(conf)->turn, 250);
	assert_int_equal(mount_conf_for(conf, "/any")->burst, 65536);
	assert_int_equal(mount_conf_for(conf, "/any")->public_, MOUNT_PUBLIC_ENCODER);
	assert_int_equal(mount_conf_for(conf, "/any")->charset, RADIO_CHARSET_AUTO);
	conf_free(&conf);
}

/* A name that is used twice, or is the beginning of another, could not be reached in a file. */
static void the_names_are_all_reachable(void **state)
{
	(void)state;
	for (size_t a = 0; a < 3; a++) {
		for (size_t i = 0; i < rooms[a]->count; i++) {
			const char *name = rooms[a]->items[i].name;
			size_t len = strlen(name);

			assert_true(rooms[a]->items[i].help[0]);
			for (size_t b = 0; b < 3; b++) {
				for (size_t j = 0; j < rooms[b]->count; j++) {
					const char *other = rooms[b]->items[j].name;

					if (a == b && i == j)
						continue;
					assert_false(strncmp(name, other, len) == 0 &&
						     (other[len] == '.' || !other[len]));
				}
			}
		}
	}
}

static void the_example_of_all_rooms_loads(void **state)
{
	(void)state;
	struct conf_errors errors;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_write_example(out, rooms, 3);
	fclose(out);
	struct conf *conf = load(text, &errors);

	assert_non_null(conf);
	free(text);
	conf_free(&conf);
}

static void rules_between_settings_hold(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *fault; /* of the first, "" for none */
	} cases[] = {
		{"http: {listen: [\"*:80\", \"[::1]:0\", \"127.0.0.1:65535\"]}", ""},
		{"http: {listen: [\"*:80\", \"localhost:80\"]}",
		 "r.conf:1:25: http.listen: expected ADDRESS:PORT such as 0.0.0.0:8000 or "
		 "[::1]:8000, found \"localhost:80\""},
		{"http: {deny: [10.0.0.0/8, 10.0.0.0/33]}",
		 "r.conf:1:27: http.deny: expected an address or range such as 10.0.0.0/8 or ::1, "
		 "found \"10.0.0.0/33\""},
		{"http: {proxy_protocol: yes}",
		 "r.conf:1:24: http.proxy_protocol: expected http.trusted_proxies to name the "
		 "proxies, found yes"},
		{"http: {proxy_protocol: yes, trusted_proxies: 10.0.0.1}", ""},
		{"http: {public_url: \"https://a.example/x\"}", ""},
		{"http: {public_url: a.example}",
		 "r.conf:1:20: http.public_url: expected a URL such as https://radio.example.org, "
		 "found \"a.example\""},
		{"admin: {user: \"a:b\"}",
		 "r.conf:1:15: admin.user: expected a name without a colon, found \"a:b\""},
		{"radio: {shoutcast_mount: x}", "r.conf:1:26: radio.shoutcast_mount: expected a "
						"mount such as /stream, found \"x\""},
		{"mount: {live: {}}", "r.conf:1:9: mount \"live\": expected a mount such as /live"},
		{"mount: {/a: {fallback: b}}", "r.conf:1:24: mount \"/a\": fallback: expected a "
					       "mount such as /auto, found \"b\""},
		{"mount: {/a: {fallback: /a}}", ""},
		{"mount: {\"/a*\": {fallback: /b1}, \"/b*\": {fallback: /a1}}",
		 "r.conf:1:27: mount \"/a*\": fallback: expected a mount that does not fall back "
		 "to this one, found \"/b1\""},
		{"mount: {/a: {fallback: /b}, /b: {fallback: /c}, /c: {fallback: /a}}",
		 "r.conf:1:24: mount \"/a\": fallback: expected a mount that does not fall back to "
		 "this one, found \"/b\""},
		{"mount: {/a: {fallback: /b}, /b: {fallback: /c}, /c: {fallback: /d}}", ""},
		/* One fallback for all, which is a mount itself. */
		{"mount: {default: {fallback: /auto}, /auto: {}, /live: {}}", ""},
		{"mount: {default: {fallback: /auto}, /auto: {fallback: /spare}}",
		 "r.conf:1:55: mount \"/auto\": fallback: expected a mount that does not fall back "
		 "to this one, found \"/spare\""},
		{"mount: {/a: {ring: 128k}}",
		 "r.conf:1:9: mount \"/a\": burst: expected at most a quarter of the ring, found "
		 "64k"},
		{"radio: {burst: 1M}\nmount: {/a: {}, /b: {}}",
		 "r.conf:1:16: mount \"default\": burst: expected at most a quarter of the ring, "
		 "found 1M"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct conf_errors errors;
		struct conf *conf = load(cases[i].text, &errors);

		assert_string_equal(errors.count ? errors.at[0].text : "", cases[i].fault);
		assert_int_equal(conf == NULL, cases[i].fault[0] != '\0');
		conf_free(&conf);
		conf_errors_fini(&errors);
	}
}

static void a_loop_is_named_at_each_mount_in_it_and_at_no_other(void **state)
{
	(void)state;
	struct conf_errors errors;

	assert_null(load("mount: {/in: {fallback: /a}, /a: {fallback: /b}, /b: {fallback: /a}}",
			 &errors));
	assert_int_equal(errors.count, 2);
	assert_non_null(strstr(errors.at[0].text, "mount \"/a\""));
	assert_non_null(strstr(errors.at[1].text, "mount \"/b\""));
	conf_errors_fini(&errors);
}

static void addresses_have_a_form(void **state)
{
	(void)state;
	static const char *const listens[] = {"0.0.0.0:8000", "[::]:8000", "*:0", "[::1]:65535"};
	static const char *const not_listens[] = {
		"",       "8000",    ":8000",   "1.2.3.4",   "1.2.3:4",     "::1:80", "[::1]80",
		"[::1]:", "[::1:80", "*:65536", "1.2.3.4:x", "[1.2.3.4]:1", "*:80 "};
	static const char *const ranges[] = {"1.2.3.4", "10.0.0.0/8", "::/0", "fe80::1/128"};
	static const char *const not_ranges[] = {"",       "/8",   "1.2.3.4/",   "1.2.3.4/33",
						 "::/129", "host", "1.2.3.4/8/8"};

	for (size_t i = 0; i < sizeof listens / sizeof *listens; i++)
		assert_true(conf_net_is_listen(listens[i]));
	for (size_t i = 0; i < sizeof not_listens / sizeof *not_listens; i++)
		assert_false(conf_net_is_listen(not_listens[i]));
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		assert_true(conf_net_is_range(ranges[i]));
	for (size_t i = 0; i < sizeof not_ranges / sizeof *not_ranges; i++)
		assert_false(conf_net_is_range(not_ranges[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tables_load_without_a_file),
		cmocka_unit_test(the_names_are_all_reachable),
		cmocka_unit_test(the_example_of_all_rooms_loads),
		cmocka_unit_test(rules_between_settings_hold),
		cmocka_unit_test(a_loop_is_named_at_each_mount_in_it_and_at_no_other),
		cmocka_unit_test(addresses_have_a_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
