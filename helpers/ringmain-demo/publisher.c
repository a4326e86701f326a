#include "publisher.h"

#include <shout/shout.h>
#include <string.h>

#include "core/bytes.h"

static shout_t *shout;

static bool copy_text(struct bytes in, char *out, size_t size)
{
	return in.len > 0 && bytes_to_str(in, out, size) == in.len && !memchr(in.at, '\0', in.len);
}

/* Takes the port off "host:port" and "[v6]:port", and the brackets. */
static bool cut_port(struct bytes *host, uint64_t *port)
{
	struct bytes rest = *host;
	bool colon;

	if (bytes_start_with(rest, BYTES("["))) {
		rest = bytes_skip(rest, 1);
		*host = bytes_cut(&rest, ']');
		colon = rest.len > 0;
		if (colon && !bytes_start_with(rest, BYTES(":")))
			return false;
		rest = bytes_skip(rest, 1);
	} else {
		colon = bytes_find(rest, ':') < rest.len;
		*host = bytes_cut(&rest, ':');
	}
	return !colon || (bytes_to_u64(rest, 65535, port) && *port != 0);
}

bool publisher_target_parse(const char *url, struct publisher_target *target)
{
	struct bytes rest = bytes_str(url);
	struct bytes scheme = BYTES("http://");
	struct bytes authority, mount, user, host;
	uint64_t port = 8000;

	if (!bytes_start_with_nocase(rest, scheme))
		return false;
	rest = bytes_skip(rest, scheme.len);
	authority = bytes_first(rest, bytes_find(rest, '/'));
	mount = bytes_skip(rest, authority.len);
	if (bytes_find(authority, '@') == authority.len)
		return false;
	/* A password may hold '@' and ':'; a host cannot. */
	host = authority;
	while (bytes_find(host, '@') < host.len)
		host = bytes_skip(host, bytes_find(host, '@') + 1);
	user = bytes_first(authority, authority.len - host.len - 1);
	*target = (struct publisher_target){0};
	if (bytes_find(user, ':') < user.len) {
		struct bytes name = bytes_cut(&user, ':');

		if (!copy_text(user, target->password, sizeof target->password))
			return false;
		user = name;
	}
	if (!cut_port(&host, &port))
		return false;
	target->port = (unsigned short)port;
	return copy_text(user, target->user, sizeof target->user) &&
	       copy_text(host, target->host, sizeof target->host) && mount.len > 1 &&
	       copy_text(mount, target->mount, sizeof target->mount);
}

static bool publisher_configure(const struct publisher_target *target)
{
	return shout_set_host(shout, target->host) == SHOUTERR_SUCCESS &&
	       shout_set_port(shout, target->port) == SHOUTERR_SUCCESS &&
	       shout_set_user(shout, target->user) == SHOUTERR_SUCCESS &&
	       shout_set_password(shout, target->password) == SHOUTERR_SUCCESS &&
	       shout_set_mount(shout, target->mount) == SHOUTERR_SUCCESS &&
	       shout_set_agent(shout, "ringmain-demo/" RINGMAIN_VERSION) == SHOUTERR_SUCCESS &&
	       /* The server is this machine's own: nothing is gained by asking it for TLS. */
	       shout_set_tls(shout, SHOUT_TLS_DISABLED) == SHOUTERR_SUCCESS &&
	       shout_set_protocol(shout, SHOUT_PROTOCOL_HTTP) == SHOUTERR_SUCCESS &&
	       shout_set_content_format(shout, SHOUT_FORMAT_MP3, SHOUT_USAGE_AUDIO, NULL) ==
		       SHOUTERR_SUCCESS &&
	       shout_set_meta(shout, SHOUT_META_NAME, "Ringmain Demo") == SHOUTERR_SUCCESS &&
	       shout_set_meta(shout, SHOUT_META_GENRE, "Ambient") == SHOUTERR_SUCCESS &&
	       shout_set_meta(shout, SHOUT_META_DESCRIPTION,
			      "Calm music that this server's demo makes up as it plays") ==
		       SHOUTERR_SUCCESS &&
	       shout_set_audio_info(shout, SHOUT_AI_BITRATE, "128") == SHOUTERR_SUCCESS &&
	       shout_set_audio_info(shout, SHOUT_AI_SAMPLERATE, "44100") == SHOUTERR_SUCCESS &&
	       shout_set_audio_info(shout, SHOUT_AI_CHANNELS, "2") == SHOUTERR_SUCCESS;
}

static const char *shout_reason(int error)
{
	switch (error) {
	case SHOUTERR_NOCONNECT: return "cannot connect";
	case SHOUTERR_NOLOGIN: return "refused: wrong password, or the mount is taken";
	case SHOUTERR_SOCKET: return "connection lost";
	case SHOUTERR_MALLOC: return "out of memory";
	default: return "the server answered something else";
	}
}

bool publisher_open(const struct publisher_target *target, const char **why)
{
	int error = SHOUTERR_MALLOC;

	if (!shout) {
		shout_init();
		shout = shout_new();
	}
	if (shout && publisher_configure(target)) {
		error = shout_open(shout);
		if (error == SHOUTERR_SUCCESS || error == SHOUTERR_CONNECTED)
			return true;
		publisher_close();
	}
	*why = shout_reason(error);
	return false;
}

void publisher_close(void)
{
	(void)shout_close(shout);
}

bool publisher_send(const unsigned char *mp3, size_t len)
{
	return len == 0 || shout_send(shout, mp3, len) == SHOUTERR_SUCCESS;
}

bool publisher_title(const char *title)
{
	shout_metadata_t *metadata = shout_metadata_new();
	bool taken;

	if (!metadata)
		return false;
	taken = shout_metadata_add(metadata, "song", title) == SHOUTERR_SUCCESS &&
		shout_set_metadata_utf8(shout, metadata) == SHOUTERR_SUCCESS;
	shout_metadata_free(metadata);
	return taken;
}
