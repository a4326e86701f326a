#include "irc/irc_multiline.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/metric.h"
#include "irc/irc_buffer.h"
#include "irc/irc_route.h"
#include "irc/irc_service.h"

/* Of a server's, and no settings: what is longer is told in parts, and what is in no batch line by line. */
#define OPEN_MAX 8u /* batches at a time */
#define PART_MAX \
	8000u /* bytes of one that are kept as one: they and their tags fit into a line of a ring */
#define PART_LINES 100u /* and lines: each has a beginning of its own where it is told */

/* Adds a piece behind what is there. */
static bool piece_put(struct irc_pipe *text, bool first, bool glued, struct bytes piece)
{
	uint8_t end = glued ? IRC_LINES_GLUE : IRC_LINES_NEXT;

	return (first || irc_pipe_put(text, bytes_of(&end, 1))) && irc_pipe_put(text, piece);
}

/* --- from a server -------------------------------------------------------------------------- */

struct irc_batch {
	struct irc_batch *next;
	char ref[64];
	char *tags; /* of its beginning, raw */
	char *head; /* ":source VERB target", of its first line */
	struct irc_pipe text;
	unsigned lines;
};

void irc_multiline_take_limits(struct irc_network *network, struct bytes value)
{
	uint64_t bytes = 0, lines = 0;

	while (value.len) {
		struct bytes one = bytes_cut(&value, ','), key = bytes_cut(&one, '=');

		if (bytes_equal(key, BYTES("max-bytes")))
			(void)bytes_to_u64(one, UINT32_MAX, &bytes);
		else if (bytes_equal(key, BYTES("max-lines")))
			(void)bytes_to_u64(one, UINT32_MAX, &lines);
	}
	network->multiline_bytes = (uint32_t)bytes;
	network->multiline_lines = lines ? (uint32_t)lines : UINT32_MAX;
}

static void batch_free(struct irc_batch *batch)
{
	irc_pipe_fini(&batch->text);
	free(batch->tags);
	free(batch->head);
	free(batch);
}

/* Another part of it is not the same message, and answers nobody; but it is of the same time and person. */
static void tags_of_part(struct irc_batch *batch)
{
	struct bytes rest = irc_str(batch->tags), key, value;
	char tags[IRC_TAGS_MAX];
	struct writer w = writer_of(tags, sizeof tags);

	while (irc_tag_next(&rest, &key, &value))
		if (bytes_equal(key, BYTES("time")) || bytes_equal(key, BYTES("account")) ||
		    bytes_equal(key, BYTES("batch")))
			irc_tag_put(&w, 0, key, value);
	if (writer_ok(&w))
		irc_set(&batch->tags, writer_done(&w));
}

/* What has come of it is heard as one line. */
static void batch_hear(struct irc_upstream *up, struct irc_batch *batch)
{
	struct irc_pipe whole = {0};
	struct irc_line line;

	if (batch->head && irc_pipe_put(&whole, bytes_str(batch->head)) &&
	    irc_pipe_put(&whole, BYTES(" :")) &&
	    irc_pipe_put(&whole, irc_pipe_bytes(&batch->text)) &&
	    irc_lines_parse(irc_pipe_bytes(&whole), &line)) {
		line.tags = irc_str(batch->tags);
		irc_hear(up, &line);
	}
	irc_pipe_fini(&whole);
	irc_pipe_fini(&batch->text);
	batch->lines = 0;
	tags_of_part(batch);
}

static struct irc_batch **batch_of(struct irc_upstream *up, struct bytes ref)
{
	struct irc_batch **link = &up->batches;

	while (*link && !bytes_equal(bytes_str((*link)->ref), ref))
		link = &(*link)->next;
	return link;
}

static bool batch_begin(struct irc_upstream *up, const struct irc_line *line, struct bytes ref)
{
	struct irc_batch *batch;
	unsigned count = 0;

	for (batch = up->batches; batch; batch = batch->next)
		count++;
	if (count == OPEN_MAX || ref.len >= sizeof batch->ref || *batch_of(up, ref) ||
	    !(batch = calloc(1, sizeof *batch)))
		return false;
	bytes_to_str(ref, batch->ref, sizeof batch->ref);
	batch->tags = irc_copy(line->tags);
	batch->next = up->batches;
	up->batches = batch;
	return true;
}

