#include "oracle.h"

enum {
	HEADER_LEN = 4,
	MAGIC_AT =
		HEADER_LEN + 32, /* behind the side info of a stereo frame, ISO 11172-3 2.4.1.7 */
	STREAM_AT = MAGIC_AT + 4,
	NUMBER_AT = STREAM_AT + 5,
	SENT_AT = NUMBER_AT + 10,
	FILLER_AT = SENT_AT + 10,
	KBPS_PERIOD = 441, /* frames after which the padding pattern begins again */
};

static const uint8_t magic[4] = {'R', 'M', 'O', '1'};

/* ISO 11172-3 2.4.2.3, layer III: the index is the header's bitrate field. */
static const uint16_t kbps_of_index[16] = {0,   32,  40,  48,  56,  64,  80,  96,
					   112, 128, 160, 192, 224, 256, 320, 0};

static unsigned index_of_kbps(unsigned kbps)
{
	for (unsigned i = 1; i < 15; i++)
		if (kbps_of_index[i] == kbps)
			return i;
	return 0;
}

bool oracle_kbps_valid(unsigned kbps)
{
	return index_of_kbps(kbps) != 0;
}

/* Bytes of the first n frames of a period: 144 * bitrate / 44100 each, rounded down in the sum. */
static uint64_t len_of_frames(unsigned kbps, uint64_t n)
{
	return n * 1440 * kbps / KBPS_PERIOD;
}

size_t oracle_frame_len(unsigned kbps, uint64_t number)
{
	uint64_t n = number % KBPS_PERIOD;

	return (size_t)(len_of_frames(kbps, n + 1) - len_of_frames(kbps, n));
}

int64_t oracle_frame_start_us(uint64_t n)
{
	/* 1152 / 44100 s is 11520000 / 441 µs: whole periods first, so that nothing overflows. */
	return (int64_t)(n / KBPS_PERIOD * 11520000 + n % KBPS_PERIOD * 11520000 / KBPS_PERIOD);
}

static void put_7bit(uint8_t *at, size_t count, uint64_t value)
{
	while (count--) {
		at[count] = value & 0x7F;
		value >>= 7;
	}
}

static uint64_t get_7bit(const uint8_t *at, size_t count)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count; i++)
		value = value << 7 | (at[i] & 0x7F);
	return value;
}

/* One step of splitmix64: every bit of the state changes about half of the bits of the result. */
static uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static void put_filler(uint8_t *at, size_t len, const struct oracle_frame *frame)
{
	uint64_t state = frame->number;

	state = mix(&state) ^ frame->stream;
	state = mix(&state) ^ (uint64_t)frame->sent.us;
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = mix(&state) & 0x7F7F7F7F7F7F7F7Fu;

		memcpy(at + i, &word, len - i < 8 ? len - i : 8);
	}
}

size_t oracle_frame_make(uint8_t *out, const struct oracle_frame *frame)
{
	size_t len = oracle_frame_len(frame->kbps, frame->number);
	bool padded = len > 144000u * frame->kbps / 44100;

	memset(out, 0, MAGIC_AT);
	out[0] = 0xFF;
	out[1] = 0xFB; /* MPEG-1, layer III, no CRC */
	out[2] = (uint8_t)(index_of_kbps(frame->kbps) << 4 | (padded ? 2 : 0)); /* 44.1 kHz */
	out[3] = 0x04; /* stereo, original */
	memcpy(out + MAGIC_AT, magic, sizeof(magic));
	put_7bit(out + STREAM_AT, 5, frame->stream);
	put_7bit(out + NUMBER_AT, 10, frame->number);
	put_7bit(out + SENT_AT, 10, (uint64_t)frame->sent.us);
	put_filler(out + FILLER_AT, len - FILLER_AT, frame);
	return len;
}

bool oracle_frame_read(struct bytes in, struct oracle_frame *frame)
{
	uint8_t right[ORACLE_FRAME_MAX];

	if (in.len < FILLER_AT || in.len > sizeof(right) || !kbps_of_index[in.at[2] >> 4])
		return false;
	*frame = (struct oracle_frame){
		.stream = (uint32_t)get_7bit(in.at + STREAM_AT, 5),
		.number = get_7bit(in.at + NUMBER_AT, 10),
		.sent = {(int64_t)get_7bit(in.at + SENT_AT, 10)},
		.kbps = kbps_of_index[in.at[2] >> 4],
	};
	return oracle_frame_len(frame->kbps, frame->number) == in.len &&
	       oracle_frame_make(right, frame) == in.len && memcmp(right, in.at, in.len) == 0;
}

void oracle_init(struct oracle *oracle)
{
	memset(oracle, 0, sizeof(*oracle));
}

