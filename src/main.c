/* main: argv → settings → rooms in order → turn the loop → rooms in reverse. It alone knows all. */
#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "advice.h"
#include "child.h"
#include "control.h"
#include "core/conf.h"
#include "core/conf_print.h"
#include "core/core_conf.h"
#include "core/estate.h"
#include "core/handover.h"
#include "core/helper.h"
#include "core/keeper.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/stow.h"
#include "core/writer.h"
#include "data_lock.h"
#include "edge/account.h"
#include "edge/acme.h"
#include "edge/api_certificate.h"
#include "edge/api_history.h"
#include "edge/api_hooks.h"
#include "edge/api_people.h"
#include "edge/api_schema.h"
#include "edge/api_server.h"
#include "edge/api_settings.h"
#include "edge/auth.h"
#include "edge/ban.h"
#include "edge/edge.h"
#include "edge/events.h"
#include "edge/fetch.h"
#include "edge/geoip.h"
#include "edge/hook.h"
#include "edge/hook_own.h"
#include "edge/kept.h"
#include "edge/lockout.h"
#include "edge/page.h"
#include "edge/pam_login.h"
#include "edge/people.h"
#include "edge/proto/address.h"
#include "edge/proto/url.h"
#include "edge/session.h"
#include "edge/setup.h"
#include "edge/tls_crypto.h"
#include "edge/tls_identity.h"
#include "edge/tls_room.h"
#include "edge/tls_ticket.h"
#include "edge/trend.h"
#include "families.h"
#include "options.h"
#include "radio/radio.h"
#include "radio/radio_relay_own.h"
#include "secrets.h"
#include "standing.h"
#include "store/store.h"
#include "upgrade.h"

/* What every server has; the families' come behind them, see rooms_gather(). */
static const struct conf_room *rooms[FAMILIES_ROOMS_MAX] = {
	&core_conf_room, &store_conf_room, &edge_conf_room, &tls_conf_room, &hooks_conf_room};
static size_t room_count = 5;

static const struct worker_hooks *hooks[FAMILIES_ROOMS_MAX + 3] = {&store_hooks, &fetch_hooks,
								   &pam_login_hooks, &edge_hooks};

/* Settings that a server must not be without, and invents. */
static const char *const secret_names[] = {"admin.password", "radio.source_password"};

struct server {
	const struct options *options;
	uv_loop_t *loop;
	struct conf *conf;
	const char *data;
	uv_signal_t terminate, interrupt, hangup, renew;
	struct keeper_life life;
	bool loose_doors; /* the sockets that listen are all that the last server left */
	struct child *demo;
	char demo_url[128];
	char demo_parent[32];
	char demo_password[256];
	char *demo_argv[6];
	char *demo_environment[2];
	bool invented;
	bool admin_is_set; /* somebody said admin.password */
	bool unkept;       /* what was invented could not be put into the data directory */
	bool stopping;
	bool ending; /* it was told to */
};

/* Before all else. */
static void rooms_gather(void)
{
	room_count = families_rooms(rooms, room_count);
	hooks[families_hooks(hooks, 4)] = &events_hooks;
}

/* --- settings ------------------------------------------------------------------------------- */

/* At a reload nobody may be looking at standard error. */
static void log_faults(const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		log_error("core", "settings refused", kv_str("fault", errors->at[i].text));
}

/* What is wrong is written to standard error or, at a reload, to the log; and to faults when that is
 * not NULL. */
static struct conf *load(const struct options *options, const char *const *sets, size_t count,
			 FILE *faults)
{
	struct conf_source source = {.path = options->config, .sets = sets, .set_count = count};
	struct conf_errors errors = {0};
	struct conf *conf = conf_load(rooms, room_count, &source, &errors);

	if (workers_count())
		log_faults(&errors);
	else
		conf_errors_print(stderr, &errors);
	if (faults)
		conf_errors_print(faults, &errors);
	conf_errors_fini(&errors);
	return conf;
}

