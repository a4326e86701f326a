/* options: the command line of net_ingest, and the files that secrets are read from. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *slot, *url;
	const char *api;
	char *key, *passphrase, *token; /* from files; NULL: none */
	bool listen, open_to_all, once, loop, no_sandbox;
	int pace; /* 1: as fast as it is meant to be seen; 0: as it comes; -1: by the kind of source */
	uint32_t pixel_format, width, height, fps_num, fps_den, depth, latency_ms;
	int channels; /* -1: the source's */
	uint32_t rate, timeout_s;
	int threads;
	char shown[256]; /* the address without what is secret */
	/* Of an address to listen at. */
	char host[128], port[8], app[128];
	bool rtmp, srt, file;
};

/* 0: go on; else the exit status, and it was said what is wrong. */
int options_parse(struct options *options, int argc, char **argv);
void options_fini(struct options *options);
