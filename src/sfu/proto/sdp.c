#include "sfu/proto/sdp.h"

static const char *const ext_uris[SDP_EXT_KINDS] = {
	[SDP_EXT_OTHER] = "",
	[SDP_EXT_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
	[SDP_EXT_RID] = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
	[SDP_EXT_REPAIRED_RID] = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
	[SDP_EXT_SEND_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
	[SDP_EXT_TWCC] =
		"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
	[SDP_EXT_ORIENTATION] = "urn:3gpp:video-orientation",
};

const char *sdp_ext_uri(enum sdp_ext_kind kind)
{
	return ext_uris[kind];
}

/* --- words ---------------------------------------------------------------------------------- */

/* A word up to a blank; blanks before it are skipped. */
static struct bytes word(struct bytes *rest)
{
	while (rest->len && rest->at[0] == ' ')
		*rest = bytes_skip(*rest, 1);
	return bytes_cut(rest, ' ');
}

static bool number(struct bytes in, uint64_t most, uint64_t *out)
{
	return bytes_to_u64(in, most, out);
}

/* Characters that go into an answer as they are: no control characters, no blanks. */
static bool is_token(struct bytes in, size_t most)
{
	if (in.len == 0 || in.len > most)
		return false;
	for (size_t i = 0; i < in.len; i++)
		if (in.at[i] <= ' ' || in.at[i] >= 0x7f)
			return false;
	return true;
}

static enum sdp_status fault(struct sdp *sdp, enum sdp_status status, const char *what)
{
	sdp->fault = what;
	return status;
}

/* --- attributes of either --------------------------------------------------------------------- */

/* RFC 8839 5.4: ice-chars, 4 to 256 for the fragment, 22 to 256 for the password. */
static bool is_ice(struct bytes in, size_t least)
{
	if (in.len < least || in.len > 256)
		return false;
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.at[i], lower = byte_lower(c);

		if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '+' &&
		    c != '/')
			return false;
	}
	return true;
}

static bool parse_setup(struct bytes value, enum sdp_setup *out)
{
	static const char *const words[] = {"", "actpass", "active", "passive", "holdconn"};

	for (unsigned i = 1; i < 5; i++)
		if (bytes_equal_nocase(value, bytes_str(words[i]))) {
			*out = (enum sdp_setup)i;
			return true;
		}
	return false;
}

/* "sha-256 AB:CD:…" (RFC 8122 5). Of several the first SHA-256 one counts, or else the first. */
static bool parse_fingerprint(struct bytes value, struct sdp_transport *transport)
{
	struct bytes hash = word(&value), print = word(&value);

	if (print.len < 2 || print.len > 191 || print.len % 3 != 2)
		return false;
	for (size_t i = 0; i < print.len; i++) {
		uint8_t c = byte_lower(print.at[i]);
		bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

		if (i % 3 == 2 ? c != ':' : !hex)
			return false;
	}
	if (transport->hash.len && !bytes_equal_nocase(hash, BYTES("sha-256")))
		return true;
	transport->hash = hash;
	transport->fingerprint = print;
	return true;
}

/* True: it was one of the transport's. *good: and could be read. */
static bool transport_attribute(struct sdp_transport *transport, struct bytes name,
				struct bytes value, bool *good)
{
	if (bytes_equal(name, BYTES("ice-ufrag"))) {
		transport->ufrag = value;
		*good = is_ice(value, 4);
	} else if (bytes_equal(name, BYTES("ice-pwd"))) {
		transport->pwd = value;
		*good = is_ice(value, 22);
	} else if (bytes_equal(name, BYTES("fingerprint"))) {
		*good = parse_fingerprint(value, transport);
	} else if (bytes_equal(name, BYTES("setup"))) {
		*good = parse_setup(value, &transport->setup);
	} else {
		return false;
	}
	return true;
}

