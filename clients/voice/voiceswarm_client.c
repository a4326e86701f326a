#include "voiceswarm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/sock_diag.h>

#define RECEIVE_BUFFER (4 << 20)
#define TURN_US        500000 /* links want to be turned now and then */
#define CATCH_UP       10     /* intervals that a talker who came late makes good */
#define HEALED_AGAIN   1500000

struct member {
	struct mumble_link link; /* first */
	struct crowd *crowd;
	struct vswarm_client *shared;
	unsigned index;
	char user[32];
	uint32_t channel;
	bool talker, deafened, muted, self_deaf, self_mute;
	uint64_t muted_number, frame;
	mono_t next_say;
	mono_t rebound_at; /* 0: healed, or never */
	mono_t last_rebound;
	uint64_t heard_at_rebind;
	struct forge_memory forged;
};

/* The members of one process. */
struct crowd {
	struct vswarm *swarm;
	struct vswarm_crew *crew;
	struct member *members;
	unsigned count;
	int epoll;
	unsigned phase_number;
	enum phase phase;
	mono_t turned, next_rebind, next_forge, talk_until;
	unsigned rebind_turn, forge_turn;
};

static struct vswarm *the_swarm; /* of this process: hooks know links alone */

const char *vswarm_address(const struct vswarm *swarm, unsigned client, char out[16])
{
	if (swarm->options.sources == 0)
		return NULL;
	snprintf(out, 16, "127.0.0.%u", 2 + client % swarm->options.sources % 250);
	return out;
}

/* --- what is heard ----------------------------------------------------------------------------- */

static void on_message(struct mumble_link *link, const struct mumble_message *message)
{
	struct member *m = (struct member *)link;
	const struct mumble_user_state *state = &message->user_state;

	if (message->type == MUMBLE_SERVER_SYNC)
		atomic_store(&m->shared->session, link->session);
	/* Before ServerSync the name alone says who is meant; without a channel it is 0. */
	if (message->type != MUMBLE_USER_STATE ||
	    (link->session ? state->session != link->session
			   : !bytes_equal(state->name, bytes_str(m->user))))
		return;
	if (state->has & MUMBLE_HAS(user_state, channel_id))
		m->channel = state->channel_id;
	if (state->has & MUMBLE_HAS(user_state, self_deaf))
		m->self_deaf = state->self_deaf;
	if (state->has & MUMBLE_HAS(user_state, self_mute))
		m->self_mute = state->self_mute;
}

static void on_voice(struct mumble_link *link, const struct voice_packet *packet, bool tunnelled)
{
	struct member *m = (struct member *)link;
	const struct vswarm_options *o = &the_swarm->options;
	struct oracle_payload said;

	(void)tunnelled;
	if (!voice_oracle_read(packet->payload, o->size, o->vary, &said) ||
	    said.run != the_swarm->run) {
		m->shared->torn++;
		return;
	}
	if (said.speaker >= vswarm_talkers(the_swarm) ||
	    packet->session != atomic_load(&the_swarm->clients[said.speaker].session)) {
		m->shared->stranger++;
	} else if (said.speaker == m->index) {
		m->shared->own++;
	} else if (said.speaker % o->rooms != m->index % o->rooms) {
		m->shared->outside++;
	} else if (said.kind == ORACLE_MUTED) {
		m->shared->muted_heard++;
	} else if (m->deafened) {
		m->shared->deaf_heard++;
	} else {
		voice_ear_take(vswarm_ear(the_swarm, m->index, said.speaker), said.number);
		atomic_fetch_add_explicit(&m->crowd->crew->heard, 1, memory_order_relaxed);
		spread_add(&m->crowd->crew->latency_us, mono_now().us - said.sent_us);
	}
}

static const struct mumble_hooks hooks = {on_message, on_voice};

/* --- coming ------------------------------------------------------------------------------------ */

static void watch(struct crowd *crowd, struct member *m, int op, int fd, bool udp)
{
	struct epoll_event event = {.events = EPOLLIN};

	event.data.u64 = (uint64_t)(m - crowd->members) << 1 | udp;
	epoll_ctl(crowd->epoll, op, fd, &event);
}

static void tune(int fd)
{
	int size = RECEIVE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

/* The kernel's count of datagrams that we were too slow for. */
static uint64_t own_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof info;

	if (fd == -1 || getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) == -1)
		return 0;
	return info[SK_MEMINFO_DROPS];
}

static void lost(struct member *m)
{
	if (atomic_exchange(&m->shared->gone, true))
		return;
	snprintf(m->shared->why, sizeof m->shared->why, "%s", m->link.why);
}

static void turn_all(struct crowd *crowd, mono_t now)
{
	crowd->turned = now;
	for (unsigned i = 0; i < crowd->count; i++) {
		struct member *m = &crowd->members[i];

		if (m->link.hooks && !mumble_link_turn(&m->link, now))
			lost(m);
	}
}

