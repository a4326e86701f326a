#include "sfu/sfu_rtp.h"

#include <stdlib.h>
#include <string.h>

#include "core/conf_net.h"
#include "edge/proto/address.h"
#include "sfu/proto/codec.h"
#include "sfu/proto/sprop.h"
#include "sfu/sfu_conf.h"

#define PARAMETERS_MAX 700u

static const struct conf_item rtp_items[] = {
#define ITEM(name, type, field, ...) \
	CONF_ITEM(struct rtp_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "sfu/rtp.def"
};

const struct conf_section rtp_conf_section = {
	.name = "rtp",
	.title = "studio",
	.help = "Plain RTP in and out: rooms of live video that ffmpeg, GStreamer or an encoder "
		"publishes "
		"to, or that such a program receives.",
	.items = rtp_items,
	.count = sizeof rtp_items / sizeof *rtp_items,
	.size = sizeof(struct rtp_conf),
};

/* "VP8/96". RFC 5761 4: with the marker others look like RTCP, which comes and goes by the same ports. */
static enum codec read_codec(const char *text, bool video, uint64_t *pt)
{
	struct bytes rest = bytes_str(text), name = bytes_cut(&rest, '/');
	enum codec codec = codec_of(name);

	if (!bytes_to_u64(rest, 127, pt) || (*pt >= 64 && *pt <= 95) || codec == CODEC_NONE ||
	    codec_is_video(codec) != video)
		return CODEC_NONE;
	return codec;
}

static void write_format(struct writer *w, enum codec codec, uint64_t pt, const char *parameters)
{
	bool video = codec_is_video(codec);

	if (codec == CODEC_H264 && !parameters[0])
		parameters = "packetization-mode=1;profile-level-id=42e01f";
	writer_str(w, "\r\na=rtpmap:");
	writer_dec(w, pt);
	writer_str(w, " ");
	writer_str(w, codec_name(codec));
	writer_str(w, video ? "/90000" : codec == CODEC_OPUS ? "/48000/2" : "/8000");
	if (parameters[0]) {
		writer_str(w, "\r\na=fmtp:");
		writer_dec(w, pt);
		writer_str(w, " ");
		writer_str(w, parameters);
	}
	writer_str(w, "\r\n");
}

static void write_feedback(struct writer *w, uint64_t pt)
{
	for (unsigned i = 0; i < 2; i++) {
		writer_str(w, "\r\na=rtcp-fb:");
		writer_dec(w, pt);
		writer_str(w, i ? " nack pli" : " nack");
	}
}

static bool write_medium(struct writer *w, const struct rtp_conf *entry, bool video)
{
	const char *text = video ? entry->video : entry->audio;
	uint64_t pt;
	enum codec codec = read_codec(text, video, &pt);

	if (codec == CODEC_NONE)
		return false;
	writer_str(w, video ? "m=video 9 RTP/AVP " : "m=audio 9 RTP/AVP ");
	writer_dec(w, pt);
	writer_str(w, video ? "\r\na=mid:video" : "\r\na=mid:audio");
	writer_str(w, entry->send.count ? "\r\na=recvonly" : "\r\na=sendonly");
	writer_str(w, "\r\na=rtcp-mux");
	if (entry->feedback || entry->send.count) /* who asks for what is lost gets it */
		write_feedback(w, pt);
	write_format(w, codec, pt, video ? entry->video_parameters : "");
	return writer_ok(w);
}

bool rtp_conf_offer(const struct rtp_conf *entry, struct writer *w)
{
	writer_str(w, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
	return (!entry->video[0] || write_medium(w, entry, true)) &&
	       (!entry->audio[0] || write_medium(w, entry, false));
}

/* --- for receivers --------------------------------------------------------------------------- */

static struct tcp_end end_of(const struct conf_list *list)
{
	struct tcp_end end = {0};
	struct address address;

	if (list->count && address_parse_listen(bytes_str(list->at[0]), &address)) {
		memcpy(end.ip, address.ip, sizeof end.ip);
		end.port = address.port;
	}
	return end;
}

unsigned rtp_conf_ends(const struct rtp_conf *entry, struct tcp_end ends[4])
{
	unsigned count = (entry->video[0] ? 2u : 0) + (entry->audio[0] ? 2u : 0);

	for (unsigned i = 0; i < count; i++) {
		ends[i] = end_of(&entry->send);
		/* RFC 3550 11: the next port is RTCP's. */
		ends[i].port = (uint16_t)(ends[i].port + (entry->bundle ? 0 : i));
	}
	return count;
}

static void describe_medium(struct writer *w, const struct rtp_conf *entry, bool video,
			    const struct tcp_end *rtp, const struct tcp_end *rtcp)
{
	uint64_t pt = 0;
	enum codec codec = read_codec(video ? entry->video : entry->audio, video, &pt);

	writer_str(w, video ? "m=video " : "m=audio ");
	writer_dec(w, rtp->port);
	writer_str(w, " RTP/AVPF ");
	writer_dec(w, pt);
	if (entry->bundle) {
		writer_str(w, "\r\na=rtcp-mux");
	} else {
		writer_str(w, "\r\na=rtcp:");
		writer_dec(w, rtcp->port);
	}
	writer_str(w, "\r\na=recvonly");
	if (video)
		write_feedback(w, pt);
	write_format(w, codec, pt, video ? entry->video_parameters : "");
}

bool rtp_conf_describe(const char *name, const struct rtp_conf *entry, struct writer *w)
{
	struct tcp_end ends[4];
	struct address address = {0};
	unsigned count = rtp_conf_ends(entry, ends), at = 0;
	bool v4;

	if (!count)
		return false;
	memcpy(address.ip, ends[0].ip, sizeof address.ip);
	v4 = address_is_v4(&address);
	writer_str(w, v4 ? "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns="
			 : "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=");
	for (; *name; name++)
		writer_u8(w, (uint8_t)(*name < ' ' || *name == 0x7f ? '?' : *name));
	writer_str(w, v4 ? "\r\nc=IN IP4 " : "\r\nc=IN IP6 ");
	address_write_ip(w, &address);
	if (v4 && (address.ip[12] & 0xf0) == 0xe0) {
		writer_str(w, "/");
		writer_dec(w, entry->ttl);
	}
	writer_str(w, "\r\nt=0 0\r\n");
	if (entry->video[0]) {
		describe_medium(w, entry, true, &ends[0], &ends[1]);
		at = 2;
	}
	if (entry->audio[0])
		describe_medium(w, entry, false, &ends[at], &ends[at + 1]);
	return writer_ok(w);
}

/* --- loops ----------------------------------------------------------------------------------- */

static bool is_any(const uint8_t ip[16])
{
	static const uint8_t v6[16], v4[16] = {[10] = 0xff, [11] = 0xff};

	return memcmp(ip, v6, 16) == 0 || memcmp(ip, v4, 16) == 0;
}

static bool is_loopback(const uint8_t ip[16])
{
	static const uint8_t v4[13] = {[10] = 0xff, [11] = 0xff, [12] = 127}, v6[16] = {[15] = 1};

	return memcmp(ip, v4, 13) == 0 || memcmp(ip, v6, 16) == 0;
}

/* Whether this machine has that address. */
static bool is_ours(const uint8_t ip[16])
{
	uv_interface_address_t *list;
	bool found = is_loopback(ip);
	int count = 0;

	if (uv_interface_addresses(&list, &count) != 0)
		return found;
	for (int i = 0; i < count && !found; i++)
		found = list[i].address.address4.sin_family == AF_INET
				? memcmp(&list[i].address.address4.sin_addr, ip + 12, 4) == 0 &&
					  ip[10] == 0xff
				: memcmp(&list[i].address.address6.sin6_addr, ip, 16) == 0;
	uv_free_interface_addresses(list, count);
	return found;
}

static bool feeds(const struct rtp_conf *out, const struct rtp_conf *in)
{
	struct tcp_end ends[4], at = end_of(&in->listen);
	unsigned count = rtp_conf_ends(out, ends);

	if (!in->listen.count)
		return false;
	for (unsigned i = 0; i < count; i += 2)
		if (ends[i].port == at.port && (memcmp(ends[i].ip, at.ip, sizeof at.ip) == 0 ||
						(is_any(at.ip) && is_ours(ends[i].ip))))
			return true;
	return false;
}

static const struct rtp_conf *entry_at(const struct conf *conf, size_t i)
{
	return conf_entry_is_pattern(conf_entry_name(conf, &rtp_conf_section, i))
		       ? NULL
		       : conf_entry_values(conf, &rtp_conf_section, i);
}

/* Whether what an entry sends comes back to its room, through however many others. seen: of each entry,
 * whether it is known already that it is fed. */
static bool comes_back(const struct conf *conf, const struct rtp_conf *from,
		       const struct rtp_conf *out, bool *seen)
{
	for (size_t i = 0; i < conf_entry_count(conf, &rtp_conf_section); i++) {
		const struct rtp_conf *in = entry_at(conf, i);

		if (!in || seen[i] || !feeds(out, in))
			continue;
		seen[i] = true;
		if (strcmp(in->room, from->room) == 0)
			return true;
		for (size_t k = 0; k < conf_entry_count(conf, &rtp_conf_section); k++) {
			const struct rtp_conf *next = entry_at(conf, k);

			if (next && next->send.count && strcmp(next->room, in->room) == 0 &&
			    comes_back(conf, from, next, seen))
				return true;
		}
	}
	return false;
}

static void check_loop(const struct conf *conf, const struct rtp_conf *entry,
		       struct conf_errors *errors)
{
	bool *seen = calloc(conf_entry_count(conf, &rtp_conf_section), sizeof *seen);

	if (seen && comes_back(conf, entry, entry, seen))
		conf_fault(errors, conf, entry, "send",
			   "expected an end from which it does not come back to its room");
	free(seen);
}

/* --- rules ----------------------------------------------------------------------------------- */

static bool parameters_are_good(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static void check_ends(const struct conf *conf, const struct rtp_conf *entry,
		       struct conf_errors *errors)
{
	struct tcp_end to = end_of(&entry->send), from = end_of(&entry->from);
	struct address a = {0}, b = {0};

	conf_net_check_listen(errors, conf, entry, "listen", &entry->listen);
	conf_net_check_listen(errors, conf, entry, "send", &entry->send);
	conf_net_check_listen(errors, conf, entry, "from", &entry->from);
	if (entry->listen.count + entry->send.count != 1)
		conf_fault(errors, conf, entry, entry->send.count ? "send" : "listen",
			   "expected one address and port, of listen or of send");
	if (entry->from.count > 1)
		conf_fault(errors, conf, entry, "from", "expected one address and port");
	if (entry->send.count != 1)
		return;
	memcpy(a.ip, to.ip, sizeof a.ip);
	memcpy(b.ip, from.ip, sizeof b.ip);
	if (to.port == 0 || to.port > 65532 || is_any(to.ip))
		conf_fault(errors, conf, entry, "send",
			   "expected an address, and a port from 1 to 65532");
	else if (entry->from.count && address_is_v4(&a) != address_is_v4(&b))
		conf_fault(errors, conf, entry, "from", "expected an address of send's kind");
	else
		check_loop(conf, entry, errors);
}

static void check_entry(const struct conf *conf, const struct rtp_conf *entry,
			struct conf_errors *errors)
{
	uint64_t pt = 0, other = 0;
	enum codec codec = read_codec(entry->video, true, &pt);
	struct sprop sets;

	check_ends(conf, entry, errors);
	if (!room_name_is_good(bytes_str(entry->room)))
		conf_fault(errors, conf, entry, "room",
			   "expected 1 to 128 bytes of UTF-8 without blanks, quotes and <>");
	if (entry->video[0] && read_codec(entry->video, true, &pt) == CODEC_NONE)
		conf_fault(errors, conf, entry, "video",
			   "expected VP8, VP9, H264, AV1 or H265, a slash and a payload type "
			   "(0 to 127)");
	if (entry->audio[0] && read_codec(entry->audio, false, &pt) == CODEC_NONE)
		conf_fault(
			errors, conf, entry, "audio",
			"expected opus, PCMU, PCMA or G722, a slash and a payload type (0 to 127)");
	if (!entry->audio[0] && !entry->video[0])
		conf_fault_entry(errors, conf, entry, "expected video, audio or both");
	if ((entry->listen.count || entry->bundle) &&
	    read_codec(entry->video, true, &pt) != CODEC_NONE &&
	    read_codec(entry->audio, false, &other) != CODEC_NONE && pt == other)
		conf_fault(errors, conf, entry, "audio",
			   "expected another payload type than video's on the same port");
	if (strlen(entry->video_parameters) > PARAMETERS_MAX ||
	    !parameters_are_good(entry->video_parameters))
		conf_fault(errors, conf, entry, "video_parameters",
			   "expected at most 700 characters without blanks");
	else if (sprop_are_said(codec, bytes_str(entry->video_parameters)) &&
		 !sprop_read(codec, bytes_str(entry->video_parameters), &sets))
		conf_fault(errors, conf, entry, "video_parameters",
			   "expected sprop- parameters with all sets that a decoder needs");
}

void rtp_conf_check(const struct conf *conf, struct conf_errors *errors)
{
	for (size_t i = 0; i < conf_entry_count(conf, &rtp_conf_section); i++)
		if (!conf_entry_is_pattern(conf_entry_name(conf, &rtp_conf_section, i)))
			check_entry(conf, conf_entry_values(conf, &rtp_conf_section, i), errors);
}
