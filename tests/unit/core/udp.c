#include "core/udp.h"
#include "guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "oom.h"

#define SOCKETS    4u
#define TAKEN_MAX  512u
#define PATIENCE_S 60 /* loopback needs microseconds, and a busy machine now and then seconds */

static uv_loop_t loop;

/* What a socket of ours was told, copied. */
struct taken {
	struct udp udp;
	size_t count;
	struct udp_path path[TAKEN_MAX];
	size_t len[TAKEN_MAX];
	uint8_t first[TAKEN_MAX], ecn[TAKEN_MAX];
	bool cut[TAKEN_MAX];
	bool echoes;
};

static int full_from = -1; /* the kernel takes so many messages more, then none; -1: all */
int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	if (full_from == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (full_from > 0 && count > (unsigned)full_from)
		count = (unsigned)full_from;
	if (full_from > 0)
		full_from -= (int)count;
	return __real_sendmmsg(fd, messages, count, flags);
}

static int start(void **state)
{
	(void)state;
	full_from = -1;
	return uv_loop_init(&loop);
}

static int stop(void **state)
{
	(void)state;
	(void)oom_disarm();
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void on_arrived(struct udp *udp, const struct udp_packet *packets, size_t count)
{
	struct taken *taken = container_of(udp, struct taken, udp);

	for (size_t i = 0; i < count; i++) {
		size_t n = taken->count++;

		assert_true(n < TAKEN_MAX);
		taken->path[n] = packets[i].path;
		taken->len[n] = packets[i].data.len;
		taken->first[n] = packets[i].data.len ? packets[i].data.at[0] : 0;
		taken->ecn[n] = packets[i].ecn;
		taken->cut[n] = packets[i].cut;
		if (taken->echoes) {
			memcpy(udp_room(udp, packets[i].data.len), packets[i].data.at,
			       packets[i].data.len);
			udp_put(udp, &packets[i].path, packets[i].data.len);
		}
	}
}

static struct tcp_end v4_end(uint32_t ip, uint16_t port)
{
	struct tcp_end end = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port};

	for (int i = 0; i < 4; i++)
		end.ip[12 + i] = (uint8_t)(ip >> (24 - 8 * i));
	return end;
}

#define LOOPBACK 0x7f000001u

/* Whether this machine has a loopback of IPv6; a container may have none. */
static bool has_v6(void)
{
	const struct sockaddr_in6 at = {.sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = fd != -1 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;

	if (fd != -1)
		close(fd);
	return has;
}

static bool is_v6(const struct tcp_end *end)
{
	return end->ip[10] != 0xff;
}

/* The kernel queues what loopback carries on the processor of who sends it, and a process that moves
 * to another one in between is overtaken by itself. */
static void stay_on_this_processor(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	assert_int_equal(sched_setaffinity(0, sizeof here, &here), 0);
}

static struct tcp_end v6_end(uint8_t last, uint16_t port)
{
	return (struct tcp_end){.ip = {[15] = last}, .port = port};
}

/* Watches a socket at that end; its port. */
static uint16_t watch(struct taken *taken, struct tcp_end end, struct udp_shape shape)
{
	int fd;

	memset(taken, 0, sizeof *taken);
	assert_int_equal(udp_open(&end, UDP_STEER_FLOW, 1, &fd), 0);
	assert_int_equal(udp_start(&taken->udp, &loop, fd, &shape, on_arrived), 0);
	return tcp_port(fd);
}

/* Another program's socket. */
static int plain_socket(int family)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	return fd;
}

static void send_to(int fd, struct tcp_end to, const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(to.port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(to.port)};
	bool is_v4 = to.ip[10] == 0xff;

	memcpy(&v4.sin_addr, to.ip + 12, 4);
	memcpy(&v6.sin6_addr, to.ip, 16);
	assert_int_equal(sendto(fd, text, strlen(text), 0,
				is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
				is_v4 ? sizeof v4 : sizeof v6),
			 strlen(text));
}

static void turn_until(const struct taken *taken, size_t count)
{
	for (int i = 0; i < PATIENCE_S * 1000 && taken->count < count; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		if (taken->count < count)
			usleep(1000);
	}
	assert_int_equal(taken->count, count);
}

