/* voicecat: what its files share: the options, and the state of one visit to a server. */
#pragma once

#include <opus/opus.h>
#include <stdio.h>

#include "mumble_link.h"
#include "voice_ear.h"
#include "voice_room.h"
#include "voice_sink.h"
#include "voice_sound.h"
#include "voice_source.h"

#define FRAME_MAX (EAR_TICK * 6) /* 60 ms, the longest that Mumble sends */

enum transport {
	TRANSPORT_AUTO,
	TRANSPORT_TCP,
	TRANSPORT_UDP, /* nothing is said before it works */
};

struct voicecat_options {
	struct mumble_options link;
	const char *channel, *in, *out, *out_dir, *text;
	enum transport transport;
	unsigned frame_ticks, bitrate;
	double seconds; /* 0: until the input ends, or for ever */
	bool loop, sound, push_to_talk, events, commands;
};

enum stage {
	STAGE_ENTERING, /* until ServerSync, and until we are in the channel */
	STAGE_THERE,
	STAGE_LEAVING,
};

struct voicecat {
	const struct voicecat_options *options;
	struct mumble_link link;
	struct voice_room room;
	struct voice_ear ear;
	enum stage stage;
	bool refused; /* the channel did not take us */
	char fault[512];

	struct voice_source source;
	bool has_source;
	OpusEncoder *encoder;
	float held[FRAME_MAX]; /* a frame that is read and not yet said: it may be the last */
	bool holds, talking;
	uint64_t frame;
	unsigned ticks; /* since the last frame */
	unsigned after; /* ticks since the input ended */

	struct voice_sink sink;
	bool has_sink;
	struct voice_sound *sound;
	bool pushed; /* the talk key */
	bool ended;
};

/* --- voicecat_talk.c --------------------------------------------------------------------------- */

bool talk_open(struct voicecat *cat);
/* 10 ms later: says what is due. */
void talk_tick(struct voicecat *cat);
void talk_close(struct voicecat *cat);

/* --- voicecat_bot.c: events as JSON lines on standard output, commands as lines on standard input --- */

void bot_message(struct voicecat *cat, const struct mumble_message *message);
void bot_joined(struct voicecat *cat);
/* Said when somebody begins to speak: the first packet, or one after the last was marked as such. */
void bot_voice(struct voicecat *cat, const struct voice_packet *packet);
/* What is on standard input. False: it ended. */
bool bot_read(struct voicecat *cat);

/* In words, also where the server names only a kind. */
struct bytes voicecat_why(const struct mumble_permission_denied *denied);
/* Goes into a channel by its path. False: there is none, or the server is gone. */
bool voicecat_enter(struct voicecat *cat, const char *path);
/* A text for a channel by its number. */
bool voicecat_text(struct voicecat *cat, uint32_t channel, const char *text);
