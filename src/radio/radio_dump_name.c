/* What files of a dump are called; the header is radio_dump.h. */
#include <string.h>
#include <time.h>

#include "core/writer.h"
#include "radio/radio_dump.h"

/* An encoder chooses its mount's name: no slash of it becomes a directory, nor a dot at its beginning a
 * hidden file or a way up. */
static void put_mount(struct writer *w, const char *mount)
{
	for (const char *c = mount + (mount[0] == '/'); *c; c++)
		writer_u8(w, *c == '/' || (uint8_t)*c < ' ' || (*c == '.' && c == mount + 1)
				     ? '_'
				     : (uint8_t)*c);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* one conversion, of the administrator's */
static bool time_text(char *out, size_t size, const char *format, const struct tm *tm)
{
	return strftime(out, size, format, tm) > 0;
}
#pragma GCC diagnostic pop

/* The conversion %x of this time, or for a glob a star. */
static void put_time(struct writer *w, char conversion, const struct tm *tm)
{
	char format[3] = {'%', conversion, '\0'}, text[64];

	if (!tm)
		writer_u8(w, '*');
	else if (time_text(text, sizeof text, format, tm))
		/* "%D" has slashes: those would be directories. */
		put_mount(w, text);
}

static void put_plain(struct writer *w, char c, bool glob)
{
	if (glob && strchr("*?[\\", c))
		writer_u8(w, '\\');
	writer_u8(w, (uint8_t)c);
}

static bool put_all(const char *pattern, const char *mount, const char *extension,
		    const struct tm *tm, char *out, size_t size)
{
	struct writer w = writer_of(out, size - 1);
	bool glob = !tm;

	while (*pattern) {
		if (strncmp(pattern, "{mount}", 7) == 0 && !mount) {
			writer_u8(&w, '*');
			pattern += 7;
		} else if (strncmp(pattern, "{mount}", 7) == 0) {
			char room[1024];
			struct writer name = writer_of(room, sizeof room);

			put_mount(&name, mount);
			for (size_t i = 0; i < writer_done(&name).len; i++)
				put_plain(&w, room[i], glob);
			pattern += 7;
		} else if (strncmp(pattern, "{ext}", 5) == 0) {
			writer_str(&w, extension);
			pattern += 5;
		} else if (pattern[0] == '%' && pattern[1] == '%') {
			put_plain(&w, '%', glob);
			pattern += 2;
		} else if (pattern[0] == '%' && pattern[1]) {
			put_time(&w, pattern[1], tm);
			pattern += 2;
		} else {
			put_plain(&w, *pattern++, glob);
		}
	}
	if (!writer_ok(&w))
		return false;
	out[writer_done(&w).len] = '\0';
	return true;
}

bool dump_name(const char *pattern, const char *mount, const char *extension, int64_t wall_us,
	       char *out, size_t size)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;

	return localtime_r(&seconds, &tm) && put_all(pattern, mount, extension, &tm, out, size);
}

bool dump_glob(const char *pattern, const char *mount, const char *extension, char *out,
	       size_t size)
{
	return put_all(pattern, mount, extension, NULL, out, size);
}