static void nothing_more(const struct taken *taken)
{
	size_t count = taken->count;

	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(taken->count, count);
}

/* --- */

/* The answer's source is what the question was sent to, or a client behind a NAT never gets it. */
static void an_answer_leaves_from_where_the_question_came_to(void **state)
{
	const struct {
		struct tcp_end at;
		struct tcp_end to;
		int family;
	} cases[] = {
		{v4_end(0, 0), v4_end(LOOPBACK + 4, 0), AF_INET},
		{v4_end(LOOPBACK, 0), v4_end(LOOPBACK, 0), AF_INET},
		{v6_end(0, 0), v4_end(LOOPBACK + 7, 0), AF_INET},
		{v6_end(0, 0), v6_end(1, 0), AF_INET6},
		{v6_end(1, 0), v6_end(1, 0), AF_INET6},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static struct taken taken;
		struct tcp_end to = cases[i].to;
		struct sockaddr_storage from;
		socklen_t len = sizeof from;
		int client;
		char buf[8];

		if (is_v6(&cases[i].at) && !has_v6())
			continue;
		to.port = watch(&taken, cases[i].at, (struct udp_shape){0});
		client = plain_socket(cases[i].family);
		taken.echoes = true;
		send_to(client, to, "hello");
		turn_until(&taken, 1);
		assert_int_equal(
			recvfrom(client, buf, sizeof buf, 0, (struct sockaddr *)&from, &len), 5);
		assert_memory_equal(buf, "hello", 5);
		assert_int_equal(taken.path[0].peer.port, tcp_port(client));
		if (cases[i].family == AF_INET) {
			const struct sockaddr_in *v4 = (const void *)&from;

			assert_memory_equal(&v4->sin_addr, to.ip + 12, 4);
			assert_int_equal(ntohs(v4->sin_port), to.port);
		} else {
			const struct sockaddr_in6 *v6 = (const void *)&from;

			assert_memory_equal(&v6->sin6_addr, to.ip, 16);
			assert_int_equal(ntohs(v6->sin6_port), to.port);
		}
		close(client);
		udp_stop(&taken.udp, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
}

static void a_crowd_is_received_in_order_and_counted(void **state)
{
	static struct taken taken;
	struct udp_shape shape = {.in_count = 8, .in_size = 16};
	struct tcp_end to = v4_end(LOOPBACK, watch(&taken, v4_end(LOOPBACK, 0), shape));
	int client = plain_socket(AF_INET);
	char text[32];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(text, sizeof text, "%c", 'A' + i);
		send_to(client, to, text);
	}
	send_to(client, to, "longer than sixteen bytes");
	send_to(client, to, "sixteen bytes ok");
	turn_until(&taken, 52);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(taken.first[i], 'A' + i);
		assert_int_equal(taken.len[i], 1);
		assert_false(taken.cut[i]);
	}
	assert_true(taken.cut[50]);
	assert_int_equal(taken.len[50], 16);
	assert_false(taken.cut[51]);
	assert_int_equal(taken.udp.counts.received, 52);
	assert_int_equal(taken.udp.counts.bytes_in, 50 + 32);
	assert_int_equal(taken.udp.counts.cut, 1);
	nothing_more(&taken);
	close(client);
	udp_stop(&taken.udp, NULL);
}

static void put(struct udp *udp, const struct udp_path *to, uint8_t first, size_t len)
{
	uint8_t *room = udp_room(udp, len);

	memset(room, first, len);
	udp_put(udp, to, len);
}

/* Runs of one length to one peer are one trip, the last may be shorter, and nobody who receives
 * them can tell. */
