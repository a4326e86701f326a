#include "edge/tls_room.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/acme.h"
#include "edge/page.h"
#include "edge/proto/http_date.h"
#include "edge/tls_challenge.h"
#include "edge/tls_crypto.h"
#include "edge/tls_identity.h"
#include "edge/tls_self.h"
#include "edge/tls_ticket.h"

#define PAIRS_MAX  64u
#define FAULT_SIZE 512u
#define PATH_SIZE  4500u
#define DAY_S      86400
#define WARN_DAYS  14 /* before a certificate ends */
#define SELF_DAYS  7300

struct settings {
	struct tls_conf conf;
	struct baton farewell;
};

/* What a file was when it was read. */
struct sign {
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct pairs {
	struct tls_pair at[PAIRS_MAX + 1];
	char obtained[2][PATH_SIZE]; /* the files of the last, if it is one of ACME's */
	bool has_obtained;
	struct sign signs[2 * (PAIRS_MAX + 1)];
	size_t count;
};

static _Atomic(struct settings *) settings;

static struct {
	uv_timer_t check, rotate;
	bool runs;
	struct settings *next; /* prepared */
	struct tls_identity *next_identity;
	struct pairs pairs, next_pairs;
	int64_t warned; /* when the log last said that a certificate ends */
} room OWNED_BY(on_control);

const struct tls_conf *tls_settings(void)
{
	return &atomic_load_explicit(&settings, memory_order_acquire)->conf;
}

/* --- files ---------------------------------------------------------------------------------- */

static struct sign sign_of(const char *file)
{
	struct stat st;

	if (stat(file, &st) == -1)
		return (struct sign){0};
	return (struct sign){st.st_ino, st.st_size, st.st_mtim};
}

static bool sign_same(const struct sign *a, const struct sign *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void pairs_look(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		pairs->signs[2 * i] = sign_of(pairs->at[i].certificate);
		pairs->signs[2 * i + 1] = sign_of(pairs->at[i].key);
	}
}

/* It was copied: its own texts have moved. */
static void pairs_point(struct pairs *pairs)
{
	if (pairs->has_obtained)
		pairs->at[pairs->count - 1] =
			(struct tls_pair){pairs->obtained[0], pairs->obtained[1]};
}

/* make: a self-signed certificate where one is still to be obtained. False: fault says why not. */
RUNS_ON(on_control)
static bool pairs_of(const struct tls_conf *conf, bool make, struct pairs *pairs, char *fault,
		     size_t size)
{
	*pairs = (struct pairs){.count = conf->certificate.count};
	if (pairs->count > PAIRS_MAX)
		pairs->count = PAIRS_MAX;
	for (size_t i = 0; i < pairs->count; i++)
		pairs->at[i] = (struct tls_pair){conf->certificate.at[i],
						 conf->key.count ? conf->key.at[i]
								 : conf->certificate.at[i]};
	if (conf->acme_domains.count) {
		if (!acme_files(conf, make, pairs->obtained[0], pairs->obtained[1], PATH_SIZE,
				fault, size))
			return false;
		pairs->has_obtained = true;
		pairs->count++;
		pairs_point(pairs);
	}
	/* Before they are read: what changes meanwhile is seen at the next look. */
	pairs_look(pairs);
	return true;
}

struct tls_identity *tls_self_signed(char *fault, size_t size)
{
	static const char *const names[] = {"localhost", "ringmain"};
	const struct conf_list list = {names, COUNT_OF(names)};
	char file[PATH_SIZE];
	struct tls_pair pair = {file, file};

