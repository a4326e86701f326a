/* Offers and fragments: what is read lies inside the text; and the answer to an offer that is taken can
 * be read again, says as many media, and no more formats than were offered. */
#include "property.h"
#include "sfu/proto/answer.h"

static struct sdp offer, back;
static struct answer answer;
static char text[1 << 18];

static void check_parts(const struct sdp *sdp, struct bytes in)
{
	PROPERTY(sdp->media_count <= SDP_MEDIA_MAX);
	for (unsigned i = 0; i < sdp->media_count; i++) {
		const struct sdp_media *media = &sdp->media[i];

		PROPERTY(part_inside(media->mid, in) && part_inside(media->kind_text, in));
		PROPERTY(media->format_count <= SDP_FORMATS_MAX &&
			 media->ext_count <= SDP_EXTS_MAX);
		PROPERTY(media->rid_count <= SDP_RIDS_MAX && media->ssrc_count <= SDP_SSRCS_MAX);
		for (unsigned f = 0; f < media->format_count; f++)
			PROPERTY(part_inside(media->format[f].fmtp, in));
		for (unsigned e = 0; e < media->ext_count; e++)
			PROPERTY(media->ext[e].id > 0 && part_inside(media->ext[e].uri, in));
	}
}

static void check_answer(enum answer_role role)
{
	static const struct answer_limits limits = {.audio = 4, .video = 8, .twcc = true};
	static const struct answer_local local = {
		.ufrag = "Aabcdef01234",
		.pwd = "0123456789abcdef01234567",
		.fingerprint = "AB:CD",
		.name = "ringmain",
	};
	struct writer w = writer_of(text, sizeof text);

	if (answer_choose(&offer, role, &limits, &answer) != ANSWER_OK) {
		PROPERTY(answer.fault && answer.fault[0]);
		return;
	}
	answer_write(&offer, &answer, &local, &w);
	PROPERTY(writer_ok(&w));
	PROPERTY(sdp_parse(writer_done(&w), &back) == SDP_OK);
	PROPERTY(back.media_count == offer.media_count && back.ice_lite);
	for (unsigned i = 0; i < back.media_count; i++) {
		PROPERTY(back.media[i].format_count > 0);
		PROPERTY(back.media[i].format_count <= offer.media[i].format_count);
		PROPERTY(bytes_equal(back.media[i].mid, offer.media[i].mid));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size < 65536 ? size : 65536), rest = in;
	struct sdp_candidate candidate;
	struct sdp_fragment fragment;

	if (sdp_parse(in, &offer) == SDP_OK) {
		check_parts(&offer, in);
		check_answer(ANSWER_PUBLISHER);
		check_answer(ANSWER_VIEWER);
	} else {
		PROPERTY(offer.fault && offer.fault[0]);
	}
	while (sdp_next_candidate(&rest, &candidate))
		PROPERTY(part_inside(candidate.address, in) && candidate.address.len);
	if (sdp_parse_fragment(in, &fragment) == SDP_OK)
		PROPERTY(part_inside(fragment.ufrag, in) && part_inside(fragment.pwd, in));
	return 0;
}
