#include "irc/irc_buffer.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/metric.h"
#include "irc/irc_client.h"
#include "irc/irc_cursors.h"
#include "irc/irc_gap.h"
#include "irc/irc_user.h"
#include "store/store_irc.h"

#define UNSAVED_MOST 32u /* lines of a ring */

struct irc_buffer *irc_buffer_find(const struct irc_network *network, struct bytes name)
{
	struct irc_named *named = irc_index_find(&network->buffers, network->is.casemap, name);

	return named ? container_of(named, struct irc_buffer, named) : NULL;
}

static struct irc_buffer *buffer_new(struct irc_network *network, struct bytes name, uint64_t head)
{
	struct irc_buffer *buffer = calloc(1, sizeof *buffer);

	if (!buffer)
		return NULL;
	buffer->named.name = irc_copy(name);
	if (!buffer->named.name) {
		free(buffer);
		return NULL;
	}
	buffer->network = network;
	buffer->saved = head;
	buffer->is_channel = irc_is_channel(&network->is, name);
	irc_ring_init(&buffer->ring, head);
	buffer->ring.slot = network->slots++;
	return buffer;
}

/* Slots have no holes: the last one moves into the place of the one that goes. */
static void slot_free(struct irc_network *network, struct irc_buffer *gone)
{
	uint32_t at = 0, last = --network->slots;
	struct irc_named *named;

	irc_clients_move_slot(network, last, gone->ring.slot);
	while (last != gone->ring.slot && (named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (buffer->ring.slot == last && buffer != gone) {
			buffer->ring.slot = gone->ring.slot;
			return;
		}
	}
}

static void buffer_free(struct irc_buffer *buffer)
{
	irc_ring_fini(&buffer->ring);
	free(buffer->rows);
	free(buffer->key);
	free((void *)(uintptr_t)buffer->named.name);
	free(buffer);
}

struct irc_buffer *irc_buffer_status(struct irc_network *network)
{
	return buffer_new(network, BYTES("*"), 1);
}

struct irc_buffer *irc_buffer_add(struct irc_network *network, uint64_t id, struct bytes name,
				  uint64_t head)
{
	struct irc_buffer *buffer;

	if (!name.len || name.len > IRC_NAME_MAX || irc_buffer_find(network, name) ||
	    network->buffers.used >= irc_conf_now()->channels)
		return NULL;
	buffer = buffer_new(network, name, head);
	if (!buffer)
		return NULL;
	buffer->id = id;
	if (!irc_index_put(&network->buffers, network->is.casemap, &buffer->named)) {
		network->slots--;
		buffer_free(buffer);
		return NULL;
	}
	irc_clients_new_buffer(buffer);
	return buffer;
}

struct irc_buffer *irc_buffer_make(struct irc_network *network, struct bytes name)
{
	struct irc_buffer *buffer = irc_buffer_find(network, name);

	if (buffer)
		return buffer;
	buffer = irc_buffer_add(network, irc_id_next(IRC_ID_BUFFER), name, 1);
	if (buffer)
		irc_buffer_keep(buffer);
	else
		metric_add(METRIC_irc_refused, 1);
	return buffer;
}

static void row_give(struct irc_buffer *buffer, unsigned device)
{
	if (buffer->rows[device] == IRC_NO_ROW)
		return;
	irc_cursor_give(buffer->rows[device]);
	buffer->rows[device] = IRC_NO_ROW;
	buffer->network->user->places--;
}

void irc_buffer_drop(struct irc_buffer *buffer, bool keep)
{
	struct irc_network *network = buffer->network;

	if (buffer->is_dirty) {
		struct irc_buffer **link = &irc_here.dirty;

		while (*link != buffer)
			link = &(*link)->next_dirty;
		*link = buffer->next_dirty;
	}
	if (network->up)
		irc_gap_forget(network->up, buffer);
	irc_journal_forget(&network->journal, &buffer->ring);
	irc_clients_forget_buffer(buffer);
	slot_free(network, buffer);
	if (buffer != network->status)
		irc_index_drop(&network->buffers, &buffer->named);
	if (!keep) {
		for (uint32_t i = 0; i < buffer->row_count; i++)
			row_give(buffer, i);
		if (buffer->id)
			store_irc_buffer_drop(buffer->id);
	}
	buffer_free(buffer);
}

void irc_buffer_rename(struct irc_buffer *buffer, struct bytes name)
{
	struct irc_network *network = buffer->network;
	char *copy = name.len && name.len <= IRC_NAME_MAX ? irc_copy(name) : NULL;

	if (!copy)
		return;
	irc_index_drop(&network->buffers, &buffer->named);
	free((void *)(uintptr_t)buffer->named.name);
	buffer->named.name = copy;
	/* There is room: one was just taken out. */
	CHECK(irc_index_put(&network->buffers, network->is.casemap, &buffer->named));
	irc_buffer_keep(buffer);
}

/* --- settings ------------------------------------------------------------------------------- */

void irc_buffer_keep(const struct irc_buffer *buffer)
{
	json_t *tree =
		json_pack("{s:b, s:b, s:s*, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:b, s:b}", "joined",
			  buffer->wanted, "detached", buffer->detached, "key", buffer->key,
			  "relay_detached", buffer->relay_detached, "reattach_on",
			  buffer->reattach_on, "detach_on", buffer->detach_on, "notify_on",
			  buffer->notify_on, "detach_after", (int)buffer->detach_after_s,
			  "retention_days", (int)buffer->retention_days, "muted", buffer->muted,
			  "blocked", buffer->blocked, "pinned", buffer->pinned);
	char *text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;

	if (text && buffer->id)
		store_irc_buffer(buffer->id, buffer->network->id, buffer->named.name, text,
				 buffer->marker_ms);
	free(text);
	json_decref(tree);
}

bool irc_buffer_set_key(struct irc_buffer *buffer, struct bytes key)
{
	if (key.len > IRC_KEY_MAX || !irc_is_utf8(key))
		return false;
	irc_set(&buffer->key, key);
	return true;
}

static uint8_t filter_of(const json_t *tree, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(tree, name));

	return value > 0 && value <= IRC_FILTER_MESSAGE ? (uint8_t)value : 0;
}