/* What is good and will not work today. */
static void say_doubts(const struct conf *conf, FILE *out)
{
	struct conf_errors doubts = {0};

	standing_doubt(conf, &doubts);
	core_conf_doubt(conf, &doubts);
	edge_conf_doubt(conf, &doubts);
	families_doubt(conf, &doubts);
	for (size_t i = 0; workers_count() && i < doubts.count; i++)
		log_warnx("core", "settings doubtful", kv_str("doubt", doubts.at[i].text));
	if (out)
		conf_errors_print(out, &doubts);
	conf_errors_fini(&doubts);
}

/* Whether a start would load them; out is told what it would say. */
static bool certificates_are_good(const struct conf *conf, FILE *out)
{
	struct conf_errors faults = {0};
	bool good;

	tls_identity_check(conf, &faults);
	good = !conf_errors_any(&faults);
	conf_errors_print(out, &faults);
	conf_errors_fini(&faults);
	return good;
}

static bool is_unset(const struct conf *conf, const char *name)
{
	const char *value = strcmp(name, "admin.password") == 0
				    ? edge_conf_of(conf)->admin_password
				    : radio_conf_of(conf)->source_password;
	return value[0] == '\0';
}

/* What nobody has set is taken from the data directory, where it is put the first time. */
static struct conf *load_with_secrets(const struct options *options, struct server *server,
				      FILE *faults)
{
	static char secrets[COUNT_OF(secret_names)][SECRET_SIZE];
	const char *sets[COUNT_OF(secret_names) + OPTIONS_SETS_MAX];
	struct conf *conf = load(options, options->sets, options->set_count, faults);
	size_t count = 0;

	if (!conf)
		return NULL;
	server->admin_is_set = !is_unset(conf, "admin.password");
	for (size_t i = 0; i < COUNT_OF(secret_names); i++) {
		bool invented;

		if (!is_unset(conf, secret_names[i]))
			continue;
		if (!secret_for(server->data, secret_names[i], secrets[i], &invented)) {
			log_warn("core", "password not kept", kv_str("directory", server->data));
			server->unkept = true;
		}
		server->invented |= invented;
		sets[count++] = secrets[i];
	}
	memcpy(sets + count, options->sets, options->set_count * sizeof *sets);
	conf_free(&conf);
	return load(options, sets, count + options->set_count, faults);
}

static const char *data_directory(const struct options *options)
{
	const char *state = getenv("STATE_DIRECTORY");

	if (options->data)
		return options->data;
	return state && state[0] ? state : "ringmain-data";
}

/* The options that print and end. True: it did; *code is what to end with. */
static bool print_and_end(const struct options *options, int *code)
{
	struct conf *conf;
	bool good;

	*code = 0;
	if (options->help) {
		options_write_help();
		conf_write_help(stdout, rooms, room_count);
	} else if (options->version) {
		printf("ringmain %s\n", RINGMAIN_VERSION);
	} else if (options->example) {
		conf_write_example(stdout, rooms, room_count);
	} else if (options->manual) {
		conf_write_man(stdout, rooms, room_count);
	} else if (options->check || options->dump) {
		conf = load(options, options->sets, options->set_count, NULL);
		good = conf && certificates_are_good(conf, stderr);
		*code = good || (conf && options->dump) ? 0 : 1;
		if (conf && options->dump)
			conf_dump(stdout, conf, false);
		else if (good)
			printf("The settings are good.\n");
		if (conf)
			say_doubts(conf, stderr);
		conf_free(&conf);
	} else {
		return false;
	}
	return true;
}

/* --- what a person is told ------------------------------------------------------------------ */

static void print_secret(const char *what, const char *user, const char *password)
{
	bool hashed = strncmp(password, "$argon2", 7) == 0;

	printf("  %-12s user %s, password %s\n", what, user,
	       hashed ? "(the one that you hashed)" : password);
}

/* A line that works as it stands, with no music at hand; what a URL cannot hold is encoded. */
static void print_publish(const char *user, const char *password, const char *scheme, unsigned port)
{
	char buf[1024];
	struct writer w = writer_of(buf, sizeof buf - 1);

	url_encode_component(&w, bytes_str(user));
	writer_u8(&w, ':');
	url_encode_component(&w, bytes_str(password));
	if (!writer_ok(&w))
		return; /* a password that fits no command line either */
	buf[writer_done(&w).len] = '\0';
	printf("  Publish:     ffmpeg -re -f lavfi -i sine=220 -c:a libmp3lame -b:a 128k "
	       "-content_type audio/mpeg -f mp3 icecast://%s@localhost:%u/live\n",
	       buf, port);
	printf("               (-i music.mp3 in place of -f lavfi -i sine=220 sends music)\n");
	printf("  Then hear:   %s://localhost:%u/live\n", scheme, port);
}

