#include "radio/radio_send.h"

#include "radio/radio_journal.h"

/* A block of one unit of 16 bytes, as icy_metadata_write() makes it of nothing. */
#define NO_TITLE "\1StreamTitle='';\0"

/* Bytes of the block under way that are still to be sent. A title that has been overtaken by many
 * newer ones cannot be had any more in the middle of its block: then the rest is NULs, which keeps
 * the count right, and the next block brings the newest. */
RUNS_ON(on_worker)
static struct bytes block_rest(const struct listener *listener, struct tap *tap)
{
	static const uint8_t nuls[ICY_BLOCK_MAX];
	const struct bytes no_title = BYTES(NO_TITLE);
	const struct tap_title *title;

	if (listener->block_seq == BLOCK_EMPTY)
		return bytes_skip(icy_empty(), listener->block_sent);
	if (listener->block_seq == BLOCK_NO_TITLE)
		return bytes_skip(no_title, listener->block_sent);
	title = tap_title_seq(tap, listener->block_seq);
	if (title && title->len == listener->block_len)
		return bytes_skip(bytes_of(title->block, title->len), listener->block_sent);
	return bytes_of(nuls, listener->block_len - listener->block_sent);
}

/* A block is due at pos: the title that holds there, if the player does not know it yet. */
RUNS_ON(on_worker)
static void block_begin(struct listener *listener, struct tap *tap, uint64_t pos)
{
	const struct tap_title *title = tap_title_at(tap, pos);

	listener->block_sent = 0;
	if (title && title->seq != listener->title_seq) {
		listener->block_seq = title->seq;
		listener->block_len = title->len;
	} else if (!title && (listener->flags & LISTENER_TITLED)) {
		/* It shows the title of the feed that it came from. */
		listener->block_seq = BLOCK_NO_TITLE;
		listener->block_len = sizeof NO_TITLE - 1;
	} else {
		listener->block_seq = BLOCK_EMPTY;
		listener->block_len = 1;
	}
}

/* n more bytes of the block went out. */
static void block_sent(struct listener *listener, size_t n)
{
	listener->block_sent += (uint32_t)n;
	if (listener->block_sent < listener->block_len)
		return;
	if (listener->block_seq == BLOCK_NO_TITLE) {
		listener->flags &= ~LISTENER_TITLED;
	} else if (listener->block_seq != BLOCK_EMPTY && listener->block_seq != BLOCK_LOST) {
		listener->title_seq = listener->block_seq;
		listener->flags |= LISTENER_TITLED;
	}
	listener->block_len = 0;
	icy_phase_block_sent(&listener->icy);
}

size_t radio_went(struct listener *listener, size_t len)
{
	size_t block = listener->block_len - listener->block_sent;
	size_t audio = len;

	listener->sent += len;
	if (!(listener->flags & LISTENER_TAIL) && (listener->flags & LISTENER_HEADERS)) {
		listener->headers_sent += len;
		return 0;
	}
	if (listener->icy.interval && listener->block_len) {
		block = len < block ? len : block;
		block_sent(listener, block);
		audio -= block;
	}
	if (audio == 0)
		return 0;
	if (listener->icy.interval)
		icy_phase_sent(&listener->icy, audio);
	if (listener->flags & LISTENER_TAIL) {
		listener->tail_sent += (uint32_t)audio;
	} else {
		listener->pos += audio;
		listener->flags &= ~LISTENER_AT_EDGE;
	}
	return audio;
}

/* Audio up to the next block, or the block and audio up to the one after it. 1: all of it. 0: the
 * socket is full. Or -errno. */
RUNS_ON(on_worker)
static ssize_t send_stretch(struct listener *listener, uint32_t row, struct tap *tap,
			    struct bytes audio, uint64_t pos, size_t *audio_sent)
{
	struct bytes out[2] = {{0}};
	ssize_t sent;

	if (listener->icy.interval == 0) {
		out[1] = audio;
	} else if (!icy_phase_due(&listener->icy)) {
		out[1] = bytes_first(audio, icy_phase_audio(&listener->icy, audio.len));
	} else {
		if (listener->block_len == 0)
			block_begin(listener, tap, pos);
		out[0] = block_rest(listener, tap);
		out[1] = bytes_first(audio, listener->icy.interval);
	}
	journal_listener(listener, row);
	sent = out[0].len ? link_sendv(listener->link, out, 2) : link_send(listener->link, out[1]);
	if (sent < 0)
		return sent;
	*audio_sent = radio_went(listener, (size_t)sent);
	return (size_t)sent == out[0].len + out[1].len;
}

ssize_t radio_send(struct listener *listener, uint32_t row, struct tap *tap, struct bytes audio,
		   uint64_t pos)
{
	size_t done = 0;

	while (done < audio.len) {
		size_t n = 0;
		ssize_t went =
			send_stretch(listener, row, tap, bytes_skip(audio, done), pos + done, &n);

		if (went < 0)
			return went;
		done += n;
		if (went == 0)
			break; /* the socket is full */
	}
	return (ssize_t)done;
}
