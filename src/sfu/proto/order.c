#include "sfu/proto/order.h"

#include <string.h>

#define AT(order, number) (&(order)->slot[(uint64_t)(number) % ORDER_SLOTS])

void order_begin(struct order *order, int64_t number)
{
	memset(order, 0, sizeof *order);
	order->begun = true;
	order->next = number;
	order->highest = number - 1;
}

bool order_came(struct order *order, int64_t number, uint64_t place, int64_t at_us)
{
	if (!order->begun)
		order_begin(order, number);
	if (number < order->next)
		return true;
	if (number - order->next >= (int64_t)ORDER_SLOTS) {
		if (order->next <= order->highest)
			return false;
		/* Nothing waits: of what lies so far before it there is no room to wait. */
		order->skipped += number - order->next - ((int64_t)ORDER_SLOTS - 1);
		order->next = number - ((int64_t)ORDER_SLOTS - 1);
	}
	if (AT(order, number)->place == 0) {
		AT(order, number)->place = place;
		AT(order, number)->at_us = at_us;
	}
	if (number > order->highest)
		order->highest = number;
	return true;
}

enum order_status order_take(struct order *order, int64_t now_us, int64_t wait_us, uint64_t *place,
			     int64_t *lost)
{
	int64_t there = order->next, waited_us;

	if (!order->begun || order->next > order->highest)
		return ORDER_WAIT;
	if (order->skipped) {
		*lost = order->skipped;
		order->skipped = 0;
		return ORDER_LOST;
	}
	while (AT(order, there)->place == 0)
		there++; /* ends: the highest is there */
	if (there == order->next) {
		*place = AT(order, there)->place;
		AT(order, there)->place = 0;
		order->next++;
		return ORDER_PLACE;
	}
	/* A clock that was set back says nothing of how long it was. */
	waited_us = now_us - AT(order, there)->at_us;
	if (waited_us < wait_us && waited_us > -wait_us)
		return ORDER_WAIT;
	*lost = there - order->next;
	order->next = there;
	return ORDER_LOST;
}

uint64_t order_first(const struct order *order)
{
	uint64_t place = 0;

	for (int64_t number = order->next; !place && number <= order->highest; number++)
		place = AT(order, number)->place;
	return place;
}
