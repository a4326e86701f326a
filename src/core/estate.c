#include "core/estate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/keeper.h"

#define PAGE          4096u
#define ESTATE_MAGIC  0x6574617473657267ull
#define ESTATE_LAYOUT 1u
#define KINDS_MAX     32

struct estate_entry {
	struct estate_kind kind;
	uint32_t number;
	int32_t fd;
};

struct estate_page {
	uint64_t magic;
	uint32_t layout;
	uint32_t entry_size;
	_Atomic uint32_t count; /* entries; stored when the newest is whole */
	uint32_t pad;
	_Atomic uint64_t words[ESTATE_WORDS];
	struct estate_entry entries[ESTATE_TABLES_MAX];
};

static const struct estate_kind *kinds[KINDS_MAX];
static size_t kind_count;
static struct estate_page *page;
static int page_fd = -1;
static bool adopted;
static bool crashed;

void estate_know(const struct estate_kind *kind)
{
	for (size_t i = 0; i < kind_count; i++)
		if (kinds[i] == kind)
			return;
	CHECK(kind_count < KINDS_MAX);
	kinds[kind_count++] = kind;
}

bool estate_is_adopted(void)
{
	return adopted;
}

bool estate_of_crashed(void)
{
	return adopted && crashed;
}

void estate_say_crashed(void)
{
	crashed = true;
}

int estate_fd(void)
{
	return page_fd;
}

_Atomic uint64_t *estate_word(enum estate_word word)
{
	return &page->words[word];
}

static uint32_t entry_count(void)
{
	return atomic_load_explicit(&page->count, memory_order_acquire);
}

/* --- making and adopting -------------------------------------------------------------------- */

int estate_create(void)
{
	int fd = memfd_create("ringmain-estate", MFD_CLOEXEC);
	struct estate_page *map;

	CHECK(!page);
	if (fd == -1)
		return -errno;
	if (ftruncate(fd, sizeof *map) == -1) {
		close(fd);
		return -errno;
	}
	map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		close(fd);
		return -errno;
	}
	map->layout = ESTATE_LAYOUT;
	map->entry_size = sizeof(struct estate_entry);
	map->magic = ESTATE_MAGIC;
	page = map;
	page_fd = fd;
	adopted = false;
	return 0;
}

static bool is_same_kind(const struct estate_kind *a, const struct estate_kind *b)
{
	return memcmp(a->name, b->name, sizeof a->name) == 0 && a->layout == b->layout &&
	       a->row_size == b->row_size && a->fds_at == b->fds_at && a->fds == b->fds;
}

static bool is_known(const struct estate_kind *kind)
{
	for (size_t i = 0; i < kind_count; i++)
		if (is_same_kind(kind, kinds[i]))
			return true;
	return false;
}

static bool is_open(int fd)
{
	return fd >= 0 && fcntl(fd, F_GETFD) != -1;
}

static const int32_t *row_fds(const struct estate_kind *kind, const void *row)
{
	return (const int32_t *)(const void *)((const uint8_t *)row + kind->fds_at);
}

/* Calls each(fd) for every descriptor in the settled rows of a table; false as soon as that is. */
static bool each_row_fd(const struct estate_entry *entry, const struct table *table,
			bool (*each)(int fd, void *what), void *what)
{
	for (uint32_t row = 0; entry->kind.fds && row < table->high; row++) {
		const void *at = table_settled(table, row);

		for (uint32_t i = 0; at && i < entry->kind.fds; i++)
			if (row_fds(&entry->kind, at)[i] >= 0 &&
			    !each(row_fds(&entry->kind, at)[i], what))
				return false;
	}
	return true;
}

static bool each_open(int fd, void *what)
{
	(void)what;
	return is_open(fd);
}

/* A look at a table that changes nothing: a view of its own, on a descriptor of its own, which is not
 * to be taken for one that a row names. */
static int entry_view(const struct estate_entry *entry, struct table *view)
{
	int fd = fcntl(entry->fd, F_DUPFD_CLOEXEC, keeper_zone() + 8);
	int error;

	if (fd == -1)
		return -errno;
	error = table_open(view, fd, entry->kind.layout, entry->kind.row_size);
	if (error)
		close(fd);
	return error;
}

static int entry_judge(const struct estate_entry *entry)
{
	struct table view;
	int error;

	if (!is_known(&entry->kind) || !is_open(entry->fd))
		return -EPROTO;
	error = entry_view(entry, &view);
	if (error)
		return error;
	if (!each_row_fd(entry, &view, each_open, NULL))
		error = -EPROTO;
	table_close(&view);
	return error;
}

