/* irc_pipe: bytes that wait to go out, or a line that has not come in whole: a run that grows and is
 * freed when it is empty, so that who is idle has none. Thread: the owner's. */
#pragma once

#include "core/bytes.h"
#include "core/check.h"

struct irc_pipe {
	uint8_t *at;
	uint32_t from, to, size; /* what waits is [from, to) */
};

static inline uint32_t irc_pipe_len(const struct irc_pipe *pipe)
{
	return pipe->to - pipe->from;
}

static inline struct bytes irc_pipe_bytes(const struct irc_pipe *pipe)
{
	return bytes_of(pipe->at + pipe->from, pipe->to - pipe->from);
}

void irc_pipe_fini(struct irc_pipe *pipe);

/* Room for so many more bytes at the end; NULL: no memory. irc_pipe_put_done() says how many were used. */
uint8_t *irc_pipe_room(struct irc_pipe *pipe, uint32_t len);
static inline void irc_pipe_add(struct irc_pipe *pipe, uint32_t len)
{
	pipe->to += len;
}

MUST_CHECK bool irc_pipe_put(struct irc_pipe *pipe, struct bytes bytes);

/* The first len bytes are used up. */
void irc_pipe_take(struct irc_pipe *pipe, uint32_t len);
