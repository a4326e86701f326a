#include "edge/document.h"

#include <stdlib.h>

#include "edge/proto/xml.h"

json_t *document_text(const char *text)
{
	json_t *string = json_string(text);

	/* Texts were made valid where they came in; what was not is not shown. */
	return string ? string : json_string("\xef\xbf\xbd");
}

/* --- XML ------------------------------------------------------------------------------------ */

static struct bytes scalar_text(const json_t *value, char room[32])
{
	if (json_is_string(value))
		return bytes_of(json_string_value(value), json_string_length(value));
	if (json_is_integer(value))
		snprintf(room, 32, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(room, 32, "%g", json_real_value(value));
	else
		snprintf(room, 32, "%d", json_is_true(value));
	return bytes_str(room);
}

static void write_member(struct xml *xml, const char *name, json_t *value);

static void write_object(struct xml *xml, const char *name, json_t *object)
{
	const char *key;
	json_t *value;
	char room[32];

	xml_open(xml, name);
	json_object_foreach(object, key, value) if (key[0] == '@' && !json_is_null(value))
		xml_attr(xml, key + 1, scalar_text(value, room));
	json_object_foreach(object, key, value) if (key[0] != '@') write_member(xml, key, value);
	xml_close(xml);
}

/* Trees are as deep as the calls that make them: three or four levels. */
static void write_member(struct xml *xml, const char *name, json_t *value)
{
	char room[32];
	size_t i;
	json_t *item;

	if (json_is_object(value)) {
		write_object(xml, name, value);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item) write_member(xml, name, item);
	} else if (!json_is_null(value)) {
		xml_leaf(xml, name, scalar_text(value, room));
	}
}

static void reply_xml(struct reply *reply, const char *root, json_t *tree)
{
	struct writer w;
	struct xml xml;

	reply->type = "text/xml; charset=utf-8";
	do {
		w = buffer_writer(&reply->body);
		xml_start(&xml, &w);
		write_object(&xml, root, tree);
		(void)xml_end(&xml);
	} while (buffer_again(&reply->body, &w));
}

/* --- JSON ----------------------------------------------------------------------------------- */

static json_t *without_at(json_t *value)
{
	json_t *copy, *item;
	const char *key;
	size_t i;

	if (json_is_object(value)) {
		copy = json_object();
		json_object_foreach(value, key, item)
			json_object_set_new(copy, key[0] == '@' ? key + 1 : key, without_at(item));
		return copy;
	}
	if (json_is_array(value)) {
		copy = json_array();
		json_array_foreach(value, i, item) json_array_append_new(copy, without_at(item));
		return copy;
	}
	return json_incref(value);
}

static int put_json(const char *text, size_t len, void *buffer)
{
	return buffer_put(buffer, bytes_of(text, len)) ? 0 : -1;
}

static void reply_json(struct reply *reply, const char *root, json_t *tree)
{
	json_t *whole = json_object();

	reply->type = "application/json; charset=utf-8";
	json_object_set_new(whole, root, without_at(tree));
	if (json_dump_callback(root ? whole : tree, put_json, &reply->body, JSON_COMPACT) != 0)
		reply->body.failed = true;
	json_decref(whole);
}

void document_reply(struct reply *reply, enum document_form form, const char *root, json_t *tree)
{
	reply->status = 200;
	reply_header(reply, "X-Content-Type-Options", BYTES("nosniff"));
	if (!tree) {
		reply_text(reply, 503, "out of memory");
		return;
	}
	if (form == DOCUMENT_XML)
		reply_xml(reply, root, tree);
	else
		reply_json(reply, root, tree);
	json_decref(tree);
}
