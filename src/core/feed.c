#include "core/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE        4096u
#define FEED_MAGIC  0x6465656667676972ull
#define FEED_LAYOUT 1u
/* The largest power of two that a ring counts its records with. */
#define ENTRIES_MOST (1u << 31)

struct feed_page {
	uint64_t magic;
	uint32_t layout;
	uint32_t kind;
	uint64_t id;
	uint64_t ring_at[FEED_RINGS]; /* offsets in the file */
	char name[FEED_NAME_MAX + 1];
	char type[FEED_TYPE_MAX + 1];
};

static_assert(sizeof(struct feed_page) <= PAGE, "the header is one page");

static uint64_t round_up_power(uint64_t n, uint64_t least)
{
	uint64_t power = least;

	while (power < n && power < (1ull << 40))
		power *= 2;
	return power;
}

struct feed_shape feed_shape_for(uint64_t records_size, uint32_t mean_len, uint64_t headers_max)
{
	uint64_t records = round_up_power(records_size, PAGE);
	uint64_t entries = round_up_power(records / (mean_len ? mean_len : 1), 64);

	if (entries > ENTRIES_MOST)
		entries = ENTRIES_MOST;

	/* Headers: two chains of the largest kind, as a record may fill half a ring. */
	return (struct feed_shape){{
		[FEED_RECORDS] = {records, (uint32_t)entries},
		[FEED_NOTES] = {64 * 1024, 64},
		[FEED_HEADERS] = {round_up_power(2 * headers_max, PAGE), 64},
	}};
}

/* Formats all three rings behind the page, and then writes the page. */
static int feed_format(int fd, const struct feed_shape *shape, struct feed_page *page)
{
	uint64_t at = PAGE;

	for (int i = 0; i < FEED_RINGS; i++) {
		if (ring_file_size(&shape->ring[i]) == 0)
			return -EINVAL;
		page->ring_at[i] = at;
		at += ring_file_size(&shape->ring[i]);
	}
	if (ftruncate(fd, (off_t)at) == -1)
		return -errno;
	for (int i = 0; i < FEED_RINGS; i++) {
		int error = ring_format(fd, (int64_t)page->ring_at[i], &shape->ring[i]);

		if (error)
			return error;
	}
	if (pwrite(fd, page, sizeof *page, 0) != (ssize_t)sizeof *page)
		return -EIO;
	return 0;
}

int feed_create(struct feed *feed, uint64_t id, struct bytes name, struct bytes type, uint32_t kind,
		const struct feed_shape *shape)
{
	struct feed_page page = {
		.magic = FEED_MAGIC, .layout = FEED_LAYOUT, .kind = kind, .id = id};
	int fd, error;

	*feed = (struct feed){.fd = -1};
	if (name.len > FEED_NAME_MAX || type.len > FEED_TYPE_MAX)
		return -EINVAL;
	bytes_to_str(name, page.name, sizeof page.name);
	bytes_to_str(type, page.type, sizeof page.type);
	fd = memfd_create("ringmain-feed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -errno;
	error = feed_format(fd, shape, &page);
	/* A reader in another process must not meet a file that shrinks under its mapping. */
	if (!error && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == -1)
		error = -errno;
	if (!error)
		error = feed_open(feed, fd);
	if (error)
		close(fd);
	return error;
}

int feed_open(struct feed *feed, int fd)
{
	struct feed_page page;
	ssize_t len = pread(fd, &page, sizeof page, 0);
	int error = 0;

	*feed = (struct feed){.fd = -1};
	if (len == -1)
		return -errno;
	if (len != (ssize_t)sizeof page || page.magic != FEED_MAGIC || page.layout != FEED_LAYOUT)
		return -EPROTO;
	page.name[FEED_NAME_MAX] = '\0';
	page.type[FEED_TYPE_MAX] = '\0';
	memcpy(feed->name, page.name, sizeof feed->name);
	memcpy(feed->type, page.type, sizeof feed->type);
	feed->kind = page.kind;
	feed->id = page.id;
	for (int i = 0; i < FEED_RINGS && !error; i++)
		error = ring_open(&feed->ring[i], fd, (int64_t)page.ring_at[i], true);
	if (error) {
		feed_close(feed);
		return error;
	}
	feed->fd = fd;
	return 0;
}

void feed_close(struct feed *feed)
{
	/* Descriptor 0 may be a feed's; a zeroed feed has no mapping. */
	bool open = feed->ring[FEED_RECORDS].map && feed->fd >= 0;

	for (int i = 0; i < FEED_RINGS; i++)
		ring_close(&feed->ring[i]);
	if (open)
		close(feed->fd);
	*feed = (struct feed){.fd = -1};
}

/* The newest record of a side ring whose word[0] is at or before pos. There are few of them, and
 * the wanted one is nearly always the last. */
static bool newest_at(const struct ring *ring, uint64_t pos, struct record *out)
{
	uint64_t kept = ring_kept_seq(ring);

	for (uint64_t seq = ring_head_seq(ring); seq-- > kept;)
		if (ring_peek(ring, seq, out) && out->word[0] <= pos)
			return true;
	return false;
}

bool feed_note_at(const struct feed *feed, uint64_t pos, struct record *note)
{
	return newest_at(&feed->ring[FEED_NOTES], pos, note);
}

bool feed_headers_at(const struct feed *feed, uint64_t pos, struct record *headers)
{
	return newest_at(&feed->ring[FEED_HEADERS], pos, headers) && headers->len > 0;
}
