/* conf_net: the two forms of address that settings of any room hold.
 *
 * Only says whether a text has the form; nothing is resolved or opened. Pure. */
#pragma once

#include <stdbool.h>

#include "core/conf.h"

/* ADDRESS:PORT with an IPv4 address, an IPv6 address in brackets, or "*" for all; port 0 to 65535
 * (0: any free one). */
bool conf_net_is_listen(const char *text);

/* An IPv4 or IPv6 address, with or without /BITS. */
bool conf_net_is_range(const char *text);

/* Report each member of a list setting that has not the form. item names the field in values. */
void conf_net_check_listen(struct conf_errors *errors, const struct conf *conf, const void *values,
			   const char *item, const struct conf_list *list);
void conf_net_check_ranges(struct conf_errors *errors, const struct conf *conf, const void *values,
			   const char *item, const struct conf_list *list);
