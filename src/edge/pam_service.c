#include "edge/pam_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool pam_service_of(const char *text, struct pam_service *service)
{
	const char *slash = strrchr(text, '/');
	const char *name = slash ? slash + 1 : text;
	size_t len = slash ? (size_t)(slash - text) : 0;

	/* PAM makes small letters of the name. */
	if (!*name || (slash && text[0] != '/') || len >= sizeof service->directory ||
	    strlen(name) >= sizeof service->name || name[0] == '.' ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")])
		return false;
	memcpy(service->directory, text, len);
	service->directory[len] = '\0';
	strcpy(service->name, name);
	return !slash || len;
}

bool pam_service_is_there(const struct pam_service *service)
{
	static const char *const places[] = {"/etc/pam.d", "/usr/lib/pam.d"};
	char path[2 * PAM_SERVICE_SIZE];
	int error = ENOENT;

	if (service->directory[0]) {
		snprintf(path, sizeof path, "%s/%s", service->directory, service->name);
		return access(path, R_OK) == 0;
	}
	for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
		snprintf(path, sizeof path, "%s/%s", places[i], service->name);
		if (access(path, R_OK) == 0)
			return true;
		if (errno != ENOENT)
			error = errno;
	}
	errno = error;
	return false;
}
