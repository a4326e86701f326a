#include "sfu/proto/sdp.h"

#include "golden.h"

static struct sdp sdp;

static void test_chromium_publishes(void **state)
{
	struct bytes in = golden("chromium-publish");
	struct sdp_media *video = &sdp.media[1];
	const struct sdp_format *rtx;

	(void)state;
	assert_int_equal(sdp_parse(in, &sdp), SDP_OK);
	assert_int_equal(sdp.media_count, 2);
	assert_true(sdp.mixed);
	assert_int_equal(sdp.media[0].kind, SDP_AUDIO);
	assert_int_equal(sdp.media[0].format[0].codec, CODEC_OPUS);
	assert_int_equal(sdp.media[0].format[0].channels, 2);
	assert_int_equal(sdp.media[0].format[0].clock, 48000);
	assert_int_equal(video->kind, SDP_VIDEO);
	assert_int_equal(video->direction, SDP_SENDONLY);
	assert_true(video->bundled && video->rtcp_mux);
	assert_int_equal(video->format[0].codec, CODEC_VP8);
	assert_int_equal(video->format[0].feedback,
			 SDP_FB_NACK | SDP_FB_PLI | SDP_FB_FIR | SDP_FB_REMB | SDP_FB_TWCC);
	rtx = sdp_rtx_of(video, video->format[0].pt);
	assert_true(rtx && rtx->rtx && rtx->apt == video->format[0].pt);
	assert_true(sdp_ext_id(video, SDP_EXT_MID) && sdp_ext_id(video, SDP_EXT_TWCC));
	assert_int_equal(video->ssrc_count, 2);
	assert_int_equal(video->ssrc[1].repaired, video->ssrc[0].ssrc);
	assert_int_equal(video->transport.setup, SDP_ACTPASS);
	guarded_free(in);
}

static void test_layers(void **state)
{
	struct bytes in = golden("chromium-layers");

	(void)state;
	assert_int_equal(sdp_parse(in, &sdp), SDP_OK);
	assert_true(sdp.media[1].simulcast);
	assert_int_equal(sdp.media[1].rid_count, 3);
	assert_true(sdp.media[1].rid[0].send && bytes_equal(sdp.media[1].rid[0].id, BYTES("h")));
	assert_true(bytes_equal(sdp.media[1].rid[2].id, BYTES("l")));
	guarded_free(in);
}

static void test_others(void **state)
{
	static const char *const names[] = {"aiortc-watch", "firefox-publish", "obs-publish",
					    "chromium-data", "chromium-watch"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct bytes in = golden(names[i]);
		struct sdp_transport transport;

		assert_int_equal(sdp_parse(in, &sdp), SDP_OK);
		transport = sdp_transport_of(&sdp, &sdp.media[0]);
		assert_true(transport.ufrag.len >= 4 && transport.pwd.len >= 22);
		assert_int_equal(transport.fingerprint.len, 95);
		assert_int_equal(transport.setup, SDP_ACTPASS);
		assert_true(sdp.media[0].bundled);
		guarded_free(in);
	}
}

