/* capture-manager: one slot of the frame cache, three ffmpeg: growing master, proxy, HLS preview.
 *
 *     capture-manager --out /srv/rec studio1
 *     capture-manager --out /srv/rec --feed 'master=my-orchestrator {input}' --raw master studio1
 *
 * Each feed reads the slot at a place of its own, so that one that is slow, stopped or dead costs the others
 * nothing; whose process ends is started again. OUT/SLOT.status.json says twice a second how each is doing;
 * the same is printed at the end. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <libavutil/log.h>

#include "command.h"
#include "fc_client.h"
#include "feed.h"

#define FEEDS_MAX    8
#define TELL_MS      500
#define PATIENCE_MAX 86400u

static const char usage[] =
	"usage: capture-manager [options] SLOT\n"
	"\n"
	"  --out DIR            where what is recorded goes (.)\n"
	"  --feed NAME=COMMAND  another feed, or another command for master, proxy or preview;\n"
	"                       {input} {slot} {name} {out} {run} {width} {height} {fps} "
	"{pix_fmt}\n"
	"                       {rate} {channels} are filled in; ?WORD is left out without sound\n"
	"  --without NAME       not that one\n"
	"  --raw NAME           bare pictures on its pipe:0, samples on its pipe:3, instead of "
	"NUT\n"
	"  --patience S         for a writer that died, before files are closed (10)\n"
	"  --once               ends when the slot's writer has gone\n"
	"  --status FILE        (OUT/SLOT.status.json)\n"
	"  --commands           prints the commands and ends\n";

#define FFMPEG "ffmpeg -nostdin -hide_banner -loglevel warning -y {input} "

static const struct {
	const char *name, *template;
} presets[] = {
	/* XDCAM HD422, 50 Mbit/s, for raw2bmx: elementary stream and WAV. */
	{"master",
	 FFMPEG "-map 0:v -c:v mpeg2video -pix_fmt yuv422p -profile:v 0 -b:v 50M -minrate 50M "
		"-maxrate 50M -bufsize 17825792 -g 12 -bf 2 -fps_mode cfr -f mpeg2video "
		"{out}/{slot}-{name}-{run}.m2v "
		"?-vn ?-c:a ?pcm_s24le ?-f ?wav ?{out}/{slot}-{name}-{run}.wav"},
	{"proxy",
	 FFMPEG "-c:v libx264 -preset veryfast -b:v 4M -pix_fmt yuv420p -fps_mode cfr "
		"?-c:a ?aac ?-b:a ?128k -movflags +frag_keyframe+delay_moov+default_base_moof "
		"-f mp4 {out}/{slot}-{name}-{run}.mp4"},
	{"preview",
	 FFMPEG "-vf scale=-2:540 -c:v libx264 -preset veryfast -tune zerolatency -b:v 1200k "
		"-pix_fmt yuv420p -fps_mode cfr -force_key_frames expr:gte(t,n_forced*2) "
		"?-c:a ?aac ?-b:a ?96k -f hls -hls_time 2 -hls_list_size 6 -hls_flags "
		"delete_segments+independent_segments+program_date_time+temp_file+append_list "
		"-hls_segment_filename {out}/{slot}-{name}-{run}-%05d.ts "
		"{out}/{slot}-{name}.m3u8"},
};

struct manager {
	struct feeds all;
	struct feed feeds[FEEDS_MAX];
	size_t count;
	char status[4096], status_new[4128];
	fc_slot_t *slot; /* for a look at how it is */
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	ended = number;
}

/* --- what is told --------------------------------------------------------------------------------- */

static json_t *feed_tree(struct feed *feed, const fc_info_t *info)
{
	uint64_t position = atomic_load(&feed->position);
	uint64_t lag = info->write_cursor > position ? info->write_cursor - position : 0;
	int state = atomic_load(&feed->state);

	if (state == FEED_WAITS || state == FEED_DONE)
		lag = 0;
	return json_pack(
		"{s:s, s:s, s:b, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:i}", "name", feed->name,
		"state", feed_state_name(state), "raw", feed->raw, "pid", atomic_load(&feed->pid),
		"run", (int)atomic_load(&feed->run), "frames",
		(json_int_t)atomic_load(&feed->frames), "repeated",
		(json_int_t)atomic_load(&feed->repeated), "lost",
		(json_int_t)atomic_load(&feed->lost), "lag_frames", (json_int_t)lag, "lag_ms",
		(json_int_t)(info->fps_num ? lag * 1000 * info->fps_den / info->fps_num : 0),
		"restarts", (int)atomic_load(&feed->restarts), "last_status",
		atomic_load(&feed->status));
}

