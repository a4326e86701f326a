/* voicecat: joins a room of a Mumble server: says a file, writes what it hears.
 *
 *     voicecat --in jingle.wav radio.example
 *     voicecat --channel Studio/Left --out all.wav --out-dir each/ localhost
 *     voicecat --sound --push-to-talk localhost
 *     voicecat --events --commands localhost          for programs: JSON lines out, orders in
 *
 * A bot's interface and a test's tool. What it did is said on standard error at the end. Ends with 1 when the
 * server refused or lost it, with 2 when it was called wrongly. */
#include "voicecat.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

static const char usage[] =
	"usage: voicecat [options] HOST[:PORT]\n"
	"  --user NAME         who we are (voicecat)\n"
	"  --password PW       the server's, or the account's\n"
	"  --token PW          opens channels that have a password; may be given several times\n"
	"  --certificate FILE  PEM with certificate and key: our identity\n"
	"  --fingerprint HEX   SHA-256 that the server's certificate must have\n"
	"  --from ADDRESS      of ours, to connect from\n"
	"  --channel PATH      Studio/Left; else where the server puts us\n"
	"  --in FILE           says it: WAV, FLAC, Ogg Opus …; -: raw 16-bit 48 kHz mono\n"
	"  --loop              over and over\n"
	"  --out FILE          writes all that is heard: .wav .flac .opus .ogg; -: raw, as above\n"
	"  --out-dir DIR       writes each speaker to a WAV file of his own\n"
	"  --text TEXT         writes it into the channel\n"
	"  --sound             microphone and loudspeaker\n"
	"  --push-to-talk      with --sound: the space bar turns the microphone on and off\n"
	"  --tcp, --udp        voice only so; else UDP where it gets through\n"
	"  --old               as a client before 1.5\n"
	"  --frame MS          10, 20, 40 or 60 in a packet (20)\n"
	"  --bitrate N         bits a second (40000)\n"
	"  --seconds S         ends after so long; else when the input ends, or on SIGINT\n"
	"  --events            what happens as JSON lines on standard output\n"
	"  --commands          lines on standard input: text, join, say, mute, deaf, quit\n";

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* --- the visit --------------------------------------------------------------------------------- */

bool voicecat_enter(struct voicecat *cat, const char *path)
{
	const struct room_channel *channel = voice_room_channel(&cat->room, path);
	struct mumble_message state;

	if (!channel)
		return false;
	message_init(&state, MUMBLE_USER_STATE);
	MUMBLE_SET(&state.user_state, user_state, session, cat->link.session);
	MUMBLE_SET(&state.user_state, user_state, channel_id, channel->id);
	return mumble_link_send(&cat->link, &state);
}

bool voicecat_text(struct voicecat *cat, uint32_t channel, const char *text)
{
	struct mumble_message message;

	message_init(&message, MUMBLE_TEXT_MESSAGE);
	message.text_message.channel_id.at = &channel;
	message.text_message.channel_id.count = 1;
	MUMBLE_SET(&message.text_message, text_message, message, bytes_str(text));
	return mumble_link_send(&cat->link, &message);
}

static void there(struct voicecat *cat)
{
	const struct room_user *self = voice_room_user(&cat->room, cat->link.session);

	cat->stage = STAGE_THERE;
	bot_joined(cat);
	if (cat->options->text)
		(void)!voicecat_text(cat, self ? self->channel : 0, cat->options->text);
}

/* Where we are and want to be. */
static void enter(struct voicecat *cat, bool just_joined)
{
	const struct room_user *self = voice_room_user(&cat->room, cat->link.session);
	const struct room_channel *wanted;

	if (!cat->options->channel) {
		there(cat);
		return;
	}
	wanted = voice_room_channel(&cat->room, cat->options->channel);
	if (!wanted) {
		snprintf(cat->fault, sizeof cat->fault, "there is no channel %s",
			 cat->options->channel);
		cat->refused = true;
	} else if (self && self->channel == wanted->id) {
		there(cat);
	} else if (just_joined) {
		(void)!voicecat_enter(cat, cat->options->channel);
	}
}

