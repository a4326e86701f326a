#include "sfu/sfu_clip.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (16u << 20)

static const char *read_file(const char *path, uint8_t **out, size_t *len)
{
	FILE *file = fopen(path, "rbe");
	const char *fault = NULL;

	if (!file)
		return "it cannot be opened";
	*out = malloc(FILE_MAX + 1);
	*len = *out ? fread(*out, 1, FILE_MAX + 1, file) : 0;
	if (!*out)
		fault = "out of memory";
	else if (ferror(file))
		fault = "it cannot be read";
	else if (*len > FILE_MAX)
		fault = "it is larger than 16 MiB";
	fclose(file);
	return fault;
}

const char *clip_read(const char *path, unsigned rate, uint8_t **file, size_t *len,
		      struct clip *clip)
{
	const char *fault;

	*file = NULL;
	*len = 0;
	fault = read_file(path, file, len);
	if (!fault)
		fault = clip_open(bytes_of(*file, *len), rate, clip);
	if (fault) {
		free(*file);
		*file = NULL;
		*len = 0;
	}
	return fault;
}
