#include "held.h"

#include <stdlib.h>

bool held_init(struct held *held, size_t size, size_t bytes_most)
{
	*held = (struct held){.at = calloc(size, sizeof *held->at), .bytes_most = bytes_most};
	held->size = held->at ? size : 0;
	return held->at;
}

void held_fini(struct held *held)
{
	for (size_t i = 0; i < held->size; i++)
		av_frame_free(&held->at[i].frame);
	free(held->at);
	*held = (struct held){0};
}

/* What its buffers take. One that two frames share counts for both: too much is safe. */
static size_t bytes_of(const AVFrame *frame)
{
	size_t sum = sizeof *frame;

	for (int i = 0; i < AV_NUM_DATA_POINTERS && frame->buf[i]; i++)
		sum += frame->buf[i]->size;
	for (int i = 0; i < frame->nb_extended_buf; i++)
		sum += frame->extended_buf[i]->size;
	return sum;
}

bool held_put(struct held *held, AVFrame *frame, int64_t pts_us)
{
	struct held_frame *place;

	if (held_is_full(held)) {
		av_frame_unref(frame);
		return false;
	}
	place = &held->at[(held->first + held->count) % held->size];
	if (!place->frame)
		place->frame = av_frame_alloc();
	if (!place->frame) {
		av_frame_unref(frame);
		return false;
	}
	av_frame_move_ref(place->frame, frame);
	place->pts_us = pts_us;
	place->bytes = bytes_of(place->frame);
	held->bytes += place->bytes;
	held->count++;
	return true;
}

struct held_frame *held_first(struct held *held)
{
	return held->count ? &held->at[held->first] : NULL;
}

void held_drop(struct held *held)
{
	struct held_frame *first = &held->at[held->first];

	held->bytes -= first->bytes;
	av_frame_unref(first->frame);
	held->first = (held->first + 1) % held->size;
	held->count--;
}

bool held_is_full(const struct held *held)
{
	return held->count == held->size || held->bytes >= held->bytes_most;
}

int64_t held_span_us(const struct held *held)
{
	size_t last = (held->first + held->count - 1) % (held->size ? held->size : 1);

	return held->count ? held->at[last].pts_us - held->at[held->first].pts_us : 0;
}