static void a_run_to_one_peer_is_one_trip(void **state)
{
	static struct taken from, to, other;
	static const size_t lens[] = {100, 100, 60, 100, 120, 120, 120, 7, 0, 5};
	struct udp_shape shape = {.segments = true};
	struct udp_path path = {0}, elsewhere = {0};

	(void)state;
	watch(&from, v4_end(LOOPBACK, 0), shape);
	path.peer = v4_end(LOOPBACK, watch(&to, v4_end(LOOPBACK, 0), shape));
	elsewhere.peer = v4_end(LOOPBACK, watch(&other, v4_end(LOOPBACK, 0), shape));
	for (size_t i = 0; i < COUNT_OF(lens); i++)
		put(&from.udp, &path, (uint8_t)(i + 1), lens[i]);
	put(&from.udp, &elsewhere, 77, 5);
	assert_int_equal(udp_flush(&from.udp), 0);
	turn_until(&to, COUNT_OF(lens));
	turn_until(&other, 1);
	for (size_t i = 0; i < COUNT_OF(lens); i++) {
		assert_int_equal(to.len[i], lens[i]);
		assert_int_equal(to.first[i], lens[i] ? i + 1 : 0);
		assert_int_equal(to.path[i].peer.port, tcp_port(from.udp.fd));
	}
	assert_int_equal(other.first[0], 77);
	assert_int_equal(from.udp.counts.sent, COUNT_OF(lens) + 1);
	/* 100 100 60 | 100 | 120 120 120 7 | nothing | 5 | elsewhere */
	assert_int_equal(from.udp.counts.trips, 6);
	from.udp.segments = false;
	for (size_t i = 0; i < 3; i++)
		put(&from.udp, &path, 1, 50);
	assert_int_equal(udp_flush(&from.udp), 0);
	turn_until(&to, COUNT_OF(lens) + 3);
	assert_int_equal(from.udp.counts.trips, 9);
	udp_stop(&from.udp, NULL);
	udp_stop(&to.udp, NULL);
	udp_stop(&other.udp, NULL);
}

/* One that cannot be sent is lost alone. */
static void what_the_kernel_refuses_does_not_stop_the_others(void **state)
{
	static struct taken from, to;
	static const uint8_t too_long[65600];
	struct udp_shape shape = {.segments = true};
	struct udp_path path = {0};

	(void)state;
	watch(&from, v4_end(LOOPBACK, 0), shape);
	path.peer = v4_end(LOOPBACK, watch(&to, v4_end(LOOPBACK, 0), shape));
	path.peer.ip[12] = 0; /* 0.0.0.1: there is no way to it */
	put(&from.udp, &path, 1, 50);
	put(&from.udp, &path, 1, 50);
	path.peer.ip[12] = 127;
	put(&from.udp, &path, 2, 50);
	udp_lend(&from.udp, &path, bytes_of(too_long, sizeof too_long));
	put(&from.udp, &path, 3, 50);
	assert_int_equal(udp_flush(&from.udp), 3);
	turn_until(&to, 2);
	assert_int_equal(to.first[0], 2);
	assert_int_equal(to.first[1], 3);
	assert_int_equal(from.udp.counts.refused, 3);
	assert_int_equal(from.udp.counts.sent, 2);
	udp_stop(&from.udp, NULL);
	udp_stop(&to.udp, NULL);
}

static void what_a_full_socket_refuses_is_counted(void **state)
{
	static struct taken from, to;
	struct udp_path path = {0};

	(void)state;
	watch(&from, v4_end(LOOPBACK, 0), (struct udp_shape){.segments = true});
	path.peer = v4_end(LOOPBACK, watch(&to, v4_end(LOOPBACK, 0), (struct udp_shape){0}));
	for (size_t i = 0; i < 10; i++)
		put(&from.udp, &path, 1, 10 + i); /* longer each time: no runs */
	put(&from.udp, &path, 1, 19);
	full_from = 4;
	assert_int_equal(udp_flush(&from.udp), 7);
	full_from = -1;
	turn_until(&to, 4);
	assert_int_equal(from.udp.counts.sent, 4);
	assert_int_equal(from.udp.counts.blocked, 7);
	assert_int_equal(udp_flush(&from.udp), 0);
	nothing_more(&to);
	udp_stop(&from.udp, NULL);
	udp_stop(&to.udp, NULL);
}

static void a_full_batch_sends_itself(void **state)
{
	static struct taken from, to;
	static const uint8_t lent[3] = "abc";
	struct udp_shape shape = {.out_count = 4, .out_size = 64};
	struct udp_path path = {0};

	(void)state;
	watch(&from, v4_end(LOOPBACK, 0), shape);
	path.peer = v4_end(LOOPBACK, watch(&to, v4_end(LOOPBACK, 0), (struct udp_shape){0}));
	for (uint8_t i = 0; i < 4; i++)
		put(&from.udp, &path, i, 20); /* the fourth has no room */
	assert_int_equal(from.udp.counts.sent, 3);
	for (uint8_t i = 0; i < 4; i++)
		udp_lend(&from.udp, &path, bytes_of(lent, 1)); /* the fourth has no message */
	assert_int_equal(from.udp.counts.sent, 7);
	assert_int_equal(udp_flush(&from.udp), 0);
	turn_until(&to, 8);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(to.first[i], i);
	assert_int_equal(to.first[7], 'a');
	udp_stop(&from.udp, NULL);
	udp_stop(&to.udp, NULL);
}

