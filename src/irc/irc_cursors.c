#include "irc/irc_cursors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC    0x31637269u /* "irc1" */
#define ROWS_MAX (1u << 22)
#define ROW_SIZE sizeof(struct irc_cursor_row)

/* The first row is the head of the file: row 0 is none. */
struct head {
	uint64_t magic;
	_Atomic uint64_t high; /* rows from here on were never used */
	uint64_t pad[2];
};

static_assert(sizeof(struct head) == ROW_SIZE, "the head is a row");

static struct irc_cursor_row *rows; /* constant while workers run */

/* Rows that were given back: each has the number of the next in the place of its device. */
static _Atomic uint32_t given;     /* by any thread; IRC_NO_ROW: none */
static _Thread_local uint32_t own; /* those that this worker has taken on */

static struct head *head_of(void)
{
	return (struct head *)(void *)rows;
}

int irc_cursors_open(const char *directory)
{
	char path[4200];
	struct stat stat;
	void *map;
	int fd, error = 0;

	snprintf(path, sizeof path, "%.4096s/irc-cursors", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		return -errno;
	if (fstat(fd, &stat) == -1 ||
	    (stat.st_size == 0 && ftruncate(fd, (off_t)(ROWS_MAX * ROW_SIZE)) == -1))
		error = -errno;
	else if (stat.st_size && stat.st_size != (off_t)(ROWS_MAX * ROW_SIZE))
		error = -EPROTO;
	map = error ? MAP_FAILED
		    : mmap(NULL, ROWS_MAX * ROW_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (!error && map == MAP_FAILED)
		error = -errno;
	close(fd);
	if (error)
		return error;
	rows = map;
	if (head_of()->magic && head_of()->magic != MAGIC) {
		irc_cursors_close();
		return -EPROTO;
	}
	if (!head_of()->magic) {
		head_of()->high = 1;
		head_of()->magic = MAGIC;
	}
	return 0;
}

void irc_cursors_close(void)
{
	if (rows)
		munmap(rows, ROWS_MAX * ROW_SIZE);
	rows = NULL;
	atomic_store_explicit(&given, IRC_NO_ROW, memory_order_relaxed);
	own = IRC_NO_ROW;
}

static void put_free(uint32_t row)
{
	uint32_t next = atomic_load_explicit(&given, memory_order_relaxed);

	do
		rows[row].device = next;
	while (!atomic_compare_exchange_weak_explicit(&given, &next, row, memory_order_release,
						      memory_order_relaxed));
}

/* All that were given are taken at once, so that none is met twice by who takes one. */
static uint32_t take_free(void)
{
	uint32_t row = own;

	if (row == IRC_NO_ROW)
		row = atomic_exchange_explicit(&given, IRC_NO_ROW, memory_order_acquire);
	own = row == IRC_NO_ROW ? IRC_NO_ROW : (uint32_t)rows[row].device;
	return row;
}

void irc_cursors_reclaim(void)
{
	uint64_t high = rows ? atomic_load_explicit(&head_of()->high, memory_order_relaxed) : 0;

	for (uint64_t row = high < ROWS_MAX ? high : ROWS_MAX; row-- > 1;)
		if (!atomic_load_explicit(&rows[row].buffer, memory_order_relaxed))
			put_free((uint32_t)row);
}

void irc_cursors_each(void (*found)(void *context, uint32_t row, uint64_t buffer, uint64_t device,
				    uint64_t seq),
		      void *context)
{
	uint64_t high = rows ? atomic_load_explicit(&head_of()->high, memory_order_relaxed) : 0;

	for (uint32_t row = 1; row < high && row < ROWS_MAX; row++) {
		uint64_t buffer = atomic_load_explicit(&rows[row].buffer, memory_order_acquire);

		if (buffer)
			found(context, row, buffer, rows[row].device, irc_cursor_seq(row));
	}
}

uint32_t irc_cursor_take(uint64_t buffer, uint64_t device, uint64_t seq)
{
	uint64_t row;

	if (!rows)
		return IRC_NO_ROW;
	row = take_free();
	if (row == IRC_NO_ROW) {
		/* The one word that workers share: taken, never given back. */
		row = atomic_fetch_add_explicit(&head_of()->high, 1, memory_order_relaxed);
		if (row >= ROWS_MAX) {
			atomic_store_explicit(&head_of()->high, ROWS_MAX, memory_order_relaxed);
			return IRC_NO_ROW;
		}
	}
	rows[row].device = device;
	irc_cursor_set((uint32_t)row, seq);
	/* With the next process: what is in use is whole. */
	atomic_store_explicit(&rows[row].buffer, buffer, memory_order_release);
	return (uint32_t)row;
}

void irc_cursor_give(uint32_t row)
{
	if (!rows || row == IRC_NO_ROW)
		return;
	atomic_store_explicit(&rows[row].buffer, 0, memory_order_release);
	put_free(row);
}

void irc_cursor_set(uint32_t row, uint64_t seq)
{
	if (rows && row != IRC_NO_ROW)
		atomic_store_explicit(&rows[row].seq, seq, memory_order_relaxed);
}

uint64_t irc_cursor_seq(uint32_t row)
{
	return rows && row != IRC_NO_ROW
		       ? atomic_load_explicit(&rows[row].seq, memory_order_relaxed)
		       : 0;
}