static void batch_end(struct irc_upstream *up, struct irc_batch **link)
{
	struct irc_batch *batch = *link;

	*link = batch->next;
	batch_hear(up, batch);
	batch_free(batch);
}

/* A line of it. */
static void batch_add(struct irc_upstream *up, struct irc_batch *batch, const struct irc_line *line)
{
	struct bytes text = irc_param(line, 1), unused;
	bool glued = irc_tag_get(line->tags, "draft/multiline-concat", &unused);
	char head[IRC_LINELEN_MAX];
	struct writer w = writer_of(head, sizeof head);

	if (batch->lines == PART_LINES ||
	    (batch->lines && irc_pipe_len(&batch->text) + text.len + 1 > PART_MAX))
		batch_hear(up, batch);
	if (up->phase != IRC_PHASE_TALKS)
		return;
	if (!batch->head) {
		irc_line_write(&w, line->source, line->verb, line->param, 1, false);
		batch->head = writer_ok(&w) ? irc_copy(writer_done(&w)) : NULL;
	}
	if (!piece_put(&batch->text, batch->lines == 0, glued, text))
		metric_add(METRIC_irc_lines_lost, 1);
	batch->lines++;
}

bool irc_multiline_hear(struct irc_upstream *up, const struct irc_line *line)
{
	struct bytes ref = irc_param(line, 0);
	struct irc_batch **link;

	if (irc_verb_is(line, "BATCH") && ref.len > 1) {
		bool begins = ref.at[0] == '+' &&
			      bytes_equal(irc_param(line, 1), BYTES("draft/multiline"));

		ref = bytes_skip(ref, 1);
		if (begins)
			return batch_begin(up, line, ref);
		link = batch_of(up, ref);
		if (!*link || irc_param(line, 0).at[0] != '-')
			return false;
		batch_end(up, link);
		return true;
	}
	if (!up->batches || !irc_tag_get(line->tags, "batch", &ref))
		return false;
	link = batch_of(up, ref);
	if (!*link || (!irc_verb_is(line, "PRIVMSG") && !irc_verb_is(line, "NOTICE")))
		return false;
	batch_add(up, *link, line);
	return true;
}

void irc_multiline_finish(struct irc_upstream *up)
{
	while (up->batches)
		batch_end(up, &up->batches);
}

void irc_multiline_drop(struct irc_upstream *up)
{
	while (up->batches) {
		struct irc_batch *batch = up->batches;

		up->batches = batch->next;
		batch_free(batch);
	}
}

/* --- from a client -------------------------------------------------------------------------- */

const char *irc_multiline_offer(char text[80])
{
	const struct irc_conf *conf = irc_conf_now();

	snprintf(text, 80, "max-bytes=%llu,max-lines=%llu",
		 (unsigned long long)conf->multiline_bytes,
		 (unsigned long long)conf->multiline_lines);
	return text;
}

struct multiline {
	char ref[64], target[256], verb[16];
	struct irc_pipe text;
	unsigned lines;
	char *tags, *label;
	bool refused; /* it was said; the rest of it is passed over */
};

void irc_multiline_free(struct irc_client *client)
{
	struct multiline *multiline = client->multiline;

	if (!multiline)
		return;
	irc_pipe_fini(&multiline->text);
	free(multiline->tags);
	free(multiline->label);
	free(multiline);
	client->multiline = NULL;
}

static void refuse(struct irc_client *client, struct multiline *multiline, const char *code,
		   const char *context, const char *why)
{
	/* What is said of it answers its label, which came with its beginning. */
	if (!client->label) {
		client->label = multiline->label;
		multiline->label = NULL;
	}
	irc_client_fail(client, "BATCH", code, context, "%s", why);
	multiline->refused = true;
	irc_pipe_fini(&multiline->text);
}

/* Pieces that are longer than what a server takes are cut in two of one line. */
static bool pieces_fit(struct irc_pipe *out, struct bytes text, size_t most)
{
	struct irc_pieces pieces = {.rest = text};
	struct bytes piece;
	bool first = true;

	while (irc_pieces_next(&pieces, &piece)) {
		bool glued = pieces.glued;

		do {
			struct bytes part = irc_split(&piece, most);

			if (!piece_put(out, first, glued, part))
				return false;
			first = false;
			glued = true;
		} while (piece.len);
	}
	return true;
}

