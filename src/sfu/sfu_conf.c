#include "sfu/sfu_conf.h"

#include <stdlib.h>

#include "core/conf_net.h"
#include "core/conf_path.h"
#include "edge/proto/charset.h"
#include "edge/proto/url.h"
#include "sfu/proto/ice_uri.h"
#include "sfu/sfu_clip.h"
#include "sfu/sfu_rtp.h"

bool room_name_is_good(struct bytes name)
{
	/* It becomes a key of JSON, which takes nothing else. */
	if (name.len == 0 || name.len > ROOM_NAME_MAX || !charset_is_utf8(name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < 0x21 || name.at[i] == 0x7f || name.at[i] == '"' ||
		    name.at[i] == '<' || name.at[i] == '>' || name.at[i] == '\\')
			return false;
	return name.at[0] != '/' && name.at[name.len - 1] != '/';
}

static const struct conf_item sfu_items[] = {
#define SETTING(name, type, field, ...) \
	CONF_ITEM(struct sfu_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "sfu/sfu.def"
};

static void sfu_check(const struct conf *conf, struct conf_errors *errors)
{
	const struct sfu_conf *values = sfu_conf_of(conf);
	struct url url;

	conf_net_check_listen(errors, conf, values, "sfu.udp", &values->udp);
	conf_net_check_listen(errors, conf, values, "sfu.tcp", &values->tcp);
	conf_net_check_ranges(errors, conf, values, "sfu.public", &values->public);
	if (values->auth_url[0] && !url_parse_http(bytes_str(values->auth_url), &url))
		conf_fault(errors, conf, values, "sfu.auth_url", "expected an http or https URL");
	for (size_t i = 0; i < values->origins.count; i++)
		if (!url_parse_http(bytes_str(values->origins.at[i]), &url))
			conf_fault(errors, conf, values, "sfu.origins",
				   "expected URLs such as https://origin.example.org");
	for (size_t i = 0; i < values->ice_servers.count; i++)
		if (!ice_uri_is_good(bytes_str(values->ice_servers.at[i])))
			conf_fault_member(
				errors, conf, values, "sfu.ice_servers", i,
				"expected stun:HOST, stuns:HOST, turn:HOST or turns:HOST, such "
				"as turn:turn.example.org:3478?transport=udp");
	if (values->record.count && !values->record_directory[0])
		conf_fault(errors, conf, values, "sfu.record", "needs sfu.record_directory");
	if (values->idle_clip.count > 2)
		conf_fault(errors, conf, values, "sfu.idle_clip",
			   "expected two files at most, one of VP8 and one of H264");
	if (values->udp.count > 1)
		conf_fault(errors, conf, values, "sfu.udp", "expected one address and port");
	if (values->tcp.count > 1)
		conf_fault(errors, conf, values, "sfu.tcp", "expected one address and port");
	if (values->tcp.count && !values->udp.count)
		conf_fault(errors, conf, values, "sfu.tcp", "needs sfu.udp");
	rtp_conf_check(conf, errors);
}

static const struct conf_item room_items[] = {
#define ITEM(name, type, field, ...) \
	CONF_ITEM(struct room_conf, #name, CONF_##type, field, __VA_ARGS__)
#include "sfu/room.def"
};

const struct conf_section room_conf_section = {
	.name = "room",
	.title = "show",
	.help = "Settings of single rooms of live video by their names. A name with a star, such "
		"as "
		"event-*, holds for all rooms that match and are not named; default for all "
		"others.",
	.items = room_items,
	.count = sizeof room_items / sizeof *room_items,
	.size = sizeof(struct room_conf),
};

static const struct room_conf *room_at(const struct conf *conf, size_t i)
{
	return conf_entry_values(conf, &room_conf_section, i);
}

static bool same_list(const struct conf_list *a, const struct conf_list *b)
{
	for (size_t i = 0; i < a->count && a->count == b->count; i++)
		if (strcmp(a->at[i], b->at[i]) != 0)
			return false;
	return a->count == b->count;
}

/* Whether an entry before it has the same films. */
static bool is_again(const struct conf *conf, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_list(&room_at(conf, k)->idle_clip, &room_at(conf, i)->idle_clip))
			return true;
	return false;
}

static void rooms_check(const struct conf *conf, struct conf_errors *errors)
{
	unsigned films = 0;

	for (size_t i = 0; i < conf_entry_count(conf, &room_conf_section); i++) {
		const struct room_conf *values = room_at(conf, i);

		if (values->idle_clip.count > 2)
			conf_fault(errors, conf, values, "idle_clip",
				   "expected two files at most, one of VP8 and one of H264");
		if (!values->idle_clip.count || is_again(conf, i))
			continue;
		if (++films > ROOM_FILMS)
			conf_fault(errors, conf, values, "idle_clip",
				   "expected at most 32 different films of all rooms");
	}
}

const struct conf_room room_conf_room = {
	.name = "room",
	.title = "Rooms of live video",
	.section = &room_conf_section,
	.check = rooms_check,
};

static void doubt_clip(const struct conf *conf, struct conf_errors *errors, const void *values,
		       const char *item, const struct conf_list *clips)
{
	unsigned rate = (unsigned)sfu_conf_of(conf)->idle_rate;
	struct clip clip;
	uint8_t *file;
	size_t len;

	for (size_t i = 0; i < clips->count; i++) {
		const char *fault = clip_read(clips->at[i], rate, &file, &len, &clip);

		if (fault)
			conf_fault_member(errors, conf, values, item, i,
					  "the grey picture will be shown, not \"%s\": %s",
					  clips->at[i], fault);
		free(file);
	}
}

void sfu_conf_doubt(const struct conf *conf, struct conf_errors *errors)
{
	const struct sfu_conf *values = sfu_conf_of(conf);

	conf_path_doubt_directory(errors, conf, values, "sfu.record_directory",
				  values->record_directory);
	doubt_clip(conf, errors, values, "sfu.idle_clip", &values->idle_clip);
	for (size_t i = 0; i < conf_entry_count(conf, &room_conf_section); i++)
		if (!is_again(conf, i))
			doubt_clip(conf, errors, room_at(conf, i), "idle_clip",
				   &room_at(conf, i)->idle_clip);
}

const struct conf_room sfu_conf_room = {
	.name = "sfu",
	.title = "WebRTC",
	.items = sfu_items,
	.count = sizeof sfu_items / sizeof *sfu_items,
	.size = sizeof(struct sfu_conf),
	.section = &rtp_conf_section,
	.check = sfu_check,
};