void irc_buffer_take(struct irc_buffer *buffer, struct bytes settings)
{
	json_t *tree = json_loadb((const char *)settings.at, settings.len, 0, NULL);
	const char *key = json_string_value(json_object_get(tree, "key"));

	buffer->wanted = json_is_true(json_object_get(tree, "joined"));
	buffer->detached = json_is_true(json_object_get(tree, "detached"));
	buffer->muted = json_is_true(json_object_get(tree, "muted"));
	buffer->blocked = json_is_true(json_object_get(tree, "blocked"));
	buffer->pinned = json_is_true(json_object_get(tree, "pinned"));
	buffer->relay_detached = filter_of(tree, "relay_detached");
	buffer->reattach_on = filter_of(tree, "reattach_on");
	buffer->detach_on = filter_of(tree, "detach_on");
	buffer->notify_on = filter_of(tree, "notify_on");
	buffer->detach_after_s =
		(uint32_t)json_integer_value(json_object_get(tree, "detach_after"));
	buffer->retention_days =
		(uint32_t)json_integer_value(json_object_get(tree, "retention_days"));
	if (key)
		irc_set(&buffer->key, bytes_str(key));
	json_decref(tree);
}

/* --- lines ---------------------------------------------------------------------------------- */

/* Puts a line into the journal, which is larger while somebody would be lapped. */
static void note(struct irc_network *network, struct irc_buffer *buffer, uint64_t seq)
{
	uint64_t slowest = network->journal.head;

	if (!network->attached)
		return;
	if (irc_journal_asks(&network->journal))
		for (const struct irc_client *client = network->user->clients; client;
		     client = client->next) {
			const struct irc_seat *seat = irc_client_seat(client, network);

			if (seat && seat->reader.note < slowest)
				slowest = seat->reader.note;
		}
	irc_journal_put(&network->journal, &buffer->ring, seq, slowest);
}

bool irc_buffer_mark(struct irc_buffer *buffer, int64_t ms)
{
	if (ms <= buffer->marker_ms)
		return false;
	buffer->marker_ms = ms;
	if (buffer->id)
		store_irc_marker(buffer->id, ms);
	return true;
}

/* --- the store ------------------------------------------------------------------------------ */

/* False: the store has no room now. */
static bool buffer_save(struct irc_buffer *buffer)
{
	static _Thread_local char tags[STORE_IRC_TEXT_MAX + 1], line[STORE_IRC_TEXT_MAX + 1];
	struct irc_record record;

	if (buffer->saved < buffer->ring.kept) {
		metric_add(METRIC_irc_lines_lost, (int64_t)(buffer->ring.kept - buffer->saved));
		buffer->saved = buffer->ring.kept;
	}
	for (; buffer->saved < buffer->ring.head; buffer->saved++) {
		if (!irc_ring_get(&buffer->ring, buffer->saved, &record) ||
		    (record.kind & IRC_KIND_LIVE))
			continue;
		bytes_to_str(record.tags, tags, sizeof tags);
		bytes_to_str(record.line, line, sizeof line);
		if (!store_irc_line(&(struct store_irc_line){
			    .buffer = buffer->id,
			    .seq = record.seq,
			    .at_ms = record.at_ms,
			    .kind = record.kind,
			    .tags = tags,
			    .line = line,
			    .len = record.tags.len + record.line.len,
		    })) {
			/* A disk that fails costs history; one that is only slow costs time. */
			irc_here.store_full = store_status().fault == STORE_GOOD;
			return false;
		}
	}
	return true;
}

void irc_buffers_save(void)
{
	irc_here.store_full = false;
	while (irc_here.dirty) {
		struct irc_buffer *buffer = irc_here.dirty;

		if (!buffer_save(buffer))
			return;
		irc_here.dirty = buffer->next_dirty;
		buffer->is_dirty = false;
	}
}

