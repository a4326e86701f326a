/* The answer to a listener, made of anything an encoder said: the lines are the ones that belong
 * there, each once, and nothing frames the body. */
#include "radio/proto/listener_answer.h"

#include "text.h"

static uint8_t buf[1u << 17];

static size_t lines_named(struct bytes head, struct bytes name)
{
	size_t count = 0;

	while (head.len) {
		struct bytes line = bytes_cut(&head, '\n');

		count += bytes_start_with_nocase(line, name);
	}
	return count;
}

static void check_head(struct bytes out, const struct listener_answer *answer)
{
	size_t end = bytes_find_nocase(out, BYTES("\r\n\r\n"));
	struct bytes head = bytes_first(out, end + 2), body = bytes_skip(out, end + 4), left = head;
	bool probe = answer->kind == LISTENER_ANSWER_PROBE;

	PROPERTY(end < out.len && body.len == (probe ? 2 : 0));
	for (size_t n = 0; left.len; n++) {
		struct bytes line = bytes_cut(&left, '\n');

		PROPERTY(bytes_end_with(line, BYTES("\r")));
		line.len--;
		for (size_t i = 0; i < line.len; i++)
			PROPERTY(line.at[i] >= ' ' && line.at[i] != 0x7f);
		PROPERTY(n == 0 || bytes_find(line, ':') < line.len);
	}
	PROPERTY(lines_named(head, BYTES("Access-Control-Allow-Origin:")) == 1);
	PROPERTY(lines_named(head, BYTES("Connection:")) == 1);
	PROPERTY(lines_named(head, BYTES("Transfer-Encoding:")) == 0);
	PROPERTY(lines_named(head, BYTES("Content-Length:")) ==
		 (probe || answer->kind == LISTENER_ANSWER_PROBE_HEAD));
	PROPERTY(lines_named(head, BYTES("Content-Type:")) <= 1);
	PROPERTY(lines_named(head, BYTES("icy-name:")) <= 1);
	PROPERTY(lines_named(head, BYTES("icy-metaint:")) ==
		 (answer->metaint && answer->kind != LISTENER_ANSWER_PREFLIGHT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size < 16384 ? size : 16384);
	struct writer w = writer_of(buf, sizeof buf);
	struct listener_answer answer = {
		.kind = (enum listener_answer_kind)(take_u8(&in) % 5),
		.quirks = take_u8(&in),
		.metaint = take_u8(&in),
	};
	struct station station = {0};
	struct bytes name, range;

	range = take(&in, take_u8(&in));
	answer.server = take(&in, take_u8(&in));
	answer.date = take(&in, take_u8(&in));
	answer.content_type = take(&in, take_u8(&in));
	name = take(&in, take_u8(&in));
	/* raw, as if station.c had cleaned nothing */
	bytes_to_str(name, station.name, sizeof station.name);
	bytes_to_str(in, station.audio_info, sizeof station.audio_info);
	station_take_header(&station, BYTES("ice-audio-info"), in);
	answer.station = answer.quirks & 128 ? NULL : &station;
	listener_answer_write(&answer, &w);
	PROPERTY(writer_ok(&w));
	check_head(writer_done(&w), &answer);
	PROPERTY(listener_range_policy(range, true) == LISTENER_RANGE_IGNORE);
	if (listener_range_policy(range, false) != LISTENER_RANGE_IGNORE)
		PROPERTY(bytes_start_with_nocase(bytes_trim(range), BYTES("bytes=0-")));
	return 0;
}
