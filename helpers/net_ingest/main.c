/* net_ingest: RTMP, SRT, files and whatever libav reads, decoded into a slot of the frame cache.
 *
 *     net_ingest --listen --key-file key studio1 rtmp://0.0.0.0:1935/live
 *     net_ingest studio2 srt://encoder.example:9000
 *     net_ingest --loop card test.mov
 *
 * One process a source; it may be killed and started again at any moment. What it has to open is opened
 * first; then it gives up all privileges and most system calls, and only then it reads a byte of others. */
#include <curl/curl.h>
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ingest.h"
#include "input.h"
#include "sandbox.h"
#include "say.h"

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

static bool door_open(const struct options *options, struct door **door)
{
	const struct door_config config = {
		.host = options->host,
		.port = options->port,
		.app = options->app,
		.key = options->key,
		.passphrase = options->passphrase,
		.latency_ms = options->latency_ms,
	};

	*door = NULL;
	if (!options->listen)
		return true;
	*door = options->rtmp ? rtmp_door_open(&config) : srt_door_open(&config);
	return *door;
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct options options;
	struct door *door = NULL;
	int status = options_parse(&options, argc, argv), error;

	if (status) {
		options_fini(&options);
		return status == -1 ? 0 : status;
	}
	say_as(options.slot);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	av_log_set_level(AV_LOG_FATAL);
	/* A plane of 16 bits for each of four colours; also where libav decodes to look at a source. */
	av_max_alloc((size_t)INPUT_PIXELS_MAX * 8);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	avformat_network_init();
	if (!door_open(&options, &door)) {
		options_fini(&options);
		return 1;
	}
	error = options.no_sandbox ? 0 : sandbox_enter(strcmp(options.api, "none") == 0);
	if (error)
		say("no sandbox, so nothing is read: %s", strerror(-error));
	status = error ? 1 : ingest_run(&options, door, &stopped);
	if (door)
		door->close(door);
	options_fini(&options);
	return status;
}
