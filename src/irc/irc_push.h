/* irc_push: tells a user's browsers and phones of what they were not there for (WebPush).
 *
 *   a line worth a call ─▶ waits a moment ─▶ still not read? ─▶ sealed for each (edge/web_push.h) ─▶ POST
 *
 * A subscription is the client's (WEBPUSH REGISTER) and tried before it is taken; one whose service says
 * that it is gone is dropped, and one that was not registered anew for irc.push_keep. Each line says where
 * it is in tags (ringmain/network, ringmain/buffer). What cannot be sent is not sent later: it lies in the
 * channel. Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"

struct irc_push {
	struct irc_push *next;
	uint64_t id;
	uint64_t network; /* 0: all */
	char *endpoint, *p256dh, *auth;
	int64_t created_ms;
};

/* A line of a server that is worth a call. */
void irc_push_line(struct irc_buffer *buffer, int64_t at_ms, const struct irc_line *line);
/* Somebody invites the user. */
void irc_push_invite(struct irc_network *network, const struct irc_line *line);
/* The user has read up to somewhere: takes back what was shown of this buffer. */
void irc_push_read(struct irc_buffer *buffer);

/* Sends what has waited long enough. */
void irc_push_tick(mono_t now);
/* Before the worker ends. */
void irc_push_stop(void);

/* WEBPUSH REGISTER and UNREGISTER. */
void irc_push_command(struct irc_client *client, struct irc_network *network,
		      const struct irc_line *line);

/* One that the store has. */
bool irc_push_add(struct irc_user *user, uint64_t id, uint64_t network, struct bytes endpoint,
		  struct bytes p256dh, struct bytes auth, int64_t created_ms);
void irc_push_drop(struct irc_user *user, uint64_t id, bool keep);