static bool parse_direction(struct bytes name, enum sdp_direction *out)
{
	static const char *const words[] = {"sendrecv", "sendonly", "recvonly", "inactive"};

	for (unsigned i = 0; i < 4; i++)
		if (bytes_equal(name, bytes_str(words[i]))) {
			*out = (enum sdp_direction)i;
			return true;
		}
	return false;
}

/* --- attributes of the session ------------------------------------------------------------------ */

static enum sdp_status session_attribute(struct sdp *sdp, struct bytes name, struct bytes value)
{
	bool good = true;

	if (transport_attribute(&sdp->transport, name, value, &good))
		return good ? SDP_OK : fault(sdp, SDP_BAD, "a transport attribute");
	if (parse_direction(name, &sdp->direction))
		return SDP_OK;
	if (bytes_equal(name, BYTES("group"))) {
		struct bytes kind = word(&value);

		if (bytes_equal(kind, BYTES("BUNDLE")) && !sdp->bundle.at)
			sdp->bundle = value;
	} else if (bytes_equal(name, BYTES("ice-lite"))) {
		sdp->ice_lite = true;
	} else if (bytes_equal(name, BYTES("extmap-allow-mixed"))) {
		sdp->mixed = true;
	} else if (bytes_equal(name, BYTES("ice-options"))) {
		while (value.len) {
			struct bytes option = word(&value);

			sdp->trickle |= bytes_equal(option, BYTES("trickle"));
			sdp->ice2 |= bytes_equal(option, BYTES("ice2"));
		}
	}
	return SDP_OK;
}

/* --- attributes of a medium --------------------------------------------------------------------- */

struct sdp_format *sdp_format_of(struct sdp_media *media, uint8_t pt)
{
	for (unsigned i = 0; i < media->format_count; i++)
		if (media->format[i].pt == pt)
			return &media->format[i];
	return NULL;
}

/* The format that an attribute begins with. NULL and *good: it is none of this medium, which is the
 * peer's affair. */
static struct sdp_format *format_at(struct sdp_media *media, struct bytes *value, bool *good)
{
	uint64_t pt;

	*good = number(word(value), 127, &pt);
	return *good ? sdp_format_of(media, (uint8_t)pt) : NULL;
}

static bool parse_rtpmap(struct sdp_media *media, struct bytes value)
{
	bool good;
	struct sdp_format *format = format_at(media, &value, &good);
	struct bytes rest = word(&value), name = bytes_cut(&rest, '/');
	struct bytes clock_text = bytes_cut(&rest, '/');
	uint64_t clock, channels = 1;

	if (!good || !number(clock_text, UINT32_MAX, &clock) || clock == 0 || !is_token(name, 32) ||
	    (rest.len && !number(rest, 255, &channels)))
		return false;
	if (!format)
		return true;
	format->name = name;
	format->clock = (uint32_t)clock;
	format->channels = (uint8_t)channels;
	format->codec = codec_of(name);
	format->rtx = bytes_equal_nocase(name, BYTES("rtx"));
	return true;
}

static bool parse_fmtp(struct sdp_media *media, struct bytes value)
{
	bool good;
	struct sdp_format *format = format_at(media, &value, &good);
	struct bytes apt;
	uint64_t pt;

	if (!good || !format)
		return good;
	format->fmtp = bytes_trim(value);
	apt = sdp_parameter(format->fmtp, "apt");
	if (apt.at) {
		if (!number(apt, 127, &pt))
			return false;
		format->apt = (uint8_t)pt;
	}
	return true;
}

static uint8_t feedback_of(struct bytes value)
{
	struct bytes kind = word(&value), what = word(&value);

	if (bytes_equal(kind, BYTES("nack")))
		return what.len == 0 ? SDP_FB_NACK
				     : (bytes_equal(what, BYTES("pli")) ? SDP_FB_PLI : 0);
	if (bytes_equal(kind, BYTES("ccm")))
		return bytes_equal(what, BYTES("fir")) ? SDP_FB_FIR : 0;
	if (bytes_equal(kind, BYTES("goog-remb")))
		return SDP_FB_REMB;
	return bytes_equal(kind, BYTES("transport-cc")) ? SDP_FB_TWCC : 0;
}

