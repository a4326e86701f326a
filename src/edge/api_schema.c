#include "edge/api_schema.h"

#include "core/check.h"
#include "edge/web_files.h"

static json_t *members; /* of each schema: an object with a member for each */

bool api_schema_start(void)
{
	const struct web_file *file = web_file_find(BYTES("/openapi.json"));
	json_t *document, *schemas, *schema;
	const char *name;
	bool whole;

	CHECK(file);
	document = json_loadb((const char *)file->at, file->len, 0, NULL);
	schemas = json_object_get(json_object_get(document, "components"), "schemas");
	members = json_object();
	whole = schemas && members;
	json_object_foreach(schemas, name, schema)
	{
		if (!json_is_false(json_object_get(schema, "additionalProperties")))
			continue;
		whole &= json_object_set(members, name, json_object_get(schema, "properties")) == 0;
	}
	json_decref(document);
	return whole;
}

const char *api_schema_stranger(const char *schema, const json_t *body)
{
	const json_t *known = json_object_get(members, schema);
	json_t *all = (json_t *)(uintptr_t)body;

	if (!known)
		return NULL;
	for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at))
		if (!json_object_get(known, json_object_iter_key(at)))
			return json_object_iter_key(at);
	return NULL;
}
