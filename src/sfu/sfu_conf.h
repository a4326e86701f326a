/* sfu_conf: the settings of the SFU as a struct; the rows are in sfu.def. */
#pragma once

#include "core/bytes.h"
#include "core/conf.h"

enum sfu_doors { SFU_PORTS_ONE, SFU_PORTS_EACH };

struct sfu_conf {
#define SETTING CONF_FIELD
#include "sfu/sfu.def"
};

struct room_conf {
#define ITEM CONF_FIELD
#include "sfu/room.def"
};

#define ROOM_FILMS 32u /* different ones of rooms */

extern const struct conf_room sfu_conf_room, room_conf_room;
extern const struct conf_section room_conf_section;

/* What holds for a room of this name. */
static inline const struct room_conf *room_conf_for(const struct conf *conf, const char *name)
{
	return conf_entry_for(conf, &room_conf_section, name);
}

static inline const struct sfu_conf *sfu_conf_of(const struct conf *conf)
{
	return conf_values(conf, &sfu_conf_room);
}

/* What of them is good and will not work today. Reads files. */
void sfu_conf_doubt(const struct conf *conf, struct conf_errors *errors);

#define ROOM_NAME_MAX 128u

/* Whether a room may be called so. */
bool room_name_is_good(struct bytes name);
