#include "radio/radio_tap.h"

#include <stdlib.h>

static _Thread_local struct tap *taps;

struct tap *tap_find(uint64_t feed_id)
{
	struct tap *tap = taps;

	while (tap && tap->id != feed_id)
		tap = tap->next;
	return tap;
}

struct tap *tap_open(struct feed *feed)
{
	struct tap *tap = tap_find(feed->id);

	if (tap)
		return tap;
	tap = calloc(1, sizeof *tap);
	if (!tap)
		return NULL;
	tap->feed = feed;
	tap->id = feed->id;
	tap->next = taps;
	taps = tap;
	return tap;
}

void tap_close(uint64_t feed_id)
{
	struct tap **link = &taps;

	while (*link && (*link)->id != feed_id)
		link = &(*link)->next;
	if (*link) {
		struct tap *tap = *link;

		*link = tap->next;
		free(tap);
	}
}

void tap_close_all(void)
{
	while (taps)
		tap_close(taps->id);
}

bool tap_note_text(const struct feed *feed, const struct record *note, char *buf, size_t size,
		   struct bytes *title, struct bytes *url)
{
	struct ring_cursor cursor = ring_cursor_of(note);
	struct record record;
	struct bytes text;

	if (ring_read(&feed->ring[FEED_NOTES], &cursor, &record, buf, size, NULL) != RING_RECORD)
		return false;
	text = bytes_of(buf, record.len);
	*title = bytes_cut(&text, '\0');
	*url = text;
	return true;
}

static const struct tap_title *title_known(const struct tap *tap, uint64_t seq)
{
	for (unsigned i = 0; i < TAP_TITLES; i++)
		if (tap->titles[i].seq == seq && seq)
			return &tap->titles[i];
	return NULL;
}

static const struct tap_title *title_load(struct tap *tap, const struct record *note)
{
	char text[FEED_NOTE_MAX];
	struct bytes title, url;
	struct tap_title *slot = &tap->titles[tap->title_next % TAP_TITLES];
	struct writer w = writer_of(slot->block, sizeof slot->block);

	if (!tap_note_text(tap->feed, note, text, sizeof text, &title, &url))
		return NULL;
	tap->title_next++;
	icy_metadata_write(title, url, ICY_UTF8, &w);
	slot->seq = note->seq;
	slot->pos = note->word[0];
	slot->len = (uint32_t)w.len;
	return slot;
}

/* A title may be half sent by a server that is no more: then it is not known here yet. */
const struct tap_title *tap_title_seq(struct tap *tap, uint64_t seq)
{
	const struct tap_title *known = title_known(tap, seq);
	struct record note;

	if (known || !ring_peek(&tap->feed->ring[FEED_NOTES], seq, &note))
		return known;
	return title_load(tap, &note);
}

const struct tap_title *tap_title_at(struct tap *tap, uint64_t pos)
{
	const struct tap_title *known;
	struct record note;

	if (!feed_note_at(tap->feed, pos, &note))
		return NULL;
	known = title_known(tap, note.seq);
	return known ? known : title_load(tap, &note);
}