void irc_buffer_put(struct irc_buffer *buffer, struct irc_record *record)
{
	struct irc_network *network = buffer->network;
	uint32_t limit = (uint32_t)irc_conf_now()->ring;

	/* A burst must not overrun what the store has not had yet; a few long lines do, too. */
	if (buffer->id && (buffer->ring.head - buffer->saved >= UNSAVED_MOST ||
			   irc_ring_bytes_from(&buffer->ring, buffer->saved) + record->tags.len +
					   record->line.len >
				   limit / 2))
		(void)buffer_save(buffer);
	if (!irc_ring_put(&buffer->ring, record, limit)) {
		metric_add(METRIC_irc_lines_lost, 1);
		return;
	}
	metric_add(METRIC_irc_lines, 1);
	if (!(record->kind & (IRC_KIND_LIVE | IRC_KIND_EVENT)) && record->at_ms > buffer->last_ms)
		buffer->last_ms = record->at_ms;
	if (!buffer->is_dirty && buffer->id) {
		buffer->is_dirty = true;
		buffer->next_dirty = irc_here.dirty;
		irc_here.dirty = buffer;
	}
	network->fresh += record->tags.len + record->line.len;
	note(network, buffer, record->seq);
	/* Half of it is what may still come before who says it is stopped. */
	if (buffer->id && irc_ring_bytes_from(&buffer->ring, buffer->saved) > limit / 2)
		network->is_tight = true;
}

void irc_buffer_forget(struct irc_buffer *buffer, int64_t before_ms)
{
	struct irc_record record;

	/* What has still to be written would come back otherwise. */
	irc_buffers_save();
	while (buffer->ring.kept < buffer->saved &&
	       irc_ring_get(&buffer->ring, buffer->ring.kept, &record) && record.at_ms < before_ms)
		irc_ring_forget(&buffer->ring, record.seq + 1);
	if (buffer->id)
		store_irc_prune(buffer->id, before_ms);
}

uint64_t irc_buffer_retention_ms(const struct irc_buffer *buffer)
{
	uint64_t most = irc_conf_now()->retention, days = buffer->retention_days;

	if (!days)
		days = (uint64_t)buffer->network->conf.retention_days;
	return days && (!most || days * 86400000 < most) ? days * 86400000 : most;
}

/* --- places --------------------------------------------------------------------------------- */

uint64_t irc_buffer_place(const struct irc_buffer *buffer, unsigned device)
{
	uint64_t seq = device < buffer->row_count ? irc_cursor_seq(buffer->rows[device]) : 0;

	/* The lines of the last second before a crash may not have been kept: their numbers are used
	 * again. */
	return seq > buffer->ring.head ? buffer->ring.head : seq ? seq : 1;
}

bool irc_buffer_has_place(const struct irc_buffer *buffer, unsigned device)
{
	return device < buffer->row_count && buffer->rows[device] != IRC_NO_ROW;
}

static bool rows_reach(struct irc_buffer *buffer, unsigned device)
{
	uint32_t *larger;

	if (device < buffer->row_count)
		return true;
	larger = realloc(buffer->rows, (device + 1) * sizeof *larger);
	if (!larger)
		return false;
	memset(larger + buffer->row_count, 0, (device + 1 - buffer->row_count) * sizeof *larger);
	buffer->rows = larger;
	buffer->row_count = device + 1;
	return true;
}

void irc_buffer_set_place(struct irc_buffer *buffer, unsigned device, uint64_t seq)
{
	struct irc_user *user = buffer->network->user;

	enter_worker();
	if (!buffer->id || !rows_reach(buffer, device))
		return;
	if (buffer->rows[device] == IRC_NO_ROW && user->places < irc_conf_now()->places) {
		buffer->rows[device] = irc_cursor_take(buffer->id, user->devices[device].id, seq);
		user->places += buffer->rows[device] != IRC_NO_ROW;
	} else if (irc_cursor_seq(buffer->rows[device]) < seq)
		irc_cursor_set(buffer->rows[device], seq);
}

void irc_buffer_rewind(struct irc_buffer *buffer, unsigned device, uint64_t seq)
{
	if (device < buffer->row_count && buffer->rows[device] != IRC_NO_ROW &&
	    irc_cursor_seq(buffer->rows[device]) > seq)
		irc_cursor_set(buffer->rows[device], seq);
}

void irc_buffer_adopt_row(struct irc_buffer *buffer, unsigned device, uint32_t row)
{
	if (!rows_reach(buffer, device) || buffer->rows[device] != IRC_NO_ROW) {
		irc_cursor_give(row);
		return;
	}
	buffer->rows[device] = row;
	buffer->network->user->places++;
	/* A number beyond the head is of a line that was not kept. */
	irc_cursor_set(row, irc_buffer_place(buffer, device));
}

void irc_buffers_forget_device(struct irc_network *network, unsigned device)
{
	uint32_t at = 0;
	struct irc_named *named;

	while ((named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (device < buffer->row_count)
			row_give(buffer, device);
	}
}
