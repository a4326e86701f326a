#include "radio/radio_feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/metric.h"

#define FEEDS_MAX   16384u
#define FEED_LAYOUT 1u

struct feed_row {
	uint64_t in_use;
	uint64_t id;
	int32_t fd;
	uint8_t pad[44];
};

static_assert(sizeof(struct feed_row) == 64, "rows are whole cache lines");

const struct estate_kind radio_feed_kind = {
	.name = "radio.feeds",
	.layout = FEED_LAYOUT,
	.row_size = sizeof(struct feed_row),
	.fds_at = offsetof(struct feed_row, fd),
	.fds = 1,
};

struct left_feed {
	struct left_feed *next;
	struct radio_feed *radio;
	uint64_t id; /* radio may be gone already, when it was claimed */
	bool claimed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct table rows;      /* under lock */
static uint64_t made;          /* under lock */
static struct left_feed *left; /* the control thread's, while rooms start */

int radio_feeds_open(void)
{
	return estate_table(&rows, &radio_feed_kind, 0, FEEDS_MAX);
}

void radio_feeds_close(void)
{
	pthread_mutex_lock(&lock);
	estate_close(&rows);
	pthread_mutex_unlock(&lock);
}

static uint64_t number_take(void)
{
	uint64_t id;

	pthread_mutex_lock(&lock);
	id = ++made;
	pthread_mutex_unlock(&lock);
	return id;
}

static bool row_take(struct radio_feed *radio)
{
	struct feed_row *row;

	pthread_mutex_lock(&lock);
	row = rows.map ? table_take(&rows, &radio->row) : NULL;
	if (row) {
		row->id = radio->feed.id;
		row->fd = radio->feed.fd;
		table_settle(&rows, radio->row);
	}
	pthread_mutex_unlock(&lock);
	return row;
}

struct feed *radio_feed_make(struct bytes name, struct bytes type, uint32_t kind,
			     const struct feed_shape *shape)
{
	struct radio_feed *radio = calloc(1, sizeof *radio);

	if (!radio)
		return NULL;
	if (feed_create(&radio->feed, number_take(), name, type, kind, shape) != 0) {
		free(radio);
		return NULL;
	}
	if (!row_take(radio)) {
		feed_close(&radio->feed);
		free(radio);
		return NULL;
	}
	return &radio->feed;
}

void radio_feed_free(struct radio_feed *radio)
{
	pthread_mutex_lock(&lock);
	/* Closed: the feeds are another server's. */
	if (rows.map)
		table_doubt(&rows, radio->row);
	feed_close(&radio->feed);
	if (rows.map)
		table_give(&rows, radio->row);
	pthread_mutex_unlock(&lock);
	free(radio);
}

/* --- what was left -------------------------------------------------------------------------- */

static int adopt(const struct feed_row *row, uint32_t number)
{
	struct left_feed *found = calloc(1, sizeof *found);
	struct radio_feed *radio = calloc(1, sizeof *radio);
	int error = found && radio ? feed_open(&radio->feed, row->fd) : -ENOMEM;

	if (error) {
		free(found);
		free(radio);
		return error;
	}
	/* Its writer is no more: what it had half published is done, and another may write. */
	for (int i = 0; i < FEED_RINGS; i++)
		if (ring_claim(&radio->feed.ring[i], 1, true) == 0)
			ring_release(&radio->feed.ring[i]);
	radio->row = number;
	found->radio = radio;
	found->id = radio->feed.id;
	found->next = left;
	left = found;
	if (row->id > made)
		made = row->id;
	return 0;
}

int radio_feeds_adopt(void)
{
	for (uint32_t number = 0; number < rows.high; number++) {
		const struct feed_row *row = table_settled(&rows, number);
		int error = row ? adopt(row, number) : 0;

		if (error)
			return error;
	}
	return 0;
}

struct feed *radio_feed_left(uint64_t id)
{
	for (struct left_feed *at = left; at && id; at = at->next)
		if (at->id == id)
			return &at->radio->feed;
	return NULL;
}

void radio_feeds_each(void (*each)(struct feed *feed, void *what), void *what)
{
	for (struct left_feed *at = left; at; at = at->next)
		each(&at->radio->feed, what);
}

void radio_feed_claim(struct feed *feed)
{
	for (struct left_feed *at = left; at; at = at->next)
		if (&at->radio->feed == feed)
			at->claimed = true;
}

void radio_feeds_settle(void (*drop)(struct feed *feed))
{
	while (left) {
		struct left_feed *at = left;

		left = at->next;
		if (!at->claimed)
			drop(&at->radio->feed);
		free(at);
	}
}
