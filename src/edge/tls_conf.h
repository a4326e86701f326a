/* tls_conf: the settings of TLS as a struct; the rows are in tls.def. */
#pragma once

#include "core/conf.h"

enum tls_min_version { TLS_MIN_1_2, TLS_MIN_1_3 };
enum tls_upgrade { TLS_UPGRADE_AUTO, TLS_UPGRADE_YES, TLS_UPGRADE_NO };
enum tls_acme_challenge { TLS_ACME_HTTP, TLS_ACME_ALPN };

struct tls_conf {
#define SETTING CONF_FIELD
#include "edge/tls.def"
};

extern const struct conf_room tls_conf_room;

static inline const struct tls_conf *tls_conf_of(const struct conf *conf)
{
	return conf_values(conf, &tls_conf_room);
}
