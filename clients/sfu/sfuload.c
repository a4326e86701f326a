/* ringmain-sfuload: viewers by the thousand over WHEP, with DTLS and SRTP of their own, and the publisher
 * that they watch.
 *
 *     ringmain-sfuload publish --url http://HOST:PORT/whip/ROOM --token PW    numbered packets
 *     ringmain-sfuload watch --url http://HOST:PORT/whep/ROOM --viewers 1000  … and what came of them
 *
 * JSON lines. Exit status: 0, 1 when the server broke a promise (see sfu_viewer.h), 2 bad usage. */
#include "sfuload.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sfu_link.h"
#include "sfu_stream.h"

volatile sig_atomic_t load_stopped;

static void on_signal(int signo)
{
	load_stopped = signo;
}

static const char usage[] =
	"usage: ringmain-sfuload publish --url http://HOST:PORT/whip/ROOM [options]\n"
	"       ringmain-sfuload publish --rtp ADDRESS:PORT [options]      plain RTP\n"
	"       ringmain-sfuload watch --url http://HOST:PORT/whep/ROOM [options]\n"
	"       ringmain-sfuload watch --lines [options]    \"NUMBER ADDRESS PORT UFRAG PWD\" on "
	"stdin\n"
	"  --token TOKEN          shown as a bearer\n"
	"  --codec vp8|h264       what the packets look like (vp8)\n"
	"  --rtx 0|1              retransmissions are a stream of their own (1)\n"
	"  --seconds S            of publishing or watching, from the start (20)\n"
	"publish:\n"
	"  --fps N --packets N --key-packets N --gop FRAMES --size BYTES    (30, 9, 30, 60, 1100)\n"
	"  --deaf 1               makes no key picture when it is asked for one\n"
	"watch:\n"
	"  --viewers N            (1)\n"
	"  --base ADDRESS         of the viewers (127.1.0.0)\n"
	"  --first N              the number of the first, which is its address: 127.1.0.0 + N "
	"(0)\n"
	"  --rate N               that join in a second (1000)\n"
	"  --threads N            that post offers (4)\n"
	"  --check N              every packet of each N-th is opened and looked at (1: of all)\n"
	"  --loss SHARE           of datagrams that are lost (0); --burst N: so many in a row (1); "
	"--seed N\n"
	"  --slow SHARE           of viewers that look away nine seconds of ten (0)\n"
	"  --stay S               then a viewer leaves, every other one without a word, and comes "
	"again (0: never)\n"
	"  --least N              packets and all viewers are waited for, beyond --seconds (0)\n"
	"  --drain S              at the end nothing is lost any more, so long at least (1)\n";