	if ((size_t)snprintf(file, sizeof file, "%s/self-signed.pem", acme_data()) >= sizeof file) {
		snprintf(fault, size, "the data directory's path is too long");
		return NULL;
	}
	/* Clients remember it: it is made once, for good. */
	if (access(file, F_OK) == -1 && !tls_self_write(file, &list, SELF_DAYS)) {
		snprintf(fault, size, "%s: %s", file, strerror(errno));
		return NULL;
	}
	return tls_identity_load(tls_settings(), &pair, 1, fault, size);
}

/* --- settings ------------------------------------------------------------------------------- */

int tls_prepare(const struct tls_conf *conf, char *fault, size_t size)
{
	struct settings *made = calloc(1, sizeof *made);

	tls_abandon();
	snprintf(fault, size, "out of memory");
	if (!made)
		return -ENOMEM;
	made->conf = *conf;
	if (!pairs_of(conf, true, &room.next_pairs, fault, size)) {
		free(made);
		return -EINVAL;
	}
	if (room.next_pairs.count) {
		room.next_identity = tls_identity_load(conf, room.next_pairs.at,
						       room.next_pairs.count, fault, size);
		if (!room.next_identity) {
			free(made);
			return -EINVAL;
		}
	}
	room.next = made;
	return 0;
}

void tls_abandon(void)
{
	tls_identity_free(room.next_identity);
	free(room.next);
	room.next_identity = NULL;
	room.next = NULL;
}

static void settings_home(struct baton *baton)
{
	free(container_of(baton, struct settings, farewell));
}

static void on_check(uv_timer_t *timer);
static void on_rotate(uv_timer_t *timer);

RUNS_ON(on_control) static void timers_start(void)
{
	uint64_t look = tls_settings()->check_interval, lifetime = tls_settings()->ticket_lifetime;

	if (!room.runs)
		return;
	uv_timer_start(&room.check, on_check, look, look);
	uv_timer_start(&room.rotate, on_rotate, lifetime, lifetime);
}

RUNS_ON(on_control) static void certificate_say(void)
{
	char names[256], until[64];
	struct writer w = writer_of(until, sizeof until - 1);

	if (!tls_identity_in_force())
		return;
	tls_identity_names(names, sizeof names);
	http_date_write(&w, tls_identity_ends());
	until[w.len] = '\0';
	log_info("edge", "certificate in force", kv_str("names", names), kv_str("until", until));
	room.warned = 0;
}

void tls_commit(void)
{
	struct settings *before =
		atomic_exchange_explicit(&settings, room.next, memory_order_acq_rel);

	CHECK(room.next);
	tls_identity_use(room.next_identity);
	room.pairs = room.next_pairs;
	pairs_point(&room.pairs);
	room.next = NULL;
	room.next_identity = NULL;
	certificate_say();
	timers_start();
	acme_reload();
	if (before) {
		before->farewell.visit = baton_pass;
		before->farewell.home = settings_home;
		baton_send(&before->farewell);
	}
}

/* --- the watch ------------------------------------------------------------------------------ */

/* A pair that is no good is said once, and tried again when its files change again. */
void tls_look(void)
{
	static struct pairs now;
	struct tls_identity *made;
	char fault[FAULT_SIZE];
	bool changed = false;

	if (!pairs_of(tls_settings(), false, &now, fault, sizeof fault))
		return;
	for (size_t i = 0; i < 2 * now.count; i++)
		changed |= !sign_same(&now.signs[i], &room.pairs.signs[i]);
	if (!changed)
		return;
	room.pairs = now;
	pairs_point(&room.pairs);
	made = tls_identity_load(tls_settings(), now.at, now.count, fault, sizeof fault);
	if (!made) {
		log_error("edge", "certificate refused, the one before stays",
			  kv_str("why", fault));
		return;
	}
	tls_identity_use(made);
	certificate_say();
}

RUNS_ON(on_control) static void look_at_end(void)
{
	int64_t now = wall_now_us() / 1000000, ends = tls_identity_ends();

	if (ends == 0 || ends - now > WARN_DAYS * DAY_S || now - room.warned < DAY_S)
		return;
	room.warned = now;
	if (ends <= now)
		log_error("edge", "certificate has ended");
	else
		log_warnx("edge", "certificate ends soon",
			  kv_u64("days", (uint64_t)(ends - now) / DAY_S));
}

static void on_check(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	tls_look();
	look_at_end();
}

static void on_rotate(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	if (!tls_ticket_rotate())
		log_error("edge", "no random numbers for the keys of tickets");
}

static void write_metrics(FILE *out)
{
	enter_control();
	if (!tls_identity_in_force())
		return;
	metric_write_head(out, "edge_tls_certificate_ends_seconds", "gauge",
			  "When the first of the certificates in force ends, in Unix time.");
	metric_write_sample(out, "edge_tls_certificate_ends_seconds", tls_identity_ends(), NULL);
}

int tls_start(uv_loop_t *loop)
{
	uv_timer_init(loop, &room.check);
	uv_timer_init(loop, &room.rotate);
	room.runs = true;
	timers_start();
	look_at_end();
	page_add_metrics(write_metrics);
	acme_start(loop);
	return 0;
}

void tls_stop(void)
{
	if (!room.runs)
		return;
	room.runs = false;
	acme_stop();
	uv_close((uv_handle_t *)&room.check, NULL);
	uv_close((uv_handle_t *)&room.rotate, NULL);
}

void tls_fini(void)
{
	tls_identity_fini();
	tls_challenge_fini();
	free(atomic_exchange_explicit(&settings, NULL, memory_order_relaxed));
	tls_crypto_fini();
}
