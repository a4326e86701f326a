#include "sfu/proto/answer.h"

#include "golden.h"

static struct sdp offer, back;
static struct answer answer;
static struct answer_limits limits = {.audio = 1, .video = 1};
static const struct answer_local local = {
	.id = 7,
	.version = 1,
	.ufrag = "Aabcdef01234",
	.pwd = "0123456789abcdef01234567",
	.fingerprint = "9D:1A:56:EB:41:A7:B4:70:7F:47:1C:73:94:B2:B8:4D:3D:65:7D:84:92:BF:A7:9E:43:"
		       "F6:90:29:C6:7B:4A:D8",
	.candidates =
		{(const uint8_t *)"a=candidate:1 1 udp 2122260223 192.0.2.1 8189 typ host\r\n", 56},
	.name = "ringmain",
};

/* The answer to the offer of that name, read again into back. */
static const char *answered(const char *name, enum answer_role role)
{
	static char text[65536];
	struct bytes in = golden(name);
	struct writer w = writer_of(text, sizeof text - 1);

	assert_int_equal(sdp_parse(in, &offer), SDP_OK);
	assert_int_equal(answer_choose(&offer, role, &limits, &answer), ANSWER_OK);
	for (unsigned i = 0; i < answer.count && role == ANSWER_VIEWER; i++) {
		answer.media[i].ssrc = 1000 + i;
		answer.media[i].rtx_ssrc = i ? 2000 + i : 0;
	}
	answer_write(&offer, &answer, &local, &w);
	assert_true(writer_ok(&w));
	text[w.len] = '\0';
	guarded_free(in);
	assert_int_equal(sdp_parse(writer_done(&w), &back), SDP_OK);
	assert_true(back.ice_lite);
	for (unsigned i = 0; i < back.media_count; i++) {
		assert_true(back.media[i].bundled && back.media[i].rtcp_mux);
		assert_int_equal(back.media[i].transport.setup, SDP_PASSIVE);
		assert_int_equal(back.media[i].direction,
				 role == ANSWER_VIEWER ? SDP_SENDONLY : SDP_RECVONLY);
	}
	return text;
}

static void test_a_publisher_is_taken_in_one_codec(void **state)
{
	const char *text = answered("chromium-publish", ANSWER_PUBLISHER);

	(void)state;
	assert_int_equal(back.media_count, 2);
	assert_int_equal(back.media[1].format_count, 2);
	assert_int_equal(back.media[1].format[0].codec, CODEC_VP8);
	assert_true(back.media[1].format[1].rtx);
	assert_non_null(strstr(text, "a=rtcp-fb:96 goog-remb"));
	assert_null(strstr(text, "transport-cc"));
	assert_null(strstr(text, "holmer"));
	assert_non_null(strstr(text, "a=candidate:1 1 udp 2122260223 192.0.2.1 8189 typ host\r\n"));
	assert_ptr_equal(strstr(strstr(text, "a=candidate") + 1, "a=candidate"), NULL);
}

static void test_a_viewer_is_answered_in_all_codecs(void **state)
{
	const char *text = answered("chromium-watch", ANSWER_VIEWER);
	unsigned codecs = 0;

	(void)state;
	for (unsigned i = 0; i < back.media[1].format_count; i++)
		codecs |= 1u << back.media[1].format[i].codec;
	assert_true(codecs & 1u << CODEC_VP8 && codecs & 1u << CODEC_VP9 &&
		    codecs & 1u << CODEC_H264 && codecs & 1u << CODEC_AV1);
	assert_non_null(strstr(text, "a=ssrc-group:FID 1001 2001\r\n"));
	assert_non_null(strstr(text, "a=msid:ringmain"));
}

