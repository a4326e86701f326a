/* A writer of a feed that dies at any moment, and the one who goes on from its desk: together they
 * publish what one writer would have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../random.h"
#include "radio/radio_desk.h"
#include "radio/radio_feed.h"

/* A server that dies gives nothing back, and so do these tests of what comes after it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static uint8_t stream[1 << 20];
static size_t stream_len;

static void load(const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", getenv("GOLDEN_DIR"), name);
	file = fopen(path, "rb");
	assert_non_null(file);
	stream_len = fread(stream, 1, sizeof stream, file);
	fclose(file);
}

static struct feed *the_feed;

static struct feed *find(uint64_t id)
{
	return the_feed && the_feed->id == id ? the_feed : NULL;
}

static void begin(struct publisher *publisher, struct desk *desk, const char *type)
{
	struct publish_plan plan = {
		.name = BYTES("/live"),
		.shape = feed_shape_for(4 << 20, MEAN_RECORD, HEADERS_MAX),
		.writer = 7,
	};

	snprintf(plan.type, sizeof plan.type, "%s", type);
	assert_int_equal(publisher_init(publisher, &plan), 0);
	publisher->place = desk_place(desk);
}

/* What a dead process leaves: its memory, and nothing else done. */
static void die(struct publisher *publisher)
{
	if (publisher->feed)
		the_feed = publisher->feed;
	free(publisher->buffer);
	free(publisher->headers);
	*publisher = (struct publisher){0};
}

/* Takes the stream in pieces; before a piece is saved, the writer may die. */
static uint64_t play(const char *type, unsigned deaths_percent, uint8_t *out, size_t size)
{
	struct random random = random_start("desk");
	struct publisher publisher;
	struct desk desk;
	uint64_t consumed = 0, len;
	uint32_t word = 0;

	the_feed = NULL;
	assert_int_equal(desk_create(&desk), 0);
	begin(&publisher, &desk, type);
	while (consumed < stream_len) {
		size_t piece = 1 + random_below(&random, 3000);
		struct desk_words words = {.owner = &word, .owner_len = sizeof word};

		if (piece > stream_len - consumed)
			piece = stream_len - (size_t)consumed;
		assert_int_equal(publisher_put(&publisher, bytes_of(stream + consumed, piece),
					       (mono_t){1}),
				 PUBLISH_OK);
		if (random_percent(&random, deaths_percent)) {
			die(&publisher);
			begin(&publisher, &desk, type);
			consumed = 0;
			if (desk_has_state(&desk))
				assert_true(desk_load(&desk, &publisher, &consumed, &word,
						      sizeof word));
			assert_true(publisher_resume(&publisher, find));
			assert_int_equal(word, (uint32_t)consumed);
			continue;
		}
		consumed += piece;
		words.consumed = consumed;
		word = (uint32_t)consumed;
		desk_save(&desk, &publisher, &words);
	}
	assert_non_null(publisher.feed);
	the_feed = publisher.feed;
	len = ring_head_pos(&the_feed->ring[FEED_RECORDS]);
	assert_in_range(len, 1, size);
	ring_copy(&the_feed->ring[FEED_RECORDS], 0, out, (size_t)len);
	len = len << 24 | ring_head_seq(&the_feed->ring[FEED_RECORDS]) << 8 |
	      ring_head_seq(&the_feed->ring[FEED_HEADERS]) << 4 |
	      ring_head_seq(&the_feed->ring[FEED_NOTES]);
	die(&publisher);
	desk_close(&desk);
	return len;
}

static void the_next_writer_goes_on_as_if_nothing_had_been(void **state)
{
	static const struct {
		const char *file, *type;
	} all[] = {
		{"mp3_vbr.mp3", "audio/mpeg"},
		{"aac_lc.aac", "audio/aac"},
		{"flac_live.flac", "audio/flac"},
		{"aac_latm.latm", "audio/mp4a-latm"},
	};
	static uint8_t quiet[1 << 20], troubled[1 << 20];

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		uint64_t once, again;

		load(all[i].file);
		once = play(all[i].type, 0, quiet, sizeof quiet);
		for (unsigned percent = 10; percent <= 60; percent += 25) {
			again = play(all[i].type, percent, troubled, sizeof troubled);
			assert_int_equal(once, again);
			assert_memory_equal(quiet, troubled, once >> 24);
		}
	}
}

static void what_is_no_desk_is_refused(void **state)
{
	struct publisher publisher;
	struct desk desk, other;
	uint64_t consumed;
	uint8_t byte = 1;

	(void)state;
	assert_int_equal(desk_create(&desk), 0);
	begin(&publisher, &desk, "audio/mpeg");
	assert_false(desk_has_state(&desk));
	assert_false(desk_load(&desk, &publisher, &consumed, &byte, 1));
	desk_save(&desk, &publisher,
		  &(struct desk_words){.consumed = 5, .owner = &byte, .owner_len = 1});
	/* Another owner's words. */
	assert_false(desk_load(&desk, &publisher, &consumed, &byte, 0));
	assert_true(desk_load(&desk, &publisher, &consumed, &byte, 1));
	assert_int_equal(consumed, 5);
	for (off_t at = 0; at < 16; at++) {
		uint8_t was;

		assert_int_equal(pread(desk.fd, &was, 1, at), 1);
		byte = was ^ 0x10;
		assert_int_equal(pwrite(desk.fd, &byte, 1, at), 1);
		assert_int_not_equal(desk_open(&other, desk.fd), 0);
		assert_int_equal(pwrite(desk.fd, &was, 1, at), 1);
	}
	die(&publisher);
	desk_close(&desk);
}

static int set_up(void **state)
{
	(void)state;
	estate_know(&radio_feed_kind);
	return estate_create() || radio_feeds_open();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_writer_goes_on_as_if_nothing_had_been),
		cmocka_unit_test(what_is_no_desk_is_refused),
	};

	return cmocka_run_group_tests_name("desk", tests, set_up, NULL);
}
