/* What a server says, once it has let us in: into the rings, and into what is known of who is where. The
 * header is irc_upstream.h. */
#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "irc/irc_account.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_gap.h"
#include "irc/irc_metadata.h"
#include "irc/irc_monitor.h"
#include "irc/irc_multiline.h"
#include "irc/irc_network.h"
#include "irc/irc_notice.h"
#include "irc/irc_route.h"
#include "irc/irc_upstream.h"

#define FUTURE_MS 60000 /* a server's clock may be so much ahead of ours */

/* One line, and what was found out about it on the way. */
struct heard {
	struct irc_network *network;
	struct irc_upstream *up;
	const struct irc_line *line;
	struct irc_source source;
	bool self;
	uint32_t origin; /* the client of ours that said it */
	char *label;     /* and what it called that; NULL */
	int64_t at_ms;
	uint8_t tags[4000];
	struct bytes kept;     /* the tags that are kept, in tags */
	struct irc_line other; /* the line as it should have been, in room */
	char room[1024];
};

/* --- what is kept of a line ----------------------------------------------------------------- */

static bool tag_is_kept(struct bytes key)
{
	return (key.len && key.at[0] == '+') || bytes_equal(key, BYTES("msgid")) ||
	       bytes_equal(key, BYTES("account")) || bytes_equal(key, BYTES("bot"));
}

static void keep_tags(struct heard *heard)
{
	struct writer w = writer_of(heard->tags, sizeof heard->tags);
	struct bytes rest = heard->line->tags, key, value;

	while (irc_tag_next(&rest, &key, &value)) {
		size_t before = w.len;

		if (!tag_is_kept(key))
			continue;
		irc_tag_put(&w, 0, key, value);
		if (!writer_ok(&w)) {
			w.len = before;
			break;
		}
	}
	heard->kept = writer_done(&w);
}

/* InspIRCd 3 answers a labelled NICK by who one is then: "@label=r2 :new!u@h NICK new". A label is ours, and so is what
 * it answers. */
static void look_as_before(struct heard *heard)
{
	const struct irc_line *line = heard->line;
	char source[600];
	struct writer s = writer_of(source, sizeof source),
		      w = writer_of(heard->room, sizeof heard->room);
	struct bytes tags = line->tags;

	if (!irc_verb_is(line, "NICK") || heard->self ||
	    !bytes_equal(heard->source.nick, irc_param(line, 0)))
		return;
	writer_str(&s, heard->network->nick);
	writer_put(&s, bytes_skip(line->source, heard->source.nick.len));
	irc_line_write(&w, writer_done(&s), line->verb, line->param, 1, true);
	if (!writer_ok(&s) || !writer_ok(&w) || !irc_line_parse(writer_done(&w), &heard->other))
		return;
	heard->other.tags = tags;
	heard->line = &heard->other;
	heard->source = irc_source_of(heard->other.source);
	heard->self = true;
}

static void look(struct heard *heard)
{
	struct irc_network *network = heard->network;
	int64_t now = wall_now_us() / 1000;
	struct bytes value;

	heard->source = irc_source_of(heard->line->source);
	heard->self = irc_same(network->is.casemap, heard->source.nick, bytes_str(network->nick));
	heard->at_ms = now;
	if (irc_tag_get(heard->line->tags, "time", &value) &&
	    (!irc_time_parse(value, &heard->at_ms) || heard->at_ms > now + FUTURE_MS))
		heard->at_ms = now;
	if (irc_tag_get(heard->line->tags, "label", &value)) {
		heard->origin = irc_route_origin(network, value, &heard->label);
		look_as_before(heard);
	}
	/* One that has both answers its own label. */
	if (heard->up && !heard->label && irc_tag_get(heard->line->tags, "batch", &value) &&
	    heard->up->batch_label[0] && bytes_equal(value, bytes_str(heard->up->batch_ref)))
		heard->origin =
			irc_route_origin(network, bytes_str(heard->up->batch_label), &heard->label);
	keep_tags(heard);
}

