#include "sfu/sfu_rtp.h"

#include <string.h>

#include "core/conf_net.h"
#include "sfu/proto/codec.h"
#include "sfu/sfu_conf.h"

static const struct conf_item rtp_items[] = {
#define ITEM(name, type, field, ...) \
	CONF_ITEM(struct rtp_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "sfu/rtp.def"
};

const struct conf_section rtp_conf_section = {
	.name = "rtp",
	.title = "studio",
	.help = "Sources of plain RTP: rooms of live video that ffmpeg, GStreamer or an encoder "
		"publishes to.",
	.items = rtp_items,
	.count = sizeof rtp_items / sizeof *rtp_items,
	.size = sizeof(struct rtp_conf),
};

/* "VP8/96" */
static enum codec read_codec(const char *text, bool video, uint64_t *pt)
{
	struct bytes rest = bytes_str(text), name = bytes_cut(&rest, '/');
	enum codec codec = codec_of(name);

	if (!bytes_to_u64(rest, 127, pt) || codec == CODEC_NONE || codec_is_video(codec) != video)
		return CODEC_NONE;
	return codec;
}

static bool write_medium(struct writer *w, const char *text, bool video, const char *parameters)
{
	uint64_t pt;
	enum codec codec = read_codec(text, video, &pt);

	if (codec == CODEC_H264 && !parameters[0])
		parameters = "packetization-mode=1;profile-level-id=42e01f";
	if (codec == CODEC_NONE)
		return false;
	writer_str(w, video ? "m=video 9 RTP/AVP " : "m=audio 9 RTP/AVP ");
	writer_dec(w, pt);
	writer_str(w, video ? "\r\na=mid:video" : "\r\na=mid:audio");
	writer_str(w, "\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:");
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
	return writer_ok(w);
}

bool rtp_conf_offer(const struct rtp_conf *entry, struct writer *w)
{
	writer_str(w, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
	return (!entry->video[0] || write_medium(w, entry->video, true, entry->video_parameters)) &&
	       (!entry->audio[0] || write_medium(w, entry->audio, false, ""));
}

static bool parameters_are_good(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static void check_entry(const struct conf *conf, const struct rtp_conf *entry,
			struct conf_errors *errors)
{
	uint64_t pt;

	conf_net_check_listen(errors, conf, entry, "listen", &entry->listen);
	if (entry->listen.count != 1)
		conf_fault(errors, conf, entry, "listen", "expected one address and port");
	if (!room_name_is_good(bytes_str(entry->room)))
		conf_fault(errors, conf, entry, "room",
			   "expected 1 to 128 bytes without blanks, quotes and <>");
	if (entry->video[0] && read_codec(entry->video, true, &pt) == CODEC_NONE)
		conf_fault(errors, conf, entry, "video",
			   "expected VP8, VP9, H264, AV1 or H265, a slash and a payload type");
	if (entry->audio[0] && read_codec(entry->audio, false, &pt) == CODEC_NONE)
		conf_fault(errors, conf, entry, "audio",
			   "expected opus, PCMU, PCMA or G722, a slash and a payload type");
	if (!entry->audio[0] && !entry->video[0])
		conf_fault(errors, conf, entry, "video", "expected this or audio");
	if (strlen(entry->video_parameters) > 250 || !parameters_are_good(entry->video_parameters))
		conf_fault(errors, conf, entry, "video_parameters",
			   "expected at most 250 characters without blanks");
}

void rtp_conf_check(const struct conf *conf, struct conf_errors *errors)
{
	for (size_t i = 0; i < conf_entry_count(conf, &rtp_conf_section); i++)
		if (!conf_entry_is_pattern(conf_entry_name(conf, &rtp_conf_section, i)))
			check_entry(conf, conf_entry_values(conf, &rtp_conf_section, i), errors);
}
