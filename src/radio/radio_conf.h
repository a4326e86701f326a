/* radio_conf: the settings of the radio and of each mount as structs; the rows are in radio.def and
 * mount.def. */
#pragma once

#include "core/conf.h"

struct radio_conf {
#define SETTING CONF_FIELD
#include "radio/radio.def"
};

struct mount_conf {
#define ITEM    CONF_FIELD
#define INHERIT CONF_FIELD
#include "radio/mount.def"
};

/* The words of the CHOICE settings, in the order of their rows. */
enum radio_charset {
	RADIO_CHARSET_AUTO,
	RADIO_CHARSET_UTF8,
	RADIO_CHARSET_LATIN1,
};

enum mount_public {
	MOUNT_PUBLIC_NO,
	MOUNT_PUBLIC_YES,
	MOUNT_PUBLIC_ENCODER,
};

enum auth_down {
	AUTH_DOWN_DENY,
	AUTH_DOWN_ALLOW,
};

extern const struct conf_room radio_conf_room;

/* What is good and will not work today: files in directories that are not there. After the load. */
void radio_conf_doubt(const struct conf *conf, struct conf_errors *errors);
extern const struct conf_section mount_conf_section;

static inline const struct radio_conf *radio_conf_of(const struct conf *conf)
{
	return conf_values(conf, &radio_conf_room);
}

/* What holds for a mount of that name, listed in the file or not. */
static inline const struct mount_conf *mount_conf_for(const struct conf *conf, const char *name)
{
	return conf_entry_for(conf, &mount_conf_section, name);
}
