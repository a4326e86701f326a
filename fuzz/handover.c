/* handover: a message of a hand-over, of any bytes, is refused or means exactly what it says. */
#include "core/handover.h"

#include <string.h>

#include "property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handover_message message, again;
	uint8_t room[HANDOVER_MESSAGE_MAX];
	struct bytes out;

	if (!handover_parse(bytes_of(data, size), &message))
		return 0;
	PROPERTY(message.kind != HANDOVER_FDS || (message.count > 0 && message.count <= SCM_MOST));
	for (uint32_t i = 0; message.kind == HANDOVER_FDS && i < message.count; i++)
		PROPERTY(message.numbers[i] > (i ? message.numbers[i - 1] : 2));
	out = handover_write(&message, room);
	PROPERTY(bytes_equal(out, bytes_of(data, size)));
	PROPERTY(handover_parse(out, &again) && memcmp(&again, &message, sizeof message) == 0);
	return 0;
}
