#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	OPTION_CONFIG = 256,
	OPTION_DATA,
	OPTION_SET,
	OPTION_CHECK,
	OPTION_VERSION,
	OPTION_HELP,
	OPTION_DUMP,
	OPTION_EXAMPLE,
	OPTION_MANUAL,
	OPTION_WELCOME,
	OPTION_NO_KEEPER,
};

static const struct {
	struct option option;
	const char *argument, *help;
} rows[] = {
	{{"config", required_argument, NULL, OPTION_CONFIG}, "FILE", "read settings from FILE"},
	{{"data", required_argument, NULL, OPTION_DATA},
	 "DIR",
	 "keep passwords and all else that must last in DIR (default: ringmain-data)"},
	{{"set", required_argument, NULL, OPTION_SET},
	 "NAME=VALUE",
	 "change one setting, over what the file says; may be repeated"},
	{{"check", no_argument, NULL, OPTION_CHECK},
	 "",
	 "say what is wrong with the settings, and end"},
	{{"dump", no_argument, NULL, OPTION_DUMP}, "", "print the settings in force, and end"},
	{{"example", no_argument, NULL, OPTION_EXAMPLE},
	 "",
	 "print a file with every setting and its default, and end"},
	{{"manual", no_argument, NULL, OPTION_MANUAL},
	 "",
	 "print the settings as mdoc for ringmain.conf(5), and end"},
	{{"no-keeper", no_argument, NULL, OPTION_NO_KEEPER},
	 "",
	 "one process, for debuggers: no upgrades, and a crash is the end"},
	{{"welcome", no_argument, NULL, OPTION_WELCOME},
	 "",
	 "when ready, print passwords too, even where the output is no terminal"},
	{{"version", no_argument, NULL, OPTION_VERSION}, "", "print the version, and end"},
	{{"help", no_argument, NULL, OPTION_HELP}, "", "print this, and end"},
};

#define ROWS (sizeof rows / sizeof rows[0])

static bool take(struct options *options, int which)
{
	switch (which) {
	case OPTION_CONFIG: options->config = optarg; return true;
	case OPTION_DATA: options->data = optarg; return true;
	case OPTION_CHECK: options->check = true; return true;
	case OPTION_VERSION: options->version = true; return true;
	case OPTION_HELP: options->help = true; return true;
	case OPTION_DUMP: options->dump = true; return true;
	case OPTION_EXAMPLE: options->example = true; return true;
	case OPTION_MANUAL: options->manual = true; return true;
	case OPTION_NO_KEEPER: options->no_keeper = true; return true;
	case OPTION_WELCOME: options->welcome = true; return true;
	case OPTION_SET:
		if (options->set_count < OPTIONS_SETS_MAX) {
			options->sets[options->set_count++] = optarg;
			return true;
		}
		fprintf(stderr, "ringmain: more than %d times --set: use a file\n",
			OPTIONS_SETS_MAX);
		return false;
	default: return false; /* getopt has said why */
	}
}

bool options_parse(struct options *options, int argc, char **argv)
{
	struct option table[ROWS + 1] = {0};
	int which;

	*options = (struct options){0};
	for (size_t i = 0; i < ROWS; i++)
		table[i] = rows[i].option;
	while ((which = getopt_long(argc, argv, "", table, NULL)) != -1)
		if (!take(options, which)) {
			/* Icecast's way. */
			if (which == '?' && optopt == 'c')
				fprintf(stderr, "Settings in a file: --config FILE\n");
			fprintf(stderr, "Try: ringmain --help\n");
			return false;
		}
	if (optind < argc) {
		fprintf(stderr, "ringmain: unexpected argument %s\n", argv[optind]);
		if (access(argv[optind], F_OK) == 0 || strchr(argv[optind], '.'))
			fprintf(stderr, "Settings in a file: --config %s\n", argv[optind]);
		fprintf(stderr, "Try: ringmain --help\n");
		return false;
	}
	return true;
}

void options_write_help(void)
{
	printf("Usage: ringmain [OPTION]...\nOne server for live feeds. It needs no file and no "
	       "option.\n\n");
	for (size_t i = 0; i < ROWS; i++) {
		char left[64];

		snprintf(left, sizeof left, "--%s %s", rows[i].option.name, rows[i].argument);
		printf("  %-18s %s\n", left, rows[i].help);
	}
	printf("\nSettings, for a file (YAML) and for --set:\n");
}
