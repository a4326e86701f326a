/* Decodes each frame on stdin and says it again on stdout: the frame encoded anew, or one of type
 * 65535 whose body is the status. message_oracle.py compares both with python3-protobuf. */
#include <stdio.h>
#include <stdlib.h>

#include "voice/proto/frame.h"

#define SIZE (4u << 20)

int main(void)
{
	uint8_t *in = malloc(SIZE), *out = malloc(SIZE), *room_at = malloc(SIZE);
	size_t have, used;

	if (!in || !out || !room_at)
		return 2;
	have = fread(in, 1, SIZE, stdin);
	for (size_t at = 0; at < have; at += used) {
		struct frame frame;
		struct mumble_message message;
		struct message_room room = message_room_of(room_at, SIZE);
		struct writer w = writer_of(out, SIZE);

		if (frame_parse(bytes_of(in + at, have - at), SIZE, &frame, &used) != FRAME_WHOLE)
			return 3;
		enum message_status status =
			message_decode(frame.type, frame.body, &room, &message);
		uint8_t said = (uint8_t)status;

		if (status == MESSAGE_OK)
			frame_write_message(&message, &w);
		else
			frame_write(65535, bytes_of(&said, 1), &w);
		if (!writer_ok(&w) || fwrite(out, 1, w.len, stdout) != w.len)
			return 4;
	}
	free(in);
	free(out);
	free(room_at);
	return 0;
}
