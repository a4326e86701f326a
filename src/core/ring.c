#include "core/ring.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u

/* Each group of fields has one writer and a cache line of its own. */
struct ring_shared {
	/* written by ring_format, constant afterwards */
	uint64_t magic;
	uint32_t layout;
	uint32_t entry_size;
	uint64_t data_size;
	uint64_t entry_count;
	uint8_t pad0[32];
	/* the writer's, in the order in which it stores them */
	_Atomic uint64_t
		kept_seq; /* intent: pairs with the acquire fences of ring_peek, ring_read */
	_Atomic uint64_t kept_pos; /* intent: pairs with the acquire fence of ring_keeps */
	_Atomic uint64_t head_pos; /* release; pairs with the acquire load of ring_head_pos */
	_Atomic uint64_t head_seq; /* release; pairs with the acquire load of ring_head_seq */
	_Atomic uint64_t writer;   /* 0: none */
	_Atomic uint64_t epoch;
	uint8_t pad1[16];
	/* set by readers, cleared by the writer */
	_Atomic uint64_t sleepers;
	_Atomic uint32_t bell;    /* counts publishes that somebody in ring_wait was told of */
	_Atomic uint32_t waiters; /* 1: somebody is in ring_wait, or was and left or died */
	uint8_t pad2[48];
};

struct ring_entry {
	_Atomic uint64_t seq;
	_Atomic uint64_t pos;
	_Atomic uint64_t len_flags; /* len << 32 | flags */
	_Atomic uint64_t media_us;
	_Atomic uint64_t wall_us;
	_Atomic uint64_t word[2];
	uint64_t reserved;
};

static_assert(sizeof(struct ring_shared) == 192, "the layout is shared between processes");
static_assert(sizeof(struct ring_entry) == 64, "the layout is shared between processes");

#define LOAD(field)                 atomic_load_explicit(&(field), memory_order_relaxed)
#define LOAD_ACQUIRE(field)         atomic_load_explicit(&(field), memory_order_acquire)
#define STORE(field, value)         atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define STORE_RELEASE(field, value) atomic_store_explicit(&(field), (value), memory_order_release)

/* TSan sees each memcpy() whoever calls it; a loop is seen only where it is compiled to be. */
#if defined(__SANITIZE_THREAD__)
#	define UNDER_TSAN 1
#elif defined(__has_feature)
#	if __has_feature(thread_sanitizer)
#		define UNDER_TSAN 1
#	endif
#endif

/* The one function that touches bytes which the other side may be overwriting, for copy_in and
 * copy_out. What they copy is checked against intent afterwards; TSan, which does not know fences,
 * is told so here and only here. */
__attribute__((no_sanitize("thread"), noinline)) static void copy(uint8_t *to, struct bytes from)
{
#ifdef UNDER_TSAN
	for (size_t i = 0; i < from.len; i++) {
		to[i] = from.at[i];
		__asm__ volatile("" ::: "memory"); /* or the compiler makes it memcpy() again */
	}
#else
	if (from.len)
		memcpy(to, from.at, from.len);
#endif
}

static void copy_in(uint8_t *to, struct bytes from)
{
	copy(to, from);
}

static void copy_out(void *to, struct bytes from)
{
	copy(to, from);
}

static bool power_of_two(uint64_t n)
{
	return n && (n & (n - 1)) == 0;
}

static size_t index_size(uint64_t entry_count)
{
	return (size_t)entry_count * sizeof(struct ring_entry);
}

size_t ring_file_size(const struct ring_shape *shape)
{
	if (!power_of_two(shape->data_size) || shape->data_size < PAGE ||
	    shape->data_size > (1ull << 40) || !power_of_two(shape->entry_count) ||
	    shape->entry_count < 64)
		return 0;
	return PAGE + index_size(shape->entry_count) + (size_t)shape->data_size;
}

int ring_format(int fd, int64_t at, const struct ring_shape *shape)
{
	struct ring_shared *shared;

	if (ring_file_size(shape) == 0)
		return -EINVAL;
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	if (shared == MAP_FAILED)
		return -errno;
	memset(shared, 0, sizeof *shared);
	shared->layout = RING_LAYOUT;
	shared->entry_size = sizeof(struct ring_entry);
	shared->data_size = shape->data_size;
	shared->entry_count = shape->entry_count;
	STORE(shared->kept_seq, 1);
	STORE(shared->head_seq, 1);
	shared->magic = RING_MAGIC;
	munmap(shared, PAGE);
	return 0;
}

