#include "command.h"

#include <stdio.h>
#include <string.h>

static const char *pix_fmt(uint32_t pixel_format, bool raw)
{
	switch (pixel_format) {
	case FC_PIX_NV12: return "nv12";
	case FC_PIX_P010: return raw ? "p010le" : "yuv420p10le";
	case FC_PIX_RGBA: return "rgba";
	case FC_PIX_V210: return "yuv422p10le"; /* as v210 is decoded */
	default: return "uyvy422";
	}
}

static bool put(struct command *command, const char *text, size_t len)
{
	if (len >= sizeof command->text - command->used)
		return false;
	memcpy(command->text + command->used, text, len);
	command->used += len;
	return true;
}

static bool word_begin(struct command *command)
{
	if (command->count == COMMAND_WORDS)
		return false;
	command->words[command->count++] = command->text + command->used;
	return true;
}

static bool word_end(struct command *command)
{
	return put(command, "", 1);
}

static bool word(struct command *command, const char *text)
{
	return word_begin(command) && put(command, text, strlen(text)) && word_end(command);
}

/* What a name in braces stands for. False: there is no such name. */
static bool value_of(const struct command_values *values, const char *name, size_t len, char *out,
		     size_t size)
{
	const fc_info_t *info = values->info;
	const struct {
		const char *name, *text;
	} texts[] = {
		{"slot", values->slot},
		{"name", values->name},
		{"out", values->out},
		{"pix_fmt", pix_fmt(info->pixel_format, values->raw)},
	};
	const struct {
		const char *name;
		uint32_t number;
	} numbers[] = {
		{"run", values->run},
		{"width", info->width},
		{"height", info->height},
		{"rate", info->audio_rate},
		{"channels", info->audio_channels},
	};
	bool found = false;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strlen(texts[i].name) == len && memcmp(texts[i].name, name, len) == 0)
			found = snprintf(out, size, "%s", texts[i].text) >= 0;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strlen(numbers[i].name) == len && memcmp(numbers[i].name, name, len) == 0)
			found = snprintf(out, size, "%u", numbers[i].number) >= 0;
	if (len == 3 && memcmp(name, "fps", 3) == 0)
		found = snprintf(out, size, "%u/%u", info->fps_num, info->fps_den) >= 0;
	return found;
}

static bool put_input(struct command *command, const struct command_values *values)
{
	const fc_info_t *info = values->info;
	char size[32], fps[32], rate[16], channels[16];
	const bool v210 = info->pixel_format == FC_PIX_V210;
	const char *const nut[] = {"-f", "nut", "-i", "pipe:0", NULL};
	const char *const raw[] = {"-f",
				   v210 ? "v210" : "rawvideo",
				   "-video_size",
				   size,
				   "-framerate",
				   fps,
				   v210 ? NULL : "-pix_fmt",
				   pix_fmt(info->pixel_format, values->raw),
				   NULL};
	const char *const pipe_0[] = {"-i", "pipe:0", NULL};
	const char *const sound[] = {"-f",     "s32le", "-ar",    rate, "-ac",
				     channels, "-i",    "pipe:3", NULL};
	const char *const *const all[] = {raw, pipe_0, info->audio_channels ? sound : NULL};

	snprintf(size, sizeof size, "%ux%u", info->width, info->height);
	snprintf(fps, sizeof fps, "%u/%u", info->fps_num, info->fps_den);
	snprintf(rate, sizeof rate, "%u", info->audio_rate);
	snprintf(channels, sizeof channels, "%u", info->audio_channels);
	if (!values->raw) {
		for (size_t i = 0; nut[i]; i++)
			if (!word(command, nut[i]))
				return false;
		return true;
	}
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		for (size_t j = 0; all[i] && all[i][j]; j++)
			if (!word(command, all[i][j]))
				return false;
	return true;
}

/* {name} at *at. False: fault is filled in. */
static bool put_value(struct command *command, const char **at, const struct command_values *values,
		      char *fault, size_t size)
{
	const char *end = strchr(*at, '}');
	char value[4096];

	if (!end || !value_of(values, *at + 1, (size_t)(end - *at - 1), value, sizeof value)) {
		snprintf(fault, size, "nothing is known by the name of %.40s", *at);
		return false;
	}
	*at = end;
	return put(command, value, strlen(value));
}

/* One word from *at on; keep false: it is read and left out. */
static bool take_word(struct command *command, const char **at, const struct command_values *values,
		      char *fault, size_t size)
{
	size_t count = command->count, used = command->used;
	const bool keep = **at != '?' || values->info->audio_channels > 0;
	bool good = word_begin(command);
	char quote = 0;

	if (**at == '?')
		++*at;
	for (; good && **at && (quote || (**at != ' ' && **at != '\t' && **at != '\n')); ++*at) {
		if (quote && **at == quote)
			quote = 0;
		else if (!quote && (**at == '\'' || **at == '"'))
			quote = **at;
		else if (**at == '\\' && quote != '\'' && (*at)[1])
			good = put(command, ++*at, 1);
		else if (**at == '{' && quote != '\'') {
			good = put_value(command, at, values, fault, size);
			if (!good)
				return false;
		} else
			good = put(command, *at, 1);
	}
	if (quote) {
		snprintf(fault, size, "a %c is not closed", quote);
		return false;
	}
	good = good && word_end(command);
	if (!keep) {
		command->count = count;
		command->used = used;
	}
	if (!good)
		snprintf(fault, size, "it is too long");
	return good;
}

bool command_fill(struct command *command, const char *template,
		  const struct command_values *values, char *fault, size_t size)
{
	const char *at = template;

	command->count = command->used = 0;
	for (;;) {
		at += strspn(at, " \t\n");
		if (!*at)
			break;
		if (strncmp(at, "{input}", 7) == 0 && (!at[7] || strchr(" \t\n", at[7]))) {
			if (!put_input(command, values)) {
				snprintf(fault, size, "it is too long");
				return false;
			}
			at += 7;
		} else if (!take_word(command, &at, values, fault, size)) {
			return false;
		}
	}
	command->words[command->count] = NULL;
	if (command->count == 0)
		snprintf(fault, size, "it is empty");
	return command->count > 0;
}