static bool parse_feedback(struct sdp_media *media, struct bytes value)
{
	struct bytes all = value;
	uint8_t feedback;
	struct sdp_format *format;
	bool good;

	if (bytes_equal(word(&all), BYTES("*"))) {
		feedback = feedback_of(all);
		for (unsigned i = 0; i < media->format_count; i++)
			media->format[i].feedback |= feedback;
		return true;
	}
	format = format_at(media, &value, &good);
	if (format)
		format->feedback |= feedback_of(value);
	return good;
}

static enum sdp_status parse_extmap(struct sdp *sdp, struct sdp_media *media, struct bytes value)
{
	struct bytes id_text = word(&value), uri = word(&value);
	struct bytes direction = id_text;
	struct sdp_ext *ext = &media->ext[media->ext_count];
	uint64_t id;

	/* RFC 8285 5: "5", "5/recvonly". */
	id_text = bytes_cut(&direction, '/');
	if (!number(id_text, 4351, &id) || id == 0 || !is_token(uri, 256))
		return fault(sdp, SDP_BAD, "an extmap");
	if (id > 255)
		return SDP_OK; /* of offers that have more than fit: not taken up */
	if (media->ext_count == SDP_EXTS_MAX)
		return fault(sdp, SDP_LARGE, "too many header extensions");
	*ext = (struct sdp_ext){.id = (uint8_t)id, .uri = uri};
	for (unsigned i = 1; i < SDP_EXT_KINDS; i++)
		if (bytes_equal(uri, bytes_str(ext_uris[i])))
			ext->kind = (enum sdp_ext_kind)i;
	media->ext_count++;
	return SDP_OK;
}

static struct sdp_ssrc *ssrc_of(struct sdp_media *media, uint32_t ssrc)
{
	for (unsigned i = 0; i < media->ssrc_count; i++)
		if (media->ssrc[i].ssrc == ssrc)
			return &media->ssrc[i];
	if (media->ssrc_count == SDP_SSRCS_MAX)
		return NULL;
	media->ssrc[media->ssrc_count] = (struct sdp_ssrc){.ssrc = ssrc};
	return &media->ssrc[media->ssrc_count++];
}

static enum sdp_status parse_ssrc(struct sdp *sdp, struct sdp_media *media, struct bytes value)
{
	uint64_t ssrc;

	if (!number(word(&value), UINT32_MAX, &ssrc))
		return fault(sdp, SDP_BAD, "an ssrc");
	return ssrc_of(media, (uint32_t)ssrc) ? SDP_OK : fault(sdp, SDP_LARGE, "too many ssrcs");
}

static enum sdp_status parse_ssrc_group(struct sdp *sdp, struct sdp_media *media,
					struct bytes value)
{
	struct bytes kind = word(&value);
	bool fid = bytes_equal(kind, BYTES("FID")), sim = bytes_equal(kind, BYTES("SIM"));
	uint64_t first = 0, ssrc;

	for (unsigned i = 0; value.len; i++) {
		struct sdp_ssrc *entry;

		if (!number(word(&value), UINT32_MAX, &ssrc))
			return fault(sdp, SDP_BAD, "an ssrc-group");
		if (!fid && !sim)
			continue;
		entry = ssrc_of(media, (uint32_t)ssrc);
		if (!entry)
			return fault(sdp, SDP_LARGE, "too many ssrcs");
		entry->simulcast |= sim;
		if (i == 0)
			first = ssrc;
		else if (fid)
			entry->repaired = (uint32_t)first;
	}
	return SDP_OK;
}

static enum sdp_status parse_rid(struct sdp *sdp, struct sdp_media *media, struct bytes value)
{
	struct bytes id = word(&value), direction = word(&value);

