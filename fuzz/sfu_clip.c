/* Films in files: whatever is in one, it ends, time goes on, and each picture goes into payloads that are not
 * empty, none too long, of which the last one and no other says that it is. The first byte is the rate. */
#include "property.h"
#include "sfu/proto/clip.h"

static uint64_t play(struct clip *clip, unsigned *pictures)
{
	struct clip_picture picture;
	int64_t last_us = -1;
	uint64_t hash = 0;

	for (*pictures = 0; clip_next(clip, &picture); ++*pictures) {
		uint8_t out[CLIP_PAYLOAD_MAX];
		struct writer w = writer_of(out, sizeof out);
		bool marker = false;
		unsigned count = 0;

		PROPERTY(part_inside(picture.rest, clip->all));
		PROPERTY(picture.at_us > last_us && picture.at_us < clip->length_us);
		last_us = picture.at_us;
		for (; clip_payload(clip->codec, &picture, &w, &marker) || !writer_ok(&w);
		     count++) {
			PROPERTY(writer_ok(&w) && w.len > 0);
			for (size_t i = 0; i < w.len; i++)
				hash = (hash ^ out[i]) * 1099511628211u;
			w = writer_of(out, sizeof out);
			if (marker)
				break;
		}
		PROPERTY(marker);
		w = writer_of(out, sizeof out);
		PROPERTY(!clip_payload(clip->codec, &picture, &w, &marker) && w.len == 0);
	}
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned pictures, again;
	struct clip clip;
	uint64_t hash;

	if (size < 1 || clip_open(bytes_of(data + 1, size - 1), data[0] % 60 + 1, &clip))
		return 0;
	PROPERTY(clip.codec == CODEC_VP8 || clip.codec == CODEC_H264);
	PROPERTY(clip.pictures > 0 && clip.length_us > 0 && clip.key_gap_us <= clip.length_us);
	hash = play(&clip, &pictures);
	clip_rewind(&clip);
	PROPERTY(play(&clip, &again) == hash && again == pictures && pictures == clip.pictures);
	return 0;
}