/* Maps header, index and twice the data in one run of addresses. */
static int map_ring(struct ring *ring, int fd, int64_t at, const struct ring_shape *shape, int prot)
{
	size_t front = PAGE + index_size(shape->entry_count);
	size_t size = (size_t)shape->data_size;
	uint8_t *map = mmap(NULL, front + 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	if (mmap(map, front + size, prot, MAP_SHARED | MAP_FIXED, fd, at) == MAP_FAILED ||
	    mmap(map + front + size, size, prot, MAP_SHARED | MAP_FIXED, fd, at + (int64_t)front) ==
		    MAP_FAILED) {
		int error = errno;

		munmap(map, front + 2 * size);
		return -error;
	}
	*ring = (struct ring){
		.shared = (void *)map,
		.index = (void *)(map + PAGE),
		.data = map + front,
		.data_mask = shape->data_size - 1,
		.entry_mask = shape->entry_count - 1,
		.map = map,
		.map_len = front + 2 * size,
	};
	return 0;
}

int ring_open(struct ring *ring, int fd, int64_t at, bool writable)
{
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	struct ring_shared *shared;
	struct ring_shape shape;
	struct stat st;
	bool ours;

	*ring = (struct ring){0};
	if (fstat(fd, &st) == -1)
		return -errno;
	if (at < 0 || at % PAGE || st.st_size < (off_t)PAGE || at > st.st_size - (off_t)PAGE)
		return -EPROTO;
	shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, at);
	if (shared == MAP_FAILED)
		return -errno;
	shape = (struct ring_shape){shared->data_size, (uint32_t)shared->entry_count};
	ours = shared->magic == RING_MAGIC && shared->layout == RING_LAYOUT &&
	       shared->entry_size == sizeof(struct ring_entry) &&
	       shared->entry_count == shape.entry_count && ring_file_size(&shape) != 0 &&
	       (uint64_t)(st.st_size - at) >= ring_file_size(&shape);
	munmap(shared, PAGE);
	return ours ? map_ring(ring, fd, at, &shape, prot) : -EPROTO;
}

void ring_close(struct ring *ring)
{
	if (ring->map)
		munmap(ring->map, ring->map_len);
	*ring = (struct ring){0};
}

/* --- the writer ----------------------------------------------------------------------------- */

static struct ring_entry *entry_of(const struct ring *ring, uint64_t seq)
{
	return &ring->index[seq & ring->entry_mask];
}