RUNS_ON(on_control) static void welcome(const struct server *server, bool show)
{
	const struct edge_conf *edge = edge_conf_of(server->conf);
	const struct radio_conf *radio = radio_conf_of(server->conf);
	const char *user = radio->source_user[0] ? radio->source_user : "source";
	bool secure = tls_identity_in_force();
	const char *scheme = secure ? "https" : "http";
	unsigned port = edge_port();

	printf("\nringmain %s is ready.\n\n", RINGMAIN_VERSION);
	printf("  Look:        %s://localhost:%u/\n", scheme, port);
	printf("  Control:     %s://localhost:%u/admin\n", scheme, port);
	if (server->demo)
		printf("  Listen:      %s://localhost:%u/demo (a browser, mpv, VLC, a radio)\n",
		       scheme, port);
	if (setup_code()[0])
		printf("  Set up:      %s://localhost:%u/admin/login with the code %s\n", scheme,
		       port, setup_code());
	print_publish(user, show ? radio->source_password : "PASSWORD", scheme, port);
	printf("\n");
	if (show) {
		print_secret("Encoders:", user, radio->source_password);
		print_secret("Admin:", edge->admin_user, edge->admin_password);
	}
	/* The certificate is hardly localhost's. */
	printf("  State:       curl %s-u %s:%s %s://localhost:%u/admin/stats\n",
	       secure ? "-k " : "", edge->admin_user, show ? edge->admin_password : "PASSWORD",
	       scheme, port);
	if (server->unkept)
		printf("  The passwords could NOT be kept in %s: the next start invents others.\n",
		       server->data);
	else if (server->invented || show)
		printf("  Passwords that nobody has set are kept in %s/passwords.\n", server->data);
	printf("  --help lists every setting, --example prints them as a file for --config.\n\n");
	fflush(stdout);
}

/* --- life ----------------------------------------------------------------------------------- */

/* There is one server in a process: for signals and for orders that come without it. */
static struct server *the_server;

static void on_end(uv_signal_t *handle, int number)
{
	enter_control();
	log_info("core", "stopping", kv_i64("signal", number));
	/* systemd stops what it restarts with SIGTERM. Who says it twice means it. */
	if (number == SIGTERM && !the_server->ending && upgrade_stow()) {
		the_server->ending = true;
		keeper_say_ending();
		return;
	}
	the_server->ending = true;
	uv_stop(handle->loop);
}

/* Settings that were in force until a reload; freed when nobody can still be reading them. */
struct retired {
	struct baton baton;
	struct conf *conf;
};

static void retired_home(struct baton *baton)
{
	struct retired *retired = container_of(baton, struct retired, baton);

	conf_free(&retired->conf);
	free(retired);
}

static int log_open_by(const struct conf *conf)
{
	const struct core_conf *core = core_conf_of(conf);

	return log_open(core->log_file[0] ? core->log_file : NULL, (enum log_level)core->log_level);
}

enum forced { FORCED_ALL, FORCED_NOTHING, FORCED_PARTLY };

/* What the world may refuse comes first and is taken back; behind it only memory can be wanting. */
RUNS_ON(on_control)
static enum forced put_in_force(struct server *server, const struct conf *conf, FILE *faults)
{
	const struct edge_conf *edge = edge_conf_of(conf);
	char at[128] = "", fault[512];
	int error;

