#include "forwarded.h"

#include "ascii.h"

enum hop { HOP_ADDRESS, HOP_HIDDEN, HOP_BROKEN };

/* The walk from the right, folded so that it can be fed from the left: `client` is the answer if
 * nothing follows what was fed so far. */
struct walk {
	struct cidr_list trusted;
	struct address peer;
	struct address client;
	bool at_peer; /* client is not set: the hop to the right of a gap decides, or the peer */
	bool broken;  /* the gap is something unreadable */
};

static void walk_hop(struct walk *walk, enum hop hop, const struct address *address)
{
	if (hop != HOP_ADDRESS) {
		walk->at_peer = true;
		walk->broken = hop == HOP_BROKEN;
		return;
	}
	bool trusted = cidr_list_holds(walk->trusted, address);

	/* A trusted hop passes the walk on to its left, unless there is nothing to the left. */
	if (!trusted || walk->at_peer)
		walk->client = *address;
	if (!trusted)
		walk->broken = false;
	walk->at_peer = false;
}

static enum hop parse_hop(struct bytes text, struct address *out)
{
	if (address_parse(text, out))
		return HOP_ADDRESS;
	/* RFC 7239 6: "unknown", or an obfuscated identifier, each perhaps with a port. */
	if (text.len > 1 && text.at[0] == '_')
		return HOP_HIDDEN;
	struct bytes rest = text;

	return bytes_equal_nocase(bytes_cut(&rest, ':'), BYTES("unknown")) ? HOP_HIDDEN
									   : HOP_BROKEN;
}

static void walk_list(struct walk *walk, struct bytes list)
{
	while (list.len) {
		struct bytes text = bytes_trim(bytes_cut(&list, ','));
		struct address address;

		/* RFC 9110 5.6.1.2: empty list elements are ignored. */
		if (text.len) {
			enum hop hop = parse_hop(text, &address);

			walk_hop(walk, hop, &address);
		}
	}
}

static struct bytes take_token(struct bytes *rest)
{
	struct bytes token = *rest;
	size_t n = 0;

	while (n < rest->len && ascii_is_token(rest->at[n]))
		n++;
	token.len = n;
	*rest = bytes_skip(*rest, n);
	return token;
}

/* RFC 9110 5.6.4: quoted-string. No node has a backslash in it, so escapes are passed over, and
 * leave something that is no address. */
static bool take_quoted(struct bytes *rest, struct bytes *text)
{
	struct bytes in = bytes_skip(*rest, 1);
	size_t n = 0;

	while (n < in.len && in.at[n] != '"')
		n += in.at[n] == '\\' ? 2 : 1;
	if (n >= in.len)
		return false;
	*text = bytes_first(in, n);
	*rest = bytes_skip(in, n + 1);
	return true;
}

static bool take_byte(struct bytes *rest, uint8_t byte)
{
	if (rest->len == 0 || rest->at[0] != byte)
		return false;
	*rest = bytes_skip(*rest, 1);
	return true;
}

struct element {
	struct bytes node; /* the value of "for"; at is NULL without one */
	bool said;         /* it has some pair */
};

/* RFC 7239 4: forwarded-pair = token "=" value. */
static bool take_pair(struct bytes *rest, struct element *element)
{
	struct bytes name = take_token(rest);
	struct bytes value;

	if (name.len == 0)
		return true; /* an empty pair is allowed */
	if (!take_byte(rest, '='))
		return false;
	if (rest->len == 0 || rest->at[0] != '"')
		value = take_token(rest);
	else if (!take_quoted(rest, &value))
		return false;
	element->said = true;
	if (!bytes_equal_nocase(name, BYTES("for")))
		return true;
	/* RFC 7239 4: each parameter at most once. */
	if (element->node.at)
		return false;
	element->node = value;
	return true;
}

/* RFC 7239 4: forwarded-element = [ pair ] *( ";" [ pair ] ), and the comma behind it. */
static bool take_element(struct bytes *rest, struct element *element)
{
	*element = (struct element){0};
	do {
		*rest = bytes_trim(*rest);
		if (!take_pair(rest, element))
			return false;
		*rest = bytes_trim(*rest);
	} while (take_byte(rest, ';'));
	return rest->len == 0 || take_byte(rest, ',');
}

static void walk_forwarded(struct walk *walk, struct bytes list)
{
	while (list.len) {
		struct address address = {0};
		struct element element;
		enum hop hop = HOP_HIDDEN; /* an element that says something, but not for whom */

		if (!take_element(&list, &element)) {
			/* Where the next element would begin cannot be known any more. */
			walk_hop(walk, HOP_BROKEN, &address);
			return;
		}
		if (element.node.at)
			hop = parse_hop(element.node, &address);
		if (element.said)
			walk_hop(walk, hop, &address);
	}
}

bool forwarded_client(const struct http1_head *head, enum forwarded_by by,
		      const struct address *peer, struct cidr_list trusted, struct address *client)
{
	struct walk walk = {.trusted = trusted, .at_peer = true};
	struct bytes name = by == FORWARDED_RFC7239 ? BYTES("Forwarded") : BYTES("X-Forwarded-For");

	*client = *peer;
	if (!cidr_list_holds(trusted, peer))
		return true;
	/* Several headers of one name are one list, in their order (RFC 9110 5.3). */
	for (size_t i = 0; i < head->count; i++) {
		if (!bytes_equal_nocase(head->headers[i].name, name))
			continue;
		if (by == FORWARDED_RFC7239)
			walk_forwarded(&walk, head->headers[i].value);
		else
			walk_list(&walk, head->headers[i].value);
	}
	if (!walk.at_peer)
		*client = walk.client;
	return !walk.broken;
}