	/* RFC 8852 3.1: letters, digits; what fits the 16 bytes of a one-byte extension. */
	if (!is_token(id, 16) || bytes_find(id, ',') < id.len || bytes_find(id, ';') < id.len)
		return fault(sdp, SDP_BAD, "a rid");
	if (media->rid_count == SDP_RIDS_MAX)
		return fault(sdp, SDP_LARGE, "too many rids");
	for (unsigned i = 0; i < media->rid_count; i++)
		if (bytes_equal(media->rid[i].id, id))
			return fault(sdp, SDP_BAD, "a rid that is there already");
	media->rid[media->rid_count++] = (struct sdp_rid){
		.id = id,
		.send = bytes_equal(direction, BYTES("send")),
	};
	return SDP_OK;
}

/* RFC 5888 4: no two media have the same. */
static enum sdp_status parse_mid(struct sdp *sdp, struct sdp_media *media, struct bytes value)
{
	media->mid = value;
	if (!is_token(value, 32))
		return fault(sdp, SDP_BAD, "a mid");
	for (const struct sdp_media *other = sdp->media; other < media; other++)
		if (bytes_equal(other->mid, value))
			return fault(sdp, SDP_BAD, "a mid that is there already");
	return SDP_OK;
}

/* RFC 8853 5.1: "send hi;mid;~lo". Which layers there are the rids say. */
static void parse_simulcast(struct sdp_media *media, struct bytes value)
{
	media->simulcast |= bytes_equal(word(&value), BYTES("send"));
}

static enum sdp_status media_attribute(struct sdp *sdp, struct sdp_media *media, struct bytes name,
				       struct bytes value)
{
	bool good = true;

	if (transport_attribute(&media->transport, name, value, &good))
		return good ? SDP_OK : fault(sdp, SDP_BAD, "a transport attribute");
	if (parse_direction(name, &media->direction))
		return SDP_OK;
	if (bytes_equal(name, BYTES("mid"))) {
		return parse_mid(sdp, media, value);
	} else if (bytes_equal(name, BYTES("rtpmap"))) {
		good = parse_rtpmap(media, value);
	} else if (bytes_equal(name, BYTES("fmtp"))) {
		good = parse_fmtp(media, value);
	} else if (bytes_equal(name, BYTES("rtcp-fb"))) {
		good = parse_feedback(media, value);
	} else if (bytes_equal(name, BYTES("extmap"))) {
		return parse_extmap(sdp, media, value);
	} else if (bytes_equal(name, BYTES("ssrc"))) {
		return parse_ssrc(sdp, media, value);
	} else if (bytes_equal(name, BYTES("ssrc-group"))) {
		return parse_ssrc_group(sdp, media, value);
	} else if (bytes_equal(name, BYTES("rid"))) {
		return parse_rid(sdp, media, value);
	} else if (bytes_equal(name, BYTES("simulcast"))) {
		parse_simulcast(media, value);
	} else if (bytes_equal(name, BYTES("msid"))) {
		media->msid = value;
	} else if (bytes_equal(name, BYTES("rtcp-mux"))) {
		media->rtcp_mux = true;
	} else if (bytes_equal(name, BYTES("bundle-only"))) {
		media->bundle_only = true;
	}
	return good ? SDP_OK : fault(sdp, SDP_BAD, "an attribute");
}

/* --- lines ---------------------------------------------------------------------------------- */

/* "video 9 UDP/TLS/RTP/SAVPF 96 97" */
static enum sdp_status parse_media(struct sdp *sdp, struct bytes value)
{
	struct sdp_media *media = &sdp->media[sdp->media_count];
	uint64_t port, pt;
	struct bytes port_text, formats;

