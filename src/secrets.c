#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_LENGTH 20

/* 31 characters that people do not mistake for one another: 20 of them are 99 bits. */
static void invent(char *out)
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";

	for (int i = 0; i < SECRET_LENGTH; i++)
		out[i] = letters[randombytes_uniform(sizeof letters - 1)];
	out[SECRET_LENGTH] = '\0';
}

static bool find(const char *path, const char *name, char out[SECRET_SIZE])
{
	FILE *file = fopen(path, "re");
	size_t len = strlen(name);
	char line[SECRET_SIZE];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\r\n")] = '\0';
		found = strncmp(line, name, len) == 0 && line[len] == '=' && line[len + 1];
		if (found)
			memcpy(out, line, sizeof line);
	}
	fclose(file);
	return found;
}

/* All of the line or nothing of it: half a password in the file would be read back as one. */
static bool append(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char text[SECRET_SIZE + 1];
	struct stat st;
	int len;
	bool kept;

	if (fd == -1)
		return false;
	len = snprintf(text, sizeof text, "%s\n", line);
	kept = fstat(fd, &st) == 0 && write(fd, text, (size_t)len) == len && fsync(fd) == 0;
	if (!kept && ftruncate(fd, st.st_size) == -1)
		kept = false;
	close(fd);
	return kept;
}

bool secret_for(const char *dir, const char *name, char out[SECRET_SIZE], bool *invented)
{
	char path[4096], value[SECRET_LENGTH + 1];

	*invented = false;
	if (mkdir(dir, 0700) == -1 && errno != EEXIST)
		path[0] = '\0';
	snprintf(path, sizeof path, "%s/passwords", dir);
	if (find(path, name, out))
		return true;
	if (!out[0]) {
		*invented = true;
		invent(value);
		snprintf(out, SECRET_SIZE, "%s=%s", name, value);
	}
	return append(path, out);
}
