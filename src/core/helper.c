#include "core/helper.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"

bool helper_find(const char *name, char *out, size_t size)
{
	static const char *const places[] = {"/", "/../libexec/ringmain/", "/helpers/"};
	char here[4096];
	ssize_t len = readlink("/proc/self/exe", here, sizeof here - 1);
	char *slash;

	if (len <= 0)
		return false;
	here[len] = '\0';
	slash = strrchr(here, '/');
	if (!slash)
		return false;
	*slash = '\0';
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		/* In the build tree each has a directory of its own. */
		bool built = i == COUNT_OF(places) - 1;
		int n = snprintf(out, size, "%s%s%s%s%s", here, places[i], built ? name : "",
				 built ? "/" : "", name);

		if (n > 0 && (size_t)n < size && access(out, X_OK) == 0)
			return true;
	}
	return false;
}