struct bytes voicecat_why(const struct mumble_permission_denied *denied)
{
	static const char *const why[] = {
		[DENY_PERMISSION] = "no permission",
		[DENY_SUPER_USER] = "not with SuperUser",
		[DENY_CHANNEL_NAME] = "the channel's name is not allowed",
		[DENY_TEXT_TOO_LONG] = "the text is too long",
		[DENY_TEMPORARY_CHANNEL] = "not in a temporary channel",
		[DENY_MISSING_CERTIFICATE] = "it takes a certificate",
		[DENY_USER_NAME] = "the user's name is not allowed",
		[DENY_CHANNEL_FULL] = "the channel is full",
		[DENY_NESTING_LIMIT] = "channels lie too deep",
		[DENY_CHANNEL_COUNT_LIMIT] = "there are too many channels",
		[DENY_CHANNEL_LISTENER_LIMIT] = "too many listen to the channel",
		[DENY_USER_LISTENER_LIMIT] = "listens to too many channels",
	};

	if (denied->reason.len)
		return denied->reason;
	if (denied->type >= COUNT_OF(why) || !why[denied->type])
		return BYTES("denied");
	return bytes_str(why[denied->type]);
}

static void on_message(struct mumble_link *link, const struct mumble_message *message)
{
	struct voicecat *cat = container_of(link, struct voicecat, link);

	voice_room_note(&cat->room, message);
	bot_message(cat, message);
	if (cat->stage != STAGE_ENTERING || link->state != MUMBLE_JOINED)
		return;
	if (message->type == MUMBLE_PERMISSION_DENIED) {
		struct bytes why = voicecat_why(&message->permission_denied);

		snprintf(cat->fault, sizeof cat->fault, "not let into %s: %.*s",
			 cat->options->channel, (int)why.len, (const char *)why.at);
		cat->refused = true;
		return;
	}
	enter(cat, message->type == MUMBLE_SERVER_SYNC);
}

static void on_voice(struct mumble_link *link, const struct voice_packet *packet, bool tunnelled)
{
	struct voicecat *cat = container_of(link, struct voicecat, link);

	(void)tunnelled;
	bot_voice(cat, packet);
	voice_ear_hear(&cat->ear, packet);
}

static const struct mumble_hooks hooks = {on_message, on_voice};

/* --- what is heard ----------------------------------------------------------------------------- */

/* A name as part of a file's: only what harms nobody. */
static void file_name(const struct voicecat *cat, uint32_t session, char *out, size_t size)
{
	const struct room_user *user = voice_room_user(&cat->room, session);
	char name[ROOM_NAME];

	snprintf(name, sizeof name, "%s", user ? user->name : "");
	for (char *c = name; *c; c++) {
		if ((uint8_t)*c <= ' ' || *c == '/' || *c == '.' || *c == 0x7f)
			*c = '_';
	}
	snprintf(out, size, "%s/%s-%u.wav", cat->options->out_dir, name, session);
}

static void write_own(struct ear_speaker *speaker, const float pcm[EAR_TICK], void *user)
{
	struct voicecat *cat = user;
	struct voice_sink *sink = speaker->file;
	char path[4096];

	if (!sink && !speaker->file_failed) {
		file_name(cat, speaker->session, path, sizeof path);
		sink = calloc(1, sizeof *sink);
		if (!sink || !voice_sink_open(sink, path, cat->fault, sizeof cat->fault)) {
			fprintf(stderr, "voicecat: %s\n", sink ? cat->fault : "out of memory");
			free(sink);
			sink = NULL;
			speaker->file_failed = true;
		}
		speaker->file = sink;
	}
	if (sink && !voice_sink_write(sink, pcm, EAR_TICK))
		speaker->file_failed = true;
}

static void hear_tick(struct voicecat *cat)
{
	float mix[EAR_TICK];

	voice_ear_mix(&cat->ear, mix, cat->options->out_dir ? write_own : NULL, cat);
	if (cat->has_sink && !voice_sink_write(&cat->sink, mix, EAR_TICK)) {
		snprintf(cat->fault, sizeof cat->fault, "%s: cannot be written any more",
			 cat->options->out);
		cat->refused = true;
	}
	if (cat->sound)
		voice_sound_write(cat->sound, mix, EAR_TICK);
}

