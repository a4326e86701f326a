#include "irc/irc_pipe.h"

#include <stdlib.h>

#define FIRST 256u
#define MOST  (64u << 20)

void irc_pipe_fini(struct irc_pipe *pipe)
{
	free(pipe->at);
	*pipe = (struct irc_pipe){0};
}

uint8_t *irc_pipe_room(struct irc_pipe *pipe, uint32_t len)
{
	uint32_t have = irc_pipe_len(pipe), size = pipe->size ? pipe->size : FIRST;
	uint8_t *larger;

	if (len > MOST || have > MOST)
		return NULL;
	if (pipe->size - pipe->to >= len)
		return pipe->at + pipe->to;
	/* Moving down is cheap while little waits; else it grows, so that no byte moves often. */
	if (have + len <= pipe->size && have <= pipe->from) {
		memmove(pipe->at, pipe->at + pipe->from, have);
		pipe->from = 0;
		pipe->to = have;
		return pipe->at + have;
	}
	while (size < have + len)
		size *= 2;
	larger = malloc(size);
	if (!larger)
		return NULL;
	if (have)
		memcpy(larger, pipe->at + pipe->from, have);
	free(pipe->at);
	*pipe = (struct irc_pipe){larger, 0, have, size};
	return larger + have;
}

bool irc_pipe_put(struct irc_pipe *pipe, struct bytes bytes)
{
	uint8_t *to;

	if (!bytes.len)
		return true;
	to = irc_pipe_room(pipe, (uint32_t)bytes.len);
	if (!to)
		return false;
	memcpy(to, bytes.at, bytes.len);
	pipe->to += (uint32_t)bytes.len;
	return true;
}

void irc_pipe_take(struct irc_pipe *pipe, uint32_t len)
{
	pipe->from += len;
	if (pipe->from == pipe->to)
		irc_pipe_fini(pipe);
}
