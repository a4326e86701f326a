/* keeper: the processes around the server, so that its end is not the end of its connections.
 *
 *   keeper ───── starts ─────▶ holder ═══ one descriptor table ═══ server
 *   the process that            starts the server again            all threads, all work
 *   was started                 after a crash: what was open
 *      │                        still is, under the same number
 *      └──── at an upgrade ──▶ holder' ═══════════════════════════ server'   of the new binary
 *
 * The holder makes the server with clone(CLONE_FILES): both have one table of descriptors, so nothing
 * need be sent to anybody for a crash to be survived, and close() in the server closes. At an upgrade
 * the keeper starts the binary anew; the new server is sent the descriptors by the old one
 * (handover.h), says so, and the old one ends. The keeper itself stays: its process id is what a
 * shell, a container and systemd know.
 *
 * Neither reads anything from a network, opens a file or allocates. The keeper passes signals on
 * (SIGTERM, SIGINT, SIGHUP), ends as the server ends, and speaks to systemd for it. If it is killed,
 * the server ends in an orderly way; if the holder is killed, the keeper makes an upgrade.
 *
 * Thread: keeper_start before there are any; the rest on the control thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Numbers out of the way of those that are handed over, the same in every generation. */
#define KEEPER_CHANNEL_FD (keeper_zone() + 0) /* to the keeper: SOCK_SEQPACKET, one letter each */
#define KEEPER_PEER_FD    (keeper_zone() + 1) /* to the server before, in an upgrade */

/* Letters. To the keeper: */
#define KEEPER_READY 'r' /* this server serves; with a port and such behind it, for the status */
#define KEEPER_TAKEN 't' /* this server owns what the one before owned */
#define KEEPER_UPGRADE \
	'u' /* please start the binary anew; from the keeper: it has been, talk to it */
#define KEEPER_ENDING 'e' /* this server ends in an orderly way */

/* How this server came to be. */
struct keeper_life {
	bool kept;        /* there is a keeper; else the rest says nothing */
	bool takes_over;  /* an upgrade: KEEPER_PEER_FD leads to the server before */
	bool took_over;   /* it crashed since, perhaps before it said that it owns all */
	int estate;       /* of the server that crashed, or that systemd kept; -1: none */
	bool stowed;      /* systemd kept it (stow.h): it did not crash */
	bool stow_broken; /* but a server that went on with it did */
	uint32_t crashes; /* of this generation */
	int signal;       /* that ended the last one; 0: it ended with an error */
};

/* The first of the numbers that nobody but keepers uses. */
int keeper_zone(void);

/* Becomes keeper and holder and returns in each server that they start; never in them. */
void keeper_start(char **argv, struct keeper_life *life);

/* The server has handlers for signals: those that came since it was started come now. */
void keeper_listens(void);

/* The server's estate: what the next one gets after a crash. Without this a crash is the end. */
void keeper_owns(int estate);

/* There is nothing to go on with: what was left is of no use. */
void keeper_disowns(void);

/* Ours has been taken over: this server's end is not the end of the program. Called when it is
 * certain. */
void keeper_handed_over(void);

/* Says a letter to the keeper. 0 or -errno. */
int keeper_say(char letter);

/* This server serves: to the keeper, or to systemd when there is none. */
void keeper_say_ready(void);
void keeper_say_ending(void);

/* A letter from the keeper, and the descriptor that came with it or -1. 0: the keeper is gone;
 * -errno (-EAGAIN: nothing came). Does not wait. */
int keeper_hear(int *fd);
