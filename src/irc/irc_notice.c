#include "irc/irc_notice.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/clock.h"
#include "irc/irc_bouncer.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_detach.h"
#include "irc/irc_network.h"
#include "irc/irc_notify.h"
#include "irc/irc_push.h"
#include "irc/irc_service.h"
#include "irc/irc_upstream.h"
#include "irc/proto/irc_lines.h"

void irc_notice(struct irc_user *user, const struct irc_network *network, const char *format, ...)
{
	struct irc_client *next;
	char text[700];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	irc_lines_flatten(text);
	for (struct irc_client *client = user->clients; client; client = next) {
		next = client->next;
		/* A bouncer connection hears of all. */
		if (client->registered &&
		    (!network || irc_client_seat(client, network) || !client->seat_count))
			irc_client_say(client, ":%s!%s@%s NOTICE %s :%s", IRC_SERVICE, IRC_SERVICE,
				       irc_conf_now()->hostname, client->nick, text);
	}
}

void irc_notice_to(struct irc_client *client, const char *format, ...)
{
	char text[700];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	irc_client_say(client, ":%s!%s@%s NOTICE %s :%s", IRC_SERVICE, IRC_SERVICE,
		       irc_conf_now()->hostname, client->nick, text);
}

void irc_notice_absent(struct irc_client *client)
{
	/* These are told by BOUNCER how each network is. */
	if (client->bound || (client->caps & IRC_CAP(BOUNCER_NETWORKS) && !client->multi))
		return;
	if (!client->user->networks)
		irc_notice_to(client, "You have no network yet. To add one: /msg " IRC_SERVICE
				      " network create -addr irc.example.org");
	for (uint32_t i = 0; i < client->seat_count && client->state == IRC_CLIENT_HERE; i++) {
		const struct irc_network *network = client->seats[i].network;
		char next[80];

		if (network->state == IRC_STATE_UP)
			continue;
		irc_notice_to(client, "%s is not connected%s%s. %s", network->name,
			      network->why[0] ? ": " : "", network->why,
			      irc_network_next(network, next, sizeof next));
	}
}

void irc_notice_state(struct irc_network *network)
{
	irc_bouncer_tell(network, false);
}

void irc_notice_lost(struct irc_network *network, bool again, uint64_t wait_ms)
{
	/* The first time says it; then it is known. */
	if (network->failures > 1 && again)
		return;
	if (again)
		irc_notice(network->user, network, "%s is gone: %s. Trying again in %llu s",
			   network->name, network->why, (unsigned long long)(wait_ms + 999) / 1000);
	else
		irc_notice(network->user, network,
			   "%s is gone: %s. Not trying again until you change something (network "
			   "update)",
			   network->name, network->why);
	irc_bouncer_tell(network, false);
}

void irc_notice_ready(struct irc_network *network)
{
	irc_notice(network->user, network, "%s is connected (%s)", network->name,
		   network->up->place.host);
}

static bool passes(enum irc_filter filter, enum irc_filter otherwise, bool highlight)
{
	if (filter == IRC_FILTER_DEFAULT)
		filter = otherwise;
	return filter == IRC_FILTER_MESSAGE || (filter == IRC_FILTER_HIGHLIGHT && highlight);
}

void irc_notice_invite(struct irc_network *network, const struct irc_line *line)
{
	const struct irc_buffer *buffer = irc_buffer_find(network, irc_param(line, 1));
	struct bytes nick = irc_source_of(line->source).nick;

	/* Of a channel that he does not know yet the rules for all count. */
	if (irc_notify_calls(buffer ? buffer : network->status, true, nick, BYTES(""),
			     wall_now_us() / 1000000))
		irc_push_invite(network, line);
}

void irc_notice_message(struct irc_buffer *buffer, const struct irc_line *line, bool self)
{
	struct irc_network *network = buffer->network;
	struct bytes text = irc_param(line, 1), nick = irc_source_of(line->source).nick;
	bool highlight = !self && irc_notify_mentions(buffer, nick, text);

	if (passes((enum irc_filter)buffer->detach_on, IRC_FILTER_MESSAGE, highlight))
		irc_detach_said(buffer);
	if (!self && irc_notify_calls(buffer, highlight, nick, text, wall_now_us() / 1000000))
		irc_push_line(buffer, buffer->last_ms, line);
	if (!buffer->detached || self)
		return;
	if (passes((enum irc_filter)buffer->relay_detached, IRC_FILTER_HIGHLIGHT, highlight))
		irc_notice(network->user, network, "%s in %s: <%.*s> %.*s",
			   highlight ? "highlight" : "message", buffer->named.name, (int)nick.len,
			   (const char *)nick.at, (int)text.len, (const char *)text.at);
	if (passes((enum irc_filter)buffer->reattach_on, IRC_FILTER_NONE, highlight))
		irc_detach_attach(buffer);
}

/* --- put aside ------------------------------------------------------------------------------ */

void irc_detach(struct irc_buffer *buffer)
{
	struct irc_network *network = buffer->network;
	struct irc_client *next;
	char name[400];

	if (buffer->detached)
		return;
	for (struct irc_client *client = network->user->clients; client; client = next) {
		struct bytes target;

		next = client->next;
		if (!irc_client_seat(client, network))
			continue;
		/* What was said until now is his. */
		irc_client_feed(client);
		if (client->state != IRC_CLIENT_HERE)
			continue;
		target = irc_client_name(client, network, irc_named_bytes(&buffer->named), name,
					 sizeof name);
		irc_client_say(client, ":%s%s%s PART %.*s :Detach", client->nick,
			       network->userhost[0] ? "!" : "", network->userhost, (int)target.len,
			       (const char *)target.at);
	}
	buffer->detached = true;
	irc_buffer_keep(buffer);
}

void irc_detach_attach(struct irc_buffer *buffer)
{
	struct irc_client *next;

	if (!buffer->detached)
		return;
	buffer->detached = false;
	irc_detach_said(buffer);
	irc_buffer_keep(buffer);
	for (struct irc_client *client = buffer->network->user->clients; client; client = next) {
		next = client->next;
		irc_client_show(client, buffer);
	}
}

void irc_detach_said(struct irc_buffer *buffer)
{
	if (buffer->detach_after_s)
		buffer->detach_at = mono_add_ms(mono_now(), (int64_t)buffer->detach_after_s * 1000);
}

void irc_detach_tick(struct irc_network *network, mono_t now)
{
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (!buffer->detach_after_s || buffer->detached || !buffer->channel)
			continue;
		if (!buffer->detach_at.us)
			irc_detach_said(buffer);
		else if (!mono_before(now, buffer->detach_at))
			irc_detach(buffer);
	}
}