static void take_events(struct crowd *crowd, int wait_ms)
{
	struct epoll_event events[256];
	int count = epoll_wait(crowd->epoll, events, 256, wait_ms);
	mono_t now = mono_now();

	for (int i = 0; i < count; i++) {
		struct member *m = &crowd->members[events[i].data.u64 >> 1];

		if (events[i].data.u64 & 1) {
			mumble_link_hear(&m->link, now);
		} else if (!mumble_link_turn(&m->link, now)) {
			lost(m);
			epoll_ctl(crowd->epoll, EPOLL_CTL_DEL, m->link.tcp, NULL);
		}
	}
	if (mono_since_us(now, crowd->turned) > TURN_US)
		turn_all(crowd, now);
}

static void come(struct crowd *crowd, unsigned at, unsigned index)
{
	const struct vswarm_options *o = &crowd->swarm->options;
	struct member *m = &crowd->members[at];
	mono_t began = mono_now();
	char from[16];
	struct mumble_options options = {.host = o->host,
					 .port = o->port,
					 .from = vswarm_address(crowd->swarm, index, from),
					 .user = m->user,
					 .password = o->password,
					 .tunnel_only = index >= o->clients - o->tunnel,
					 .modern = o->mixed && index / o->rooms % 2,
					 .seconds = (int)o->join_seconds};

	m->crowd = crowd;
	m->index = index;
	m->shared = &crowd->swarm->clients[index];
	m->talker = index < vswarm_talkers(crowd->swarm);
	snprintf(m->user, sizeof m->user, "swarm-%08x-%u", crowd->swarm->run, index);
	if (!mumble_link_open(&m->link, &options, &hooks)) {
		lost(m);
		return;
	}
	watch(crowd, m, EPOLL_CTL_ADD, m->link.tcp, false);
	if (m->link.udp != -1) {
		tune(m->link.udp);
		watch(crowd, m, EPOLL_CTL_ADD, m->link.udp, true);
	}
	while (m->link.state == MUMBLE_CONNECTED &&
	       mono_since_us(mono_now(), began) < (int64_t)(o->join_seconds * 1e6))
		take_events(crowd, 5);
	if (m->link.state == MUMBLE_JOINED && crowd->swarm->room_ids[index % o->rooms]) {
		struct mumble_message move;

		message_init(&move, MUMBLE_USER_STATE);
		MUMBLE_SET(&move.user_state, user_state, session, m->link.session);
		MUMBLE_SET(&move.user_state, user_state, channel_id,
			   crowd->swarm->room_ids[index % o->rooms]);
		mumble_link_send(&m->link, &move);
	}
}

/* --- phases ------------------------------------------------------------------------------------ */

static void hush(struct member *m, bool on)
{
	const struct vswarm_options *o = &m->crowd->swarm->options;
	struct mumble_message state;
	bool deaf = on && m->index >= o->clients - o->rooms, mute = on && m->index < o->rooms;

	message_init(&state, MUMBLE_USER_STATE);
	if (deaf != m->deafened || mute != m->muted) {
		MUMBLE_SET(&state.user_state, user_state, self_mute, deaf || mute);
		MUMBLE_SET(&state.user_state, user_state, self_deaf, deaf);
		mumble_link_send(&m->link, &state);
	}
	/* Who has been deaf goes on with what is said from now on: nobody talks at the time. */
	for (unsigned t = 0; m->deafened && !deaf && t < vswarm_talkers(m->crowd->swarm); t++)
		vswarm_ear(m->crowd->swarm, m->index, t)->next =
			atomic_load(&m->crowd->swarm->clients[t].said);
	m->deafened = deaf;
	m->muted = mute;
}

static void begin_phase(struct crowd *crowd)
{
	mono_t now = mono_now();
	int64_t interval = (int64_t)(1e6 / crowd->swarm->options.rate);
	unsigned talkers = vswarm_talkers(crowd->swarm);

	crowd->phase = atomic_load(&crowd->swarm->phase);
	crowd->next_forge = mono_add_us(now, 200000);
	crowd->next_rebind = mono_add_us(now, HEALED_AGAIN);
	for (unsigned i = 0; i < crowd->count; i++) {
		struct member *m = &crowd->members[i];

		if (crowd->phase == PHASE_HUSH || crowd->phase == PHASE_LIFT)
			hush(m, crowd->phase == PHASE_HUSH);
		/* Nobody begins at the same moment. */
		m->next_say = mono_add_us(now, 20000 + interval * m->index / (talkers + 1));
	}
}

