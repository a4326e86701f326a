#include "radio/proto/listener_answer.h"

#include <string.h>

#include "radio/proto/client_profile.h"
#include "radio/proto/hops.h"

enum listener_range listener_range_policy(struct bytes range, bool icy_metadata)
{
	uint64_t last;

	range = bytes_trim(range);
	/* Range units are case-insensitive: RFC 9110 section 14.1. */
	if (icy_metadata || !bytes_start_with_nocase(range, BYTES("bytes=0-")))
		return LISTENER_RANGE_IGNORE;
	if (!bytes_to_u64(bytes_skip(range, strlen("bytes=0-")), UINT64_MAX, &last))
		return LISTENER_RANGE_IGNORE; /* "bytes=0-" is everything anyway */
	if (last == 1)
		return LISTENER_RANGE_PROBE;
	return last == LISTENER_TOTAL - 1 ? LISTENER_RANGE_STREAM : LISTENER_RANGE_IGNORE;
}

static void put_name(const struct listener_answer *answer, const char *name, struct writer *out)
{
	bool lower = answer->quirks & QUIRK_LOWER_CASE_HEADERS;

	for (; *name; name++)
		writer_u8(out, lower ? byte_lower((uint8_t)*name) : (uint8_t)*name);
	writer_str(out, ": ");
}

static void put_header(const struct listener_answer *answer, const char *name, struct bytes value,
		       struct writer *out)
{
	if (value.len == 0)
		return;
	put_name(answer, name, out);
	for (size_t i = 0; i < value.len; i++) /* no CR, LF or NUL: RFC 9110 section 5.5 */
		writer_u8(out, value.at[i] < ' ' || value.at[i] == 0x7f ? ' ' : value.at[i]);
	writer_str(out, "\r\n");
}

static void put_header_str(const struct listener_answer *answer, const char *name,
			   const char *value, struct writer *out)
{
	put_header(answer, name, bytes_str(value), out);
}

static void put_header_dec(const struct listener_answer *answer, const char *name, uint64_t value,
			   struct writer *out)
{
	put_name(answer, name, out);
	writer_dec(out, value);
	writer_str(out, "\r\n");
}

static void put_range(const struct listener_answer *answer, uint64_t last, struct writer *out)
{
	put_header_str(answer, "Accept-Ranges", "bytes", out);
	put_name(answer, "Content-Range", out);
	writer_str(out, "bytes 0-");
	writer_dec(out, last);
	writer_str(out, "/");
	writer_dec(out, LISTENER_TOTAL);
	writer_str(out, "\r\n");
}

static struct bytes content_type(const struct listener_answer *answer)
{
	struct bytes rest = answer->content_type;

	if (answer->quirks & QUIRK_AACP_AS_AAC &&
	    bytes_equal_nocase(bytes_trim(bytes_cut(&rest, ';')), BYTES("audio/aacp")))
		return BYTES("audio/aac");
	/* Each part could be a page. */
	if (bytes_start_with_nocase(bytes_trim(answer->content_type), BYTES("multipart/")))
		return BYTES("application/octet-stream");
	return answer->content_type;
}

/* What a browser plays, and never takes for a page. Of two types with a comma it would take the last:
 * Fetch, section 3.6. */
static bool is_media(struct bytes type)
{
	struct bytes rest = type, essence = bytes_trim(bytes_cut(&rest, ';'));

	if (type.len && memchr(type.at, ',', type.len))
		return false;
	return bytes_start_with_nocase(essence, BYTES("audio/")) ||
	       bytes_start_with_nocase(essence, BYTES("video/")) ||
	       bytes_equal_nocase(essence, BYTES("application/ogg"));
}

/* An encoder says what its stream is, and from here it would be a page of ours, with all that a browser
 * lets our own pages do. */
static void put_sandbox(const struct listener_answer *answer, struct writer *out)
{
	if (is_media(content_type(answer)))
		return;
	put_header_str(answer, "X-Content-Type-Options", "nosniff", out);
	put_header_str(answer, "Content-Security-Policy", "sandbox; default-src 'none'", out);
}