	if (tls_prepare(tls_conf_of(conf), fault, sizeof fault) != 0) {
		log_error("core", "reload refused", kv_str("why", fault));
		if (faults)
			fprintf(faults, "%s\n", fault);
		return FORCED_NOTHING;
	}
	error = log_open_by(conf);
	if (!error) {
		error = edge_listen(server->loop, &edge->http_listen,
				    radio_conf_of(conf)->shoutcast_port, at, sizeof at);
		if (!error &&
		    families_listen(server->loop, conf, server->conf, at, sizeof at) != 0) {
			error = -EADDRNOTAVAIL;
			(void)!edge_listen(server->loop, &edge_conf_of(server->conf)->http_listen,
					   radio_conf_of(server->conf)->shoutcast_port, fault,
					   sizeof fault);
		}
		if (error)
			(void)!log_open_by(server->conf);
	}
	if (error) {
		log_warn_code(error, "core", "reload refused", kv_str("at", at));
		tls_abandon();
		if (faults)
			fprintf(faults, "%s: %s\n", at[0] ? at : "log.file", strerror(-error));
		return FORCED_NOTHING;
	}
	geoip_open(edge->geoip_file);
	tls_commit();
	store_reload(store_conf_of(conf));
	return edge_configure(edge) == 0 && hooks_configure(server->loop, conf) &&
			       families_reload(conf)
		       ? FORCED_ALL
		       : FORCED_PARTLY;
}

/* The whole file or nothing of it: what is wrong is said, and the old settings stay. */
RUNS_ON(on_control) static bool reload(struct server *server, FILE *faults)
{
	bool admin_was_set = server->admin_is_set;
	struct conf *conf =
		server->stopping ? NULL : load_with_secrets(server->options, server, faults);
	struct retired *retired = calloc(1, sizeof *retired);
	enum forced forced = conf && retired ? put_in_force(server, conf, faults) : FORCED_NOTHING;

	if (forced != FORCED_ALL) {
		log_error("core", "not reloaded: the settings before stay in force");
		/* Where memory ran out half way, both are in use from now on. */
		if (forced == FORCED_NOTHING)
			conf_free(&conf);
		free(retired);
		server->admin_is_set = admin_was_set;
		return false;
	}
	setup_reload(server->admin_is_set);
	retired->conf = server->conf;
	retired->baton.visit = baton_pass;
	retired->baton.home = retired_home;
	baton_send(&retired->baton);
	server->conf = conf;
	say_doubts(conf, faults);
	log_info("core", "reloaded");
	return true;
}

static void on_hangup(uv_signal_t *handle, int number)
{
	struct server *server = container_of(handle, struct server, hangup);
	int error;

	(void)number;
	enter_control();
	error = log_reopen();
	if (error)
		log_warn_code(error, "core", "log not reopened");
	reload(server, NULL);
}

/* For /admin/reloadconfig. */
RUNS_ON(on_control) static bool reload_asked(void)
{
	return reload(the_server, NULL);
}

/* --- the settings over the API -------------------------------------------------------------- */

static const struct conf *conf_in_force(void)
{
	return the_server->conf;
}

static bool reload_over_api(FILE *faults)
{
	enter_control();
	return reload(the_server, faults);
}

/* As the file alone would be: options are none of its faults. */
static bool check_over_api(struct bytes text, FILE *faults)
{
	struct conf_source source = {.path = "text", .text = text};
	struct conf_errors errors = {0};
	struct conf *conf = conf_load(rooms, room_count, &source, &errors);
	bool good = conf != NULL;

	conf_errors_print(faults, &errors);
	conf_errors_fini(&errors);
	conf_free(&conf);
	return good;
}

static struct api_settings_owner settings_owner = {conf_in_force, reload_over_api, check_over_api,
						   NULL};

/* What every server has to say over the API, whatever its families. */
RUNS_ON(on_control) static void api_configure(struct server *server)
{
	settings_owner.file = server->options->config;
	api_settings_own(&settings_owner);
	if (!api_schema_start())
		log_warnx("core", "members of orders are not judged: out of memory");
	api_add(api_operations);
	api_add(session_operations);
	api_add(setup_operations);
	api_add(server_operations);
	api_add(settings_operations);
	api_add(ban_operations);
	api_add(hook_operations);
	api_add(history_operations);
	api_add(kept_operations);
	health_add(history_health);
	api_add(people_operations);
	api_add(certificate_operations);
	health_add(certificate_health);
	api_add(trend_operations);
	health_add(hooks_health);
	api_add(events_operations);
	trend_add(server_sample);
	events_add(EVENTS_ADMIN, "server", server_facts);
	route_add(health_routes);
	route_add(events_routes);
	route_add(api_routes);
	ban_start(server->data);
	hook_own_start(server->data);
	relay_own_place(server->data);
	geoip_open(edge_conf_of(server->conf)->geoip_file);
}