static bool is_ready(const struct member *m)
{
	const struct vswarm *swarm = m->crowd->swarm;

	if (m->link.state != MUMBLE_JOINED)
		return false;
	switch (m->crowd->phase) {
	case PHASE_JOIN:
		return m->channel == swarm->room_ids[m->index % swarm->options.rooms] &&
		       (m->link.udp_works || m->link.udp == -1 || swarm->options.any_way);
	case PHASE_HUSH:
	case PHASE_LIFT:
		return m->self_deaf == m->deafened && m->self_mute == (m->muted || m->deafened);
	case PHASE_TALK:
	case PHASE_DRAIN:
	case PHASE_END: return true;
	}
	return false;
}

static void say_who_is_ready(struct crowd *crowd)
{
	for (unsigned i = 0; i < crowd->count; i++)
		if (is_ready(&crowd->members[i]))
			atomic_store(&crowd->members[i].shared->ready, crowd->phase_number + 1);
}

/* --- talking ----------------------------------------------------------------------------------- */

static void say(struct member *m, mono_t now)
{
	const struct vswarm_options *o = &m->crowd->swarm->options;
	uint8_t room[ORACLE_MOST];
	struct oracle_payload payload = {
		.run = m->crowd->swarm->run,
		.speaker = m->index,
		.kind = m->muted ? ORACLE_MUTED : ORACLE_SAID,
		.number = m->muted ? m->muted_number++
				   : atomic_fetch_add_explicit(&m->shared->said, 1,
							       memory_order_relaxed),
		.sent_us = now.us};
	struct voice_packet packet = {.codec = VOICE_OPUS,
				      .frame = m->frame += 2,
				      .payload =
					      voice_oracle_write(&payload, o->size, o->vary, room)};

	mumble_link_say(&m->link, &packet);
	atomic_fetch_add_explicit(&m->crowd->crew->said, 1, memory_order_relaxed);
}

/* Microseconds until somebody has something to say. */
static int64_t talk(struct crowd *crowd, mono_t now)
{
	int64_t interval = (int64_t)(1e6 / crowd->swarm->options.rate), least = 20000;

	for (unsigned i = 0; i < crowd->count; i++) {
		struct member *m = &crowd->members[i];

		if (!m->talker || m->link.state != MUMBLE_JOINED)
			continue;
		if (mono_since_us(now, m->next_say) > CATCH_UP * interval)
			m->next_say = now;
		while (mono_since_us(now, m->next_say) >= 0) {
			say(m, now);
			m->next_say = mono_add_us(m->next_say, interval);
		}
		if (mono_since_us(m->next_say, now) < least)
			least = mono_since_us(m->next_say, now);
	}
	return least;
}

/* --- other ports ------------------------------------------------------------------------------- */

static void rebind(struct crowd *crowd, struct member *m, mono_t now)
{
	struct sockaddr_storage here, there;
	socklen_t here_len = sizeof here, there_len = sizeof there;
	int fd = socket(crowd->swarm->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || getsockname(m->link.udp, (struct sockaddr *)&here, &here_len) == -1 ||
	    getpeername(m->link.udp, (struct sockaddr *)&there, &there_len) == -1)
		abort();
	if (here.ss_family == AF_INET)
		((struct sockaddr_in *)&here)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&here)->sin6_port = 0;
	if (bind(fd, (struct sockaddr *)&here, here_len) == -1 ||
	    connect(fd, (struct sockaddr *)&there, there_len) == -1)
		abort();
	mumble_link_hear(&m->link, now);
	tune(fd);
	m->shared->own_drops += own_drops(m->link.udp);
	epoll_ctl(crowd->epoll, EPOLL_CTL_DEL, m->link.udp, NULL);
	close(m->link.udp);
	m->link.udp = fd;
	watch(crowd, m, EPOLL_CTL_ADD, fd, true);
	for (unsigned t = 0; t < vswarm_talkers(crowd->swarm); t++)
		vswarm_ear(crowd->swarm, m->index, t)->excused = true;
	m->rebound_at = m->last_rebound = now;
	m->heard_at_rebind = m->link.crypt.good;
	crowd->crew->rebinds++;
	/* As clients do each five seconds: what they say or a ping is what a server sees first. */
	m->link.pinged = (mono_t){0};
	mumble_link_turn(&m->link, now);
}