	if (sdp->media_count == SDP_MEDIA_MAX)
		return fault(sdp, SDP_LARGE, "too many media");
	memset(media, 0, sizeof *media);
	media->kind_text = word(&value);
	port_text = word(&value);
	media->protocol = word(&value);
	formats = media->formats_text = value;
	if (!is_token(media->kind_text, 32) || !is_token(media->protocol, 64) ||
	    !number(bytes_cut(&port_text, '/'), 65535, &port) || formats.len == 0)
		return fault(sdp, SDP_BAD, "a media line");
	media->port = (uint16_t)port;
	media->direction = sdp->direction;
	media->kind = bytes_equal(media->kind_text, BYTES("audio"))         ? SDP_AUDIO
		      : bytes_equal(media->kind_text, BYTES("video"))       ? SDP_VIDEO
		      : bytes_equal(media->kind_text, BYTES("application")) ? SDP_APPLICATION
									    : SDP_OTHER;
	sdp->media_count++;
	while (media->kind <= SDP_VIDEO && formats.len) {
		if (!number(word(&formats), 127, &pt))
			return fault(sdp, SDP_BAD, "a payload type");
		if (media->format_count == SDP_FORMATS_MAX)
			return fault(sdp, SDP_LARGE, "too many payload types");
		media->format[media->format_count++] = (struct sdp_format){.pt = (uint8_t)pt};
	}
	return SDP_OK;
}

/* RFC 3551 6: types whose meaning is fixed need no rtpmap. */
static void fill_static(struct sdp_media *media)
{
	for (unsigned i = 0; i < media->format_count; i++) {
		struct sdp_format *format = &media->format[i];

		if (format->clock || media->kind != SDP_AUDIO)
			continue;
		format->codec = format->pt == 0   ? CODEC_PCMU
				: format->pt == 8 ? CODEC_PCMA
				: format->pt == 9 ? CODEC_G722
						  : CODEC_NONE;
		format->clock = 8000;
		format->channels = 1;
	}
}

static void finish(struct sdp *sdp)
{
	for (unsigned i = 0; i < sdp->media_count; i++) {
		struct bytes mids = sdp->bundle;

		fill_static(&sdp->media[i]);
		while (mids.len) {
			struct bytes mid = word(&mids);

			if (mid.len && bytes_equal(mid, sdp->media[i].mid))
				sdp->media[i].bundled = true;
		}
	}
}

static enum sdp_status parse_line(struct sdp *sdp, struct bytes line)
{
	struct bytes value = bytes_skip(line, 2), name;

	if (line.len < 2 || line.at[1] != '=' || line.at[0] < 'a' || line.at[0] > 'z')
		return fault(sdp, SDP_BAD, "a line that is not x=…");
	if (bytes_find(line, 0) < line.len)
		return fault(sdp, SDP_BAD, "a zero");
	if (line.at[0] == 'm')
		return parse_media(sdp, value);
	if (line.at[0] != 'a')
		return SDP_OK;
	name = bytes_cut(&value, ':');
	return sdp->media_count
		       ? media_attribute(sdp, &sdp->media[sdp->media_count - 1], name, value)
		       : session_attribute(sdp, name, value);
}

static struct bytes next_line(struct bytes *rest)
{
	struct bytes line = bytes_cut(rest, '\n');

