/* conf_path: whether what a setting names can be used on this machine today.
 *
 * Looks, as the user that runs it; opens and makes nothing. What it finds may be otherwise a moment later, so
 * it makes doubts of it and no faults. Thread: any. */
#pragma once

#include "core/conf.h"

/* Reports a directory that is not there or that nothing can be put into. path "": nothing is said. */
void conf_path_doubt_directory(struct conf_errors *errors, const struct conf *conf,
			       const void *values, const char *item, const char *path);

/* Reports a file, or a directory, that is not there or cannot be read. */
void conf_path_doubt_readable(struct conf_errors *errors, const struct conf *conf,
			      const void *values, const char *item, const char *path,
			      bool directory);

/* Reports a file that is to be written and whose directory is not there. */
void conf_path_doubt_place(struct conf_errors *errors, const struct conf *conf, const void *values,
			   const char *item, const char *path);
