#include "icy.h"

void icy_init(struct icy *icy, size_t interval)
{
	memset(icy, 0, sizeof(*icy));
	icy->interval = icy->left = interval;
}

static void read_block(struct icy *icy)
{
	struct bytes open = BYTES("StreamTitle='");
	struct bytes block = bytes_of(icy->block, icy->want);
	struct bytes text = bytes_first(block, bytes_find(block, '\0'));
	struct bytes fill = bytes_skip(block, text.len);
	size_t end = 0;

	icy->blocks++;
	for (size_t i = 0; i < fill.len; i++) {
		if (fill.at[i] != '\0') {
			icy->bad++;
			return;
		}
	}
	if (bytes_start_with(text, open))
		text = bytes_skip(text, open.len);
	else
		text.len = 0;
	if (!bytes_end_with(text, BYTES("';"))) {
		icy->bad++;
		return;
	}
	icy->loose += fill.len >= 16;
	/* A quote may stand inside a title: only quote and semicolon end it. */
	while (!bytes_start_with(bytes_skip(text, end), BYTES("';")))
		end++;
	if (icy->on_title)
		icy->on_title(icy, bytes_first(text, end));
}

void icy_input(struct icy *icy, struct bytes in)
{
	if (icy->interval == 0) {
		icy->on_audio(icy, in);
		return;
	}
	while (in.len) {
		if (icy->want) {
			struct bytes more = bytes_first(in, icy->want - icy->have);

			memcpy(icy->block + icy->have, more.at, more.len);
			icy->have += more.len;
			in = bytes_skip(in, more.len);
			if (icy->have == icy->want) {
				read_block(icy);
				icy->want = icy->have = 0;
			}
		} else if (icy->left) {
			struct bytes audio = bytes_first(in, icy->left);

			icy->left -= audio.len;
			in = bytes_skip(in, audio.len);
			icy->on_audio(icy, audio);
		} else {
			icy->want = in.at[0] * (size_t)16;
			icy->left = icy->interval;
			in = bytes_skip(in, 1);
		}
	}
}
