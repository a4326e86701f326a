/* conf: any text as a configuration file of the real rooms. It is refused with at least one fault,
 * each with a place inside the text, or loaded; and then its dump is loaded again to the same dump.
 * A zero byte ends the file: what is behind it are options, each ended by a zero byte. */
#include <string.h>

#include "property.h"

#include "core/conf_print.h"
#include "core/core_conf.h"
#include "edge/edge_conf.h"
#include "radio/radio_conf.h"

#define SETS_MAX 8

static const struct conf_room *const rooms[] = {&core_conf_room, &edge_conf_room, &radio_conf_room};

static unsigned lines_of(struct bytes text)
{
	unsigned lines = 1;

	/* As YAML 1.1 counts: CR, LF, CR LF, and three of Unicode's, which have an 0x85, 0xa8 or 0xa9. */
	for (size_t i = 0; i < text.len; i++)
		lines += text.at[i] == '\n' || text.at[i] == '\r' || text.at[i] == 0x85 ||
			 text.at[i] == 0xa8 || text.at[i] == 0xa9;
	return lines;
}

static char *dump(const struct conf *conf)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	PROPERTY(out);
	conf_dump(out, conf, true);
	PROPERTY(fclose(out) == 0);
	return text;
}

static void check_loaded(const struct conf *conf)
{
	struct conf_errors errors = {0};
	char *first = dump(conf);
	struct conf_source source = {.path = "dump", .text = bytes_str(first)};
	struct conf *again = conf_load(rooms, 3, &source, &errors);

	conf_errors_print(stderr, &errors);
	PROPERTY(again);
	char *second = dump(again);

	PROPERTY(strcmp(first, second) == 0);
	for (size_t i = 0; i < radio_conf_room.count; i++)
		PROPERTY(!conf_changed(conf, again, &radio_conf_room,
				       radio_conf_room.items[i].name));
	free(first);
	free(second);
	conf_free(&again);
}

static void check_errors(const struct conf_errors *errors, struct bytes text)
{
	unsigned before = 0;

	PROPERTY(errors->count > 0 && errors->count <= CONF_ERRORS_MAX);
	for (size_t i = 0; i < errors->count; i++) {
		const struct conf_error *error = &errors->at[i];

		PROPERTY(error->text[0]);
		PROPERTY(error->line <= lines_of(text));
		PROPERTY(error->line == 0 || error->column >= 1);
		PROPERTY(error->column <= text.len + 1);
		PROPERTY(error->line - 1 >= before); /* in order; line 0 wraps to be the last */
		before = error->line - 1;
		PROPERTY(!strchr(error->text, '\n'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size);
	struct bytes text = bytes_cut(&rest, '\0');
	const char *sets[SETS_MAX];
	struct conf_source source = {.path = "fuzz", .text = text, .sets = sets};
	struct conf_errors errors = {0};

	if (!text.at)
		return 0;
	while (source.set_count < SETS_MAX && bytes_find(rest, '\0') < rest.len)
		sets[source.set_count++] = (const char *)bytes_cut(&rest, '\0').at;
	struct conf *conf = conf_load(rooms, 3, &source, &errors);

	PROPERTY((conf == NULL) == conf_errors_any(&errors));
	if (conf)
		check_loaded(conf);
	else
		check_errors(&errors, text);
	conf_errors_fini(&errors);
	conf_free(&conf);
	return 0;
}
