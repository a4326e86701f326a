/* store_schema: the steps that bring a database from each version to the next; src/store/schema/ is
 * their source, tools/schema.py embeds it. Step i leads from version i to i + 1. Constant. */
#pragma once

struct store_step {
	const char *name;
	const char *sql;
};

extern const struct store_step store_schema[];
extern const int store_schema_version; /* how many there are */
