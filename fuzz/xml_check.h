/* xml_check: whether a document is well-formed, as far as xml.h can write: one root, tags that
 * match, quoted attributes, references instead of what must be escaped, nothing that XML 1.0
 * forbids. */
#pragma once

#include "text.h"

struct check {
	struct bytes left;
	struct bytes open[32];
	size_t depth;
};

static inline bool check_skip(struct check *c, struct bytes what)
{
	if (!bytes_start_with(c->left, what))
		return false;
	c->left = bytes_skip(c->left, what.len);
	return true;
}

static inline void check_reference(struct check *c)
{
	PROPERTY(check_skip(c, BYTES("&amp;")) || check_skip(c, BYTES("&lt;")) ||
		 check_skip(c, BYTES("&gt;")) || check_skip(c, BYTES("&quot;")) ||
		 check_skip(c, BYTES("&#13;")) || check_skip(c, BYTES("&#10;")) ||
		 check_skip(c, BYTES("&#9;")));
}

static inline struct bytes check_name(struct check *c)
{
	size_t n = 0;

	while (n < c->left.len && byte_lower(c->left.at[n]) >= 'a' &&
	       byte_lower(c->left.at[n]) <= 'z')
		n++;
	PROPERTY(n > 0);
	struct bytes name = bytes_first(c->left, n);

	c->left = bytes_skip(c->left, n);
	return name;
}

static inline void check_start_tag(struct check *c)
{
	struct bytes name = check_name(c);

	while (check_skip(c, BYTES(" "))) {
		check_name(c);
		PROPERTY(check_skip(c, BYTES("=\"")));
		while (!check_skip(c, BYTES("\""))) {
			PROPERTY(c->left.len && c->left.at[0] != '<' && c->left.at[0] >= ' ');
			if (c->left.at[0] == '&')
				check_reference(c);
			else
				take(&c->left, 1);
		}
	}
	if (check_skip(c, BYTES("/>")))
		return;
	PROPERTY(check_skip(c, BYTES(">")));
	PROPERTY(c->depth < 32);
	c->open[c->depth++] = name;
}

static inline void check_xml(struct bytes document)
{
	struct check c = {.left = document};
	uint32_t *codes = malloc(document.len * 4 + 4);
	size_t count;

	PROPERTY(codes);
	count = oracle_decode(document, codes);
	PROPERTY(count != SIZE_MAX);
	for (size_t i = 0; i < count; i++) /* section 2.2 */
		PROPERTY(codes[i] == '\t' || codes[i] == '\n' ||
			 (codes[i] >= 0x20 && codes[i] != 0xfffe && codes[i] != 0xffff));
	free(codes);
	PROPERTY(check_skip(&c, BYTES("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")));
	PROPERTY(check_skip(&c, BYTES("<")));
	check_start_tag(&c);
	while (c.depth) {
		if (check_skip(&c, BYTES("</"))) {
			PROPERTY(bytes_equal(check_name(&c), c.open[--c.depth]));
			PROPERTY(check_skip(&c, BYTES(">")));
		} else if (check_skip(&c, BYTES("<"))) {
			check_start_tag(&c);
		} else {
			PROPERTY(c.left.len && c.left.at[0] != '>');
			if (c.left.at[0] == '&')
				check_reference(&c);
			else
				take(&c.left, 1);
		}
	}
	PROPERTY(bytes_equal(c.left, BYTES("\n")));
}
