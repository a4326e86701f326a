/* xml: writes a small XML 1.0 document into a writer: elements, attributes, text, nothing else.
 *
 *     xml_open ─▶ xml_attr … ─▶ xml_text | xml_leaf | xml_open … ─▶ xml_close
 *
 * Text may be anything that came from a peer: it is escaped, characters that XML 1.0 does not
 * allow (section 2.2) are dropped, bytes that are not UTF-8 become U+FFFD. Element and attribute
 * names are the caller's own constants and are not checked. An element without content is
 * written <like/>.
 *
 * What cannot be written (no room, an attribute outside a tag, text outside the one root
 * element, a second root, more than XML_DEPTH_MAX elements open, one closed too many) fails the
 * writer, whose error is sticky. Pure: any thread, no allocation, no I/O. */
#pragma once

#include "core/writer.h"

#define XML_DEPTH_MAX 16u

struct xml {
	struct writer *out;
	const char *open[XML_DEPTH_MAX]; /* names of the elements that are open, outermost first */
	size_t depth;
	bool rooted; /* the root element was begun */
	bool in_tag; /* the innermost start tag still waits for attributes or '>' */
};

/* Begins a document on out, with the XML declaration. */
void xml_start(struct xml *xml, struct writer *out);

void xml_open(struct xml *xml, const char *name);
void xml_attr(struct xml *xml, const char *name, struct bytes value);
void xml_attr_str(struct xml *xml, const char *name, const char *value);
void xml_text(struct xml *xml, struct bytes text);
void xml_close(struct xml *xml);

/* Text, escaped as in an element, without a document around it. */
void xml_escape(struct writer *out, struct bytes text);

/* One element with text and nothing else. */
void xml_leaf(struct xml *xml, const char *name, struct bytes text);

/* Ends the document: true when all of it was written: one root, and every element closed. */
bool xml_end(struct xml *xml);