/* --- the loop ---------------------------------------------------------------------------------- */

static int timer_open(void)
{
	const struct itimerspec every = {{0, 10000000}, {0, 10000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd != -1)
		timerfd_settime(fd, 0, &every, NULL);
	return fd;
}

static void ticks(struct voicecat *cat, int timer)
{
	uint64_t count = 0;

	if (read(timer, &count, sizeof count) != sizeof count)
		return;
	/* After a long stop it does not say everything at once. */
	for (uint64_t i = 0; i < count && i < 50; i++) {
		talk_tick(cat);
		if (cat->stage == STAGE_THERE)
			hear_tick(cat);
	}
}

static bool is_done(const struct voicecat *cat, mono_t began)
{
	const struct voicecat_options *options = cat->options;

	if (cat->ended || cat->refused || interrupted)
		return true;
	if (options->seconds > 0)
		return (double)mono_since_us(mono_now(), began) / 1e6 >= options->seconds;
	/* The last packet shall get away before we do. */
	return options->in && !options->commands && cat->after > 50;
}

static void visit(struct voicecat *cat)
{
	bool reads = cat->options->commands || cat->options->push_to_talk;
	mono_t began = mono_now();
	int timer = timer_open();

	while (!is_done(cat, began)) {
		struct pollfd polled[4] = {
			{cat->link.tcp, mumble_link_wants(&cat->link), 0},
			{timer, POLLIN, 0},
			{cat->link.udp, POLLIN, 0},
			{reads ? STDIN_FILENO : -1, POLLIN, 0},
		};

		if (poll(polled, COUNT_OF(polled), 100) == -1 && errno != EINTR)
			break;
		if (!mumble_link_turn(&cat->link, mono_now()))
			break;
		if (polled[1].revents)
			ticks(cat, timer);
		if (polled[3].revents && !bot_read(cat))
			cat->ended = true;
	}
	close(timer);
}

/* --- beginning and end ------------------------------------------------------------------------- */

static struct termios keyboard;
static bool raw_keyboard;

static void keyboard_open(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &keyboard) == -1)
		return;
	raw = keyboard;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	raw_keyboard = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void keyboard_close(void)
{
	if (raw_keyboard)
		tcsetattr(STDIN_FILENO, TCSANOW, &keyboard);
}

static bool devices_open(struct voicecat *cat)
{
	const struct voicecat_options *options = cat->options;

	if (!talk_open(cat))
		return false;
	if (options->out_dir && access(options->out_dir, W_OK | X_OK) != 0) {
		snprintf(cat->fault, sizeof cat->fault, "%s: %s", options->out_dir,
			 strerror(errno));
		return false;
	}
	if (options->out) {
		if (!voice_sink_open(&cat->sink, options->out, cat->fault, sizeof cat->fault))
			return false;
		cat->has_sink = true;
	}
	if (options->sound) {
		cat->sound = voice_sound_open(!options->in, true, cat->fault, sizeof cat->fault);
		if (!cat->sound)
			return false;
	}
	return true;
}

static void report(struct voicecat *cat)
{
	const struct mumble_link *link = &cat->link;
	uint64_t late = 0, made_up = 0;

	for (size_t i = 0; i < EAR_SPEAKERS; i++) {
		if (!cat->ear.speakers[i])
			continue;
		late += cat->ear.speakers[i]->late;
		made_up += cat->ear.speakers[i]->made_up;
	}
	fprintf(stderr,
		"voicecat: said udp=%llu tunnel=%llu dropped=%llu; heard udp=%llu tunnel=%llu "
		"late=%llu made_up=%llu lost=%u\n",
		(unsigned long long)link->sent_udp, (unsigned long long)link->sent_tunnel,
		(unsigned long long)link->dropped, (unsigned long long)link->heard_udp,
		(unsigned long long)link->heard_tunnel, (unsigned long long)late,
		(unsigned long long)made_up, link->crypt.lost);
}

