#include "edge/web_files.h"

static int path_compare(struct bytes path, const char *other)
{
	struct bytes rest = bytes_str(other);
	size_t common = path.len < rest.len ? path.len : rest.len;
	int order = common ? memcmp(path.at, rest.at, common) : 0;

	if (order)
		return order;
	return path.len < rest.len ? -1 : path.len > rest.len;
}

const struct web_file *web_file_find(struct bytes path)
{
	size_t low = 0, high = web_files_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = path_compare(path, web_files[middle].path);

		if (order == 0)
			return &web_files[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
