/* replay: runs a fuzz target once over each file of its corpus, without libFuzzer.
 *
 * Each input is copied into a block of its own size, so that ASan (and often the allocator) sees a
 * read past its end. An empty or missing corpus is a failure: it would test nothing. */
#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "property.h"

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0;

	PROPERTY(file);
	for (;;) {
		uint8_t *more = realloc(data, len + 65536);

		PROPERTY(more);
		data = more;
		size_t got = fread(data + len, 1, 65536, file);

		len += got;
		if (got == 0)
			break;
	}
	fclose(file);
	uint8_t *exact = malloc(len ? len : 1);

	PROPERTY(exact);
	memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	free(data);
}

int main(int argc, char **argv)
{
	unsigned count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *entry;

		if (!dir) {
			fprintf(stderr, "cannot open corpus %s\n", argv[i]);
			return 1;
		}
		while ((entry = readdir(dir))) {
			char path[PATH_MAX];

			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
			run_file(path);
			count++;
		}
		closedir(dir);
	}
	printf("%u inputs replayed\n", count);
	return count == 0;
}
