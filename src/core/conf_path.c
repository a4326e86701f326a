#include "core/conf_path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void conf_path_doubt_directory(struct conf_errors *errors, const struct conf *conf,
			       const void *values, const char *item, const char *path)
{
	struct stat st;

	if (!path[0])
		return;
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		conf_fault(errors, conf, values, item, "there is no directory \"%s\" now", path);
	else if (access(path, W_OK | X_OK) != 0)
		conf_fault(errors, conf, values, item,
			   "nothing can be put into the directory \"%s\" now: %s", path,
			   strerror(errno));
}

void conf_path_doubt_readable(struct conf_errors *errors, const struct conf *conf,
			      const void *values, const char *item, const char *path,
			      bool directory)
{
	const char *kind = directory ? "directory" : "file";
	struct stat st;

	if (!path[0])
		return;
	if (stat(path, &st) != 0 || S_ISDIR(st.st_mode) != directory)
		conf_fault(errors, conf, values, item, "there is no %s \"%s\" now", kind, path);
	else if (access(path, directory ? R_OK | X_OK : R_OK) != 0)
		conf_fault(errors, conf, values, item, "the %s \"%s\" cannot be read now: %s", kind,
			   path, strerror(errno));
}

void conf_path_doubt_place(struct conf_errors *errors, const struct conf *conf, const void *values,
			   const char *item, const char *path)
{
	const char *end = strrchr(path, '/');
	char directory[4096];
	struct stat st;

	if (!end || end == path || (size_t)(end - path) >= sizeof directory)
		return;
	memcpy(directory, path, (size_t)(end - path));
	directory[end - path] = '\0';
	if (stat(directory, &st) != 0 || !S_ISDIR(st.st_mode))
		conf_fault(errors, conf, values, item, "there is no directory \"%s\" now",
			   directory);
}
