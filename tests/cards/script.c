#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

const struct script_mode script_modes[] = {
	{"NTSC", 720, 486, 30000, 1001, true, WORD('n', 't', 's', 'c'), 7},
	{"PAL", 720, 576, 25, 1, true, WORD('p', 'a', 'l', ' '), 6},
	{"1080p25", 1920, 1080, 25, 1, false, WORD('H', 'p', '2', '5'), 0},
	{"1080i50", 1920, 1080, 25, 1, true, WORD('H', 'i', '5', '0'), 2},
	{"1080p59.94", 1920, 1080, 60000, 1001, false, WORD('H', 'p', '5', '9'), 9},
	{"720p50", 1280, 720, 50, 1, false, WORD('h', 'p', '5', '0'), 4},
	{"720p59.94", 1280, 720, 60000, 1001, false, WORD('h', 'p', '5', '9'), 5},
};
const unsigned script_mode_count = sizeof script_modes / sizeof *script_modes;

static struct {
	const char *at;
	char word[16];
	uint64_t left; /* of this word; UINT64_MAX: it has no end */
	uint64_t number;
	const struct script_mode *mode;
	unsigned late;
} script;

static const struct script_mode *mode_of(const char *word)
{
	for (unsigned i = 0; i < script_mode_count; i++)
		if (strcmp(script_modes[i].name, word) == 0)
			return &script_modes[i];
	return NULL;
}

static bool word_next(void)
{
	unsigned long long count;
	int len;

	while (*script.at == ' ')
		script.at++;
	if (!*script.at)
		return false;
	if (sscanf(script.at, "%15[^: ]:%llu%n", script.word, &count, &len) != 2) {
		fprintf(stderr, "FAKE_CARD makes no sense at: %s\n", script.at);
		abort();
	}
	script.at += len;
	script.left = count ? count : UINT64_MAX;
	if (mode_of(script.word) && mode_of(script.word) != script.mode) {
		script.mode = mode_of(script.word);
		script.number = 0;
	}
	return true;
}

void script_begin(void)
{
	const char *text = getenv("FAKE_CARD");

	script.at = text && *text ? text : "720p50:0";
	script.left = 0;
	script.number = 0;
	script.mode = NULL;
	script.late = 0;
}

const struct script_mode *script_first(void)
{
	const char *text = getenv("FAKE_CARD");
	char word[16] = "";
	unsigned long long count;

	while (text && sscanf(text, " %15[^: ]:%llu", word, &count) == 2 && !mode_of(word))
		text = strchr(text + 1, ' ');
	return mode_of(word) ? mode_of(word) : mode_of("720p50");
}

struct script_step script_next(void)
{
	struct script_step step = {SCRIPT_FRAME, NULL, 0, 0};

	while (script.left == 0) {
		if (!word_next())
			return (struct script_step){SCRIPT_END, script.mode, 0, 0};
		if (strcmp(script.word, "late") == 0) {
			script.late = (unsigned)script.left;
			script.left = 0;
		}
	}
	if (script.left != UINT64_MAX)
		script.left--;
	if (!script.mode)
		script.mode = script_first();
	if (strcmp(script.word, "none") == 0)
		step.what = SCRIPT_NONE;
	else if (strcmp(script.word, "lost") == 0)
		step.what = SCRIPT_LOST;
	else if (strcmp(script.word, "hang") == 0)
		step.what = SCRIPT_HANG;
	step.mode = script.mode;
	step.number = script.number++;
	step.late = script.late;
	script.late = 0;
	return step;
}
