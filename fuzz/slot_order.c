/* slot_order: of whatever JSON, either a slot can be made, with a name that is one, or a line says what is wrong. */
#include "framecache/slot_order.h"

#include <string.h>

#include "property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *body = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct board_order order = {.flags = 0};
	char fault[SLOT_FAULT_SIZE];

	memset(fault, 0x7f, sizeof fault);
	if (!json_is_object(body)) {
		json_decref(body);
		return 0;
	}
	if (slot_order_read(body, &order, fault)) {
		PROPERTY(fc_slot_id_ok(order.slot_id));
		PROPERTY(json_object_size(body) >= 5 && json_object_size(body) <= 14);
		PROPERTY(memchr(order.source_type, 0, sizeof order.source_type));
		order.config.source_type = order.source_type;
		PROPERTY(fc_slot_size(&order.config) > 0);
	} else {
		PROPERTY(memchr(fault, 0, sizeof fault) && fault[0]);
	}
	json_decref(body);
	return 0;
}
