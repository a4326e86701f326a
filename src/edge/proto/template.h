/* template: a text with {{names}} in it, and the values in their places, escaped for where they stand.
 *
 *     {"content": "on air: {{title}}"}  +  title = say "hi"   ──JSON──▶  {"content": "on air: say \"hi\""}
 *
 * What a value holds never ends the string, the field or the line that it was put in: titles come
 * from encoders. A name that is not known is empty; braces that are no name stay. Pure. */
#pragma once

#include "core/writer.h"

enum template_escape {
	TEMPLATE_TEXT, /* control characters become spaces */
	TEMPLATE_JSON, /* inside a string of JSON (RFC 8259 section 7) */
	TEMPLATE_FORM, /* percent-encoded: forms and URLs */
};

struct template_value {
	const char *name;
	struct bytes value; /* UTF-8 */
};

void template_write(struct writer *w, struct bytes text, enum template_escape escape,
		    const struct template_value *values, size_t count);

/* One value, escaped. */
void template_escape(struct writer *w, struct bytes value, enum template_escape escape);

/* How values stand in a body of this type. */
enum template_escape template_escape_of(struct bytes content_type);
