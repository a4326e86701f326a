#include "sfu/proto/offer.h"

#include "golden.h"

static const struct answer_local local = {
	.id = 7,
	.version = 1,
	.ufrag = "Aabcdef01234",
	.pwd = "0123456789abcdef01234567",
	.fingerprint = "9D:1A:56:EB:41:A7:B4:70:7F:47:1C:73:94:B2:B8:4D:3D:65:7D:84:92:BF:A7:9E:43:"
		       "F6:90:29:C6:7B:4A:D8",
	.candidates =
		{(const uint8_t *)"a=candidate:1 1 udp 2122260223 192.0.2.1 8189 typ host\r\n", 56},
	.name = "origin",
};
static const struct answer_limits limits = {.audio = 1, .video = 1};

static char text[OFFER_MAX], said[16384];
static struct sdp offer, back;
static struct answer answer, taken;

/* A server of ours that has this one codec of video answers our own offer. */
static struct bytes exchange(uint8_t pt)
{
	struct writer w = writer_of(text, sizeof text), to = writer_of(said, sizeof said);

	offer_write(&local, 1, 1, &w);
	assert_true(writer_ok(&w));
	assert_int_equal(sdp_parse(writer_done(&w), &offer), SDP_OK);
	assert_int_equal(answer_choose(&offer, ANSWER_VIEWER, &limits, &answer), ANSWER_OK);
	answer_narrow(&offer, &answer, 0, 111);
	answer_narrow(&offer, &answer, 1, pt);
	answer.media[0].ssrc = 10;
	answer.media[1].ssrc = 11;
	answer.media[1].rtx_ssrc = 12;
	answer_write(&offer, &answer, &local, &to);
	assert_int_equal(sdp_parse(writer_done(&to), &back), SDP_OK);
	return writer_done(&to);
}

static void each_codec_is_found_again(void **state)
{
	static const struct {
		uint8_t pt;
		enum codec codec;
		const char *fmtp;
	} cases[] = {
		{96, CODEC_VP8, ""},
		{98, CODEC_VP9, "profile-id=0"},
		{106, CODEC_H264,
		 "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"},
		{114, CODEC_AV1, ""},
		{116, CODEC_H265, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct sdp_media *video = &back.media[1];
		const struct sdp_format *format;

		exchange(cases[i].pt);
		assert_int_equal(answer_choose(&back, ANSWER_CALLER, &limits, &taken), ANSWER_OK);
		assert_int_equal(taken.count, 2);
		assert_int_equal(taken.media[1].count, 2); /* and its retransmissions */
		format = &video->format[taken.media[1].format[0]];
		assert_int_equal(format->pt, cases[i].pt);
		assert_int_equal(format->codec, cases[i].codec);
		assert_true(bytes_equal(format->fmtp, bytes_str(cases[i].fmtp)));
		assert_true(format->feedback & SDP_FB_NACK && format->feedback & SDP_FB_PLI);
		assert_int_equal(video->ssrc[0].ssrc, 11);
		assert_int_equal(back.media[0].format[taken.media[0].format[0]].codec, CODEC_OPUS);
	}
}

/* As many as a room may have, at sixteen addresses. */
static void many_media_fit(void **state)
{
	static char candidates[4096];
	struct writer lines = writer_of(candidates, sizeof candidates);
	struct writer w = writer_of(text, sizeof text);
	struct answer_local at = local;

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		writer_str(&lines, "a=candidate:1 1 udp 2122260223 "
				   "2001:db8:1234:5678:9abc:def0:1234:5678 8189 "
				   "typ host\r\n");
	at.candidates = writer_done(&lines);
	offer_write(&at, 0, OFFER_MEDIA_MAX, &w);
	assert_true(writer_ok(&w) && writer_ok(&lines));
	w = writer_of(text, sizeof text);
	offer_write(&at, 2, OFFER_MEDIA_MAX - 2, &w);
	assert_int_equal(sdp_parse(writer_done(&w), &offer), SDP_OK);
	assert_int_equal(offer.media_count, OFFER_MEDIA_MAX);
	for (unsigned i = 0; i < OFFER_MEDIA_MAX; i++) {
		assert_int_equal(offer.media[i].kind, i < 2 ? SDP_AUDIO : SDP_VIDEO);
		assert_true(offer.media[i].bundled);
	}
}

/* What a caller takes and what one who is called takes are not the same. */
static void an_answer_is_no_offer(void **state)
{
	(void)state;
	exchange(96);
	assert_int_equal(sdp_transport_of(&back, &back.media[0]).setup, SDP_PASSIVE);
	assert_int_equal(answer_choose(&back, ANSWER_PUBLISHER, &limits, &taken), ANSWER_REFUSED);
	assert_int_equal(answer_choose(&offer, ANSWER_CALLER, &limits, &taken), ANSWER_REFUSED);
	assert_int_equal(answer_choose(&offer, ANSWER_PUBLISHER, &limits, &taken), ANSWER_REFUSED);
}

static void what_can_be_called_is_called(void **state)
{
	static const struct {
		const char *text;
		bool v4_only;
		const char *found; /* NULL: none */
	} cases[] = {
		{"a=candidate:1 1 udp 1 192.0.2.1 8189 typ host\r\n", true, "192.0.2.1"},
		{"a=candidate:1 1 tcp 9 192.0.2.9 8189 typ host tcptype passive\r\n"
		 "a=candidate:1 1 udp 1 x.local 8189 typ host\r\n"
		 "a=candidate:1 1 udp 1 192.0.2.2 0 typ host\r\n"
		 "a=candidate:1 1 UDP 1 2001:db8::1 8189 typ host\r\n"
		 "a=candidate:1 1 udp 1 192.0.2.3 8189 typ host\r\n",
		 true, "192.0.2.3"},
		{"a=candidate:1 1 udp 1 2001:db8::1 8189 typ host\r\n", false, "2001:db8::1"},
		{"a=candidate:1 1 udp 1 2001:db8::1 8189 typ host\r\n", true, NULL},
		{"a=candidate:1 1 udp", false, NULL},
		{"", false, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sdp_candidate candidate;
		bool found =
			offer_candidate(bytes_str(cases[i].text), cases[i].v4_only, &candidate);

		assert_int_equal(found, cases[i].found != NULL);
		if (found)
			assert_true(bytes_equal(candidate.address, bytes_str(cases[i].found)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_codec_is_found_again),
		cmocka_unit_test(many_media_fit),
		cmocka_unit_test(an_answer_is_no_offer),
		cmocka_unit_test(what_can_be_called_is_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
