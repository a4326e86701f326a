/* http_date: known moments, and every day of a thousand years against gmtime_r() and strftime(). */
#include "edge/proto/http_date.h"

#include <locale.h>
#include <time.h>

#include "expect.h"

static void known_moments(void **state)
{
	static const struct {
		int64_t at;
		const char *http, *mail, *iso;
	} rows[] = {
		{784111777, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 +0000",
		 "1994-11-06T08:49:37+0000"}, /* RFC 9110 5.6.7 */
		{0, "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 +0000",
		 "1970-01-01T00:00:00+0000"},
		{-1, "Wed, 31 Dec 1969 23:59:59 GMT", "Wed, 31 Dec 1969 23:59:59 +0000",
		 "1969-12-31T23:59:59+0000"},
		{1767323045, "Fri, 02 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 2026 03:04:05 +0000",
		 "2026-01-02T03:04:05+0000"},
		{951782400, "Tue, 29 Feb 2000 00:00:00 GMT", "Tue, 29 Feb 2000 00:00:00 +0000",
		 "2000-02-29T00:00:00+0000"},
		{INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 +0000",
		 "9999-12-31T23:59:59+0000"},
		{INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT", "Sat, 01 Jan 0000 00:00:00 +0000",
		 "0000-01-01T00:00:00+0000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t buf[32];
		struct writer w = writer_of(buf, sizeof buf);

		http_date_write(&w, rows[i].at);
		expect_written(&w, rows[i].http);
		w = writer_of(buf, sizeof buf);
		http_date_write_mail(&w, rows[i].at);
		expect_written(&w, rows[i].mail);
		w = writer_of(buf, sizeof buf);
		http_date_write_iso(&w, rows[i].at);
		expect_written(&w, rows[i].iso);
	}
}

static void days_agree_with_the_c_library(void **state)
{
	(void)state;
	setlocale(LC_ALL, "C");
	/* Years 1600 to 2600, and another second of each day. */
	for (int64_t day = -135140; day < 230100; day++) {
		time_t at = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
		struct tm tm;
		char want[64];
		uint8_t buf[32];
		struct writer w = writer_of(buf, sizeof buf);

		assert_non_null(gmtime_r(&at, &tm));
		strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date_write(&w, at);
		expect_written(&w, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_moments),
		cmocka_unit_test(days_agree_with_the_c_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
