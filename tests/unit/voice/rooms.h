/* rooms: the settings of voice as they are when nothing is said, for tests of the hub. */
#pragma once

#include "voice.h"
#include "voice/voice.h"
#include "voice/voice_conf.h"

static struct conf *conf;

static int rooms_setup(void **state)
{
	static const struct conf_room *const rooms[] = {&voice_conf_room};
	struct conf_source source = {.path = "none", .text = BYTES("")};
	struct conf_errors errors = {0};

	(void)state;
	role_here = ROLE_CONTROL;
	conf = conf_load(rooms, 1, &source, &errors);
	conf_errors_fini(&errors);
	return conf && voice_family.reload(conf) ? 0 : -1;
}

static int rooms_teardown(void **state)
{
	(void)state;
	conf_free(&conf);
	return 0;
}