/* limit: a moment on the monotonic clock, with FUTEX_WAIT_BITSET. */
static long futex(const _Atomic uint32_t *word, int op, uint32_t value,
		  const struct timespec *limit)
{
	return syscall(SYS_futex, word, op, value, limit, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* After a full fence. */
static void ring_waiters_wake(struct ring_shared *shared)
{
	if (LOAD(shared->waiters)) {
		STORE(shared->waiters, 0);
		atomic_fetch_add_explicit(&shared->bell, 1, memory_order_release);
		futex(&shared->bell, FUTEX_WAKE, INT_MAX, NULL);
	}
}

static uint64_t ring_bells(struct ring_shared *shared)
{
	uint64_t wake = 0;

	/* Pairs with the fences of ring_sleep and ring_wait: either they see the new head, or we
	 * see that they sleep. */
	atomic_thread_fence(memory_order_seq_cst);
	if (LOAD(shared->sleepers))
		wake = atomic_exchange_explicit(&shared->sleepers, 0, memory_order_acq_rel);
	ring_waiters_wake(shared);
	return wake;
}

/* A writer that died between its two head stores has published the bytes but not the record. The
 * entry was complete before either: finish what it began. */
static int finish_half_published(struct ring *ring)
{
	struct ring_entry *last = entry_of(ring, ring->next_seq - 1);
	struct ring_entry *half = entry_of(ring, ring->next_seq);
	uint64_t end = ring->next_seq == 1 ? 0 : LOAD(last->pos) + (LOAD(last->len_flags) >> 32);

	if (ring->next_pos == end)
		return 0;
	if (LOAD(half->seq) != ring->next_seq || LOAD(half->pos) != end ||
	    end + (LOAD(half->len_flags) >> 32) != ring->next_pos)
		return -EPROTO;
	ring->next_seq++;
	STORE_RELEASE(ring->shared->head_seq, ring->next_seq);
	return 0;
}

/* A writer that died between its two stores of intent has told kept_seq and not kept_pos. Intent
 * never goes back, as readers may have believed it; so the pos follows the seq. */
static void finish_half_announced(struct ring *ring)
{
	ring->kept_seq = LOAD(ring->shared->kept_seq);
	ring->kept_pos = ring->kept_seq < ring->next_seq ? LOAD(entry_of(ring, ring->kept_seq)->pos)
							 : LOAD(ring->shared->kept_pos);
	STORE_RELEASE(ring->shared->kept_pos, ring->kept_pos);
}

int ring_claim(struct ring *ring, uint64_t writer, bool force)
{
	struct ring_shared *shared = ring->shared;
	uint64_t none = 0;
	int error;

	CHECK(writer != 0);
	if (force)
		atomic_store_explicit(&shared->writer, writer, memory_order_seq_cst);
	else if (!atomic_compare_exchange_strong_explicit(&shared->writer, &none, writer,
							  memory_order_seq_cst,
							  memory_order_relaxed))
		return -EBUSY;
	ring->next_seq = LOAD_ACQUIRE(shared->head_seq);
	ring->next_pos = LOAD_ACQUIRE(shared->head_pos);
	ring->writing = true;
	STORE(shared->epoch, LOAD(shared->epoch) + 1);
	error = finish_half_published(ring);
	if (error) {
		ring_release(ring);
		return error;
	}
	finish_half_announced(ring);
	/* The dead one may have published and not knocked. The bits of sleepers stay for the next
	 * publish: who was to be knocked at by this process is not known yet. */
	atomic_thread_fence(memory_order_seq_cst); /* pairs with ring_wait */
	ring_waiters_wake(shared);
	return 0;
}

void ring_release(struct ring *ring)
{
	if (ring->writing)
		STORE_RELEASE(ring->shared->writer, 0);
	ring->writing = false;
}

/* Moves the writer's idea of what is kept past all that one more record of len bytes overwrites,
 * and tells the readers before a byte of it is touched. */
static void announce(struct ring *ring, uint64_t len)
{
	uint64_t size = ring->data_mask + 1;
	uint64_t count = ring->entry_mask + 1;
	bool moved = false;

	while (ring->kept_seq < ring->next_seq && (ring->kept_pos + size < ring->next_pos + len ||
						   ring->kept_seq + count <= ring->next_seq)) {
		ring->kept_pos += LOAD(entry_of(ring, ring->kept_seq)->len_flags) >> 32;
		ring->kept_seq++;
		moved = true;
	}
	if (!moved)
		return;
	STORE_RELEASE(ring->shared->kept_seq, ring->kept_seq);
	STORE_RELEASE(ring->shared->kept_pos, ring->kept_pos);
	/* Full: no store below may become visible before the intent above. */
	atomic_thread_fence(memory_order_seq_cst);
}

static void fill_entry(struct ring_entry *entry, const struct record *record)
{
	STORE(entry->seq, record->seq);
	STORE(entry->pos, record->pos);
	STORE(entry->len_flags, (uint64_t)record->len << 32 | record->flags);
	STORE(entry->media_us, (uint64_t)record->media_us);
	STORE(entry->wall_us, (uint64_t)record->wall_us);
	STORE(entry->word[0], record->word[0]);
	STORE(entry->word[1], record->word[1]);
}

int ring_publish(struct ring *ring, struct record *record, struct bytes payload, uint64_t *wake)
{
	CHECK(ring->writing);
	*wake = 0;
	if (payload.len > (ring->data_mask + 1) / 2 || payload.len > UINT32_MAX)
		return -EMSGSIZE;
	record->seq = ring->next_seq;
	record->pos = ring->next_pos;
	record->len = (uint32_t)payload.len;

	announce(ring, payload.len);
	copy_in(ring->data + (ring->next_pos & ring->data_mask), payload);
	fill_entry(entry_of(ring, ring->next_seq), record);

	ring->next_pos += payload.len;
	ring->next_seq++;
	STORE_RELEASE(ring->shared->head_pos, ring->next_pos);
	STORE_RELEASE(ring->shared->head_seq, ring->next_seq);
	*wake = ring_bells(ring->shared);
	return 0;
}

/* --- readers -------------------------------------------------------------------------------- */

uint64_t ring_head_seq(const struct ring *ring)
{
	return LOAD_ACQUIRE(ring->shared->head_seq);
}

uint64_t ring_head_pos(const struct ring *ring)
{
	return LOAD_ACQUIRE(ring->shared->head_pos);
}

uint64_t ring_kept_seq(const struct ring *ring)
{
	return LOAD_ACQUIRE(ring->shared->kept_seq);
}

uint64_t ring_kept_pos(const struct ring *ring)
{
	return LOAD_ACQUIRE(ring->shared->kept_pos);
}

uint64_t ring_epoch(const struct ring *ring)
{
	return LOAD(ring->shared->epoch);
}

/* The check that makes a reader exact: called after the use, with the position used. */
static bool still_kept(const struct ring *ring, uint64_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return seq >= LOAD(ring->shared->kept_seq);
}

bool ring_peek(const struct ring *ring, uint64_t seq, struct record *out)
{
	const struct ring_entry *entry = entry_of(ring, seq);
	uint64_t len_flags;

	if (seq == 0 || seq >= ring_head_seq(ring))
		return false;
	len_flags = LOAD(entry->len_flags);
	*out = (struct record){
		.seq = LOAD(entry->seq),
		.pos = LOAD(entry->pos),
		.len = (uint32_t)(len_flags >> 32),
		.flags = (uint32_t)len_flags,
		.media_us = (int64_t)LOAD(entry->media_us),
		.wall_us = (int64_t)LOAD(entry->wall_us),
		.word = {LOAD(entry->word[0]), LOAD(entry->word[1])},
	};
	return still_kept(ring, seq) && out->seq == seq;
}

/* Puts a reader that was overrun on the oldest record kept and tells it what it lost. */
static void catch_up(const struct ring *ring, struct ring_cursor *cursor, struct ring_loss *loss)
{
	struct ring_cursor oldest = {0, 0};
	struct record record;

	/* The oldest may go while we look; then the one behind it is the oldest. When all go, the
	 * writer is faster than this loop, and the head is as good a place as any. */
	while (oldest.seq < ring_head_seq(ring)) {
		uint64_t kept = ring_kept_seq(ring);

		oldest.seq = kept > oldest.seq ? kept : oldest.seq + 1;
		if (ring_peek(ring, oldest.seq, &record)) {
			oldest.pos = record.pos;
			break;
		}
		oldest.pos = ring_head_pos(ring);
	}
	if (loss)
		*loss = (struct ring_loss){oldest.seq - cursor->seq, oldest.pos - cursor->pos};
	*cursor = oldest;
}

enum ring_status ring_read(const struct ring *ring, struct ring_cursor *cursor,
			   struct record *record, void *buf, size_t size, struct ring_loss *loss)
{
	if (cursor->seq >= ring_head_seq(ring))
		return RING_EMPTY;
	if (ring_peek(ring, cursor->seq, record)) {
		if (record->len > size)
			return RING_SMALL;
		copy_out(buf, bytes_of(ring->data + (record->pos & ring->data_mask), record->len));
		if (still_kept(ring, cursor->seq)) {
			*cursor = (struct ring_cursor){record->seq + 1, record->pos + record->len};
			return RING_RECORD;
		}
	}
	catch_up(ring, cursor, loss);
	return RING_LAPPED;
}

struct bytes ring_bytes(const struct ring *ring, uint64_t pos, uint64_t head_pos)
{
	CHECK(head_pos >= pos && head_pos - pos <= ring->data_mask + 1);
	return bytes_of(ring->data + (pos & ring->data_mask), (size_t)(head_pos - pos));
}

void ring_copy(const struct ring *ring, uint64_t pos, void *to, size_t len)
{
	CHECK(len <= ring->data_mask + 1);
	copy_out(to, bytes_of(ring->data + (pos & ring->data_mask), len));
}

/* Whether the entries run out before guard bytes more are written, if records go on as they are;
 * the first few of a ring say nothing about that. Then the past is shorter than the data area, and
 * kept_pos moves in step with the head. */
static bool index_is_short(const struct ring *ring, uint64_t past, uint64_t guard)
{
	uint64_t records = ring_head_seq(ring) - ring_kept_seq(ring);

	if (records <= ring->entry_mask / 2)
		return false;
	return records + guard / (past > records ? past / records : 1) > ring->entry_mask;
}

bool ring_keeps(const struct ring *ring, uint64_t pos, uint64_t guard)
{
	uint64_t size = ring->data_mask + 1;
	uint64_t kept, head;

	atomic_thread_fence(memory_order_acquire);
	kept = LOAD(ring->shared->kept_pos);
	if (kept > pos)
		return false;
	if (guard == 0)
		return true;
	head = ring_head_pos(ring);
	if (head + guard > pos + size)
		return false;
	/* Where small records use up the index, the guard is a part of what there is. */
	if (index_is_short(ring, head - kept, guard)) {
		uint64_t room = (head - kept) / 4;

		return kept + (guard < room ? guard : room) <= pos;
	}
	return true;
}

/* The newest seq in [low, high] whose record begins at or before pos. Entries that go while we
 * look count as "before". */
static uint64_t search_pos(const struct ring *ring, uint64_t low, uint64_t high, uint64_t pos)
{
	while (low < high) {
		uint64_t mid = low + (high - low + 1) / 2;
		struct record record;

		if (!ring_peek(ring, mid, &record) || record.pos <= pos)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

bool ring_find_pos(const struct ring *ring, uint64_t pos, struct record *out)
{
	uint64_t head = ring_head_seq(ring);
	uint64_t kept = ring_kept_seq(ring);

	if (kept >= head)
		return false;
	return ring_peek(ring, search_pos(ring, kept, head - 1, pos), out) && out->pos <= pos &&
	       pos < out->pos + out->len;
}

bool ring_find_start(const struct ring *ring, uint64_t back_bytes, int64_t back_us,
		     struct record *out)
{
	uint64_t head = ring_head_seq(ring);
	uint64_t kept = ring_kept_seq(ring);
	uint64_t seq = kept;
	struct record last, record;

	if (kept >= head || !ring_peek(ring, head - 1, &last))
		return false;
	if (back_bytes < last.pos + last.len) {
		uint64_t from = last.pos + last.len - back_bytes;

		/* Behind the newest that begins before: several empty ones may begin at from. */
		seq = search_pos(ring, kept, head - 1, from - 1);
		if (ring_peek(ring, seq, &record) && record.pos < from)
			seq++;
	}
	for (; seq < head; seq++)
		if (ring_peek(ring, seq, &record) && (record.flags & RECORD_KEY) &&
		    (back_us == 0 || last.wall_us - record.wall_us <= back_us)) {
			*out = record;
			return true;
		}
	/* Nothing to start from within: rather the newest KEY of all than none. */
	for (seq = head; seq-- > kept;)
		if (ring_peek(ring, seq, &record) && (record.flags & RECORD_KEY)) {
			*out = record;
			return true;
		}
	return false;
}

bool ring_find_key(const struct ring *ring, uint64_t pos, struct record *out)
{
	uint64_t head = ring_head_seq(ring);
	uint64_t kept = ring_kept_seq(ring);

	if (kept >= head)
		return false;
	for (uint64_t seq = search_pos(ring, kept, head - 1, pos); seq < head; seq++)
		if (ring_peek(ring, seq, out) && out->pos >= pos && (out->flags & RECORD_KEY))
			return true;
	return false;
}

/* --- doorbells ------------------------------------------------------------------------------ */

bool ring_sleep(const struct ring *ring, unsigned bit, uint64_t seq)
{
	struct ring_shared *shared = ring->shared;

	CHECK(bit < 64);
	atomic_fetch_or_explicit(&shared->sleepers, 1ull << bit, memory_order_seq_cst);
	/* Pairs with the fence of ring_bells. */
	atomic_thread_fence(memory_order_seq_cst);
	if (ring_head_seq(ring) <= seq)
		return true;
	atomic_fetch_and_explicit(&shared->sleepers, ~(1ull << bit), memory_order_relaxed);
	return false;
}

int ring_wait(const struct ring *ring, uint64_t seq, int timeout_ms)
{
	struct ring_shared *shared = ring->shared;
	struct timespec limit;
	int result = 0;

	CHECK(timeout_ms >= 0);
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_nsec += timeout_ms % 1000 * 1000000L;
	limit.tv_sec += timeout_ms / 1000 + limit.tv_nsec / 1000000000L;
	limit.tv_nsec %= 1000000000L;
	for (;;) {
		uint32_t bell = LOAD_ACQUIRE(shared->bell);

		/* After the bell was read: who clears this rings it afterwards. */
		STORE(shared->waiters, 1);
		atomic_thread_fence(memory_order_seq_cst); /* pairs with ring_bells */
		if (ring_head_seq(ring) > seq)
			break;
		if (futex(&shared->bell, FUTEX_WAIT_BITSET, bell, &limit) == -1 &&
		    errno != EAGAIN) {
			result = ring_head_seq(ring) > seq ? 0 : -errno;
			break;
		}
	}
	return result;
}
