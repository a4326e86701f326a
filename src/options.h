/* options: the command line. Everything else is a setting, which --set reaches too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_SETS_MAX 256

struct options {
	const char *config; /* NULL: no file */
	const char *data;   /* NULL: not said */
	const char *sets[OPTIONS_SETS_MAX];
	size_t set_count;
	bool check, version, help, dump, example, manual, welcome, no_keeper;
};

/* False after a message on standard error. */
bool options_parse(struct options *options, int argc, char **argv);

/* The command line's part of --help. */
void options_write_help(void);