/* As one batch. False: it does not go out so, and nothing of it did. */
static bool send_whole(struct irc_client *client, struct irc_network *network,
		       const struct irc_line *line, struct bytes target, struct bytes text)
{
	const irc_caps needs = IRC_CAP(MULTILINE) | IRC_CAP(BATCH) | IRC_CAP(MESSAGE_TAGS);
	struct irc_lines_size size = irc_lines_measure(text);
	struct irc_pieces pieces = {.rest = text};
	struct irc_upstream *up = network->up;
	uint64_t number = up->label + 1;
	char out[IRC_LINE_ROOM];
	struct writer w = writer_of(out, sizeof out);
	struct bytes piece;
	bool good;

	if ((network->caps & needs) != needs || size.lines < 2 ||
	    size.bytes > network->multiline_bytes || size.lines > network->multiline_lines ||
	    up->queued + size.lines + 2 > irc_conf_now()->queue)
		return false;
	irc_client_put_tags(&w, network, line);
	writer_str(&w, "BATCH +m");
	writer_dec(&w, number);
	writer_str(&w, " draft/multiline ");
	writer_put(&w, target);
	if (!writer_ok(&w) || !irc_route_send(network, client, line, writer_done(&w)))
		return false;
	good = true;
	while (good && irc_pieces_next(&pieces, &piece)) {
		w = writer_of(out, sizeof out);
		writer_str(&w, "@batch=m");
		writer_dec(&w, number);
		writer_str(&w, pieces.glued ? ";draft/multiline-concat " : " ");
		irc_line_write(&w, (struct bytes){0}, line->verb, (struct bytes[]){target, piece},
			       2, true);
		good = writer_ok(&w) && irc_upstream_queue(up, writer_done(&w));
	}
	w = writer_of(out, sizeof out);
	writer_str(&w, "BATCH -m");
	writer_dec(&w, number);
	/* There was room for all of it: what fails is memory, or the connection. */
	if (!(good && network->up == up && irc_upstream_queue(up, writer_done(&w))))
		metric_add(METRIC_irc_refused, 1);
	up->label = number > up->label ? number : up->label;
	if (!(network->caps & IRC_CAP(ECHO_MESSAGE)))
		irc_client_said(client, network, line, target, text);
	return true;
}

/* Message for message: lines that go on are one. */
static void send_lines(struct irc_client *client, const struct irc_line *line, struct bytes target,
		       struct bytes text)
{
	struct irc_pieces pieces = {.rest = text};
	struct irc_pipe joined = {0};
	struct bytes piece;
	bool more = irc_pieces_next(&pieces, &piece);

	while (more && client->state == IRC_CLIENT_HERE) {
		if (!irc_pipe_put(&joined, piece))
			break;
		more = irc_pieces_next(&pieces, &piece);
		if (more && pieces.glued)
			continue;
		if (irc_pipe_len(&joined))
			irc_client_message(client, line, target, irc_pipe_bytes(&joined));
		irc_pipe_fini(&joined);
	}
	irc_pipe_fini(&joined);
}

static void send_all(struct irc_client *client, const struct multiline *multiline)
{
	struct irc_line line = {.verb = bytes_str(multiline->verb),
				.tags = irc_str(multiline->tags)};
	struct bytes target = bytes_str(multiline->target), name = target;
	struct irc_network *network = NULL;
	struct irc_pipe cut = {0};

	if (!bytes_equal_nocase(target, BYTES(IRC_SERVICE)) && target.at[0] != '$') {
		network = irc_client_network_up(client, &name, &line);
		if (!network)
			return;
	}
	if (!network ||
	    !pieces_fit(&cut, irc_pipe_bytes(&multiline->text),
			irc_client_most(network, &line, name)) ||
	    !send_whole(client, network, &line, name, irc_pipe_bytes(&cut)))
		send_lines(client, &line, target, irc_pipe_bytes(&multiline->text));
	irc_pipe_fini(&cut);
}

