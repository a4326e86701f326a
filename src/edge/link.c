#include "edge/link.h"

#include <unistd.h>

ssize_t link_send(struct link link, struct bytes out)
{
	CHECK(link.tls == 0);
	return tcp_send(link.fd, out);
}

ssize_t link_sendv(struct link link, const struct bytes *out, size_t count)
{
	CHECK(link.tls == 0);
	return tcp_sendv(link.fd, out, count);
}

int link_flush(struct link link)
{
	CHECK(link.tls == 0);
	return 1;
}

ssize_t link_recv(struct link link, void *buf, size_t size)
{
	CHECK(link.tls == 0);
	return tcp_recv(link.fd, buf, size);
}

bool link_ready(struct link link)
{
	CHECK(link.tls == 0);
	return false;
}

bool link_alive(struct link link)
{
	CHECK(link.tls == 0);
	return tcp_alive(link.fd);
}

void link_close(struct link link)
{
	CHECK(link.tls == 0);
	close(link.fd);
}

void link_close_gently(struct link link)
{
	CHECK(link.tls == 0);
	tcp_close_gently(link.fd);
}
