#include "address.h"

#include <stddef.h>
#include <string.h>

#define HTTP "http,https,httpproxy,tcp,tls,crypto"

static const struct {
	const char *scheme, *protocols;
} known[] = {
	{"file", "file,crypto"},
	{"rtmp", "rtmp,tcp"},
	{"rtmps", "rtmps,tls,tcp"},
	{"rtmpt", "rtmpt,ffrtmphttp,http,tcp"},
	{"rtmpts", "rtmpts,ffrtmphttp,https,tls,tcp"},
	{"srt", "srt"},
	{"rist", "rist"},
	{"udp", "udp"},
	{"rtp", "rtp,udp"},
	{"srtp", "srtp,rtp,udp"},
	{"rtsp", "rtsp,rtp,srtp,udp,tcp"},
	{"rtsps", "rtsps,rtsp,rtp,srtp,udp,tcp,tls"},
	{"tcp", "tcp"},
	{"tls", "tls,tcp"},
	/* With the segments of HLS and DASH, and the keys of the one. */
	{"http", HTTP},
	{"https", HTTP},
};

const char address_schemes[] = "a file, pipe:0, or an address of rtmp, rtmps, rtmpt, rtmpts, "
			       "srt, rist, udp, rtp, srtp, rtsp, rtsps, tcp, tls, http or https";

/* The length of what libav would take for the name of a protocol; 0: a path. */
static size_t scheme_len(const char *url)
{
	size_t len =
		strspn(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.,");

	return url[len] == ':' ? len : 0;
}

const char *address_protocols(const char *url)
{
	size_t len = scheme_len(url);

	if (url[0] == '\0')
		return NULL;
	if (len == 0)
		return known[0].protocols;
	if (strcmp(url, "pipe:0") == 0 || strcmp(url, "pipe:") == 0)
		return "pipe";
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].scheme) == len && memcmp(known[i].scheme, url, len) == 0)
			return known[i].protocols;
	return NULL;
}

bool address_is_file(const char *url)
{
	return scheme_len(url) == 0 || strncmp(url, "file:", 5) == 0 ||
	       strncmp(url, "pipe:", 5) == 0;
}
