/* voice_conf: the settings of voice as a struct; the rows are in voice.def. */
#pragma once

#include "core/conf.h"

struct voice_conf {
#define SETTING CONF_FIELD
#include "voice/voice.def"
};

extern const struct conf_room voice_conf_room;

/* In the order of the settings' words. */
enum voice_suggest { VOICE_SUGGEST_ANY, VOICE_SUGGEST_NO, VOICE_SUGGEST_YES };

static inline const struct voice_conf *voice_conf_of(const struct conf *conf)
{
	return conf_values(conf, &voice_conf_room);
}

/* What of them is good and will not work today. */
void voice_conf_doubt(const struct conf *conf, struct conf_errors *errors);