	while (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

enum sdp_status sdp_parse(struct bytes in, struct sdp *out)
{
	enum sdp_status status;

	/* The media are zeroed as they come. */
	memset(out, 0, offsetof(struct sdp, media));
	out->line = 1;
	out->fault = "no session description";
	if (!bytes_equal(next_line(&in), BYTES("v=0")))
		return SDP_NOT;
	while (in.len) {
		struct bytes line = next_line(&in);

		out->line++;
		if (line.len == 0)
			continue;
		status = parse_line(out, line);
		if (status != SDP_OK)
			return status;
	}
	out->fault = "";
	finish(out);
	return SDP_OK;
}

struct sdp_transport sdp_transport_of(const struct sdp *sdp, const struct sdp_media *media)
{
	struct sdp_transport all = media->transport;

	if (!all.ufrag.at)
		all.ufrag = sdp->transport.ufrag;
	if (!all.pwd.at)
		all.pwd = sdp->transport.pwd;
	if (!all.hash.at) {
		all.hash = sdp->transport.hash;
		all.fingerprint = sdp->transport.fingerprint;
	}
	if (!all.setup)
		all.setup = sdp->transport.setup;
	return all;
}

struct bytes sdp_parameter(struct bytes fmtp, const char *name)
{
	while (fmtp.len) {
		struct bytes value = bytes_trim(bytes_cut(&fmtp, ';'));
		struct bytes key = bytes_cut(&value, '=');

		if (bytes_equal_nocase(bytes_trim(key), bytes_str(name)))
			return bytes_trim(value);
	}
	return (struct bytes){NULL, 0};
}

const struct sdp_format *sdp_rtx_of(const struct sdp_media *media, uint8_t pt)
{
	for (unsigned i = 0; i < media->format_count; i++)
		if (media->format[i].rtx && media->format[i].apt == pt)
			return &media->format[i];
	return NULL;
}

uint8_t sdp_ext_id(const struct sdp_media *media, enum sdp_ext_kind kind)
{
	for (unsigned i = 0; i < media->ext_count; i++)
		if (media->ext[i].kind == kind)
			return media->ext[i].id;
	return 0;
}

/* --- fragments and candidates ------------------------------------------------------------------- */

bool sdp_parse_candidate(struct bytes in, struct sdp_candidate *out)
{
	uint64_t component, priority, port;
	struct bytes foundation = word(&in), component_text = word(&in), transport = word(&in);
	struct bytes priority_text = word(&in), address = word(&in), port_text = word(&in);

	if (!is_token(foundation, 32) || !number(component_text, 256, &component) ||
	    !number(priority_text, UINT32_MAX, &priority) || !is_token(address, 255) ||
	    !number(port_text, 65535, &port) || !bytes_equal(word(&in), BYTES("typ")))
		return false;
	*out = (struct sdp_candidate){
		.address = address,
		.port = (uint16_t)port,
		.udp = bytes_equal_nocase(transport, BYTES("udp")),
		.tcp = bytes_equal_nocase(transport, BYTES("tcp")),
		.priority = (uint32_t)priority,
	};
	return true;
}

bool sdp_next_candidate(struct bytes *rest, struct sdp_candidate *out)
{
	while (rest->len) {
		struct bytes line = next_line(rest);

		if (bytes_start_with(line, BYTES("a=candidate:")) &&
		    sdp_parse_candidate(bytes_skip(line, 12), out))
			return true;
	}
	return false;
}

enum sdp_status sdp_parse_fragment(struct bytes in, struct sdp_fragment *out)
{
	struct sdp_candidate candidate;

	*out = (struct sdp_fragment){0};
	while (in.len) {
		struct bytes line = next_line(&in), value = bytes_skip(line, 2), name;

		if (line.len == 0)
			continue;
		if (line.len < 2 || line.at[1] != '=')
			return SDP_BAD;
		if (line.at[0] != 'a')
			continue; /* the m= lines say which medium: there is one transport */
		name = bytes_cut(&value, ':');
		if (bytes_equal(name, BYTES("ice-ufrag")))
			out->ufrag = value;
		else if (bytes_equal(name, BYTES("ice-pwd")))
			out->pwd = value;
		else if (bytes_equal(name, BYTES("end-of-candidates")))
			out->end = true;
		else if (bytes_equal(name, BYTES("candidate")) &&
			 !sdp_parse_candidate(value, &candidate))
			return SDP_BAD;
		else
			out->candidates += bytes_equal(name, BYTES("candidate"));
	}
	if ((out->ufrag.at && !is_ice(out->ufrag, 4)) || (out->pwd.at && !is_ice(out->pwd, 22)))
		return SDP_BAD;
	return SDP_OK;
}
