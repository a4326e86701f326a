#include "irc/irc_proxy.h"

#include <errno.h>

#include "core/reader.h"

enum step { STEP_BEGIN, STEP_METHOD, STEP_LOGIN, STEP_ANSWER };

struct proxy_url {
	struct bytes user, password, host;
	uint16_t port;
};

static bool url_parse(const char *text, struct proxy_url *url)
{
	struct bytes in = bytes_str(text);
	uint64_t port = 1080;
	size_t at;

	*url = (struct proxy_url){.port = 1080};
	if (!bytes_start_with(in, BYTES("socks5://")))
		return false;
	in = bytes_skip(in, 9);
	at = bytes_find(in, '@');
	if (at < in.len) {
		url->password = bytes_first(in, at);
		url->user = bytes_cut(&url->password, ':');
		in = bytes_skip(in, at + 1);
		if (url->user.len > 255 || url->password.len > 255)
			return false;
	}
	url->host = bytes_cut(&in, ':');
	if (in.len && !bytes_to_u64(in, 65535, &port))
		return false;
	url->port = (uint16_t)port;
	return url->host.len > 0 && port;
}

bool irc_proxy_place(const char *text, struct irc_place *place)
{
	struct proxy_url url;

	if (!url_parse(text, &url))
		return false;
	place->port = url.port;
	return bytes_to_str(url.host, place->host, sizeof place->host) == url.host.len;
}

/* RFC 1928 section 4: CONNECT to a name. */
static bool ask(struct irc_upstream *up)
{
	uint8_t room[300];
	struct writer w = writer_of(room, sizeof room);
	size_t len = strlen(up->place.host);

	writer_put(&w, BYTES("\5\1\0\3"));
	writer_u8(&w, (uint8_t)len);
	writer_str(&w, up->place.host);
	writer_be(&w, up->place.port, 2);
	up->proxy_step = STEP_ANSWER;
	enter_worker();
	return len < 256 && link_send(up->link, writer_done(&w)) == (ssize_t)w.len;
}

static bool login(struct irc_upstream *up, const struct proxy_url *url)
{
	uint8_t room[520];
	struct writer w = writer_of(room, sizeof room);

	writer_u8(&w, 1);
	writer_u8(&w, (uint8_t)url->user.len);
	writer_put(&w, url->user);
	writer_u8(&w, (uint8_t)url->password.len);
	writer_put(&w, url->password);
	up->proxy_step = STEP_LOGIN;
	enter_worker();
	return link_send(up->link, writer_done(&w)) == (ssize_t)w.len;
}

/* How long the answer to CONNECT is, as far as it has come; 0: not known yet. */
static uint32_t answer_len(struct bytes in)
{
	if (in.len < 5)
		return 0;
	switch (in.at[3]) {
	case 1: return 10;
	case 3: return 7u + in.at[4];
	case 4: return 22;
	default: return UINT32_MAX;
	}
}

/* What has come is an answer: on. NULL: more is needed or it went on; else what is wrong. */
static const char *take(struct irc_upstream *up, const struct proxy_url *url, bool *done)
{
	struct bytes in = irc_pipe_bytes(&up->in);
	uint32_t len;

	switch ((enum step)up->proxy_step) {
	case STEP_BEGIN: return NULL;
	case STEP_METHOD:
		if (in.len < 2)
			return NULL;
		if (in.at[0] != 5 || (in.at[1] != 0 && in.at[1] != 2))
			return "the proxy wants another login";
		len = in.at[1];
		irc_pipe_take(&up->in, 2);
		return (len ? login(up, url) : ask(up)) ? NULL : "the proxy is gone";
	case STEP_LOGIN:
		if (in.len < 2)
			return NULL;
		if (in.at[1] != 0)
			return "the proxy refused the login";
		irc_pipe_take(&up->in, 2);
		return ask(up) ? NULL : "the proxy is gone";
	case STEP_ANSWER: break;
	}
	len = answer_len(in);
	if (in.len >= 2 && in.at[1] != 0)
		return "the proxy cannot reach the server";
	if (len == UINT32_MAX)
		return "the proxy makes no sense";
	*done = len && in.len >= len;
	if (*done)
		irc_pipe_take(&up->in, len);
	return NULL;
}

enum irc_proxy_status irc_proxy_step(struct irc_upstream *up, const char **why)
{
	struct proxy_url url;
	uint8_t byte;
	bool done = false;

	if (!url_parse(up->network->conf.proxy, &url)) {
		*why = "the proxy's address is none";
		return IRC_PROXY_FAILED;
	}
	if (up->proxy_step == STEP_BEGIN) {
		up->proxy_step = STEP_METHOD;
		if (link_send(up->link, url.user.len ? BYTES("\5\1\2") : BYTES("\5\1\0")) != 3) {
			*why = "the proxy is gone";
			return IRC_PROXY_FAILED;
		}
	}
	/* One byte at a time: what comes behind the answer is the server's. */
	while (!done) {
		ssize_t n = link_recv(up->link, &byte, 1);

		if (n == -EAGAIN)
			return IRC_PROXY_READS;
		if (n <= 0 || !irc_pipe_put(&up->in, bytes_of(&byte, 1))) {
			*why = "the proxy is gone";
			return IRC_PROXY_FAILED;
		}
		*why = take(up, &url, &done);
		if (*why)
			return IRC_PROXY_FAILED;
	}
	irc_pipe_fini(&up->in);
	return IRC_PROXY_DONE;
}
