#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *who = "";

void say_as(const char *slot)
{
	who = slot;
}

void say(const char *format, ...)
{
	char text[1024];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof text, format, values);
	va_end(values);
	fprintf(stderr, "net_ingest: %s%s%s\n", who, *who ? ": " : "", text);
}

void say_url(const char *url, char *out, size_t size)
{
	const char *host = strstr(url, "://");
	size_t end = strcspn(url, "?"), scheme = host ? (size_t)(host + 3 - url) : 0;
	const char *path, *at = NULL;

	if (!host || scheme > end) {
		snprintf(out, size, "%s", url);
		return;
	}
	path = memchr(url + scheme, '/', end - scheme);
	for (const char *c = url + scheme; c < (path ? path : url + end); c++)
		if (*c == '@')
			at = c + 1;
	if (path && strncmp(url, "rtmp", 4) == 0) {
		const char *key = memchr(path + 1, '/', (size_t)(url + end - path - 1));

		end = key ? (size_t)(key - url) : end;
	}
	if (!at)
		at = url + scheme;
	snprintf(out, size, "%.*s%.*s", (int)scheme, url, (int)(url + end - at), at);
}
