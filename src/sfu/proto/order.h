/* order: which of the packets that lie in the order they came in is the next by its number.
 *
 *   order_came(number, place) … ─▶ order_take ─▶ the next place │ wait: it may come yet │ so many are lost
 *
 * What is asked for again comes late; it is waited for, counted from when the packet behind it came. What is
 * older than what was taken is nobody's any more. Numbers count up for ever. Sans-I/O, no allocation.
 * Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ORDER_SLOTS 2048u

struct order {
	bool begun;
	int64_t next, highest;
	int64_t skipped; /* given up at once, and not told yet */
	struct {
		uint64_t place;
		int64_t at_us;
	} slot[ORDER_SLOTS]; /* by number; place 0: none */
};

/* A packet with this number lies at this place (not 0), since then. False: there is no room for it before
 * others are taken. */
bool order_came(struct order *order, int64_t number, uint64_t place, int64_t at_us);

enum order_status { ORDER_WAIT, ORDER_PLACE, ORDER_LOST };

/* The next place; or how many are given up, because what is behind them is there since wait_us. */
enum order_status order_take(struct order *order, int64_t now_us, int64_t wait_us, uint64_t *place,
			     int64_t *lost);

/* The place of the lowest number that is there; 0: there is none. */
uint64_t order_first(const struct order *order);

/* From this number on. */
void order_begin(struct order *order, int64_t number);
