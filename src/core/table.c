#include "core/table.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE        4096u
#define TABLE_MAGIC 0x656c626174676972ull

struct table_page {
	uint64_t magic;
	uint32_t layout;
	uint32_t row_size;
	uint32_t capacity;
	uint32_t high; /* rows from here on were never used; counted up before the row is */
};

static struct table_page *page_of(const struct table *table)
{
	return (struct table_page *)(void *)(table->map - PAGE);
}

static int table_map(struct table *table, int fd, const struct table_page *page)
{
	size_t len = PAGE + (size_t)page->row_size * page->capacity;
	uint8_t *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	uint32_t *rows;

	if (map == MAP_FAILED)
		return -errno;
	/* Filled only as far as rows are given back, so its pages too follow the use. */
	rows = calloc(page->capacity, sizeof *rows);
	if (!rows) {
		munmap(map, len);
		return -ENOMEM;
	}
	*table = (struct table){
		.fd = fd,
		.map = map + PAGE,
		.map_len = len,
		.row_size = page->row_size,
		.capacity = page->capacity,
		.free_rows = rows,
	};
	return 0;
}

int table_create(struct table *table, uint32_t layout, uint32_t row_size, uint32_t capacity)
{
	struct table_page page = {TABLE_MAGIC, layout, row_size, capacity, 0};
	int fd, error = 0;

	*table = (struct table){.fd = -1};
	if (row_size == 0 || row_size % 64 || capacity == 0)
		return -EINVAL;
	fd = memfd_create("ringmain-table", MFD_CLOEXEC);
	if (fd == -1)
		return -errno;
	if (ftruncate(fd, (off_t)(PAGE + (size_t)row_size * capacity)) == -1 ||
	    pwrite(fd, &page, sizeof page, 0) != (ssize_t)sizeof page)
		error = -errno;
	if (!error)
		error = table_map(table, fd, &page);
	if (error)
		close(fd);
	return error;
}

/* What the last owner settled is in use; what was ever used and is not is taken again first, lowest
 * first. Rows beyond are not looked at: that alone would make their pages. */
static void find_used(struct table *table, uint32_t high)
{
	table->high = high;
	for (uint32_t row = high; row-- > 0;)
		if (table_settled(table, row))
			table->used++;
		else
			table->free_rows[table->free_count++] = row;
}

int table_open(struct table *table, int fd, uint32_t layout, uint32_t row_size)
{
	struct table_page page;
	struct stat st;
	int error;

	*table = (struct table){.fd = -1};
	if (fstat(fd, &st) == -1)
		return -errno;
	if (pread(fd, &page, sizeof page, 0) != (ssize_t)sizeof page || page.magic != TABLE_MAGIC ||
	    page.layout != layout || page.row_size != row_size || page.capacity == 0 ||
	    page.high > page.capacity ||
	    st.st_size < (off_t)(PAGE + (size_t)page.row_size * page.capacity))
		return -EPROTO;
	error = table_map(table, fd, &page);
	if (!error)
		find_used(table, page.high);
	return error;
}

void table_close(struct table *table)
{
	if (table->map) {
		munmap(table->map - PAGE, table->map_len);
		close(table->fd);
		free(table->free_rows);
	}
	*table = (struct table){.fd = -1};
}

void *table_take(struct table *table, uint32_t *row)
{
	struct table_row *taken;

	if (table->free_count)
		*row = table->free_rows[--table->free_count];
	else if (table->high < table->capacity)
		*row = table->high++;
	else
		return NULL;
	page_of(table)->high = table->high;
	/* A process may die between any two instructions: the compiler keeps this order too. */
	atomic_signal_fence(memory_order_release);
	taken = table_row(table, *row);
	memset(taken, 0, table->row_size);
	atomic_signal_fence(memory_order_release);
	taken->in_use = TABLE_TAKEN;
	table->used++;
	return taken;
}

void table_give(struct table *table, uint32_t row)
{
	struct table_row *given = table_row(table, row);

	CHECK(row < table->high && given->in_use);
	given->in_use = TABLE_FREE;
	table->free_rows[table->free_count++] = row;
	table->used--;
}

/* A process may die between any two instructions, and only it: the order of its own stores is what
 * the next one sees, so that the compiler need be told and not the processor. */
void table_settle(struct table *table, uint32_t row)
{
	struct table_row *settled = table_row(table, row);

	CHECK(row < table->high && settled->in_use);
	atomic_signal_fence(memory_order_release);
	settled->in_use = TABLE_SETTLED;
	atomic_signal_fence(memory_order_release);
}

void table_doubt(struct table *table, uint32_t row)
{
	struct table_row *doubted = table_row(table, row);

	CHECK(row < table->high && doubted->in_use);
	atomic_signal_fence(memory_order_release);
	doubted->in_use = TABLE_TAKEN;
	atomic_signal_fence(memory_order_release);
}

void *table_settled(const struct table *table, uint32_t row)
{
	struct table_row *asked = table_row(table, row);

	return row < table->high && asked->in_use == TABLE_SETTLED ? asked : NULL;
}
