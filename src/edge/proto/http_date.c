#include "http_date.h"

#define DAY         86400
#define YEAR_0      INT64_C(-62167219200) /* 0000-01-01T00:00:00 */
#define YEAR_9999   INT64_C(253402300799) /* 9999-12-31T23:59:59 */
#define DAYS_400    146097                /* days in 400 years of the Gregorian calendar */
#define DAYS_100    36524
#define DAYS_4      1461
#define MARCH_YEAR0 719468 /* days from 0000-03-01 to 1970-01-01 */

struct calendar {
	unsigned year, month /* 0 to 11 */, day /* 1 to 31 */, weekday /* 0: Sunday */;
	unsigned hour, minute, second;
};

/* Counts years from March, so that the leap day is the last of its year. The 306 days from March to
 * December fall into a pattern of 153 days in five months. */
static struct calendar calendar_of(int64_t t)
{
	if (t < YEAR_0)
		t = YEAR_0;
	if (t > YEAR_9999)
		t = YEAR_9999;
	/* Shifted by one cycle of 400 years, which is whole weeks, so that all is positive. */
	uint64_t shifted = (uint64_t)(t + ((int64_t)MARCH_YEAR0 + DAYS_400) * DAY);
	unsigned days = (unsigned)(shifted / DAY);
	unsigned second = (unsigned)(shifted % DAY);
	unsigned cycle = days / DAYS_400;
	unsigned in_cycle = days % DAYS_400;
	unsigned year = (in_cycle - in_cycle / (DAYS_4 - 1) + in_cycle / DAYS_100 -
			 in_cycle / (DAYS_400 - 1)) /
			365;
	unsigned in_year = in_cycle - (365 * year + year / 4 - year / 100);
	unsigned from_march = (5 * in_year + 2) / 153;

	return (struct calendar){
		.year = cycle * 400 + year - 400 + (from_march >= 10),
		.month = (from_march + 2) % 12,
		.day = in_year - (153 * from_march + 2) / 5 + 1,
		.weekday = (days + 3) % 7, /* 0000-03-01 was a Wednesday */
		.hour = second / 3600,
		.minute = second / 60 % 60,
		.second = second % 60,
	};
}

static void write_padded(struct writer *w, unsigned value, unsigned digits)
{
	unsigned unit = 1;

	for (unsigned i = 1; i < digits; i++)
		unit *= 10;
	for (; unit; unit /= 10)
		writer_u8(w, (uint8_t)('0' + value / unit % 10));
}

static void write_name(struct writer *w, const char *names, unsigned index)
{
	writer_put(w, bytes_of(names + (size_t)3 * index, 3));
}

static void write_time(struct writer *w, const struct calendar *c)
{
	write_padded(w, c->hour, 2);
	writer_u8(w, ':');
	write_padded(w, c->minute, 2);
	writer_u8(w, ':');
	write_padded(w, c->second, 2);
}

static void write_named(struct writer *w, int64_t unix_seconds, const char *zone)
{
	struct calendar c = calendar_of(unix_seconds);

	write_name(w, "SunMonTueWedThuFriSat", c.weekday);
	writer_str(w, ", ");
	write_padded(w, c.day, 2);
	writer_u8(w, ' ');
	write_name(w, "JanFebMarAprMayJunJulAugSepOctNovDec", c.month);
	writer_u8(w, ' ');
	write_padded(w, c.year, 4);
	writer_u8(w, ' ');
	write_time(w, &c);
	writer_str(w, zone);
}

void http_date_write(struct writer *w, int64_t unix_seconds)
{
	write_named(w, unix_seconds, " GMT");
}

void http_date_write_mail(struct writer *w, int64_t unix_seconds)
{
	write_named(w, unix_seconds, " +0000");
}

void http_date_write_iso(struct writer *w, int64_t unix_seconds)
{
	struct calendar c = calendar_of(unix_seconds);

	write_padded(w, c.year, 4);
	writer_u8(w, '-');
	write_padded(w, c.month + 1, 2);
	writer_u8(w, '-');
	write_padded(w, c.day, 2);
	writer_u8(w, 'T');
	write_time(w, &c);
	writer_str(w, "+0000");
}