static void multiline_end(struct irc_client *client)
{
	struct multiline *multiline = client->multiline;

	if (!multiline->refused && irc_lines_measure(irc_pipe_bytes(&multiline->text)).blank)
		refuse(client, multiline, "MULTILINE_INVALID", "", "There is nothing in it");
	if (!multiline->refused) {
		if (!client->label) {
			client->label = multiline->label;
			multiline->label = NULL;
		}
		send_all(client, multiline);
	}
	irc_multiline_free(client);
}

void irc_multiline_order(struct irc_client *client, const struct irc_line *line)
{
	struct bytes ref = irc_param(line, 0);
	struct multiline *multiline = client->multiline;

	if (ref.len > 1 && ref.at[0] == '-' && multiline &&
	    bytes_equal(bytes_skip(ref, 1), bytes_str(multiline->ref))) {
		multiline_end(client);
		return;
	}
	if (multiline || ref.len < 2 || ref.len > 60 || ref.at[0] != '+' ||
	    !bytes_equal(irc_param(line, 1), BYTES("draft/multiline")) || line->count < 3 ||
	    !irc_is_middle(irc_param(line, 2)) || irc_param(line, 2).len > 255) {
		irc_client_fail(client, "BATCH", "MULTILINE_INVALID", "",
				"That is no batch to send");
		return;
	}
	multiline = calloc(1, sizeof *multiline);
	if (!multiline)
		return;
	bytes_to_str(bytes_skip(ref, 1), multiline->ref, sizeof multiline->ref);
	bytes_to_str(irc_param(line, 2), multiline->target, sizeof multiline->target);
	multiline->tags = irc_copy(line->tags);
	multiline->label = irc_client_take_label(client);
	client->multiline = multiline;
}

/* One line of it, as draft/multiline wants it. */
static void multiline_add(struct irc_client *client, const struct irc_line *line)
{
	const struct irc_conf *conf = irc_conf_now();
	struct multiline *multiline = client->multiline;
	struct bytes text = irc_param(line, 1), target = irc_param(line, 0), unused;
	bool glued = irc_tag_get(line->tags, "draft/multiline-concat", &unused);
	uint32_t more = (uint32_t)text.len + (multiline->lines && !glued);
	char context[520];

	if (!bytes_equal_nocase(target, bytes_str(multiline->target))) {
		snprintf(context, sizeof context, "%s %.*s", multiline->target,
			 irc_is_middle(target) ? (int)(target.len < 255 ? target.len : 255) : 1,
			 irc_is_middle(target) ? (const char *)target.at : "*");
		refuse(client, multiline, "MULTILINE_INVALID_TARGET", context,
		       "All lines of it have one target");
	} else if ((!irc_verb_is(line, "PRIVMSG") && !irc_verb_is(line, "NOTICE")) ||
		   (multiline->lines && !irc_verb_is(line, multiline->verb)) ||
		   (glued && !text.len)) {
		refuse(client, multiline, "MULTILINE_INVALID", "",
		       "All lines of it are one message");
	} else if (multiline->lines >= conf->multiline_lines) {
		snprintf(context, sizeof context, "%llu",
			 (unsigned long long)conf->multiline_lines);
		refuse(client, multiline, "MULTILINE_MAX_LINES", context,
		       "That is more than one message may be");
	} else if (irc_lines_measure(irc_pipe_bytes(&multiline->text)).bytes + more >
		   conf->multiline_bytes) {
		snprintf(context, sizeof context, "%llu",
			 (unsigned long long)conf->multiline_bytes);
		refuse(client, multiline, "MULTILINE_MAX_BYTES", context,
		       "That is more than one message may be");
	} else {
		bytes_to_str(line->verb, multiline->verb, sizeof multiline->verb);
		if (!piece_put(&multiline->text, multiline->lines++ == 0, glued, text))
			irc_client_end(client, NULL);
	}
}

bool irc_multiline_take(struct irc_client *client, const struct irc_line *line)
{
	struct multiline *multiline = client->multiline;
	struct bytes batch;

	if (!multiline || !irc_tag_get(line->tags, "batch", &batch) ||
	    !bytes_equal(batch, bytes_str(multiline->ref)))
		return false;
	if (!multiline->refused)
		multiline_add(client, line);
	return true;
}
