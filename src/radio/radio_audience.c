#include "radio/radio_audience.h"

#include <stdlib.h>

#include "edge/geoip.h"
#include "edge/proto/charset.h"
#include "edge/tree.h"

#define NAMES_MAX 200u /* different ones that are counted; the others are "other" */

/* The first that fits; browsers name those that they are like, so the order matters. */
static const struct {
	const char *mark, *name;
} agents[] = {
	{"Edg/", "Edge"},
	{"OPR/", "Opera"},
	{"Firefox/", "Firefox"},
	{"Chromium/", "Chromium"},
	{"HeadlessChrome/", "Chromium"},
	{"Chrome/", "Chrome"},
	{"AppleCoreMedia", "Apple player"},
	{"iPhone", "iOS"},
	{"iPad", "iOS"},
	{"Safari/", "Safari"},
	{"VLC", "VLC"},
	{"Lavf", "FFmpeg"},
	{"souphttpsrc", "GStreamer"},
	{"GStreamer", "GStreamer"},
	{"Winamp", "Winamp"},
	{"foobar2000", "foobar2000"},
	{"TuneIn", "TuneIn"},
	{"Sonos", "Sonos"},
	{"Alexa", "Alexa"},
	{"Icecast", "Icecast"},
};

/* "VLC" of "VLC/3.0.20 LibVLC/3.0.20"; what is not known is named by its first word. */
static void audience_agent(const char *agent, char *out, size_t size)
{
	struct bytes text = bytes_str(agent), word;
	size_t end = 0;

	for (size_t i = 0; i < COUNT_OF(agents); i++)
		if (bytes_find_nocase(text, bytes_str(agents[i].mark)) < text.len) {
			bytes_to_str(bytes_str(agents[i].name), out, size);
			return;
		}
	while (end < text.len && !strchr("/ (", text.at[end]))
		end++;
	word = bytes_first(text, end);
	bytes_to_str(word.len ? charset_cut(word, size - 1) : BYTES("unknown"), out, size);
}

/* One more of this name. */
static void count_name(json_t *counts, const char *name)
{
	json_t *before = json_object_get(counts, name);

	if (!before && json_object_size(counts) >= NAMES_MAX) {
		name = "other";
		before = json_object_get(counts, name);
	}
	/* What is no UTF-8 cannot be a key: it is none of those that are known either. */
	if (json_object_set_new(counts, name, json_integer(json_integer_value(before) + 1)) != 0)
		json_object_set_new(
			counts, "unknown",
			json_integer(json_integer_value(json_object_get(counts, "unknown")) + 1));
}

struct tally {
	const char *name;
	json_int_t count;
};

static int compare_tallies(const void *left, const void *right)
{
	const struct tally *a = left, *b = right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->name, b->name);
}

/* Most first: [{key: name, "count": n}]. Takes counts. */
static json_t *sorted(json_t *counts, const char *key)
{
	struct tally tallies[NAMES_MAX + 2];
	json_t *list = json_array(), *value;
	const char *name;
	size_t n = 0;

	json_object_foreach(counts, name, value) if (n < COUNT_OF(tallies)) tallies[n++] =
		(struct tally){name, json_integer_value(value)};
	qsort(tallies, n, sizeof *tallies, compare_tallies);
	for (size_t i = 0; i < n; i++) {
		json_t *one = json_object();

		tree_text(one, key, tallies[i].name);
		tree_number(one, "count", tallies[i].count);
		json_array_append_new(list, one);
	}
	json_decref(counts);
	return list;
}

json_t *audience_tree(const struct crowd *crowd)
{
	json_t *tree = json_object(), *by_agent = json_object(), *by_country = json_object();
	bool places = geoip_is_there();

	for (size_t i = 0; i < crowd->copy_count; i++) {
		const struct listener *row = &crowd->copies[i].row;
		struct address address = {0};
		char name[64], code[4];

		audience_agent(row->agent, name, sizeof name);
		count_name(by_agent, name);
		memcpy(address.ip, row->ip, sizeof address.ip);
		if (places)
			count_name(by_country, geoip_country(&address, code));
	}
	tree_number(tree, "total", (int64_t)crowd->copy_count);
	json_object_set_new(tree, "agents", sorted(by_agent, "name"));
	if (places) {
		json_object_set_new(tree, "countries", sorted(by_country, "code"));
	} else {
		json_object_set_new(tree, "countries", json_null());
		json_decref(by_country);
	}
	return tree;
}
