#include "sfu/proto/offer.h"

#include "edge/proto/address.h"

struct format {
	uint8_t pt, rtx_pt; /* rtx_pt 0: none */
	enum codec codec;
	uint32_t clock;
	uint8_t channels;
	const char *fmtp;
};

/* H.264's profiles are formats of their own (RFC 6184 8.2.2). */
static const struct format audio[] = {
	{111, 0, CODEC_OPUS, 48000, 2, "minptime=10;useinbandfec=1"},
	{0, 0, CODEC_PCMU, 8000, 1, ""},
	{8, 0, CODEC_PCMA, 8000, 1, ""},
	{9, 0, CODEC_G722, 8000, 1, ""},
};

static const struct format video[] = {
	{96, 97, CODEC_VP8, 90000, 1, ""},
	{98, 99, CODEC_VP9, 90000, 1, "profile-id=0"},
	{100, 101, CODEC_VP9, 90000, 1, "profile-id=2"},
	{102, 103, CODEC_H264, 90000, 1,
	 "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
	{104, 105, CODEC_H264, 90000, 1,
	 "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"},
	{106, 107, CODEC_H264, 90000, 1,
	 "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"},
	{108, 109, CODEC_H264, 90000, 1,
	 "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"},
	{112, 113, CODEC_H264, 90000, 1,
	 "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"},
	{114, 115, CODEC_AV1, 90000, 1, ""},
	{116, 117, CODEC_H265, 90000, 1, ""},
};

static void line(struct writer *w, const char *name, const char *value)
{
	writer_str(w, name);
	writer_str(w, value);
	writer_str(w, "\r\n");
}

static void numbered(struct writer *w, const char *name, unsigned number, const char *rest)
{
	writer_str(w, name);
	writer_dec(w, number);
	writer_str(w, rest);
}

static void put_format(struct writer *w, const struct format *format)
{
	numbered(w, "a=rtpmap:", format->pt, " ");
	writer_str(w, codec_name(format->codec));
	numbered(w, "/", format->clock, "");
	if (format->channels > 1)
		numbered(w, "/", format->channels, "");
	writer_str(w, "\r\n");
	if (format->fmtp[0]) {
		numbered(w, "a=fmtp:", format->pt, " ");
		line(w, format->fmtp, "");
	}
	if (!codec_is_video(format->codec))
		return;
	numbered(w, "a=rtcp-fb:", format->pt, " nack\r\n");
	numbered(w, "a=rtcp-fb:", format->pt, " nack pli\r\n");
	numbered(w, "a=rtcp-fb:", format->pt, " goog-remb\r\n");
	numbered(w, "a=rtpmap:", format->rtx_pt, " rtx/90000\r\n");
	numbered(w, "a=fmtp:", format->rtx_pt, " apt=");
	numbered(w, "", format->pt, "\r\n");
}

static void put_medium(struct writer *w, const struct answer_local *local, const char *kind,
		       unsigned mid, const struct format *formats, unsigned count)
{
	writer_str(w, "m=");
	writer_str(w, kind);
	writer_str(w, " 9 UDP/TLS/RTP/SAVPF");
	for (unsigned i = 0; i < count; i++) {
		numbered(w, " ", formats[i].pt, "");
		if (formats[i].rtx_pt)
			numbered(w, " ", formats[i].rtx_pt, "");
	}
	writer_str(w, "\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n");
	line(w, "a=ice-ufrag:", local->ufrag);
	line(w, "a=ice-pwd:", local->pwd);
	line(w, "a=fingerprint:sha-256 ", local->fingerprint);
	writer_str(w, "a=setup:actpass\r\n");
	numbered(w, "a=mid:", mid, "\r\n");
	line(w, "a=extmap:1 ", sdp_ext_uri(SDP_EXT_MID));
	if (codec_is_video(formats[0].codec))
		line(w, "a=extmap:4 ", sdp_ext_uri(SDP_EXT_ORIENTATION));
	writer_str(w, "a=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\n");
	for (unsigned i = 0; i < count; i++)
		put_format(w, &formats[i]);
	if (mid == 0) {
		writer_put(w, local->candidates);
		writer_str(w, "a=end-of-candidates\r\n");
	}
}

void offer_write(const struct answer_local *local, unsigned audios, unsigned videos,
		 struct writer *w)
{
	writer_str(w, "v=0\r\no=- ");
	writer_dec(w, local->id);
	writer_str(w, " ");
	writer_dec(w, local->version);
	writer_str(w, " IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
	for (unsigned i = 0; i < audios + videos; i++)
		numbered(w, " ", i, "");
	writer_str(w, "\r\n");
	for (unsigned i = 0; i < audios; i++)
		put_medium(w, local, "audio", i, audio, sizeof audio / sizeof *audio);
	for (unsigned i = audios; i < audios + videos; i++)
		put_medium(w, local, "video", i, video, sizeof video / sizeof *video);
}

bool offer_candidate(struct bytes answer, bool v4_only, struct sdp_candidate *out)
{
	struct bytes rest = answer;
	struct address address;

	while (sdp_next_candidate(&rest, out))
		/* Names (mDNS) are for browsers of one's own network. */
		if (out->udp && out->port && address_parse_ip(out->address, &address) &&
		    (!v4_only || address_is_v4(&address)))
			return true;
	return false;
}