static void read_options(int argc, char **argv, struct load_options *o)
{
	enum {
		URL = 1,
		TOKEN,
		CODEC,
		RTX,
		SECONDS,
		FPS,
		PACKETS,
		KEY_PACKETS,
		GOP,
		SIZE,
		DEAF,
		VIEWERS,
		FIRST,
		RATE,
		THREADS,
		CHECK_N,
		LOSS,
		BURST,
		SEED,
		SLOW,
		STAY,
		DRAIN,
		RTP,
		LINES,
		BASE,
		LEAST
	};
	static const struct option known[] = {
		{"url", 1, 0, URL},
		{"token", 1, 0, TOKEN},
		{"codec", 1, 0, CODEC},
		{"rtx", 1, 0, RTX},
		{"seconds", 1, 0, SECONDS},
		{"fps", 1, 0, FPS},
		{"packets", 1, 0, PACKETS},
		{"key-packets", 1, 0, KEY_PACKETS},
		{"gop", 1, 0, GOP},
		{"size", 1, 0, SIZE},
		{"deaf", 1, 0, DEAF},
		{"viewers", 1, 0, VIEWERS},
		{"first", 1, 0, FIRST},
		{"rate", 1, 0, RATE},
		{"threads", 1, 0, THREADS},
		{"check", 1, 0, CHECK_N},
		{"loss", 1, 0, LOSS},
		{"burst", 1, 0, BURST},
		{"seed", 1, 0, SEED},
		{"slow", 1, 0, SLOW},
		{"stay", 1, 0, STAY},
		{"drain", 1, 0, DRAIN},
		{"rtp", 1, 0, RTP},
		{"lines", 0, 0, LINES},
		{"base", 1, 0, BASE},
		{"least", 1, 0, LEAST},
		{0},
	};
	int code, index = 0;

	*o = (struct load_options){.rtx = true,
				   .seconds = 20,
				   .rate = 1000,
				   .burst = 1,
				   .drain = 1,
				   .fps = 30,
				   .viewers = 1,
				   .check = 1,
				   .seed = 1,
				   .size = 1100,
				   .packets = 9,
				   .key_packets = 30,
				   .gop = 60,
				   .threads = 4};
	while ((code = getopt_long(argc, argv, "", known, &index)) != -1) {
		const char *name = code == '?' ? "" : known[index].name;

		switch (code) {
		case URL: o->has_url = wire_url_parse(optarg, &o->url); break;
		case TOKEN: o->token = optarg; break;
		case CODEC: o->h264 = strcmp(optarg, "h264") == 0; break;
		case RTX: o->rtx = wire_number(name, optarg, 0, 1) > 0; break;
		case SECONDS: o->seconds = wire_number(name, optarg, 0.1, 1e6); break;
		case FPS: o->fps = wire_number(name, optarg, 1, 1000); break;
		case PACKETS: o->packets = (unsigned)wire_number(name, optarg, 1, 1000); break;
		case KEY_PACKETS:
			o->key_packets = (unsigned)wire_number(name, optarg, 1, 1000);
			break;
		case GOP: o->gop = (unsigned)wire_number(name, optarg, 1, 1e6); break;
		case SIZE:
			o->size = (unsigned)wire_number(name, optarg, STREAM_LEAST, STREAM_MOST);
			break;
		case DEAF: o->deaf = wire_number(name, optarg, 0, 1) > 0; break;
		case VIEWERS: o->viewers = (unsigned)wire_number(name, optarg, 1, 1e6); break;
		case FIRST: o->first = (unsigned)wire_number(name, optarg, 0, 1e7); break;
		case RATE: o->rate = wire_number(name, optarg, 0.1, 1e6); break;
		case THREADS: o->threads = (unsigned)wire_number(name, optarg, 1, 64); break;
		case CHECK_N: o->check = (unsigned)wire_number(name, optarg, 1, 1e6); break;
		case LOSS: o->loss = wire_number(name, optarg, 0, 0.9); break;
		case BURST: o->burst = wire_number(name, optarg, 1, 1000); break;
		case SEED: o->seed = (unsigned)wire_number(name, optarg, 0, 1e9); break;
		case SLOW: o->slow = wire_number(name, optarg, 0, 1); break;
		case STAY: o->stay = wire_number(name, optarg, 0, 1e6); break;
		case DRAIN: o->drain = wire_number(name, optarg, 0, 60); break;
		case RTP: o->rtp = optarg; break;
		case LINES: o->lines = true; break;
		case LEAST: o->least = wire_number(name, optarg, 0, 1e12); break;
		case BASE:
			if (!link_set_base(optarg))
				exit(2);
			break;
		default: fputs(usage, stderr); exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct load_options options;
	bool watches = argc > 1 && strcmp(argv[1], "watch") == 0;

	if (argc < 2 || (!watches && strcmp(argv[1], "publish") != 0)) {
		fputs(usage, stderr);
		return 2;
	}
	read_options(argc - 1, argv + 1, &options);
	if (!options.has_url && (watches ? !options.lines : !options.rtp)) {
		fputs(usage, stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!lock_init()) {
		fputs("ringmain-sfuload: OpenSSL has no P-256 or no AEAD_AES_128_GCM\n", stderr);
		return 2;
	}
	return watches ? load_watch(&options) : load_publish(&options);
}