/* The line that was just put in answers what its client has labelled. */
static void echo(struct heard *heard, const struct irc_buffer *buffer, uint64_t seq)
{
	struct irc_client *client = irc_client_of(heard->network->user, heard->origin);

	if (!heard->label)
		return;
	if (client)
		irc_client_echo(client, buffer, seq, heard->label);
	else
		free(heard->label);
	heard->label = NULL;
}

static void put(struct heard *heard, struct irc_buffer *buffer, uint32_t kind)
{
	struct irc_record record = {
		.at_ms = heard->at_ms,
		.kind = kind | (heard->self ? IRC_KIND_SELF : 0),
		.origin = heard->origin,
		.tags = heard->kept,
		.line = heard->line->rest,
	};

	if (irc_is_lines(irc_param(heard->line, 1)))
		record.kind |= IRC_KIND_LINES;
	if (!buffer)
		return;
	irc_buffer_put(buffer, &record);
	echo(heard, buffer, record.seq);
}

static void tell(struct heard *heard, uint32_t kind)
{
	if (irc_is_lines(irc_param(heard->line, 1)))
		kind |= IRC_KIND_LINES;
	irc_network_tell(heard->network, (enum irc_kind)(kind | (heard->self ? IRC_KIND_SELF : 0)),
			 heard->origin, heard->at_ms, heard->kept, heard->line->rest);
	echo(heard, heard->network->status, heard->network->status->ring.head - 1);
}

static struct irc_buffer *buffer_of(struct heard *heard, unsigned param)
{
	return irc_buffer_find(heard->network, irc_param(heard->line, param));
}

/* --- messages ------------------------------------------------------------------------------- */

/* The channel or the person that a message belongs to. */
static struct irc_buffer *conversation(struct heard *heard, struct bytes target, bool make)
{
	struct irc_network *network = heard->network;
	struct bytes name = target;

	/* "@#channel" is for its operators, and said in it. */
	while (name.len > 1 && strchr(network->is.statusmsg, name.at[0]) &&
	       !irc_is_channel(&network->is, name) &&
	       irc_is_channel(&network->is, bytes_skip(name, 1)))
		name = bytes_skip(name, 1);
	if (irc_is_channel(&network->is, name))
		return irc_buffer_find(network, name);
	if (!heard->self) {
		/* A server has no nick; what it says is nobody's conversation. */
		if (!heard->source.user.len &&
		    bytes_find(heard->source.nick, '.') < heard->source.nick.len)
			return NULL;
		name = heard->source.nick;
	}
	if (!name.len || bytes_equal(name, BYTES("*")) || !network->welcome_done)
		return NULL;
	return make ? irc_buffer_make(network, name) : irc_buffer_find(network, name);
}

static bool is_ctcp(const struct irc_line *line, const char *but)
{
	struct bytes verb, words;

	return irc_ctcp_parse(irc_param(line, 1), &verb, &words) &&
	       !bytes_equal_nocase(verb, bytes_str(but));
}

/* What the user says to himself comes twice from a server that echoes: as what he said and as what he
 * is told. The first of both is taken, and the other one only answers a label. */
static bool is_second(struct heard *heard)
{
	struct irc_network *network = heard->network;
	struct bytes id;

	if (!irc_tag_get(heard->line->tags, "msgid", &id))
		return false;
	if (!bytes_equal(id, bytes_str(network->self_id))) {
		bytes_to_str(id, network->self_id, sizeof network->self_id);
		return false;
	}
	if (heard->label) {
		struct irc_client *client = irc_client_of(network->user, heard->origin);

		if (client)
			irc_client_answer(client, heard->label, (struct bytes){0}, 0);
		free(heard->label);
		heard->label = NULL;
	}
	return true;
}