static void marks_of_the_way_are_told(void **state)
{
	const struct tcp_end ends[] = {v4_end(LOOPBACK, 0), v6_end(1, 0), v6_end(0, 0)};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		static struct taken taken;
		struct tcp_end to = ends[i];
		bool v4 = i != 1;
		int client, marked = 3;

		if (is_v6(&ends[i]) && !has_v6())
			continue;
		client = plain_socket(v4 ? AF_INET : AF_INET6);
		if (i == 2)
			to = v4_end(LOOPBACK, 0);
		to.port = watch(&taken, ends[i], (struct udp_shape){.ecn = true});
		send_to(client, to, "a");
		assert_int_equal(setsockopt(client, v4 ? IPPROTO_IP : IPPROTO_IPV6,
					    v4 ? IP_TOS : IPV6_TCLASS, &marked, sizeof marked),
				 0);
		send_to(client, to, "b");
		turn_until(&taken, 2);
		assert_int_equal(taken.ecn[0], 0);
		assert_int_equal(taken.ecn[1], 3);
		close(client);
		udp_stop(&taken.udp, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
}

/* All that an address sends comes out at one socket, whatever its ports; addresses spread. */
static void an_address_has_one_worker(void **state)
{
	const struct {
		struct tcp_end at;
		int family;
	} cases[] = {{v4_end(0, 0), AF_INET}, {v6_end(0, 0), AF_INET}, {v6_end(0, 0), AF_INET6}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static struct taken taken[SOCKETS];
		struct udp_shape shape = {0};
		struct tcp_end to = v4_end(LOOPBACK, 0);
		int fds[SOCKETS];
		unsigned used = 0;
		size_t all = 0;

		if (is_v6(&cases[i].at) && !has_v6())
			continue;
		memset(taken, 0, sizeof taken);
		assert_int_equal(udp_open(&cases[i].at, UDP_STEER_ADDRESS, SOCKETS, fds), 0);
		if (cases[i].family == AF_INET6)
			to = v6_end(1, 0);
		to.port = tcp_port(fds[0]);
		for (unsigned n = 0; n < SOCKETS; n++) {
			assert_int_equal(tcp_port(fds[n]), to.port);
			assert_int_equal(
				udp_start(&taken[n].udp, &loop, fds[n], &shape, on_arrived), 0);
		}
		for (unsigned host = 0; host < (cases[i].family == AF_INET ? 16 : 1); host++) {
			for (int port = 0; port < 4; port++) {
				int client = plain_socket(cases[i].family);
				struct sockaddr_in from = {.sin_family = AF_INET};

				from.sin_addr.s_addr = htonl(LOOPBACK + 10 + host);
				if (cases[i].family == AF_INET)
					assert_int_equal(bind(client, (struct sockaddr *)&from,
							      sizeof from),
							 0);
				send_to(client, to, (char[]){(char)('A' + host), 0});
				close(client);
			}
			all += 4;
		}
		for (int turn = 0; turn < PATIENCE_S * 1000; turn++) {
			size_t sum = 0;

			uv_run(&loop, UV_RUN_NOWAIT);
			for (unsigned n = 0; n < SOCKETS; n++)
				sum += taken[n].count;
			if (sum == all)
				break;
			usleep(1000);
		}
		for (unsigned n = 0; n < SOCKETS; n++) {
			used += taken[n].count > 0;
			assert_int_equal(taken[n].count % 4, 0);
			for (size_t k = 0; k < taken[n].count; k++)
				assert_int_equal(udp_steered_to(taken[n].path[k].peer.ip, SOCKETS),
						 n);
			for (size_t k = 0; k < taken[n].count; k++)
				for (unsigned m = 0; m < n; m++)
					for (size_t j = 0; j < taken[m].count; j++)
						assert_int_not_equal(taken[m].first[j],
								     taken[n].first[k]);
			udp_stop(&taken[n].udp, NULL);
		}
		assert_true(cases[i].family == AF_INET6 ? used == 1 : used > 2);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
}

static void a_port_in_use_is_refused(void **state)
{
	struct tcp_end end = v4_end(LOOPBACK, 0);
	int fds[2], more[2], error = -1;

	(void)state;
	/* As soon as it is free, another program's may be the first: then with another port. */
	for (int i = 0; error && i < 20; i++) {
		end.port = 0;
		assert_int_equal(udp_open(&end, UDP_STEER_FLOW, 2, fds), 0);
		end.port = tcp_port(fds[0]);
		assert_int_equal(udp_open(&end, UDP_STEER_FLOW, 2, more), -EADDRINUSE);
		close(fds[0]);
		close(fds[1]);
		error = udp_open(&end, UDP_STEER_ADDRESS, 2, fds);
	}
	assert_int_equal(error, 0);
	close(fds[0]);
	close(fds[1]);
}

static void drops_of_the_kernel_are_known(void **state)
{
	static struct taken taken;
	struct tcp_end to =
		v4_end(LOOPBACK, watch(&taken, v4_end(LOOPBACK, 0), (struct udp_shape){0}));
	int client = plain_socket(AF_INET), least = 0;

	(void)state;
	assert_int_equal(udp_dropped(&taken.udp), 0);
	assert_int_equal(setsockopt(taken.udp.fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
	for (int i = 0; i < 100; i++)
		send_to(client, to, "more than it can hold");
	/* Each is dropped or waits; where the kernel is behind, later. */
	for (int i = 0; i < PATIENCE_S * 1000 && taken.count + udp_dropped(&taken.udp) < 100; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_true(udp_dropped(&taken.udp) > 0);
	assert_int_equal(taken.count + udp_dropped(&taken.udp), 100);
	close(client);
	udp_stop(&taken.udp, NULL);
}

static unsigned ended;

static void on_stopped(struct udp *udp)
{
	assert_null(udp->store);
	ended++;
}

static void stop_at_once(struct udp *udp, const struct udp_packet *packets, size_t count)
{
	assert_true(count == 1 && packets->data.len == 1);
	udp_stop(udp, on_stopped);
}

static void it_can_be_stopped_by_what_arrives(void **state)
{
	struct tcp_end to = v4_end(LOOPBACK, 0);
	struct udp_shape shape = {.in_count = 1};
	struct udp udp;
	int client = plain_socket(AF_INET), fd;

	(void)state;
	ended = 0;
	assert_int_equal(udp_open(&to, UDP_STEER_FLOW, 1, &fd), 0);
	to.port = tcp_port(fd);
	assert_int_equal(udp_start(&udp, &loop, fd, &shape, stop_at_once), 0);
	send_to(client, to, "a");
	send_to(client, to, "b");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(ended, 1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	close(client);
}

static void without_memory_nothing_is_left(void **state)
{
	struct tcp_end end = v4_end(LOOPBACK, 0);
	struct udp_shape shape = {0};
	static struct udp udp;
	int fd, error;

	(void)state;
	for (unsigned n = 0;; n++) {
		assert_int_equal(udp_open(&end, UDP_STEER_FLOW, 1, &fd), 0);
		oom_arm(n);
		error = udp_start(&udp, &loop, fd, &shape, on_arrived);
		if (!oom_disarm()) {
			assert_int_equal(error, 0);
			assert_int_equal(n, 13);
			break;
		}
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
	udp_stop(&udp, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_leaves_from_where_the_question_came_to),
		TEST(a_crowd_is_received_in_order_and_counted),
		TEST(a_run_to_one_peer_is_one_trip),
		TEST(what_the_kernel_refuses_does_not_stop_the_others),
		TEST(what_a_full_socket_refuses_is_counted),
		TEST(a_full_batch_sends_itself),
		TEST(marks_of_the_way_are_told),
		TEST(an_address_has_one_worker),
		TEST(a_port_in_use_is_refused),
		TEST(drops_of_the_kernel_are_known),
		TEST(it_can_be_stopped_by_what_arrives),
		TEST(without_memory_nothing_is_left),
	};

	stay_on_this_processor();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
