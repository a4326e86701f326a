#include "sfu_signal.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sfu/proto/sdp.h"
#include "sfu_lock.h"

#define ANSWER_MAX 16384u
#define WAIT_MS    30000

static bool connect_line(struct signal_line *line)
{
	struct pollfd wait;

	line->fd = wire_connect(&line->to, 0);
	if (line->fd < 0)
		return false;
	wait = (struct pollfd){line->fd, POLLOUT, 0};
	if (poll(&wait, 1, WAIT_MS) == 1 && wire_connected(line->fd) == 0)
		return true;
	signal_close(line);
	return false;
}

void signal_close(struct signal_line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	line->fd = -1;
}

static bool send_all(struct signal_line *line, struct bytes in)
{
	struct pollfd wait = {line->fd, POLLOUT, 0};

	while (in.len) {
		ssize_t n = send(line->fd, in.at, in.len, MSG_NOSIGNAL);

		if (n > 0)
			in = bytes_skip(in, (size_t)n);
		else if (poll(&wait, 1, WAIT_MS) != 1)
			return false;
	}
	return true;
}

/* A whole answer with its body; the length of the head, 0 when there is none. */
static size_t receive(struct signal_line *line, char *buf, size_t *len)
{
	struct pollfd wait = {line->fd, POLLIN, 0};
	struct bytes value, in;
	size_t head = 0, whole = 0;

	for (*len = 0; !head || *len < whole;) {
		ssize_t n;

		if (*len == ANSWER_MAX || poll(&wait, 1, WAIT_MS) != 1)
			return 0;
		n = recv(line->fd, buf + *len, ANSWER_MAX - *len, 0);
		if (n <= 0)
			return 0;
		*len += (size_t)n;
		in = bytes_of(buf, *len);
		head = wire_head_len(in);
		if (head) {
			uint64_t body = 0;

			if (wire_field(bytes_first(in, head), BYTES("Content-Length"), &value))
				(void)bytes_to_u64(value, ANSWER_MAX, &body);
			whole = head + body;
		}
	}
	return head;
}

/* One request, again on a new connection when the server closed the old one in between. */
static size_t ask(struct signal_line *line, struct bytes request, char *buf, size_t *len)
{
	for (int tries = 0; tries < 2; tries++) {
		size_t head;

		if (line->fd < 0 && !connect_line(line))
			return 0;
		head = send_all(line, request) ? receive(line, buf, len) : 0;
		if (head)
			return head;
		signal_close(line);
	}
	return 0;
}

static size_t write_offer(const struct signal_peer *peer, bool h264, bool rtx, uint32_t ssrc,
			  uint32_t rtx_ssrc, char *out, size_t size)
{
	char sources[256] = "", again[128] = "";

	if (rtx)
		snprintf(again, sizeof again, "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n");
	if (ssrc && rtx)
		snprintf(sources, sizeof sources,
			 "a=ssrc-group:FID %u %u\r\na=ssrc:%u cname:load\r\na=ssrc:%u "
			 "cname:load\r\n",
			 ssrc, rtx_ssrc, ssrc, rtx_ssrc);
	else if (ssrc)
		snprintf(sources, sizeof sources, "a=ssrc:%u cname:load\r\n", ssrc);
	return (size_t)snprintf(
		out, size,
		"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
		"m=video 9 UDP/TLS/RTP/SAVPF 96%s\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=%s\r\n"
		"a=rtcp-mux\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=setup:active\r\n"
		"a=fingerprint:sha-256 %s\r\na=rtpmap:96 %s/90000\r\n%s"
		"a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 goog-remb\r\n%s%s",
		rtx ? " 97" : "", ssrc ? "sendonly" : "recvonly", peer->names.ufrag,
		peer->names.pwd, lock_fingerprint(), h264 ? "H264" : "VP8",
		h264 ? "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\n" : "", again,
		sources);
}

static bool take_answer(struct bytes text, struct signal_peer *peer)
{
	struct sdp *sdp = malloc(sizeof *sdp);
	struct sdp_candidate candidate;
	struct sdp_transport transport;
	bool found = false;

	if (sdp_parse(text, sdp) == SDP_OK && sdp->media_count == 1) {
		transport = sdp_transport_of(sdp, &sdp->media[0]);
		bytes_to_str(transport.ufrag, peer->names.peer_ufrag,
			     sizeof peer->names.peer_ufrag);
		bytes_to_str(transport.pwd, peer->names.peer_pwd, sizeof peer->names.peer_pwd);
		while (!found && sdp_next_candidate(&text, &candidate)) {
			char address[INET_ADDRSTRLEN];

			if (!candidate.udp || candidate.address.len >= sizeof address)
				continue;
			bytes_to_str(candidate.address, address, sizeof address);
			peer->at = (struct sockaddr_in){.sin_family = AF_INET,
							.sin_port = htons(candidate.port)};
			found = inet_pton(AF_INET, address, &peer->at.sin_addr) == 1;
		}
	}
	free(sdp);
	return found;
}

bool signal_offer(struct signal_line *line, bool h264, bool rtx, uint32_t ssrc, uint32_t rtx_ssrc,
		  struct signal_peer *peer)
{
	char offer[2048], request[4096], buf[ANSWER_MAX], bearer[256] = "";
	size_t offer_len = write_offer(peer, h264, rtx, ssrc, rtx_ssrc, offer, sizeof offer), len,
	       head;
	struct bytes location;
	int n;

	if (line->token)
		snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", line->token);
	n = snprintf(request, sizeof request,
		     "POST %s HTTP/1.1\r\nHost: %s:%u\r\n%sContent-Type: application/sdp\r\n"
		     "Content-Length: %zu\r\n\r\n%s",
		     line->url->path, line->url->host, line->url->port, bearer, offer_len, offer);
	head = n > 0 && (size_t)n < sizeof request
		       ? ask(line, bytes_of(request, (size_t)n), buf, &len)
		       : 0;
	peer->status = head ? wire_status(bytes_of(buf, head)) : 0;
	if (peer->status != 201)
		return false;
	if (wire_field(bytes_of(buf, head), BYTES("Location"), &location))
		bytes_to_str(location, peer->resource, sizeof peer->resource);
	return take_answer(bytes_of(buf + head, len - head), peer);
}

unsigned signal_delete(struct signal_line *line, const struct signal_peer *peer)
{
	char request[1024], buf[ANSWER_MAX], bearer[256] = "";
	size_t len, head;
	int n;

	if (line->token)
		snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", line->token);
	n = snprintf(request, sizeof request, "DELETE %s HTTP/1.1\r\nHost: %s:%u\r\n%s\r\n",
		     peer->resource, line->url->host, line->url->port, bearer);
	head = n > 0 && (size_t)n < sizeof request
		       ? ask(line, bytes_of(request, (size_t)n), buf, &len)
		       : 0;
	return head ? wire_status(bytes_of(buf, head)) : 0;
}