/* What a peer can do wrong, each in a description that is good without it. */
static void test_bad_lines(void **state)
{
	static const struct {
		const char *line;
		enum sdp_status status;
	} cases[] = {
		{"a=mid:0", SDP_OK},
		{"b=AS:5000", SDP_OK},
		{"a=unheard-of", SDP_OK},
		{"a=extmap:4352 urn:x", SDP_BAD},
		{"a=extmap:0 urn:x", SDP_BAD},
		{"a=rtpmap:96", SDP_BAD},
		{"a=rtpmap:96 VP8/0", SDP_BAD},
		{"a=rtpmap:128 VP8/90000", SDP_BAD},
		{"a=rtpmap:97 VP8/90000", SDP_OK}, /* of no format of the line */
		{"a=fmtp:96 apt=999", SDP_BAD},
		{"a=ssrc:4294967296 cname:x", SDP_BAD},
		{"a=ice-ufrag:abc", SDP_BAD},
		{"a=ice-pwd:short", SDP_BAD},
		{"a=ice-ufrag:ab cd", SDP_BAD},
		{"a=setup:sideways", SDP_BAD},
		{"a=fingerprint:sha-256 AB:C", SDP_BAD},
		{"a=fingerprint:sha-256 AB:CG", SDP_BAD},
		{"a=rid:a,b send", SDP_BAD},
		{"a=mid:", SDP_BAD},
		{"m=video 70000 UDP/TLS/RTP/SAVPF 96", SDP_BAD},
		{"m=video 9 UDP/TLS/RTP/SAVPF", SDP_BAD},
		{"m=video 9 UDP/TLS/RTP/SAVPF x", SDP_BAD},
		{"mvideo", SDP_BAD},
		{"=x", SDP_BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[512];
		struct bytes in;

		snprintf(text, sizeof text,
			 "v=0\r\ns=-\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n%s\r\n", cases[i].line);
		in = guarded(bytes_str(text));
		if (sdp_parse(in, &sdp) != cases[i].status)
			print_error("%s\n", cases[i].line);
		assert_int_equal(sdp_parse(in, &sdp), cases[i].status);
		if (cases[i].status == SDP_BAD)
			assert_int_equal(sdp.line, 4);
		guarded_free(in);
	}
	assert_int_equal(sdp_parse(BYTES("hello"), &sdp), SDP_NOT);
	assert_int_equal(sdp_parse(BYTES(""), &sdp), SDP_NOT);
}

static void test_too_much(void **state)
{
	static char text[65536];
	size_t len = 0;

	(void)state;
	len += (size_t)sprintf(text, "v=0\r\n");
	for (unsigned i = 0; i <= SDP_MEDIA_MAX; i++)
		len += (size_t)sprintf(text + len, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
	assert_int_equal(sdp_parse(bytes_of(text, len), &sdp), SDP_LARGE);
	len = (size_t)sprintf(text, "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF");
	for (unsigned i = 0; i <= SDP_FORMATS_MAX; i++)
		len += (size_t)sprintf(text + len, " %u", i);
	assert_int_equal(sdp_parse(bytes_of(text, len), &sdp), SDP_LARGE);
	len = (size_t)sprintf(text, "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
	for (unsigned i = 1; i <= SDP_SSRCS_MAX + 1; i++)
		len += (size_t)sprintf(text + len, "a=ssrc:%u cname:x\r\n", i);
	assert_int_equal(sdp_parse(bytes_of(text, len), &sdp), SDP_LARGE);
}

/* Cut anywhere, it is read or refused and nothing is read behind it. */
static void test_cut(void **state)
{
	struct bytes in = golden("chromium-layers");

	(void)state;
	for (size_t i = 0; i < in.len; i += 7) {
		struct bytes part = guarded(bytes_first(in, i));

		(void)sdp_parse(part, &sdp);
		guarded_free(part);
	}
	guarded_free(in);
}

static void test_fragments(void **state)
{
	struct sdp_fragment fragment;

	(void)state;
	assert_int_equal(
		sdp_parse_fragment(
			BYTES("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
			      "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
			      "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host "
			      "generation 0 ufrag EsAw network-id 1\r\n"
			      "a=end-of-candidates\r\n"),
			&fragment),
		SDP_OK);
	assert_true(bytes_equal(fragment.ufrag, BYTES("EsAw")));
	assert_int_equal(fragment.candidates, 1);
	assert_true(fragment.end);
	assert_int_equal(sdp_parse_fragment(BYTES(""), &fragment), SDP_OK);
	assert_int_equal(sdp_parse_fragment(BYTES("nonsense"), &fragment), SDP_BAD);
	assert_int_equal(sdp_parse_fragment(BYTES("a=candidate:1 1 udp x\r\n"), &fragment),
			 SDP_BAD);
	assert_int_equal(sdp_parse_fragment(BYTES("a=ice-pwd:short\r\n"), &fragment), SDP_BAD);
}

static void test_candidates(void **state)
{
	struct bytes in = golden("aiortc-watch"), rest = in;
	struct sdp_candidate candidate;
	unsigned count = 0;

	(void)state;
	while (sdp_next_candidate(&rest, &candidate)) {
		assert_true(candidate.udp && !candidate.tcp && candidate.port);
		count++;
	}
	assert_int_equal(count, 4);
	guarded_free(in);
}

static void test_parameters(void **state)
{
	struct bytes fmtp = BYTES("minptime=10; Stereo=1;sprop-stereo=1;x");

	(void)state;
	assert_true(bytes_equal(sdp_parameter(fmtp, "stereo"), BYTES("1")));
	assert_true(bytes_equal(sdp_parameter(fmtp, "minptime"), BYTES("10")));
	assert_null(sdp_parameter(fmtp, "time").at);
	assert_int_equal(sdp_parameter(fmtp, "x").len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chromium_publishes),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