/* Where there are layers to choose from, a viewer tells of each packet if it can, and not of rates too. */
static void test_a_viewer_of_layers_tells_of_each_packet(void **state)
{
	const char *text = answered("chromium-watch", ANSWER_VIEWER);

	(void)state;
	assert_non_null(strstr(text, "goog-remb"));
	assert_null(strstr(text, "transport-cc"));
	assert_null(strstr(text, "holmer"));
	limits.twcc = true;
	text = answered("chromium-watch", ANSWER_VIEWER);
	assert_null(strstr(text, "goog-remb"));
	assert_null(strstr(text, "abs-send-time"));
	/* Its sound is counted with its pictures. */
	for (unsigned i = 0; i < 2; i++) {
		assert_true(sdp_ext_id(&back.media[i], SDP_EXT_TWCC) != 0);
		assert_true(back.media[i].format[0].feedback & SDP_FB_TWCC);
	}
	/* This one offers no such thing for its pictures. */
	text = answered("aiortc-watch", ANSWER_VIEWER);
	assert_null(strstr(text, "holmer"));
	limits.twcc = false;
}

static void test_layers_are_taken(void **state)
{
	const char *text = answered("chromium-layers", ANSWER_PUBLISHER);

	(void)state;
	assert_non_null(strstr(text, "a=simulcast:recv h;m;l\r\n"));
	assert_non_null(strstr(text, "a=rid:m recv\r\n"));
}

static void test_what_is_known_to_publish(void **state)
{
	(void)state;
	answered("firefox-publish", ANSWER_PUBLISHER);
	assert_int_equal(back.media[0].format[0].codec, CODEC_OPUS);
	answered("obs-publish", ANSWER_PUBLISHER);
	assert_int_equal(back.media[1].format[0].codec, CODEC_H264);
	answered("aiortc-watch", ANSWER_VIEWER);
}

/* An offer that is good but for what is replaced in it. */
static enum answer_status changed(const char *from, const char *to, enum answer_role role)
{
	static char text[16384], other[16384];
	struct bytes in = golden("firefox-publish");
	size_t len = bytes_to_str(in, text, sizeof text);
	char *at = other;

	guarded_free(in);
	for (const char *rest = text; *rest;) {
		const char *hit = *from ? strstr(rest, from) : NULL;

		if (!hit)
			hit = text + len;
		memcpy(at, rest, (size_t)(hit - rest));
		at += hit - rest;
		rest = hit;
		if (*rest) {
			at = stpcpy(at, to);
			rest += strlen(from);
		}
	}
	*at = '\0';
	assert_int_equal(sdp_parse(bytes_str(other), &offer), SDP_OK);
	return answer_choose(&offer, role, &limits, &answer);
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const char *from, *to;
		enum answer_status status;
	} cases[] = {
		{"", "", ANSWER_OK},
		{"sendonly", "sendrecv", ANSWER_OK},
		{"sendonly", "inactive", ANSWER_REFUSED},
		{"sendonly", "recvonly", ANSWER_REFUSED},
		{"actpass", "active", ANSWER_OK},
		{"actpass", "passive", ANSWER_REFUSED},
		{"a=rtcp-mux\r\n", "", ANSWER_REFUSED},
		{"a=group:BUNDLE 0 1\r\n", "", ANSWER_REFUSED},
		{"a=group:BUNDLE 0 1", "a=group:BUNDLE 0", ANSWER_REFUSED},
		{"a=ice-ufrag:a1b2c3d4\r\n", "", ANSWER_BAD},
		{"a=fingerprint", "a=footprint", ANSWER_BAD},
		{"UDP/TLS/RTP/SAVPF", "RTP/AVP", ANSWER_REFUSED},
		{"VP8", "VP7", ANSWER_OK}, /* there is H.264 */
		{"m=video", "m=application", ANSWER_REFUSED},
		{"m=audio", "m=video", ANSWER_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum answer_status status = changed(cases[i].from, cases[i].to, ANSWER_PUBLISHER);

		if (status != cases[i].status)
			print_error("%s: %s\n", cases[i].from, answer.fault);
		assert_int_equal(status, cases[i].status);
		if (status != ANSWER_OK)
			assert_true(strlen(answer.fault) > 10);
	}
	assert_int_equal(changed("", "", ANSWER_VIEWER), ANSWER_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_publisher_is_taken_in_one_codec),
		cmocka_unit_test(test_a_viewer_is_answered_in_all_codecs),
		cmocka_unit_test(test_a_viewer_of_layers_tells_of_each_packet),
		cmocka_unit_test(test_layers_are_taken),
		cmocka_unit_test(test_what_is_known_to_publish),
		cmocka_unit_test(test_what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
