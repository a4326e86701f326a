// The public header is C++ too, in its oldest dialect that anybody compiles with.
#include "fc_client.h"

int use(fc_slot_t *slot)
{
	fc_frame_t *frame = nullptr;
	int sum = 0;

	while (fc_read_frame(slot, &frame, 100) == FC_OK && fc_frame_valid(slot, frame))
		sum += frame->data[frame->size - 1];
	return sum + int(sizeof(fc_header_t)) + int(sizeof(fc_record_t));
}

static_assert(sizeof(fc_header_t) == FC_HEADER_SIZE, "the layout is frozen");
