/* pam_service: where the rules of a PAM service stand, so that one that is not there is no service:
 * PAM itself would take those of "other". Any thread, any process. */
#pragma once

#include <stdbool.h>

#define PAM_SERVICE_SIZE 256u

struct pam_service {
	char directory[PAM_SERVICE_SIZE]; /* empty: PAM's own */
	char name[PAM_SERVICE_SIZE];
};

/* From the name of a file of PAM's own directories, or the path of one elsewhere. False: it is none of
 * the two. */
bool pam_service_of(const char *text, struct pam_service *service);

/* Whether its rules can be read; what errno says when not. */
bool pam_service_is_there(const struct pam_service *service);