size_t oracle_tail(const struct oracle *oracle)
{
	return oracle->held;
}

bool oracle_is_whole(const struct oracle_counts *counts)
{
	return counts->frames && !counts->gaps && !counts->repeats && !counts->torn &&
	       !counts->switch_repeats;
}

/* The place that remembers this stream; the first free one, or the last when all are taken. */
static unsigned seen_of(const struct oracle *oracle, uint32_t stream)
{
	unsigned i = 0;

	while (i < ORACLE_STREAMS - 1 && oracle->seen[i].used && oracle->seen[i].stream != stream)
		i++;
	return i;
}

static void count_order(struct oracle_counts *counts, uint64_t number, uint64_t last)
{
	if (number > last + 1) {
		uint64_t lost = number - last - 1;

		counts->gaps++;
		counts->gap_frames += lost;
		if (lost > counts->gap_longest)
			counts->gap_longest = lost;
	} else if (number <= last) {
		counts->repeats++;
		counts->repeat_frames += last + 1 - number;
	}
}

static void count_return(struct oracle_counts *counts, uint64_t number, uint64_t last)
{
	if (number <= last)
		counts->switch_repeats++;
	else
		counts->switch_gap_frames += number - last - 1;
}

static void count_frame(struct oracle *oracle, const struct oracle_frame *frame)
{
	struct oracle_counts *counts = &oracle->counts;
	unsigned i = seen_of(oracle, frame->stream);
	bool known = oracle->seen[i].used && oracle->seen[i].stream == frame->stream;

	if (counts->frames == 0)
		counts->first = frame->number;
	else if (oracle->stream != frame->stream)
		counts->switches++;
	if (known && oracle->stream == frame->stream)
		count_order(counts, frame->number, oracle->seen[i].last);
	else if (known)
		count_return(counts, frame->number, oracle->seen[i].last);
	counts->frames++;
	counts->last = frame->number;
	oracle->seen[i].used = true;
	oracle->seen[i].stream = frame->stream;
	oracle->seen[i].last = frame->number;
	oracle->stream = frame->stream;
	oracle->tearing = false;
	if (oracle->on_frame)
		oracle->on_frame(oracle, frame);
}

/* How many bytes must be there before more can be said; 0: no frame begins here. */
static size_t bytes_wanted(struct bytes in)
{
	unsigned kbps;

	if (in.at[0] != 0xFF)
		return 0;
	if (in.len < HEADER_LEN)
		return HEADER_LEN;
	kbps = kbps_of_index[in.at[2] >> 4];
	if (in.at[1] != 0xFB || !kbps || (in.at[2] & 0x0D))
		return 0;
	return 144000u * kbps / 44100 + (in.at[2] & 2 ? 1 : 0);
}

/* Drops what is no frame, up to the next byte that may begin one; returns how much. */
static size_t tear(struct oracle *oracle, struct bytes in)
{
	size_t len = 1 + bytes_find(bytes_skip(in, 1), 0xFF);

	if (oracle->counts.frames == 0) {
		oracle->counts.torn_start_bytes += len;
		return len;
	}
	oracle->counts.torn += !oracle->tearing;
	oracle->counts.torn_bytes += len;
	oracle->tearing = true;
	return len;
}

/* Judges the beginning of in, which is not empty; returns how much of it is done with, 0 when it
 * takes more bytes to say. */
static size_t judge(struct oracle *oracle, struct bytes in)
{
	size_t want = bytes_wanted(in);
	struct oracle_frame frame;

	if (want > in.len)
		return 0;
	if (want == 0 || !oracle_frame_read(bytes_first(in, want), &frame))
		return tear(oracle, in);
	count_frame(oracle, &frame);
	return want;
}

/* Frames are judged where they lie; only one that is split over two calls is copied. */
void oracle_input(struct oracle *oracle, struct bytes in)
{
	while (in.len) {
		struct bytes hold = bytes_of(oracle->hold, oracle->held);
		size_t used;

		if (oracle->held == 0) {
			used = judge(oracle, in);
			in = bytes_skip(in, used);
			if (used)
				continue;
			hold = bytes_first(in, 1);
		}
		struct bytes more = bytes_first(in, bytes_wanted(hold) - oracle->held);

		memcpy(oracle->hold + oracle->held, more.at, more.len);
		oracle->held += more.len;
		in = bytes_skip(in, more.len);
		while (oracle->held &&
		       (used = judge(oracle, bytes_of(oracle->hold, oracle->held))) != 0) {
			oracle->held -= used;
			memmove(oracle->hold, oracle->hold + used, oracle->held);
		}
	}
}