static void hear_message(struct heard *heard, uint32_t kind)
{
	const struct irc_line *line = heard->line;
	struct bytes target = irc_param(line, 0);
	bool is_service = bytes_equal_nocase(heard->source.nick, BYTES("NickServ")) ||
			  bytes_equal_nocase(target, BYTES("NickServ"));
	struct irc_buffer *buffer;
	bool said = heard->self;

	/* It is for him as what others tell him is. */
	if (said && irc_same(heard->network->is.casemap, target, bytes_str(heard->network->nick))) {
		if (is_second(heard))
			return;
		heard->self = false;
	}
	/* What cannot be of use tomorrow: passwords, typing, who asks which client we have. */
	bool passing = is_service || kind == IRC_KIND_TAGMSG || is_ctcp(line, "ACTION");

	buffer = conversation(heard, target,
			      kind != IRC_KIND_TAGMSG && !passing &&
				      !(kind == IRC_KIND_NOTICE && !heard->source.user.len));
	if (buffer ? !buffer->is_channel : !irc_is_channel(&heard->network->is, target))
		kind |= IRC_KIND_PRIVATE;
	if (!buffer) {
		if (heard->network->attached)
			put(heard, heard->network->status, kind | IRC_KIND_LIVE);
		return;
	}
	if ((kind & IRC_KIND_WORD) == IRC_KIND_TAGMSG && irc_is_reaction(line)) {
		put(heard, buffer, (kind & IRC_KIND_PRIVATE) | IRC_KIND_EVENT | IRC_REACT);
	} else if (!passing) {
		put(heard, buffer, kind);
		irc_notice_message(buffer, line, said);
	} else if (!buffer->detached && heard->network->attached) {
		/* A ring of a channel holds what the store has, line for line. */
		put(heard, heard->network->status, kind | IRC_KIND_LIVE);
	}
}

/* --- joining and leaving -------------------------------------------------------------------- */

static void self_joined(struct heard *heard, struct bytes name)
{
	struct irc_network *network = heard->network;
	struct irc_buffer *buffer = irc_buffer_make(network, name);
	char userhost[300];

	snprintf(userhost, sizeof userhost, "%.*s@%.*s", (int)heard->source.user.len,
		 (const char *)heard->source.user.at, (int)heard->source.host.len,
		 (const char *)heard->source.host.at);
	if (heard->source.host.len)
		irc_set(&network->userhost, bytes_str(userhost));
	if (!buffer || !irc_channel_enter(buffer))
		return;
	(void)irc_member_put(buffer, heard->source.nick, 0);
	/* We were here before, and were away. */
	if (buffer->wanted) {
		irc_gap_open(heard->up, buffer);
	} else {
		buffer->wanted = true;
		irc_buffer_keep(buffer);
	}
	/* Where much is to be said, a client asks for itself, and what users say does not wait for hundreds of these. */
	if (!heard->up->queued)
		irc_upstream_later(heard->up, "MODE %s", buffer->named.name);
}

static void hear_join(struct heard *heard)
{
	struct bytes list = irc_param(heard->line, 0);

	while (list.len) {
		struct bytes name = bytes_cut(&list, ',');
		struct irc_buffer *buffer;

		if (!irc_is_channel(&heard->network->is, name))
			continue;
		if (heard->self)
			self_joined(heard, name);
		buffer = irc_buffer_find(heard->network, name);
		if (buffer && !heard->self && buffer->channel)
			(void)irc_member_put(buffer, heard->source.nick, 0);
		put(heard, buffer, IRC_KIND_EVENT | IRC_JOIN);
	}
}

static void gone(struct irc_buffer *buffer, struct bytes nick, bool is_self, bool keep_wanting)
{
	if (!buffer || !buffer->channel)
		return;
	if (!is_self) {
		irc_member_drop(buffer, nick);
		return;
	}
	irc_channel_leave(buffer);
	if (buffer->wanted && !keep_wanting) {
		buffer->wanted = false;
		irc_buffer_keep(buffer);
	}
}

