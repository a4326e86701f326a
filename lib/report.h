/* report: what a reader tells about itself, for who shows readers and their lag; nobody needs to listen.
 *
 *   reader ── once a second, and at its end: one datagram, never waited for ──▶ FC_DIR/.readers
 *
 * A reader has no right to write to a slot, and the slot knows none; a socket on a read-only mount can be
 * sent to all the same. Whoever can reach the directory can say anything: it is for people to look at. */
#pragma once

#include <stdint.h>

#define FC_REPORT_MAGIC    0x46435244u /* "FCRD" */
#define FC_REPORT_NAME     ".readers"
#define FC_REPORT_EVERY_NS 1000000000u

struct fc_report {
	uint32_t magic;
	uint32_t gone;     /* it was closed */
	uint64_t handle;   /* tells the handles of a process apart */
	uint64_t position; /* the frame wanted next */
	uint64_t lost;
	uint64_t generation;
	char slot_id[72];
	char name[16]; /* of the process, as the kernel knows it */
};

/* A socket to send with, or -1: then nothing is told. */
int fc_report_open(void);
void fc_report_send(int fd, const struct fc_report *report);