/* The slot as it is now, under its name of now. */
static int look(struct manager *manager, fc_info_t *info)
{
	int state;

	memset(info, 0, sizeof *info);
	if (!manager->slot)
		manager->slot = fc_open(manager->all.slot);
	if (!manager->slot)
		return FC_TIMEOUT;
	state = fc_state(manager->slot);
	fc_info(manager->slot, info);
	if (state == FC_SUPERSEDED) {
		fc_close(manager->slot);
		manager->slot = NULL;
	}
	return state;
}

static json_t *status_tree(struct manager *manager)
{
	fc_info_t info;
	int state = look(manager, &info);
	json_t *feeds = json_array();

	for (size_t i = 0; i < manager->count; i++)
		json_array_append_new(feeds, feed_tree(&manager->feeds[i], &info));
	return json_pack("{s:s, s:s, s:I, s:o}", "slot", manager->all.slot, "state",
			 state == FC_OK ? "live" : fc_result_name(state), "write_cursor",
			 (json_int_t)info.write_cursor, "feeds", feeds);
}

/* Beside, and renamed: nobody reads half of it. */
static void status_write(struct manager *manager)
{
	static bool told;
	json_t *tree = status_tree(manager);

	if (json_dump_file(tree, manager->status_new, JSON_INDENT(1)) == 0 &&
	    rename(manager->status_new, manager->status) == 0)
		told = false;
	else if (!told) {
		fprintf(stderr, "capture-manager: %s: %s\n", manager->status, strerror(errno));
		told = true;
	}
	json_decref(tree);
}

/* --- running -------------------------------------------------------------------------------------- */

static bool all_done(struct manager *manager)
{
	for (size_t i = 0; i < manager->count; i++)
		if (atomic_load(&manager->feeds[i].state) != FEED_DONE)
			return false;
	return true;
}

static int run(struct manager *manager)
{
	int bad = 0;
	json_t *tree;

	for (size_t i = 0; i < manager->count; i++)
		if (!feed_start(&manager->feeds[i])) {
			fprintf(stderr, "capture-manager: %s: no thread\n", manager->feeds[i].name);
			return 1;
		}
	while (!all_done(manager)) {
		status_write(manager);
		if (ended)
			atomic_store(&manager->all.stop, true);
		for (int i = 0; i < TELL_MS / 20 && !all_done(manager) &&
				(!ended || atomic_load(&manager->all.stop));
		     i++)
			nanosleep(&(struct timespec){0, 20000000}, NULL);
	}
	for (size_t i = 0; i < manager->count; i++) {
		feed_join(&manager->feeds[i]);
		bad += atomic_load(&manager->feeds[i].status) != 0;
	}
	status_write(manager);
	tree = status_tree(manager);
	json_dumpf(tree, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(tree);
	fc_close(manager->slot);
	return bad ? 1 : 0;
}

/* --- options -------------------------------------------------------------------------------------- */

static struct feed *feed_named(struct manager *manager, const char *name, size_t len)
{
	for (size_t i = 0; i < manager->count; i++)
		if (strlen(manager->feeds[i].name) == len &&
		    memcmp(manager->feeds[i].name, name, len) == 0)
			return &manager->feeds[i];
	return NULL;
}

static bool feed_set(struct manager *manager, const char *name, size_t len, const char *template)
{
	struct feed *feed = feed_named(manager, name, len);

	if (len == 0 || len >= FEED_NAME_MAX || memchr(name, '/', len)) {
		fprintf(stderr, "capture-manager: --feed: %.*s is no name\n", (int)len, name);
		return false;
	}
	if (!feed && manager->count == FEEDS_MAX) {
		fprintf(stderr, "capture-manager: --feed: there are %d already\n", FEEDS_MAX);
		return false;
	}
	if (!feed) {
		feed = &manager->feeds[manager->count++];
		feed->all = &manager->all;
		memcpy(feed->name, name, len);
	}
	feed->template = template;
	return true;
}

static bool take_feed(struct manager *manager, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals) {
		fprintf(stderr, "capture-manager: --feed: expected NAME=COMMAND, found %s\n", text);
		return false;
	}
	return feed_set(manager, text, (size_t)(equals - text), equals + 1);
}

