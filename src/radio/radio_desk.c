#include "radio/radio_desk.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESK_MAGIC  0x6b736564676e6972ull
#define DESK_LAYOUT 1u

struct desk_slot {
	uint64_t consumed;
	uint32_t owner_len;
	uint32_t headers_version;
	struct publish_state state;
	uint8_t owner[DESK_OWNER_MAX];
	uint8_t buffer[PUBLISH_BUFFER];
	uint8_t headers[HEADERS_MAX];
};

struct desk_page {
	uint64_t magic;
	uint32_t layout;
	uint32_t slot_size; /* another struct of the same layout number is another size, mostly */
	uint64_t current;   /* 1 or 2; 0: nothing was saved yet */
	struct publish_place place;
	struct desk_slot slots[2];
	uint8_t intake[DESK_INTAKE];
};

static int desk_map(struct desk *desk, int fd)
{
	struct desk_page *page =
		mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return -errno;
	*desk = (struct desk){fd, page};
	return 0;
}

int desk_create(struct desk *desk)
{
	int fd = memfd_create("ringmain-desk", MFD_CLOEXEC);
	int error = fd == -1 ? -errno : 0;

	*desk = (struct desk){.fd = -1};
	if (!error && ftruncate(fd, sizeof(struct desk_page)) == -1)
		error = -errno;
	if (!error)
		error = desk_map(desk, fd);
	if (error) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	desk->page->layout = DESK_LAYOUT;
	desk->page->slot_size = sizeof(struct desk_slot);
	desk->page->magic = DESK_MAGIC;
	return 0;
}

int desk_open(struct desk *desk, int fd)
{
	struct stat st;
	int error;

	*desk = (struct desk){.fd = -1};
	if (fstat(fd, &st) == -1)
		return -errno;
	if (st.st_size < (off_t)sizeof(struct desk_page))
		return -EPROTO;
	error = desk_map(desk, fd);
	if (error)
		return error;
	if (desk->page->magic == DESK_MAGIC && desk->page->layout == DESK_LAYOUT &&
	    desk->page->slot_size == sizeof(struct desk_slot) && desk->page->current <= 2)
		return 0;
	munmap(desk->page, sizeof *desk->page);
	*desk = (struct desk){.fd = -1};
	return -EPROTO;
}

void desk_close(struct desk *desk)
{
	if (desk->page) {
		munmap(desk->page, sizeof *desk->page);
		close(desk->fd);
	}
	*desk = (struct desk){.fd = -1};
}

void desk_leave(struct desk *desk)
{
	if (desk->page)
		munmap(desk->page, sizeof *desk->page);
	*desk = (struct desk){.fd = -1};
}

struct publish_place *desk_place(struct desk *desk)
{
	return &desk->page->place;
}

uint8_t *desk_intake(struct desk *desk)
{
	return desk->page->intake;
}

void desk_save(struct desk *desk, const struct publisher *publisher, const struct desk_words *words)
{
	struct desk_page *page = desk->page;
	struct desk_slot *slot = &page->slots[page->current == 1];

	CHECK(words->owner_len <= sizeof slot->owner);
	slot->consumed = words->consumed;
	slot->owner_len = (uint32_t)words->owner_len;
	memcpy(slot->owner, words->owner, words->owner_len);
	slot->state = publisher->state;
	memcpy(slot->buffer, publisher->buffer, publisher->state.len);
	/* Headers are as long as they are rare. */
	if (slot->headers_version != publisher->state.headers_version)
		memcpy(slot->headers, publisher->headers, publisher->state.headers_len);
	slot->headers_version = publisher->state.headers_version;
	/* The compiler keeps this order; the processor's does not matter to who comes after. */
	atomic_signal_fence(memory_order_release);
	page->current = page->current == 1 ? 2 : 1;
	atomic_signal_fence(memory_order_release);
}

bool desk_has_state(const struct desk *desk)
{
	return desk->page->current != 0;
}

bool desk_load(const struct desk *desk, struct publisher *publisher, uint64_t *consumed,
	       void *owner, size_t owner_len)
{
	const struct desk_slot *slot;

	if (!desk_has_state(desk))
		return false;
	slot = &desk->page->slots[desk->page->current - 1];
	if (slot->owner_len != owner_len || slot->state.len > PUBLISH_BUFFER ||
	    slot->state.headers_len > HEADERS_MAX || slot->state.framer.kind > FRAMER_RAW)
		return false;
	*consumed = slot->consumed;
	memcpy(owner, slot->owner, owner_len);
	publisher->state = slot->state;
	memcpy(publisher->buffer, slot->buffer, slot->state.len);
	memcpy(publisher->headers, slot->headers, slot->state.headers_len);
	return true;
}
