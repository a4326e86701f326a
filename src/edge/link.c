#include "edge/link.h"

#include <unistd.h>

#include "edge/tls.h"

ssize_t link_send(struct link link, struct bytes out)
{
	return link.tls ? tls_sendv(link, &out, 1) : tcp_send(link.fd, out);
}

ssize_t link_sendv(struct link link, const struct bytes *out, size_t count)
{
	return link.tls ? tls_sendv(link, out, count) : tcp_sendv(link.fd, out, count);
}

int link_flush(struct link link)
{
	return link.tls ? tls_flush(link) : 1;
}

ssize_t link_recv(struct link link, void *buf, size_t size)
{
	return link.tls ? tls_recv(link, buf, size) : tcp_recv(link.fd, buf, size);
}

bool link_ready(struct link link)
{
	return link.tls && tls_ready(link);
}

bool link_alive(struct link link)
{
	return link.tls ? tls_alive(link) : tcp_alive(link.fd);
}

int link_taken(struct link link, uint64_t *bytes)
{
	if (!link.tls)
		return tcp_taken(link.fd, bytes);
	*bytes = tls_taken(link);
	return 0;
}

int link_given(struct link link, uint64_t *bytes)
{
	if (!link.tls)
		return tcp_read(link.fd, bytes);
	*bytes = tls_given(link);
	return 0;
}

bool link_adopt(struct link link, bool crashed)
{
	uint64_t out, in;

	if (!link.tls)
		return true;
	if (!tls_claim(link))
		return false;
	return !crashed || (tcp_carried(link.fd, &out, &in) && tls_recover(link, out, in));
}

void link_close(struct link link)
{
	if (link.tls)
		tls_end(link);
	close(link.fd);
}

void link_close_gently(struct link link)
{
	if (link.tls)
		tls_end(link);
	tcp_close_gently(link.fd);
}
