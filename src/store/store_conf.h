/* store_conf: the settings of the store as a struct; the rows are in store.def. */
#pragma once

#include "core/conf.h"

/* In the order of the words of privacy.addresses. */
enum store_addresses { STORE_ADDRESSES_FULL, STORE_ADDRESSES_TRUNCATED, STORE_ADDRESSES_NONE };

struct store_conf {
#define SETTING CONF_FIELD
#include "store/store.def"
};

extern const struct conf_room store_conf_room;

static inline const struct store_conf *store_conf_of(const struct conf *conf)
{
	return conf_values(conf, &store_conf_room);
}