static void put_station(const struct listener_answer *answer, struct writer *out)
{
	const struct station *station = answer->station;

	put_header_str(answer, "icy-name", station->name, out);
	put_header_str(answer, "icy-genre", station->genre, out);
	put_header_str(answer, "icy-description", station->description, out);
	put_header_str(answer, "icy-url", station->url, out);
	if (station->public_said)
		put_header_dec(answer, "icy-pub", station->is_public, out);
	if (station->bitrate)
		put_header_dec(answer, "icy-br", station->bitrate, out);
	put_header_str(answer, "ice-audio-info", station->audio_info, out);
}

/* For relays: the way that the stream has come. */
static void put_hops(const struct listener_answer *answer, struct writer *out)
{
	const struct station *station = answer->station;
	uint8_t room[HOPS_SIZE + HOPS_ID_MAX + 2];
	struct writer w = writer_of(room, sizeof room);

	if (answer->self.len == 0)
		return;
	writer_put(&w, answer->self);
	if (station && station->via[0]) {
		writer_str(&w, ", ");
		writer_str(&w, station->via);
	}
	put_header(answer, "icy-via", writer_done(&w), out);
}

static const char *status_line(const struct listener_answer *answer)
{
	switch (answer->kind) {
	case LISTENER_ANSWER_STREAM:
		return answer->quirks & QUIRK_ICY_STATUS ? "ICY 200 OK\r\n" : "HTTP/1.0 200 OK\r\n";
	case LISTENER_ANSWER_RANGE_STREAM:
	case LISTENER_ANSWER_PROBE:
	case LISTENER_ANSWER_PROBE_HEAD: return "HTTP/1.0 206 Partial Content\r\n";
	case LISTENER_ANSWER_PREFLIGHT: return "HTTP/1.0 204 No Content\r\n";
	}
	return "";
}

/* Whoever may listen may also read: a stream carries nothing of the one who asks (Fetch, section
 * 3.2.3). Two of the first header are none at all to a browser, so it is written here and nowhere
 * else. */
static void put_cors(const struct listener_answer *answer, struct writer *out)
{
	put_header_str(answer, "Access-Control-Allow-Origin", "*", out);
	if (answer->kind == LISTENER_ANSWER_PREFLIGHT) {
		put_header_str(answer, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS", out);
		put_header_str(answer, "Access-Control-Allow-Headers",
			       "Icy-MetaData, Range, Origin, Content-Type", out);
		put_header_str(answer, "Access-Control-Max-Age", "86400", out);
		return;
	}
	put_header_str(answer, "Access-Control-Expose-Headers",
		       "Icy-MetaInt, Icy-Name, Icy-Br, Icy-Description, Icy-Genre, Icy-Url, "
		       "Icy-Pub, Ice-Audio-Info",
		       out);
}

static void put_about_stream(const struct listener_answer *answer, struct writer *out)
{
	put_header(answer, "Content-Type", content_type(answer), out);
	put_sandbox(answer, out);
	if (answer->kind == LISTENER_ANSWER_RANGE_STREAM)
		put_range(answer, LISTENER_TOTAL - 1, out);
	if (answer->kind == LISTENER_ANSWER_PROBE || answer->kind == LISTENER_ANSWER_PROBE_HEAD) {
		put_range(answer, 1, out);
		put_header_str(answer, "Content-Length", "2", out); /* this one does end */
	}
	put_header_str(answer, "Cache-Control", "no-cache, no-store", out);
	put_header_str(answer, "Expires", "Mon, 26 Jul 1997 05:00:00 GMT", out);
	put_header_str(answer, "Pragma", "no-cache", out);
	if (answer->station)
		put_station(answer, out);
	put_hops(answer, out);
	if (answer->metaint)
		put_header_dec(answer, "icy-metaint", answer->metaint, out);
}

void listener_answer_write(const struct listener_answer *answer, struct writer *out)
{
	writer_str(out, status_line(answer));
	put_header(answer, "Server", answer->server, out);
	put_header(answer, "Date", answer->date, out);
	put_header_str(answer, "Connection", "Close", out);
	if (answer->kind != LISTENER_ANSWER_PREFLIGHT)
		put_about_stream(answer, out);
	put_cors(answer, out);
	writer_str(out, "\r\n");
	if (answer->kind == LISTENER_ANSWER_PROBE)
		writer_put(out, bytes_of(answer->probe, sizeof answer->probe));
}