static void hear_part(struct heard *heard)
{
	struct bytes list = irc_param(heard->line, 0);

	while (list.len) {
		struct irc_buffer *buffer = irc_buffer_find(heard->network, bytes_cut(&list, ','));

		gone(buffer, heard->source.nick, heard->self, false);
		put(heard, buffer, IRC_KIND_EVENT | IRC_PART);
	}
}

static void hear_kick(struct heard *heard)
{
	struct irc_buffer *buffer = buffer_of(heard, 0);
	struct bytes whom = irc_param(heard->line, 1);
	bool is_self = irc_same(heard->network->is.casemap, whom, bytes_str(heard->network->nick));

	/* An invitation brings us back: it stays one of ours. */
	gone(buffer, whom, is_self, true);
	put(heard, buffer, IRC_KIND_EVENT | IRC_KICK);
}

static void left_by_quit(struct irc_buffer *buffer, const struct irc_record *line)
{
	struct irc_record copy = *line;

	irc_buffer_put(buffer, &copy);
}

static void hear_quit(struct heard *heard)
{
	struct irc_record copy = {
		.at_ms = heard->at_ms,
		.kind = IRC_KIND_EVENT | IRC_KIND_COPY | IRC_QUIT,
		.tags = heard->kept,
		.line = heard->line->rest,
	};

	tell(heard, IRC_QUIT);
	if (!heard->self)
		irc_nick_quit(heard->network, heard->source.nick, left_by_quit, &copy);
}

