#include "sfu/proto/answer.h"

/* --- choosing ------------------------------------------------------------------------------- */

static enum answer_status refuse(struct answer *out, enum answer_status status, const char *why)
{
	out->fault = why;
	return status;
}

/* RFC 8122 5; what OpenSSL knows, see dtls.c. */
static bool fingerprint_fits(const struct sdp_transport *transport)
{
	static const struct {
		const char *hash;
		size_t len;
	} known[] = {
		{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}, {"sha-224", 28}, {"sha-1", 20}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (bytes_equal_nocase(transport->hash, bytes_str(known[i].hash)))
			return transport->fingerprint.len == known[i].len * 3 - 1;
	return false;
}

static enum answer_status check_transport(const struct sdp *offer, const struct sdp_media *media,
					  enum answer_role role, struct answer *out)
{
	struct sdp_transport transport = sdp_transport_of(offer, media);

	if (!transport.ufrag.at || !transport.pwd.at)
		return refuse(out, ANSWER_BAD, "ice-ufrag and ice-pwd are missing");
	if (!transport.fingerprint.at)
		return refuse(out, ANSWER_BAD, "a fingerprint is missing: media are encrypted");
	if (!fingerprint_fits(&transport))
		return refuse(out, ANSWER_REFUSED,
			      "the fingerprint must be a whole one of SHA-256 or another SHA");
	if (role != ANSWER_CALLER && transport.setup != SDP_ACTPASS &&
	    transport.setup != SDP_ACTIVE)
		return refuse(out, ANSWER_REFUSED,
			      "setup must be actpass or active: this server is passive");
	if (!media->rtcp_mux)
		return refuse(out, ANSWER_REFUSED, "rtcp-mux is needed in all media");
	if (offer->media_count > 1 && !media->bundled)
		return refuse(out, ANSWER_REFUSED, "all media must be in one BUNDLE group");
	if (!bytes_end_with(media->protocol, BYTES("/TLS/RTP/SAVPF")) &&
	    !bytes_end_with(media->protocol, BYTES("/TLS/RTP/SAVP")))
		return refuse(out, ANSWER_REFUSED, "the protocol must be UDP/TLS/RTP/SAVPF");
	return ANSWER_OK;
}

static bool direction_fits(enum sdp_direction direction, enum answer_role role)
{
	return direction == SDP_SENDRECV ||
	       direction == (role == ANSWER_VIEWER ? SDP_RECVONLY : SDP_SENDONLY);
}

/* Of a codec that is carried, at the clock that it has by its own RFC: times go from publishers to viewers as they
 * are. */
static bool format_fits(const struct sdp_media *media, const struct sdp_format *format)
{
	uint32_t clock = codec_is_video(format->codec) ? 90000
			 : format->codec == CODEC_OPUS ? 48000
						       : 8000;

	return format->codec != CODEC_NONE && format->clock == clock &&
	       codec_is_video(format->codec) == (media->kind == SDP_VIDEO);
}

static unsigned place_of(const struct sdp_media *media, const struct sdp_format *format)
{
	return (unsigned)(format - media->format);
}

static void choose_formats(const struct sdp_media *media, enum answer_role role,
			   struct answer_medium *out)
{
	for (unsigned i = 0; i < media->format_count; i++) {
		const struct sdp_format *format = &media->format[i];
		const struct sdp_format *rtx = sdp_rtx_of(media, format->pt);

		if (!format_fits(media, format) || out->count + 2 > ANSWER_FORMATS_MAX)
			continue;
		out->format[out->count++] = (uint8_t)i;
		if (rtx)
			out->format[out->count++] = (uint8_t)place_of(media, rtx);
		if (role != ANSWER_VIEWER)
			break;
	}
}

static void choose_exts(const struct sdp_media *media, enum answer_role role, bool twcc,
			struct answer_medium *out)
{
	uint32_t wanted = 1u << SDP_EXT_MID | 1u << SDP_EXT_ORIENTATION;

	if (role == ANSWER_PUBLISHER)
		wanted |= 1u << SDP_EXT_RID | 1u << SDP_EXT_REPAIRED_RID;
	if (twcc && sdp_ext_id(media, SDP_EXT_TWCC))
		wanted |= 1u << SDP_EXT_TWCC;
	else
		wanted |= 1u << SDP_EXT_SEND_TIME;
	for (unsigned i = 0; i < media->ext_count; i++)
		out->exts |= wanted & 1u << media->ext[i].kind;
}

static unsigned layers_of(const struct sdp_media *media)
{
	unsigned count = 0;

	for (unsigned i = 0; i < media->rid_count; i++)
		count += media->rid[i].send;
	return count;
}

static enum answer_status choose_medium(const struct sdp *offer, unsigned i, enum answer_role role,
					const struct answer_limits *limits, struct answer *out)
{
	const struct sdp_media *media = &offer->media[i];
	struct answer_medium *medium = &out->media[i];
	enum answer_status status;

	if (media->kind > SDP_VIDEO)
		return refuse(out, ANSWER_REFUSED, "only audio and video are carried");
	if (!direction_fits(media->direction, role))
		return refuse(out, ANSWER_REFUSED,
			      role == ANSWER_VIEWER ? "a viewer's media must be recvonly"
						    : "a publisher's media must be sendonly");
	status = limits->plain ? ANSWER_OK : check_transport(offer, media, role, out);
	if (status != ANSWER_OK)
		return status;
	choose_formats(media, role, medium);
	if (medium->count == 0)
		return refuse(out, ANSWER_REFUSED,
			      media->kind == SDP_AUDIO
				      ? "none of the audio codecs is carried here (opus is)"
				      : "none of the video codecs is carried here "
					"(VP8, VP9, H264, AV1 and H265 are)");
	choose_exts(media, role, limits->twcc, medium);
	medium->layers = role == ANSWER_PUBLISHER && media->simulcast && layers_of(media) > 0;
	return ANSWER_OK;
}

/* A viewer's one estimate is of all media: so all pictures are counted, or nothing is. */
static bool counts_all(const struct sdp *offer)
{
	bool all = true;

	for (unsigned i = 0; i < offer->media_count; i++) {
		const struct sdp_media *media = &offer->media[i];
		uint8_t id = sdp_ext_id(media, SDP_EXT_TWCC), feedback = 0;

		for (unsigned f = 0; f < media->format_count; f++)
			feedback |= media->format[f].feedback;
		if (media->kind == SDP_VIDEO)
			all &= id > 0 && id < 15 && feedback & SDP_FB_TWCC;
	}
	return all;
}

enum answer_status answer_choose(const struct sdp *offer, enum answer_role role,
				 const struct answer_limits *limits, struct answer *out)
{
	struct answer_limits narrow = *limits;
	enum answer_status status = ANSWER_OK;
	unsigned audio = 0, video = 0, tracks = 0;

	memset(out, 0, sizeof *out);
	out->role = role;
	out->count = offer->media_count;
	if (offer->media_count == 0)
		return refuse(out, ANSWER_BAD, "the offer has no media");
	if (role == ANSWER_VIEWER && !counts_all(offer))
		narrow.twcc = false;
	for (unsigned i = 0; i < offer->media_count && status == ANSWER_OK; i++) {
		audio += offer->media[i].kind == SDP_AUDIO;
		video += offer->media[i].kind == SDP_VIDEO;
		status = choose_medium(offer, i, role, &narrow, out);
		tracks += out->media[i].layers ? layers_of(&offer->media[i]) : 1;
	}
	if (status == ANSWER_OK && (audio > limits->audio || video > limits->video))
		return refuse(out, ANSWER_REFUSED, "there are more media than are carried");
	if (status == ANSWER_OK && limits->tracks && tracks > limits->tracks)
		return refuse(out, ANSWER_REFUSED, "there are more layers than are carried");
	return status;
}

void answer_narrow(const struct sdp *offer, struct answer *answer, unsigned medium, uint8_t pt)
{
	const struct sdp_media *media = &offer->media[medium];
	struct answer_medium *taken = &answer->media[medium];
	const struct sdp_format *rtx = sdp_rtx_of(media, pt);
	unsigned count = 0;

	for (unsigned i = 0; i < taken->count; i++) {
		const struct sdp_format *format = &media->format[taken->format[i]];

		if (format->pt == pt || format == rtx)
			taken->format[count++] = taken->format[i];
	}
	taken->count = count;
}

/* --- writing -------------------------------------------------------------------------------- */

static void put(struct writer *w, const char *name, struct bytes value)
{
	writer_str(w, name);
	writer_put(w, value);
	writer_str(w, "\r\n");
}

static void put_feedback(struct writer *w, uint8_t pt, uint8_t feedback)
{
	static const char *const words[] = {" nack", " nack pli", " ccm fir", " goog-remb",
					    " transport-cc"};

	for (unsigned i = 0; i < 5; i++) {
		if (!(feedback & 1u << i))
			continue;
		writer_str(w, "a=rtcp-fb:");
		writer_dec(w, pt);
		put(w, words[i], (struct bytes){NULL, 0});
	}
}

static void put_format(struct writer *w, const struct sdp_format *format, uint32_t exts)
{
	uint8_t feedback = format->feedback;

	/* One way of telling what fits through, not two. */
	feedback &= (uint8_t) ~(exts & 1u << SDP_EXT_TWCC ? SDP_FB_REMB : SDP_FB_TWCC);
	writer_str(w, "a=rtpmap:");
	writer_dec(w, format->pt);
	writer_str(w, " ");
	if (format->name.at)
		writer_put(w, format->name);
	else
		writer_str(w, codec_name(format->codec));
	writer_str(w, "/");
	writer_dec(w, format->clock);
	if (format->channels > 1) {
		writer_str(w, "/");
		writer_dec(w, format->channels);
	}
	writer_str(w, "\r\n");
	put_feedback(w, format->pt, feedback);
	if (format->fmtp.len) {
		writer_str(w, "a=fmtp:");
		writer_dec(w, format->pt);
		put(w, " ", format->fmtp);
	}
}

static void put_layers(struct writer *w, const struct sdp_media *media)
{
	bool first = true;

	for (unsigned i = 0; i < media->rid_count; i++) {
		if (!media->rid[i].send)
			continue;
		writer_str(w, "a=rid:");
		writer_put(w, media->rid[i].id);
		writer_str(w, " recv\r\n");
	}
	writer_str(w, "a=simulcast:recv ");
	for (unsigned i = 0; i < media->rid_count; i++) {
		if (!media->rid[i].send)
			continue;
		writer_str(w, first ? "" : ";");
		writer_put(w, media->rid[i].id);
		first = false;
	}
	writer_str(w, "\r\n");
}

static void put_sources(struct writer *w, const struct answer_medium *medium, const char *name)
{
	const uint32_t ssrcs[] = {medium->ssrc, medium->rtx_ssrc};

	if (medium->rtx_ssrc) {
		writer_str(w, "a=ssrc-group:FID ");
		writer_dec(w, medium->ssrc);
		writer_str(w, " ");
		writer_dec(w, medium->rtx_ssrc);
		writer_str(w, "\r\n");
	}
	for (unsigned i = 0; i < 2 && ssrcs[i]; i++) {
		writer_str(w, "a=ssrc:");
		writer_dec(w, ssrcs[i]);
		put(w, " cname:", bytes_str(name));
	}
}

static void put_transport(struct writer *w, const struct answer_local *local)
{
	put(w, "a=ice-ufrag:", bytes_str(local->ufrag));
	put(w, "a=ice-pwd:", bytes_str(local->pwd));
	put(w, "a=fingerprint:sha-256 ", bytes_str(local->fingerprint));
	writer_str(w, "a=setup:passive\r\n");
}

static void put_medium(struct writer *w, const struct sdp *offer, const struct answer *answer,
		       unsigned i, const struct answer_local *local)
{
	const struct sdp_media *media = &offer->media[i];
	const struct answer_medium *medium = &answer->media[i];
	bool viewer = answer->role == ANSWER_VIEWER;

	writer_str(w, "m=");
	writer_put(w, media->kind_text);
	writer_str(w, " 9 ");
	writer_put(w, media->protocol);
	for (unsigned f = 0; f < medium->count; f++) {
		writer_str(w, " ");
		writer_dec(w, media->format[medium->format[f]].pt);
	}
	writer_str(w, "\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n");
	put_transport(w, local);
	if (media->mid.at)
		put(w, "a=mid:", media->mid);
	for (unsigned e = 0; e < media->ext_count; e++) {
		if (!(medium->exts & 1u << media->ext[e].kind) || !media->ext[e].kind)
			continue;
		writer_str(w, "a=extmap:");
		writer_dec(w, media->ext[e].id);
		put(w, " ", media->ext[e].uri);
	}
	writer_str(w, viewer ? "a=sendonly\r\n" : "a=recvonly\r\n");
	if (viewer) {
		writer_str(w, "a=msid:");
		writer_str(w, local->name);
		put(w, media->kind == SDP_AUDIO ? " audio" : " video", media->mid);
	}
	/* RFC 9725 4.4.1, RFC 8858 3. */
	writer_str(w, "a=rtcp-mux\r\na=rtcp-mux-only\r\na=rtcp-rsize\r\n");
	for (unsigned f = 0; f < medium->count; f++)
		put_format(w, &media->format[medium->format[f]], medium->exts);
	if (medium->layers)
		put_layers(w, media);
	if (viewer)
		put_sources(w, medium, local->name);
	/* Of a bundle, in the first medium for all (RFC 9143 7.1). */
	if (i == 0) {
		writer_put(w, local->candidates);
		writer_str(w, "a=end-of-candidates\r\n");
	}
}

void answer_write(const struct sdp *offer, const struct answer *answer,
		  const struct answer_local *local, struct writer *w)
{
	writer_str(w, "v=0\r\no=- ");
	writer_dec(w, local->id);
	writer_str(w, " ");
	writer_dec(w, local->version);
	writer_str(w, " IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n");
	writer_str(w, "a=ice-options:ice2\r\n");
	if (offer->bundle.at) {
		writer_str(w, "a=group:BUNDLE");
		for (unsigned i = 0; i < offer->media_count; i++) {
			if (!offer->media[i].bundled)
				continue;
			writer_str(w, " ");
			writer_put(w, offer->media[i].mid);
		}
		writer_str(w, "\r\n");
	}
	if (offer->mixed)
		writer_str(w, "a=extmap-allow-mixed\r\n");
	put(w, "a=msid-semantic: WMS ", bytes_str(local->name));
	for (unsigned i = 0; i < answer->count; i++)
		put_medium(w, offer, answer, i, local);
}