static void on_renew(uv_signal_t *handle, int number)
{
	(void)handle;
	(void)number;
	enter_control();
	if (!upgrade_ask())
		log_warnx("core", "no upgrade: there is no keeper, or one is under way");
}

static void watch_signal(struct server *server, uv_signal_t *handle, uv_signal_cb callback,
			 int number)
{
	uv_signal_init(server->loop, handle);
	uv_signal_start(handle, callback, number);
}

static unsigned worker_number(const struct conf *conf)
{
	uint64_t wanted = core_conf_of(conf)->workers;
	unsigned cores = uv_available_parallelism();

	if (wanted == 0)
		wanted = cores;
	/* The tables of the last server are one worker's each. */
	if (estate_is_adopted())
		wanted = atomic_load_explicit(estate_word(ESTATE_WORKERS), memory_order_relaxed);
	return wanted > WORKERS_MAX ? WORKERS_MAX : (unsigned)wanted;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Where a program on this machine finds the first door: "127.0.0.1:8000". */
static void own_door(const struct conf *conf, char *out, size_t size)
{
	static const uint8_t any_v6[16], any_v4[16] = {[10] = 0xff, [11] = 0xff};
	struct writer w = writer_of(out, size - 1);
	struct address door = {0};

	if (!address_parse_listen(bytes_str(edge_conf_of(conf)->http_listen.at[0]), &door) ||
	    memcmp(door.ip, any_v6, sizeof door.ip) == 0 ||
	    memcmp(door.ip, any_v4, sizeof door.ip) == 0)
		CHECK(address_parse_ip(BYTES("127.0.0.1"), &door));
	door.port = edge_port();
	address_write(&w, &door);
	out[writer_done(&w).len] = '\0';
}

RUNS_ON(on_control) static void demo_start(struct server *server)
{
	static char demo_name[] = "ringmain-demo", url_option[] = "--url";
	static char parent_option[] = "--parent";
	const struct radio_conf *radio = radio_conf_of(server->conf);
	const char *user = radio_mount_conf("/demo")->user;
	char door[ADDRESS_TEXT_MAX + 1];

	if (!radio->demo)
		return;
	if (strncmp(radio_mount_conf("/demo")->password, "$argon2", 7) == 0) {
		log_warnx("core", "no demo: its password is known only as a hash",
			  kv_str("remedy", "mount./demo.password=..."));
		return;
	}
	own_door(server->conf, door, sizeof door);
	snprintf(server->demo_url, sizeof server->demo_url, "http://%s@%s/demo",
		 user[0] ? user : "source", door);
	snprintf(server->demo_parent, sizeof server->demo_parent, "%ld", (long)getpid());
	snprintf(server->demo_password, sizeof server->demo_password, "RINGMAIN_SOURCE_PASSWORD=%s",
		 radio_mount_conf("/demo")->password);
	server->demo_argv[0] = demo_name;
	server->demo_argv[1] = url_option;
	server->demo_argv[2] = server->demo_url;
	server->demo_argv[3] = parent_option;
	server->demo_argv[4] = server->demo_parent;
	server->demo_environment[0] = server->demo_password;
	server->demo = child_start(server->loop, "ringmain-demo", server->demo_argv,
				   server->demo_environment);
}

/* The doors. Those of the last server serve on where ours cannot be opened. */
RUNS_ON(on_control) static int doors_open(struct server *server, char *at, size_t size)
{
	bool inherited = server->loose_doors || estate_is_adopted();
	int error = server->loose_doors ? edge_adopt(server->loop, true) : 0;

	if (!error)
		error = edge_listen(server->loop, &edge_conf_of(server->conf)->http_listen,
				    radio_conf_of(server->conf)->shoutcast_port, at, size);
	if (!error)
		error = families_listen(server->loop, server->conf, NULL, at, size);
	if (error)
		log_event(inherited ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "core",
			  "doors not opened", kv_str("at", at),
			  kv_str("error", uv_strerror(error)));
	return inherited ? 0 : error;
}

/* Ready for tls_commit(). */
RUNS_ON(on_control) static int certificates_load(const struct server *server)
{
	char fault[512], hook[4096], program[4096];
	int error;

	if (!helper_find("ringmain-acme-hook", hook, sizeof hook))
		hook[0] = '\0';
	acme_place(server->data, hook);
	pam_login_program(helper_find("ringmain-pam", program, sizeof program) ? program : "");
	error = tls_prepare(tls_conf_of(server->conf), fault, sizeof fault);
	if (error)
		log_error("core", "cannot start", kv_str("why", fault));
	return error;
}

RUNS_ON(on_control) static int rooms_start(struct server *server)
{
	char at[128] = "";
	int error;

	error = certificates_load(server);
	if (error)
		return error;
	tls_commit();
	error = edge_configure(edge_conf_of(server->conf));
	if (!error)
		error = fetch_loop_start(server->loop);
	if (!error && !hooks_configure(server->loop, server->conf))
		error = -ENOMEM;
	route_add(page_routes);
	route_add(acme_routes);
	api_configure(server);
	radio_reload_by(reload_asked);
	families_configure(server->conf);
	page_add_metrics(store_metrics);
	if (!error)
		error = store_start(server->loop, store_conf_of(server->conf), server->data);
	lockout_start();
	if (!error)
		error = workers_start(worker_number(server->conf), hooks, server->loop);
	if (!error) {
		atomic_store_explicit(estate_word(ESTATE_WORKERS), workers_count(),
				      memory_order_relaxed);
		people_start(server->loop);
		setup_start(server->data, server->admin_is_set);
		trend_start(server->loop);
		events_start(server->loop);
		error = families_start(server->loop, server->conf);
		server_ready(!error);
	}
	if (!error)
		error = tls_start(server->loop);
	if (error) {
		log_error("core", "cannot start", kv_str("error", uv_strerror(error)));
		return error;
	}
	error = doors_open(server, at, sizeof at);
	if (!error && estate_is_adopted())
		edge_adopt_callers();
	advice_print(stderr, server->conf, error, at);
	return error;
}

RUNS_ON(on_control) static void rooms_stop(struct server *server)
{
	/* The loop still turns, and could be asked to open the doors again. */
	server->stopping = true;
	server_ready(false);
	edge_stop();
	tls_stop();
	events_stop();
	trend_stop();
	families_stop();
	workers_stop();
	people_stop();
	store_stop();
	hooks_stop();
	fetch_loop_stop();
	families_fini();
	trend_fini();
	ban_fini();
	geoip_close();
	account_fini();
	edge_fini();
	tls_fini();
	uv_close((uv_handle_t *)&server->terminate, NULL);
	uv_close((uv_handle_t *)&server->interrupt, NULL);
	uv_close((uv_handle_t *)&server->hangup, NULL);
	uv_close((uv_handle_t *)&server->renew, NULL);
	/* What is still open closes now; a helper that will not end is left to its own devices. */
	for (int i = 0; i < 200 && uv_run(server->loop, UV_RUN_NOWAIT); i++)
		uv_sleep(5);
}

RUNS_ON(on_control) static void keeper_gone(void)
{
	uv_stop(the_server->loop);
}

/* Another server has all: what helps us would help nobody. */
RUNS_ON(on_control) static void all_given(void)
{
	if (the_server->demo)
		child_stop(the_server->demo);
	the_server->demo = NULL;
	the_server->stopping = true;
}

static uint64_t control_idle(void)
{
	return core_conf_of(the_server->conf)->control_idle;
}

/* For ringmainctl, and for keepers. */
RUNS_ON(on_control) static void side_doors_open(struct server *server)
{
	static const struct upgrade_hooks upgrade_hooks = {
		.ended = keeper_gone,
		.given = all_given,
		.outcome = control_outcome,
	};
	static const struct control_hooks control_hooks = {
		.reload = reload_over_api,
		.upgrade = upgrade_ask,
		.idle = control_idle,
		.order = families_order,
	};
	int error = control_start(server->loop, server->data, &control_hooks);

	if (error)
		log_warn_code(error, "core", "no socket for ringmainctl",
			      kv_str("directory", server->data));
	data_lock_watch(server->loop);
	error = server->life.kept ? upgrade_start(server->loop, &upgrade_hooks) : 0;
	if (error)
		log_warn_code(error, "core", "the keeper is not heard");
}

/* From here on a crash is survived. */
RUNS_ON(on_control) static void ready(struct server *server, const struct options *options)
{
	bool again = estate_is_adopted() || server->loose_doors;

	demo_start(server);
	say_doubts(server->conf, NULL);
	log_info("core", "ready", kv_u64("port", edge_port()), kv_u64("workers", workers_count()));
	keeper_owns(estate_fd());
	keeper_say_ready();
	if (!again)
		welcome(server, options->welcome || server->invented || isatty(STDOUT_FILENO));
}

static int serve(struct server *server, const struct options *options)
{
	int error;

	server->loop = uv_default_loop();
	role_here = ROLE_CONTROL;
	enter_control();
	metric_thread_start();
	watch_signal(server, &server->terminate, on_end, SIGTERM);
	watch_signal(server, &server->interrupt, on_end, SIGINT);
	watch_signal(server, &server->hangup, on_hangup, SIGHUP);
	watch_signal(server, &server->renew, on_renew, SIGUSR2);
	keeper_listens();
	standing_take(server->conf);
	error = rooms_start(server);
	if (!error) {
		side_doors_open(server);
		ready(server, options);
		/* While the rooms start the loop turns too, and may have been told to end. */
		if (!server->ending)
			uv_run(server->loop, UV_RUN_DEFAULT);
		if (upgrade_is_given()) {
			store_stop();
			_exit(0);
		}
		keeper_say_ending();
		control_stop(true);
		data_lock_stop();
		upgrade_stop();
	}
	if (server->demo)
		child_stop(server->demo);
	if (workers_count())
		rooms_stop(server);
	standing_drop();
	log_info("core", "ended");
	return error ? 1 : 0;
}

/* --- what the last server left -------------------------------------------------------------- */

/* After a crash: the same descriptors, and some that were only the dead one's. */
static int go_on_after_crash(const struct keeper_life *life)
{
	const int ours[] = {KEEPER_CHANNEL_FD, KEEPER_PEER_FD};
	int error = estate_adopt(life->estate);

	if (error)
		return error;
	estate_say_crashed();
	error = estate_sweep(ours, life->took_over ? 2 : 1);
	if (!error && life->took_over)
		handover_say_taken(KEEPER_PEER_FD);
	atomic_fetch_add_explicit(estate_word(ESTATE_CRASHES), 1, memory_order_relaxed);
	return error;
}

/* What systemd kept; if it is of no use here, all of it is closed and this is a start like any other. */
static int go_on_after_restart(const struct keeper_life *life)
{
	const int ours[] = {KEEPER_CHANNEL_FD};
	int error = estate_adopt(life->estate);

	if (error) {
		fprintf(stderr, "ringmain: what systemd kept cannot be used: %s\n",
			strerror(-error));
		keeper_disowns();
		(void)!close_range(STDERR_FILENO + 1, (unsigned)keeper_zone() - 1, 0);
		stow_forget(true);
		return estate_create();
	}
	if (life->stow_broken)
		estate_say_crashed();
	return estate_sweep(ours, COUNT_OF(ours));
}

static int take_over(struct server *server)
{
	const char *why = "";

	switch (handover_take(KEEPER_PEER_FD, &why)) {
	case HANDOVER_NOTHING:
		fprintf(stderr, "ringmain: nothing was taken over: %s\n", why);
		return -ECONNABORTED;
	case HANDOVER_PLACES: server->loose_doors = true; break;
	case HANDOVER_ALL:
		atomic_fetch_add_explicit(estate_word(ESTATE_UPGRADES), 1, memory_order_relaxed);
		break;
	}
	return 0;
}

static bool trial_of_start(const struct server *server)
{
	role_here = ROLE_CONTROL;
	enter_control();
	if (certificates_load(server) != 0)
		return false;
	tls_abandon();
	return true;
}

/* The estate: of the last server, or a new one. */
static int estate_begin(struct server *server)
{
	const struct keeper_life *life = &server->life;

	edge_know();
	families_know();
	data_lock_know();
	if (life->takes_over)
		return take_over(server);
	if (life->stowed)
		return go_on_after_restart(life);
	if (life->kept && life->estate >= 0)
		return go_on_after_crash(life);
	return estate_create();
}

/* Nobody else may have it but the server whose doors we have, until that one ends. */
static int data_directory_take(const struct server *server)
{
	bool alone = !estate_is_adopted() && !server->loose_doors;
	int error;

	role_here = ROLE_CONTROL;
	enter_control();
	error = data_lock_take(server->data, alone);

	if (error == -EBUSY)
		fprintf(stderr,
			"\nringmain: another ringmain serves from the data directory %s already. "
			"End that one first, or give this one a directory of its own:\n"
			"    --data DIRECTORY\n\n",
			server->data);
	return error;
}

static void estate_tell(const struct keeper_life *life)
{
	uint64_t crashes = atomic_load_explicit(estate_word(ESTATE_CRASHES), memory_order_relaxed);
	uint64_t upgrades =
		atomic_load_explicit(estate_word(ESTATE_UPGRADES), memory_order_relaxed);

	metric_add(METRIC_core_crashes, (int64_t)crashes);
	metric_add(METRIC_core_upgrades, (int64_t)upgrades);
	if (life->takes_over)
		log_info("core", "took over", kv_u64("upgrades", upgrades));
	else if (life->stowed && estate_is_adopted())
		log_info("core", "went on with what systemd kept");
	else if (estate_is_adopted())
		log_error("core", "started again after a crash", kv_i64("signal", life->signal),
			  kv_u64("crashes", crashes));
}

/* A sanitizer's runtime has threads and descriptors of its own, which clone() would tear apart. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define SANITIZED 1
#elif defined(__has_feature)
#	if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#		define SANITIZED 1
#	endif
#endif
#ifndef SANITIZED
#	define SANITIZED 0
#endif

static void json_forget(void *block)
{
	if (block)
		explicit_bzero(block, malloc_usable_size(block));
	free(block);
}

int main(int argc, char **argv)
{
	struct server server = {0};
	struct options options;
	int code, error;

	signal(SIGPIPE, SIG_IGN);
	rooms_gather();
	if (!options_parse(&options, argc, argv))
		return 2;
	if (print_and_end(&options, &code))
		return code;
	raise_descriptor_limit();
	if (!options.no_keeper && !SANITIZED)
		keeper_start(argv, &server.life);
	if (!auth_init()) {
		fprintf(stderr, "ringmain: no random numbers to be had\n");
		return 1;
	}
	if (!tls_crypto_init() || !tls_ticket_init()) {
		fprintf(stderr, "ringmain: OpenSSL cannot be used\n");
		return 1;
	}
	if (fetch_init() != 0) {
		fprintf(stderr, "ringmain: libcurl cannot be used\n");
		return 1;
	}
	json_object_seed(0);
	/* Trees have held passwords and keys: what they leave is no use to who reads freed memory. */
	json_set_alloc_funcs(malloc, json_forget);
	server.options = &options;
	server.data = data_directory(&options);
	the_server = &server;
	server.conf = load_with_secrets(&options, &server, NULL);
	if (!server.conf)
		return 1;
	error = log_open_by(server.conf);
	if (error) {
		fprintf(stderr, "ringmain: log.file: %s\n", strerror(-error));
		return 1;
	}
	/* What could fail is tried before anything is taken over. */
	if (server.life.takes_over && !trial_of_start(&server))
		return 1;
	/* The log's number may be wanted, and what is nobody's is closed. */
	log_close();
	error = estate_begin(&server);
	if (!error)
		error = log_open_by(server.conf);
	if (!error)
		error = data_directory_take(&server);
	if (error) {
		if (error != -EBUSY)
			fprintf(stderr, "ringmain: %s\n", strerror(-error));
		return 1;
	}
	estate_tell(&server.life);
	code = serve(&server, &options);
	conf_free(&server.conf);
	log_close();
	return code;
}