static void copy_to_channels(struct heard *heard, struct bytes nick, uint32_t kind)
{
	struct irc_named *named;
	uint32_t at = 0;

	if (!irc_nick_find(heard->network, nick))
		return;
	while ((named = irc_index_next(&heard->network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (irc_nick_is_in(heard->network, nick, buffer))
			put(heard, buffer, IRC_KIND_EVENT | IRC_KIND_COPY | kind);
	}
}

static void hear_nick(struct heard *heard)
{
	struct irc_network *network = heard->network;
	struct bytes to = irc_param(heard->line, 0);
	struct irc_buffer *buffer;

	if (!to.len || to.len > IRC_NAME_MAX)
		return;
	tell(heard, IRC_NICK);
	copy_to_channels(heard, heard->source.nick, IRC_NICK);
	(void)irc_nick_rename(network, heard->source.nick, to);
	if (heard->self)
		irc_set(&network->nick, to);
	/* A conversation goes on under the new name, unless there is another one with it. */
	buffer = irc_buffer_find(network, heard->source.nick);
	if (buffer && !heard->self && !buffer->is_channel && !irc_buffer_find(network, to))
		irc_buffer_rename(buffer, to);
}

/* --- channels ------------------------------------------------------------------------------- */

static void hear_mode(struct heard *heard)
{
	struct irc_network *network = heard->network;
	struct irc_buffer *buffer = buffer_of(heard, 0);
	const struct irc_line *line = heard->line;
	struct irc_modes modes = {.is = &network->is,
				  .param = line->param + 1,
				  .count = line->count > 1 ? line->count - 1 : 0};
	struct irc_change change;
	bool others = false, has_key = false;

	if (!buffer) {
		tell(heard, IRC_MODE);
		return;
	}
	while (irc_modes_next(&modes, &change)) {
		struct irc_member *member =
			change.prefix ? irc_member_find(buffer, change.word) : NULL;

		others |= !change.prefix;
		if (change.mode == 'k' && !change.prefix)
			has_key |=
				irc_buffer_set_key(buffer, change.minus ? BYTES("") : change.word);
		if (member && change.minus)
			member->prefix &= ~change.prefix;
		else if (member)
			member->prefix |= change.prefix;
	}
	/* After a restart it has to let us in again. */
	if (has_key)
		irc_buffer_keep(buffer);
	/* What they are together, the server knows best. */
	if (others && buffer->channel) {
		free(buffer->channel->modes);
		buffer->channel->modes = NULL;
	}
	put(heard, buffer, IRC_KIND_EVENT | IRC_MODE);
}

static void hear_topic(struct heard *heard)
{
	struct irc_buffer *buffer = buffer_of(heard, 0);

	if (buffer && buffer->channel) {
		irc_set(&buffer->channel->topic, irc_param(heard->line, 1));
		irc_set(&buffer->channel->topic_who, heard->line->source);
		buffer->channel->topic_at = heard->at_ms / 1000;
	}
	put(heard, buffer, IRC_KIND_EVENT | IRC_TOPIC);
}

static void hear_invite(struct heard *heard)
{
	struct irc_buffer *buffer = buffer_of(heard, 1);
	bool is_self = irc_same(heard->network->is.casemap, irc_param(heard->line, 0),
				bytes_str(heard->network->nick));

	tell(heard, IRC_INVITE);
	if (is_self)
		irc_notice_invite(heard->network, heard->line);
	if (is_self && buffer && buffer->wanted && !buffer->channel)
		irc_upstream_later(heard->up, "JOIN %s %s", buffer->named.name,
				   buffer->key ? buffer->key : "");
}

static void hear_rename(struct heard *heard)
{
	struct irc_buffer *buffer = buffer_of(heard, 0);

	tell(heard, IRC_OTHER);
	if (buffer && !irc_buffer_find(heard->network, irc_param(heard->line, 1)) &&
	    irc_is_channel(&heard->network->is, irc_param(heard->line, 1)))
		irc_buffer_rename(buffer, irc_param(heard->line, 1));
}

/* --- numbers -------------------------------------------------------------------------------- */

static void hear_isupport(struct heard *heard)
{
	struct irc_network *network = heard->network;
	const struct irc_line *line = heard->line;
	enum irc_casemap before = network->is.casemap;
	char news[IRC_LINELEN_MAX];
	struct writer n = writer_of(news, sizeof news);

	for (unsigned i = 1; i + 1 < line->count; i++) {
		struct bytes token = line->param[i];
		char all[IRC_ISUPPORT_MAX];
		struct writer w = writer_of(all, sizeof all);

		irc_isupport_take(&network->is, token);
		if (!irc_isupport_passes(token))
			continue;
		irc_isupport_merge(&w, irc_str(network->isupport), token);
		if (!writer_ok(&w))
			continue;
		irc_set(&network->isupport, writer_done(&w));
		writer_str(&n, n.len ? " " : "");
		writer_put(&n, token);
	}
	irc_network_refold(network, before);
	/* Later ones are changes. */
	if (heard->up->ready && n.len && writer_ok(&n))
		irc_clients_isupport(network, writer_done(&n));
}

static void hear_names(struct heard *heard)
{
	struct irc_network *network = heard->network;
	struct irc_buffer *buffer = buffer_of(heard, 2);
	struct bytes list = irc_param(heard->line, 3);

	if (!buffer || !buffer->channel)
		return;
	while (list.len) {
		struct bytes name = bytes_cut(&list, ' ');
		unsigned prefix = 0, bit;

		while (name.len && (bit = irc_prefix_of_sign(&network->is, name.at[0]))) {
			prefix |= bit;
			name = bytes_skip(name, 1);
		}
		name = irc_source_of(name).nick;
		if (name.len)
			(void)irc_member_put(buffer, name, prefix);
	}
}

void irc_network_join_all(struct irc_network *network)
{
	struct irc_named *named;
	uint32_t at = 0;
	char keyed[302], plain[302], keys[IRC_KEY_MAX + 2];
	struct writer k = writer_of(keyed, sizeof keyed - 1),
		      p = writer_of(plain, sizeof plain - 1);
	struct writer w = writer_of(keys, sizeof keys - 1);

	while ((named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);
		bool has_key = buffer->key && buffer->key[0];
		struct writer *list = has_key ? &k : &p;

		if (!buffer->wanted || buffer->channel || !network->up)
			continue;
		/* Both lists are in one line, and one of each fits in any case. */
		if (list->len && (list->len + named->len + 2 > 300 ||
				  (has_key && w.len + strlen(buffer->key) + 2 > sizeof keys))) {
			irc_upstream_later(network->up, "JOIN %.*s%s%.*s", (int)list->len, list->at,
					   has_key ? " " : "", has_key ? (int)w.len : 0, keys);
			list->len = 0;
			w.len = has_key ? 0 : w.len;
		}
		writer_str(list, list->len ? "," : "");
		writer_str(list, named->name);
		if (has_key) {
			writer_str(&w, w.len ? "," : "");
			writer_str(&w, buffer->key);
		}
	}
	if (network->up && k.len)
		irc_upstream_later(network->up, "JOIN %.*s %.*s", (int)k.len, keyed, (int)w.len,
				   keys);
	if (network->up && p.len)
		irc_upstream_later(network->up, "JOIN %.*s", (int)p.len, plain);
}

/* The end of the welcome: now what was waiting for it. */
static void ready(struct heard *heard)
{
	struct irc_network *network = heard->network;
	struct irc_upstream *up = heard->up;
	struct bytes commands = bytes_str(network->conf.connect_command);

	if (up->ready)
		return;
	up->ready = true;
	network->welcome_done = true;
	irc_clients_welcome(network);
	irc_notice_ready(network);
	for (bool first = true; commands.len; first = false) {
		struct bytes command = bytes_cut(&commands, '\n');

		if (command.len && !irc_upstream_queue(up, command))
			metric_add(METRIC_irc_refused, 1);
		/* What identifies us should be heard before channels are joined. */
		if (first)
			irc_upstream_join_later(up, 3000);
	}
	irc_network_away(network);
	irc_network_monitor(network);
	irc_metadata_ready(network);
	irc_gap_ask_targets(up);
	if (!up->join_at.us)
		irc_network_join_all(network);
}

/* The nick that is wanted is nobody's any more. */
static void nick_is_free(struct heard *heard)
{
	const char *wanted = irc_network_nick(heard->network);
	struct bytes list = irc_param(heard->line, 1);

	if (strcmp(heard->network->nick, wanted) == 0)
		return;
	while (list.len)
		if (irc_same(heard->network->is.casemap, irc_source_of(bytes_cut(&list, ',')).nick,
			     bytes_str(wanted))) {
			irc_upstream_later(heard->up, "NICK %s", wanted);
			return;
		}
}

/* A number that is nobody's answer. True: clients need not hear of it. */
static bool hear_number(struct heard *heard, unsigned number)
{
	const struct irc_line *line = heard->line;
	struct irc_network *network = heard->network;
	struct irc_buffer *buffer = buffer_of(heard, 1);
	struct irc_channel *channel = buffer ? buffer->channel : NULL;
	uint64_t value;

	switch (number) {
	case 2:
	case 3:
	case 4: return true;
	case 5: hear_isupport(heard); return true;
	case 375:
	case 372: return !heard->up->ready;
	case 376:
	case 422:
		if (heard->up->ready)
			return false;
		ready(heard);
		return true;
	case 221:
	case 250:
	case 251:
	case 252:
	case 253:
	case 254:
	case 255:
	case 265:
	case 266: return true;
	case 900:
		irc_set(&network->account, irc_param(line, 2));
		irc_account_proved(network, irc_param(line, 2));
		return !heard->up->ready;
	case 901: irc_set(&network->account, BYTES("")); return !heard->up->ready;
	case 396: return false;
	case 305:
	case 306:
		/* That nobody is attached, nobody asked for. */
		if (!network->away_asked)
			return true;
		network->away_asked--;
		return false;
	case 324:
		if (channel && line->count > 2) {
			struct bytes last = line->param[line->count - 1];

			irc_set(&channel->modes,
				bytes_of(line->param[2].at,
					 (size_t)(last.at + last.len - line->param[2].at)));
		}
		return channel != NULL;
	case 329:
		if (channel && bytes_to_u64(irc_param(line, 2), INT64_MAX, &value))
			channel->created = (int64_t)value;
		return channel != NULL;
	case 331:
		if (channel)
			irc_set(&channel->topic, BYTES(""));
		return channel && !channel->names_done;
	case 332:
		if (channel)
			irc_set(&channel->topic, irc_param(line, 2));
		return channel && !channel->names_done;
	case 333:
		if (channel)
			irc_set(&channel->topic_who, irc_param(line, 2));
		if (channel && bytes_to_u64(irc_param(line, 3), INT64_MAX, &value))
			channel->topic_at = (int64_t)value;
		return channel && !channel->names_done;
	case 353: hear_names(heard); return true;
	case 366:
		if (channel && !channel->names_done) {
			channel->names_done = true;
			irc_clients_joined(buffer);
		}
		return true;
	case 730: irc_monitor_hear(network, line, true); return true;
	case 731:
		nick_is_free(heard);
		irc_monitor_hear(network, line, false);
		return true;
	case 770:
	case 771: return true;
	case 433:
	case 432: return !network->attached;
	default: return false;
	}
}

/* --- all ------------------------------------------------------------------------------------ */

static void hear_event(struct heard *heard)
{
	const struct irc_line *line = heard->line;
	static const struct {
		const char *verb;
		uint32_t kind;
	} told[] = {{"AWAY", IRC_AWAY},        {"ACCOUNT", IRC_ACCOUNT}, {"CHGHOST", IRC_CHGHOST},
		    {"SETNAME", IRC_SETNAME},  {"REDACT", IRC_REDACT},   {"WALLOPS", IRC_OTHER},
		    {"FAIL", IRC_OTHER},       {"WARN", IRC_OTHER},      {"NOTE", IRC_OTHER},
		    {"KILL", IRC_OTHER},       {"REGISTER", IRC_OTHER},  {"VERIFY", IRC_OTHER},
		    {"METADATA", IRC_METADATA}};

	for (size_t i = 0; i < COUNT_OF(told); i++)
		if (irc_verb_is(line, told[i].verb)) {
			tell(heard, told[i].kind);
			return;
		}
	metric_add(METRIC_irc_lines_unknown, 1);
}

static void hear_verb(struct heard *heard)
{
	const struct irc_line *line = heard->line;
	static const struct {
		const char *verb;
		void (*hear)(struct heard *heard);
	} verbs[] = {{"JOIN", hear_join},   {"PART", hear_part},     {"KICK", hear_kick},
		     {"QUIT", hear_quit},   {"NICK", hear_nick},     {"MODE", hear_mode},
		     {"TOPIC", hear_topic}, {"INVITE", hear_invite}, {"RENAME", hear_rename}};

	if (irc_verb_is(line, "PRIVMSG")) {
		hear_message(heard, IRC_KIND_MESSAGE);
		return;
	}
	if (irc_verb_is(line, "NOTICE")) {
		hear_message(heard, IRC_KIND_NOTICE);
		return;
	}
	if (irc_verb_is(line, "TAGMSG")) {
		hear_message(heard, IRC_KIND_TAGMSG);
		return;
	}
	if (irc_verb_is(line, "PONG")) {
		heard->network->user->lines_in--;
		if (heard->up->ping_at.us)
			heard->up->lag_ms = mono_since_us(mono_now(), heard->up->ping_at) / 1000;
		heard->up->ping_at.us = 0;
		return;
	}
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		if (irc_verb_is(line, verbs[i].verb)) {
			verbs[i].hear(heard);
			return;
		}
	hear_event(heard);
}

static const struct {
	const char *verb;
	uint32_t kind;
} pasts[] = {{"PRIVMSG", IRC_KIND_MESSAGE},
	     {"NOTICE", IRC_KIND_NOTICE},
	     {"JOIN", IRC_KIND_EVENT | IRC_KIND_PAST | IRC_JOIN},
	     {"PART", IRC_KIND_EVENT | IRC_KIND_PAST | IRC_PART},
	     {"QUIT", IRC_KIND_EVENT | IRC_KIND_PAST | IRC_QUIT},
	     {"KICK", IRC_KIND_EVENT | IRC_KIND_PAST | IRC_KICK},
	     {"NICK", IRC_KIND_EVENT | IRC_KIND_PAST | IRC_NICK},
	     {"MODE", IRC_KIND_EVENT | IRC_KIND_PAST | IRC_MODE},
	     {"TOPIC", IRC_KIND_EVENT | IRC_KIND_PAST | IRC_TOPIC},
	     {"TAGMSG", IRC_KIND_EVENT | IRC_KIND_PAST | IRC_REACT}};

/* What was said is told to all, late; who came and went is for who asks: it is another story by now. */
void irc_hear_past(struct irc_upstream *up, struct irc_buffer *buffer, const struct irc_line *line)
{
	struct heard heard = {.network = up->network, .up = up, .line = line};
	uint32_t kind = 0;

	for (size_t i = 0; i < COUNT_OF(pasts); i++)
		if (irc_verb_is(line, pasts[i].verb))
			kind = pasts[i].kind;
	if (!kind || (!(kind & IRC_KIND_EVENT) && is_ctcp(line, "ACTION")) ||
	    ((kind & IRC_KIND_WORD) == IRC_REACT && kind & IRC_KIND_EVENT &&
	     !irc_is_reaction(line)))
		return;
	look(&heard);
	put(&heard, buffer, kind | (buffer->is_channel ? 0 : IRC_KIND_PRIVATE));
	if (!(kind & IRC_KIND_EVENT))
		irc_notice_message(buffer, line, heard.self);
	free(heard.label);
}

bool irc_hear_import(struct irc_buffer *buffer, const struct irc_line *line)
{
	struct irc_network *network = buffer->network;
	struct heard heard = {.network = network, .line = line};
	const char *nick = network->nick[0] ? network->nick : irc_network_nick(network);
	uint32_t kind = 0;

	for (size_t i = 0; i < COUNT_OF(pasts); i++)
		if (irc_verb_is(line, pasts[i].verb))
			kind = pasts[i].kind;
	if (!kind || (!(kind & IRC_KIND_EVENT) && is_ctcp(line, "ACTION")))
		return false;
	look(&heard);
	free(heard.label);
	heard.label = NULL;
	heard.origin = 0;
	/* In a conversation there are two; what we were called then is not known. */
	heard.self = buffer->is_channel
			     ? irc_same(network->is.casemap, heard.source.nick, bytes_str(nick))
			     : !irc_same(network->is.casemap, heard.source.nick,
					 irc_named_bytes(&buffer->named));
	put(&heard, buffer, kind | (buffer->is_channel ? 0 : IRC_KIND_PRIVATE));
	return true;
}

void irc_hear(struct irc_upstream *up, const struct irc_line *line)
{
	struct irc_network *network = up->network;
	struct heard heard;
	unsigned number = irc_line_numeric(line);

	heard.network = network;
	heard.up = up;
	heard.line = line;
	heard.origin = 0;
	heard.label = NULL;
	/* draft/account-registration: "REGISTER SUCCESS account", "VERIFY SUCCESS account" */
	if ((irc_verb_is(line, "REGISTER") || irc_verb_is(line, "VERIFY")) &&
	    bytes_equal(irc_param(line, 0), BYTES("SUCCESS")))
		irc_account_proved(network, irc_param(line, 1));
	if (irc_multiline_hear(up, line) || irc_gap_hear(up, line) || irc_route_hear(network, line))
		return;
	/* A batch is a bracket of a server's own; what is in it is told as if it were not. */
	if (irc_verb_is(line, "BATCH") || irc_verb_is(line, "ACK"))
		return;
	look(&heard);
	if (!number)
		hear_verb(&heard);
	else if (!hear_number(&heard, number))
		tell(&heard, IRC_OTHER);
	/* It went into no ring. */
	free(heard.label);
}