static void rebind_somebody(struct crowd *crowd, mono_t now)
{
	const struct vswarm_options *o = &crowd->swarm->options;

	for (unsigned i = 0; i < crowd->count; i++) {
		struct member *m = &crowd->members[i];

		if (m->rebound_at.us && m->link.crypt.good > m->heard_at_rebind) {
			spread_add(&crowd->crew->heal_us,
				   mono_since_us(m->link.udp_heard, m->rebound_at));
			crowd->crew->healed++;
			m->rebound_at.us = 0;
		}
	}
	/* What is healed in the last second is not judged. */
	if (mono_since_us(now, crowd->next_rebind) < 0 ||
	    mono_since_us(crowd->talk_until, now) < 1500000)
		return;
	crowd->next_rebind = mono_add_us(crowd->next_rebind, (int64_t)(o->rebind_s * 1e6));
	for (unsigned n = 0; n < crowd->count; n++) {
		struct member *m = &crowd->members[crowd->rebind_turn++ % crowd->count];

		if (m->link.state == MUMBLE_JOINED && m->link.udp != -1 && !m->rebound_at.us &&
		    (!m->last_rebound.us || mono_since_us(now, m->last_rebound) > HEALED_AGAIN)) {
			rebind(crowd, m, now);
			return;
		}
	}
}

static void forge_some(struct crowd *crowd, mono_t now)
{
	const struct vswarm_options *o = &crowd->swarm->options;

	for (; mono_since_us(now, crowd->next_forge) >= 0;
	     crowd->next_forge = mono_add_us(crowd->next_forge, (int64_t)(1e6 / o->forge))) {
		struct member *m = &crowd->members[crowd->forge_turn % crowd->count];
		unsigned kind = crowd->forge_turn++ / crowd->count % FORGE_KINDS;

		while (!(o->forge_mask & 1u << kind))
			kind = (kind + 1) % FORGE_KINDS;
		if (m->link.udp == -1 || !m->link.udp_works)
			continue;
		vswarm_forge(&m->link, (enum forge_kind)kind, &m->forged);
		crowd->crew->forged[kind]++;
	}
}

/* --- a process --------------------------------------------------------------------------------- */

static void settle(struct crowd *crowd)
{
	struct rusage use;

	for (unsigned i = 0; i < crowd->count; i++) {
		struct member *m = &crowd->members[i];
		struct vswarm_client *shared = m->shared;

		shared->sent_udp = m->link.sent_udp;
		shared->sent_tunnel = m->link.sent_tunnel;
		shared->heard_udp = m->link.heard_udp;
		shared->heard_tunnel = m->link.heard_tunnel;
		shared->dropped = m->link.dropped;
		shared->stale = m->link.crypt.stale;
		shared->repeated = m->link.crypt.repeated;
		shared->forged = m->link.crypt.forged;
		shared->own_drops += own_drops(m->link.udp);
		for (unsigned t = 0; t < vswarm_talkers(crowd->swarm); t++)
			if (t != m->index && t % crowd->swarm->options.rooms ==
						     m->index % crowd->swarm->options.rooms)
				voice_ear_end(vswarm_ear(crowd->swarm, m->index, t),
					      atomic_load(&crowd->swarm->clients[t].said));
		mumble_link_close(&m->link);
	}
	getrusage(RUSAGE_SELF, &use);
	crowd->crew->cpu_us = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * INT64_C(1000000) +
			      use.ru_utime.tv_usec + use.ru_stime.tv_usec;
}

static void nap(int64_t us)
{
	struct timespec time = {0, us * 1000};

	nanosleep(&time, NULL);
}

static void turn(struct crowd *crowd)
{
	const struct vswarm_options *o = &crowd->swarm->options;
	unsigned number = atomic_load(&crowd->swarm->phase_number);
	int64_t wait = (int64_t)(o->tick_ms * 1000), until = wait;
	mono_t now;

	if (number != crowd->phase_number) {
		crowd->phase_number = number;
		begin_phase(crowd);
		crowd->talk_until = mono_add_us(mono_now(), (int64_t)(o->seconds * 1e6));
	}
	now = mono_now();
	if (crowd->phase == PHASE_TALK) {
		until = talk(crowd, now);
		if (o->rebind_s > 0)
			rebind_somebody(crowd, now);
		if (o->forge > 0)
			forge_some(crowd, now);
	}
	say_who_is_ready(crowd);
	/* Sleeping first gathers what comes, so that a wake-up is for several datagrams. */
	wait = until < wait ? until : wait;
	if (wait > 0)
		nap(wait);
	take_events(crowd, 0);
}

void vswarm_work(struct vswarm *swarm, unsigned process)
{
	const struct vswarm_options *o = &swarm->options;
	struct crowd crowd = {.swarm = swarm, .crew = &swarm->crew[process]};

	the_swarm = swarm;
	crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
	crowd.members = calloc(o->clients / o->processes + 1, sizeof *crowd.members);
	crowd.turned = mono_now();
	if (crowd.epoll == -1 || !crowd.members)
		abort();
	for (unsigned i = process; i < o->clients && atomic_load(&swarm->phase) != PHASE_END;
	     i += o->processes) {
		come(&crowd, crowd.count++, i);
		take_events(&crowd, 0);
	}
	while (atomic_load(&swarm->phase) != PHASE_END)
		turn(&crowd);
	settle(&crowd);
	free(crowd.members);
	close(crowd.epoll);
}
