/* radio_send: gives a run of audio to one listener's socket, with titles woven in where its counter
 * says. One system call where no title falls due, and one where one does. Runs on the listener's
 * worker. */
#pragma once

#include "radio/radio_listener.h"

/* Sends audio, whose first byte is at pos of the tap's feed: the rest of the listener's tail when it
 * has one, else what lies behind its pos; moves the listener on. Bytes of audio taken (fewer than
 * all when the socket is full), or -errno. */
RUNS_ON(on_worker)
ssize_t radio_send(struct listener *listener, uint32_t row, struct tap *tap, struct bytes audio,
		   uint64_t pos);

/* len bytes went out: of the tail, else of the headers, else the block under way and then audio from
 * pos on. What one send holds is such that the row before it says all. Bytes of audio among them. */
size_t radio_went(struct listener *listener, size_t len);