static void devices_close(struct voicecat *cat)
{
	for (size_t i = 0; i < EAR_SPEAKERS; i++) {
		struct voice_sink *sink = cat->ear.speakers[i] ? cat->ear.speakers[i]->file : NULL;

		if (sink)
			voice_sink_close(sink);
		free(sink);
	}
	talk_close(cat);
	voice_sink_close(&cat->sink);
	voice_sound_close(cat->sound);
	voice_ear_fini(&cat->ear);
	voice_room_fini(&cat->room);
}

static int run(const struct voicecat_options *options)
{
	static struct voicecat cat;
	int code = 1;

	cat.options = options;
	cat.link.tcp = cat.link.udp = -1;
	if (!devices_open(&cat)) {
		fprintf(stderr, "voicecat: %s\n", cat.fault);
	} else if (!mumble_link_open(&cat.link, &options->link, &hooks)) {
		fprintf(stderr, "voicecat: %s\n", cat.link.why);
	} else {
		if (options->push_to_talk)
			keyboard_open();
		visit(&cat);
		keyboard_close();
		report(&cat);
		if (cat.link.state == MUMBLE_GONE)
			fprintf(stderr, "voicecat: %s\n", cat.link.why);
		else if (cat.refused)
			fprintf(stderr, "voicecat: %s\n", cat.fault);
		else if (cat.stage == STAGE_ENTERING)
			fprintf(stderr, "voicecat: ended before it was let in\n");
		else
			code = 0;
	}
	mumble_link_close(&cat.link);
	devices_close(&cat);
	return code;
}

/* --- options ----------------------------------------------------------------------------------- */

enum {
	OPTION_USER = 256,
	OPTION_PASSWORD,
	OPTION_TOKEN,
	OPTION_CERTIFICATE,
	OPTION_FINGERPRINT,
	OPTION_FROM,
	OPTION_CHANNEL,
	OPTION_IN,
	OPTION_LOOP,
	OPTION_OUT,
	OPTION_OUT_DIR,
	OPTION_TEXT,
	OPTION_SOUND,
	OPTION_PUSH,
	OPTION_TCP,
	OPTION_UDP,
	OPTION_OLD,
	OPTION_FRAME,
	OPTION_BITRATE,
	OPTION_SECONDS,
	OPTION_EVENTS,
	OPTION_COMMANDS,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"user", required_argument, NULL, OPTION_USER},
	{"password", required_argument, NULL, OPTION_PASSWORD},
	{"token", required_argument, NULL, OPTION_TOKEN},
	{"certificate", required_argument, NULL, OPTION_CERTIFICATE},
	{"fingerprint", required_argument, NULL, OPTION_FINGERPRINT},
	{"from", required_argument, NULL, OPTION_FROM},
	{"channel", required_argument, NULL, OPTION_CHANNEL},
	{"in", required_argument, NULL, OPTION_IN},
	{"loop", no_argument, NULL, OPTION_LOOP},
	{"out", required_argument, NULL, OPTION_OUT},
	{"out-dir", required_argument, NULL, OPTION_OUT_DIR},
	{"text", required_argument, NULL, OPTION_TEXT},
	{"sound", no_argument, NULL, OPTION_SOUND},
	{"push-to-talk", no_argument, NULL, OPTION_PUSH},
	{"tcp", no_argument, NULL, OPTION_TCP},
	{"udp", no_argument, NULL, OPTION_UDP},
	{"old", no_argument, NULL, OPTION_OLD},
	{"frame", required_argument, NULL, OPTION_FRAME},
	{"bitrate", required_argument, NULL, OPTION_BITRATE},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"events", no_argument, NULL, OPTION_EVENTS},
	{"commands", no_argument, NULL, OPTION_COMMANDS},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

#define TOKENS_MAX 63

static bool number(const char *text, double least, double most, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && !*end && *out >= least && *out <= most;
}

/* Splits HOST:PORT and [ADDRESS]:PORT in place. */
static bool host_and_port(char *text, struct mumble_options *link)
{
	char *colon = strrchr(text, ':');
	double port;

	link->host = text;
	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (!end)
			return false;
		*end = '\0';
		link->host = text + 1;
		colon = end[1] == ':' ? end + 1 : NULL;
		if (!colon && end[1])
			return false;
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* an IPv6 address as it is */
	}
	if (!colon)
		return link->host[0] != '\0';
	*colon = '\0';
	if (!number(colon + 1, 1, 65535, &port))
		return false;
	link->port = (uint16_t)port;
	return link->host[0] != '\0';
}

