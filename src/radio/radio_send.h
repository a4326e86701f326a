/* radio_send: gives a run of audio to one listener's socket, with titles woven in where its counter
 * says. One system call where no title falls due, and one where one does. Runs on the listener's
 * worker. */
#pragma once

#include "radio/radio_listener.h"

/* Sends audio, whose first byte is at pos of the tap's feed, or that has no titles (tap NULL). Bytes of audio taken (fewer than all
 * when the socket is full), or -errno. */
RUNS_ON(on_worker)
ssize_t radio_send(struct listener *listener, struct tap *tap, struct bytes audio, uint64_t pos);
