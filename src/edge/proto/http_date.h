/* http_date: writes moments as HTTP and Icecast's statistics spell them.
 *
 * Seconds since 1970-01-01 UTC go in, always UTC comes out; own arithmetic, so no locale, no time
 * zone database and no hidden state. Moments outside of the years 0000 to 9999 are written as the
 * nearest that four digits can say. It reads no clock. Pure. */
#pragma once

#include "core/writer.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT": IMF-fixdate (RFC 9110 5.6.7), 29 bytes. */
void http_date_write(struct writer *w, int64_t unix_seconds);

/* "Sun, 06 Nov 1994 08:49:37 +0000": stream_start of Icecast's statistics (RFC 5322 3.3). */
void http_date_write_mail(struct writer *w, int64_t unix_seconds);

/* "1994-11-06T08:49:37+0000": stream_start_iso8601 of Icecast's statistics. */
void http_date_write_iso(struct writer *w, int64_t unix_seconds);