int estate_adopt(int fd)
{
	struct estate_page *map;
	struct stat st;
	int error = 0;

	CHECK(!page);
	if (fstat(fd, &st) == -1)
		return -errno;
	if (st.st_size < (off_t)sizeof *map)
		return -EPROTO;
	map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (map->magic != ESTATE_MAGIC || map->layout != ESTATE_LAYOUT ||
	    map->entry_size != sizeof(struct estate_entry) ||
	    atomic_load_explicit(&map->count, memory_order_acquire) > ESTATE_TABLES_MAX)
		error = -EPROTO;
	for (uint32_t i = 0; !error && i < map->count; i++)
		error = entry_judge(&map->entries[i]);
	if (error) {
		munmap(map, sizeof *map);
		return error;
	}
	page = map;
	page_fd = fd;
	adopted = true;
	return 0;
}

void estate_forget(void)
{
	if (page)
		munmap(page, sizeof *page);
	page = NULL;
	page_fd = -1;
	adopted = crashed = false;
	kind_count = 0;
}

/* --- tables --------------------------------------------------------------------------------- */

int estate_table(struct table *table, const struct estate_kind *kind, uint32_t number,
		 uint32_t capacity)
{
	uint32_t count = entry_count();
	struct estate_entry *entry;
	int error;

	CHECK(is_known(kind));
	for (uint32_t i = 0; i < count; i++) {
		entry = &page->entries[i];
		if (is_same_kind(&entry->kind, kind) && entry->number == number)
			return table_open(table, entry->fd, kind->layout, kind->row_size);
	}
	if (count == ESTATE_TABLES_MAX)
		return -ENOSPC;
	error = table_create(table, kind->layout, kind->row_size, capacity);
	if (error)
		return error;
	page->entries[count] =
		(struct estate_entry){.kind = *kind, .number = number, .fd = table->fd};
	atomic_store_explicit(&page->count, count + 1, memory_order_release);
	return 0;
}

void estate_close(struct table *table)
{
	int fd = table->map ? fcntl(table->fd, F_DUPFD_CLOEXEC, 3) : -1;

	/* The memory is the estate's: the number must stay open. */
	if (fd >= 0) {
		table->fd = fd;
		table_close(table);
	}
}

/* --- descriptors ---------------------------------------------------------------------------- */

struct collected {
	int *fds;
	size_t count, size;
};

static bool collect(int fd, void *what)
{
	struct collected *all = what;

	if (all->count == all->size) {
		size_t size = all->size ? all->size * 2 : 1024;
		int *larger = realloc(all->fds, size * sizeof *larger);

		if (!larger)
			return false;
		all->fds = larger;
		all->size = size;
	}
	all->fds[all->count++] = fd;
	return true;
}

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Two rows may name one descriptor. */
static size_t sort_out(int *fds, size_t count)
{
	size_t kept = 0;

	qsort(fds, count, sizeof *fds, by_number);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || fds[kept - 1] != fds[i])
			fds[kept++] = fds[i];
	return kept;
}

int estate_descriptors(int **fds)
{
	struct collected all = {0};
	bool done = collect(page_fd, &all);

	for (uint32_t i = 0; done && i < entry_count(); i++) {
		struct estate_entry *entry = &page->entries[i];
		struct table view;

		done = collect(entry->fd, &all) && entry_view(entry, &view) == 0;
		if (!done)
			break;
		done = each_row_fd(entry, &view, collect, &all);
		table_close(&view);
	}
	if (!done) {
		free(all.fds);
		return -ENOMEM;
	}
	*fds = all.fds;
	return (int)sort_out(all.fds, all.count);
}

static bool is_among(int fd, const int *fds, size_t count)
{
	return bsearch(&fd, fds, count, sizeof *fds, by_number) != NULL;
}

int estate_sweep(const int *also, size_t also_count)
{
	struct collected open = {0};
	int *kept, count = estate_descriptors(&kept);
	struct dirent *entry;
	DIR *dir;

	if (count < 0)
		return count;
	dir = opendir("/proc/self/fd");
	if (!dir) {
		free(kept);
		return -errno;
	}
	while ((entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		bool keep = fd <= 2 || fd == dirfd(dir) || is_among(fd, kept, (size_t)count);

		for (size_t i = 0; i < also_count; i++)
			keep |= fd == also[i];
		if (!keep && !collect(fd, &open))
			break;
	}
	closedir(dir);
	for (size_t i = 0; i < open.count; i++)
		close(open.fds[i]);
	free(open.fds);
	free(kept);
	return 0;
}