static bool wrong(const char *what)
{
	fprintf(stderr, "voicecat: %s; --help says what there is\n", what);
	return false;
}

static bool take_option(struct voicecat_options *options, int option, const char **tokens,
			size_t *token_count)
{
	double value = 0;

	switch (option) {
	case OPTION_USER: options->link.user = optarg; break;
	case OPTION_PASSWORD: options->link.password = optarg; break;
	case OPTION_TOKEN:
		if (*token_count == TOKENS_MAX)
			return wrong("--token: too many of them");
		tokens[(*token_count)++] = optarg;
		break;
	case OPTION_CERTIFICATE: options->link.certificate = optarg; break;
	case OPTION_FINGERPRINT: options->link.fingerprint = optarg; break;
	case OPTION_FROM: options->link.from = optarg; break;
	case OPTION_CHANNEL: options->channel = optarg; break;
	case OPTION_IN: options->in = optarg; break;
	case OPTION_LOOP: options->loop = true; break;
	case OPTION_OUT: options->out = optarg; break;
	case OPTION_OUT_DIR: options->out_dir = optarg; break;
	case OPTION_TEXT: options->text = optarg; break;
	case OPTION_SOUND: options->sound = true; break;
	case OPTION_PUSH: options->push_to_talk = true; break;
	case OPTION_TCP: options->transport = TRANSPORT_TCP; break;
	case OPTION_UDP: options->transport = TRANSPORT_UDP; break;
	case OPTION_OLD: options->link.modern = false; break;
	case OPTION_FRAME:
		if (!number(optarg, 10, 60, &value) ||
		    (value != 10 && value != 20 && value != 40 && value != 60))
			return wrong("--frame: 10, 20, 40 or 60");
		options->frame_ticks = (unsigned)value / 10;
		break;
	case OPTION_BITRATE:
		if (!number(optarg, 6000, 128000, &value))
			return wrong("--bitrate: 6000 to 128000");
		options->bitrate = (unsigned)value;
		break;
	case OPTION_SECONDS:
		if (!number(optarg, 0.01, 1e9, &options->seconds))
			return wrong("--seconds: more than 0");
		break;
	case OPTION_EVENTS: options->events = true; break;
	case OPTION_COMMANDS: options->commands = true; break;
	default: fputs("voicecat: --help says what there is\n", stderr); return false;
	}
	return true;
}

static bool options_fit(const struct voicecat_options *options)
{
	bool in_stdin = options->in && strcmp(options->in, "-") == 0;
	bool out_stdout = options->out && strcmp(options->out, "-") == 0;

	if (in_stdin && (options->commands || options->push_to_talk))
		return wrong("standard input is either sound or commands");
	if (options->commands && options->push_to_talk)
		return wrong("--commands and --push-to-talk both read standard input");
	if (out_stdout && options->events)
		return wrong("standard output is either sound or events");
	if (options->push_to_talk && !options->sound)
		return wrong("--push-to-talk goes with --sound");
	return true;
}

int main(int argc, char **argv)
{
	static const char *tokens[TOKENS_MAX + 1];
	struct voicecat_options options = {
		.link = {.user = "voicecat", .seconds = 10, .modern = true},
		.frame_ticks = 2,
		.bitrate = 40000,
	};
	struct sigaction action = {.sa_handler = on_signal};
	size_t token_count = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(usage, stdout);
			return 0;
		}
		if (!take_option(&options, option, tokens, &token_count))
			return 2;
	}
	if (optind + 1 != argc || !host_and_port(argv[optind], &options.link)) {
		wrong("one HOST[:PORT] is wanted, with a port from 1 to 65535");
		return 2;
	}
	if (!options_fit(&options))
		return 2;
	options.link.tokens = tokens;
	options.link.tunnel_only = options.transport == TRANSPORT_TCP;
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return run(&options);
}
