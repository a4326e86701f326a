/* Frames of Mumble's control channel: a frame that is whole is the same with more behind it and none
 * before its end, and a message that is read and said again reads the same. */
#include "property.h"
#include "voice/proto/frame.h"

#define SIZE (1u << 20)

static uint8_t room_at[3][SIZE], said[2][SIZE];

/* Decodes and encodes; false where the message is refused. */
static bool say(uint32_t type, struct bytes body, int which, struct bytes *out)
{
	struct message_room room = message_room_of(room_at[which], SIZE);
	struct writer w = writer_of(said[which], SIZE);
	struct mumble_message message;

	if (message_decode(type, body, &room, &message) != MESSAGE_OK)
		return false;
	PROPERTY(room.used <= room.size && message.type == type);
	message_encode(&message, &w);
	PROPERTY(writer_ok(&w) && w.len == message_len(&message));
	*out = writer_done(&w);
	return true;
}

/* With a room that is too small the message is refused, and nothing is written beyond it. */
static void squeeze(uint32_t type, struct bytes body, size_t size)
{
	struct message_room room = message_room_of(room_at[2], size);
	struct mumble_message message;

	room_at[2][size] = 0xa5;
	(void)message_decode(type, body, &room, &message);
	PROPERTY(room.used <= size && room_at[2][size] == 0xa5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size < 65536 ? size : 65536);
	struct frame frame, again;
	size_t used, used_again;
	enum frame_status status;

	while ((status = frame_parse(in, SIZE, &frame, &used)) == FRAME_WHOLE) {
		struct bytes first, second, whole = bytes_first(in, used);

		PROPERTY(used == FRAME_HEAD + frame.body.len && used == frame_len(in));
		PROPERTY(part_inside(frame.body, whole));
		PROPERTY(frame_parse(bytes_first(in, used - 1), SIZE, &again, &used_again) ==
			 FRAME_MORE);
		PROPERTY(frame_parse(whole, frame.body.len, &again, &used_again) == FRAME_WHOLE);
		PROPERTY(used_again == used && again.type == frame.type);
		if (frame.body.len)
			PROPERTY(frame_parse(whole, frame.body.len - 1, &again, &used_again) ==
				 FRAME_TOO_LONG);
		if (say(frame.type, frame.body, 0, &first)) {
			/* Runs that were packed are longer when they are not. */
			if (first.len <= message_longest(frame.type)) {
				PROPERTY(say(frame.type, first, 1, &second));
				PROPERTY(bytes_equal(first, second));
			}
			squeeze(frame.type, frame.body, frame.body.len);
		}
		in = bytes_skip(in, used);
	}
	PROPERTY(used == 0);
	if (status == FRAME_TOO_LONG)
		PROPERTY(frame_parse(bytes_first(in, FRAME_HEAD), SIZE, &again, &used) == status);
	return 0;
}