static bool take_without(struct manager *manager, const char *name)
{
	struct feed *feed = feed_named(manager, name, strlen(name));

	if (!feed) {
		fprintf(stderr, "capture-manager: --without: there is no feed %s\n", name);
		return false;
	}
	*feed = manager->feeds[--manager->count];
	manager->feeds[manager->count] = (struct feed){0};
	return true;
}

static bool take_raw(struct manager *manager, const char *name)
{
	struct feed *feed = feed_named(manager, name, strlen(name));

	if (!feed)
		fprintf(stderr, "capture-manager: --raw: there is no feed %s\n", name);
	else
		feed->raw = true;
	return feed;
}

static bool take_patience(struct manager *manager, const char *text)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || seconds > PATIENCE_MAX) {
		fprintf(stderr,
			"capture-manager: --patience: %s is no number of seconds from 0 to %u\n",
			text, PATIENCE_MAX);
		return false;
	}
	manager->all.patience_ms = (unsigned)seconds * 1000;
	return true;
}

/* Each command is filled in once before anything runs, so that its faults are found now. */
static bool commands_check(struct manager *manager, bool print)
{
	const fc_info_t info = {.width = 1920,
				.height = 1080,
				.fps_num = 60000,
				.fps_den = 1001,
				.audio_channels = 2,
				.audio_rate = 48000};
	struct command *command = malloc(sizeof *command);
	bool good = command;

	for (size_t i = 0; i < manager->count && good; i++) {
		const struct feed *feed = &manager->feeds[i];
		const struct command_values values = {.slot = manager->all.slot,
						      .name = feed->name,
						      .out = manager->all.out,
						      .run = 1,
						      .raw = feed->raw,
						      .info = &info};
		char fault[128] = "";

		good = command_fill(command, feed->template, &values, fault, sizeof fault);
		if (!good)
			fprintf(stderr, "capture-manager: the command of %s: %s\n", feed->name,
				fault);
		for (size_t j = 0; good && print && j < command->count; j++)
			printf("%s%s", command->words[j], j + 1 < command->count ? " " : "\n");
	}
	free(command);
	return good;
}

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "capture-manager: %s: %s\n", what, why);
	return 2;
}

static int start(struct manager *manager, const char *status, bool print)
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct stat about;

	if (!fc_slot_id_ok(manager->all.slot))
		return refuse(manager->all.slot,
			      "no slot: 1 to 64 letters, digits, _ and -, a letter or digit first");
	if (manager->count == 0)
		return refuse(manager->all.slot, "there is nothing to feed");
	if (!commands_check(manager, print))
		return 2;
	if (print)
		return 0;
	if (stat(manager->all.out, &about) == -1 || !S_ISDIR(about.st_mode))
		return refuse(manager->all.out, "--out is no directory");
	if (status)
		snprintf(manager->status, sizeof manager->status, "%s", status);
	else
		snprintf(manager->status, sizeof manager->status, "%s/%s.status.json",
			 manager->all.out, manager->all.slot);
	snprintf(manager->status_new, sizeof manager->status_new, "%s.new", manager->status);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	av_log_set_level(AV_LOG_FATAL);
	return run(manager);
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"out", 1, NULL, 'o'},      {"feed", 1, NULL, 'f'},   {"without", 1, NULL, 'w'},
		{"raw", 1, NULL, 'r'},      {"once", 0, NULL, '1'},   {"patience", 1, NULL, 'p'},
		{"commands", 0, NULL, 'c'}, {"status", 1, NULL, 's'}, {"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static struct manager manager = {
		.all = {.out = ".", .patience_ms = 10000, .lock = PTHREAD_MUTEX_INITIALIZER}};
	const char *status = NULL;
	bool good = true, print = false;
	int letter;

	for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
		feed_set(&manager, presets[i].name, strlen(presets[i].name), presets[i].template);
	while (good && (letter = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (letter) {
		case 'o': manager.all.out = optarg; break;
		case 'f': good = take_feed(&manager, optarg); break;
		case 'w': good = take_without(&manager, optarg); break;
		case 'r': good = take_raw(&manager, optarg); break;
		case '1': manager.all.once = true; break;
		case 'c': print = true; break;
		case 's': status = optarg; break;
		case 'p': good = take_patience(&manager, optarg); break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	if (!good)
		return 2;
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		return 2;
	}
	manager.all.slot = argv[optind];
	return start(&manager, status, print);
}
