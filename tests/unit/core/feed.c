#include "core/feed.h"
#include "guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../ring_box.h"
#include "oom.h"

static uint8_t payload[4096], back[4096];

static struct feed_shape small_shape(void)
{
	return feed_shape_for(65536, 400, 8000);
}

static struct feed new_feed(void)
{
	struct feed_shape shape = small_shape();
	struct feed feed;

	assert_int_equal(feed_create(&feed, 77, BYTES("/live"), BYTES("audio/mpeg"), 5, &shape), 0);
	return feed;
}

static void claim_all(struct feed *feed)
{
	for (int i = 0; i < FEED_RINGS; i++)
		assert_int_equal(ring_claim(&feed->ring[i], 1, false), 0);
}

static uint64_t put_note(struct feed *feed, enum feed_ring ring, uint64_t pos, size_t len)
{
	struct record record = {.word = {pos, pos + len}};
	uint64_t wake;

	payload_fill(payload, len, pos, 0);
	assert_int_equal(ring_publish(&feed->ring[ring], &record, bytes_of(payload, len), &wake),
			 0);
	return record.seq;
}

static void shapes_hold_what_was_asked(void **state)
{
	static const struct {
		uint64_t size;
		uint32_t mean;
		uint64_t headers;
	} asked[] = {{1, 0, 0},          {4096, 1, 1},
		     {4097, 417, 2049},  {1 << 20, 417, 65536},
		     {1ull << 36, 1, 0}, {1ull << 40, 0, 1ull << 38}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(asked); i++) {
		struct feed_shape shape =
			feed_shape_for(asked[i].size, asked[i].mean, asked[i].headers);

		for (int j = 0; j < FEED_RINGS; j++)
			assert_true(ring_file_size(&shape.ring[j]) != 0);
		assert_true(shape.ring[FEED_RECORDS].data_size >= asked[i].size);
		assert_true(shape.ring[FEED_RECORDS].data_size < 2 * asked[i].size ||
			    shape.ring[FEED_RECORDS].data_size == 4096);
		assert_true(shape.ring[FEED_HEADERS].data_size / 2 >= asked[i].headers);
	}
}

/* Another process is handed the descriptor, and reads what this one writes. */
static void a_process_reads_what_another_writes(void **state)
{
	int pair[2], status;
	struct feed feed = new_feed();
	pid_t child;

	(void)state;
	claim_all(&feed);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	child = fork();
	if (child == 0) {
		union {
			struct cmsghdr header;
			char room[CMSG_SPACE(sizeof(int))];
		} control;
		char byte;
		struct iovec io = {&byte, 1};
		struct msghdr message = {.msg_iov = &io,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof control};
		struct ring_cursor cursor = {1, 0};
		struct feed other;
		int fd;

		feed_close(&feed);
		CHECK(recvmsg(pair[1], &message, 0) == 1);
		CHECK(message.msg_controllen == sizeof control);
		memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
		CHECK(feed_open(&other, fd) == 0);
		CHECK(other.id == 77 && other.kind == 5 && other.fd == fd);
		CHECK(!strcmp(other.name, "/live") && !strcmp(other.type, "audio/mpeg"));
		while (cursor.seq <= 500) {
			struct record record;

			CHECK(ring_wait(&other.ring[FEED_RECORDS], cursor.seq, 60000) == 0);
			while (ring_read(&other.ring[FEED_RECORDS], &cursor, &record, back,
					 sizeof back, NULL) == RING_RECORD)
				CHECK(payload_is(bytes_of(back, record.len), record.seq, 9));
		}
		feed_close(&other);
		_exit(0);
	} else {
		union {
			struct cmsghdr header;
			char room[CMSG_SPACE(sizeof(int))];
		} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
					.cmsg_level = SOL_SOCKET,
					.cmsg_type = SCM_RIGHTS}};
		char byte = 'f';
		struct iovec io = {&byte, 1};
		struct msghdr message = {.msg_iov = &io,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof control};

		memcpy(CMSG_DATA(&control.header), &feed.fd, sizeof feed.fd);
		assert_int_equal(sendmsg(pair[0], &message, 0), 1);
	}
	/* All fits: none of it is lost on a slow reader. */
	for (int i = 0; i < 500; i++)
		ring_put(&feed.ring[FEED_RECORDS], payload, 100 + (size_t)i % 30, 9);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	feed_close(&feed);
	close(pair[0]);
	close(pair[1]);
}

static void notes_hold_from_their_place_on(void **state)
{
	struct feed feed = new_feed();
	struct record note;

	(void)state;
	claim_all(&feed);
	assert_false(feed_note_at(&feed, 0, &note));
	put_note(&feed, FEED_NOTES, 100, 10);
	put_note(&feed, FEED_NOTES, 250, 0);
	put_note(&feed, FEED_NOTES, 250, 12);
	put_note(&feed, FEED_NOTES, 400, 13);
	assert_false(feed_note_at(&feed, 99, &note));
	assert_true(feed_note_at(&feed, 100, &note));
	assert_int_equal(note.seq, 1);
	assert_true(feed_note_at(&feed, 249, &note));
	assert_int_equal(note.seq, 1);
	assert_true(feed_note_at(&feed, 250, &note));
	assert_int_equal(note.seq, 3);
	assert_true(feed_note_at(&feed, UINT64_MAX, &note));
	assert_int_equal(note.seq, 4);
	assert_int_equal(note.len, 13);
	/* When the ring of notes has gone round, the old ones are gone and not mistaken. */
	for (uint64_t i = 0; i < 64; i++)
		put_note(&feed, FEED_NOTES, 1000 + i, 5);
	assert_false(feed_note_at(&feed, 999, &note));
	assert_true(feed_note_at(&feed, 1000, &note));
	assert_int_equal(note.seq, 5);
	feed_close(&feed);
}

static void headers_are_those_of_the_chain(void **state)
{
	struct feed feed = new_feed();
	struct record headers;

	(void)state;
	claim_all(&feed);
	assert_false(feed_headers_at(&feed, 0, &headers));
	put_note(&feed, FEED_HEADERS, 0, 500);
	put_note(&feed, FEED_HEADERS, 10000, 0); /* a chain without headers */
	put_note(&feed, FEED_HEADERS, 20000, 4000);
	assert_true(feed_headers_at(&feed, 0, &headers));
	assert_int_equal(headers.len, 500);
	assert_int_equal(headers.word[1], 500);
	assert_true(feed_headers_at(&feed, 9999, &headers));
	assert_int_equal(headers.seq, 1);
	assert_false(feed_headers_at(&feed, 10000, &headers));
	assert_false(feed_headers_at(&feed, 19999, &headers));
	assert_true(feed_headers_at(&feed, 20000, &headers));
	assert_int_equal(headers.len, 4000);
	feed_close(&feed);
}

/* Nobody can pull the file away from under a mapping. */
static void a_feed_keeps_its_size(void **state)
{
	struct feed feed = new_feed();
	struct stat st;

	(void)state;
	assert_int_equal(fstat(feed.fd, &st), 0);
	assert_int_equal(ftruncate(feed.fd, 0), -1);
	assert_int_equal(ftruncate(feed.fd, st.st_size * 2), -1);
	assert_int_equal(fcntl(feed.fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	assert_true(fcntl(feed.fd, F_GETFD) & FD_CLOEXEC);
	feed_close(&feed);
	assert_int_equal(feed.fd, -1);
	feed_close(&feed);
}

static void bad_names_and_shapes_are_refused(void **state)
{
	struct feed_shape shape = small_shape();
	static const uint8_t text[300] = {'a'};
	struct feed feed;

	(void)state;
	assert_int_equal(feed_create(&feed, 1, bytes_of(text, 256), BYTES(""), 0, &shape), -EINVAL);
	assert_int_equal(feed_create(&feed, 1, BYTES(""), bytes_of(text, 128), 0, &shape), -EINVAL);
	assert_int_equal(feed.fd, -1);
	assert_int_equal(feed_create(&feed, 1, bytes_of(text, 255), bytes_of(text, 127), 0, &shape),
			 0);
	feed_close(&feed);
	shape.ring[FEED_NOTES].entry_count = 63;
	assert_int_equal(feed_create(&feed, 1, BYTES("x"), BYTES("y"), 0, &shape), -EINVAL);
	feed_close(&feed);
}

/* Any bit of the words that lead to the rings may be wrong: the feed opens whole or not at all. */
static void a_bent_page_is_refused(void **state)
{
	struct feed feed = new_feed(), view;
	uint64_t page[6];

	(void)state;
	assert_int_equal(pread(feed.fd, page, sizeof page, 0), sizeof page);
	for (size_t bit = 0; bit < sizeof page * 8; bit++) {
		size_t word = bit / 64;
		bool harmless = word == 2 || (word == 1 && bit % 64 >= 32); /* id, kind */
		int fd = dup(feed.fd);

		page[word] ^= 1ull << bit % 64;
		assert_int_equal(pwrite(feed.fd, page, sizeof page, 0), sizeof page);
		page[word] ^= 1ull << bit % 64;
		assert_int_equal(feed_open(&view, fd), harmless ? 0 : -EPROTO);
		if (harmless)
			feed_close(&view);
		else
			assert_int_equal(close(fd), 0); /* it is still the caller's */
	}
	/* A name without an end is cut. */
	assert_int_equal(pwrite(feed.fd, page, sizeof page, 0), sizeof page);
	memset(payload, 'n', 384);
	assert_int_equal(pwrite(feed.fd, payload, 384, sizeof page), 384);
	assert_int_equal(feed_open(&view, dup(feed.fd)), 0);
	assert_int_equal(strlen(view.name), FEED_NAME_MAX);
	assert_int_equal(strlen(view.type), FEED_TYPE_MAX);
	feed_close(&view);
	feed_close(&feed);
}

static void what_is_no_feed_is_refused(void **state)
{
	int fd = ring_box(4096, 64);
	struct feed feed;

	(void)state;
	assert_int_equal(feed_open(&feed, fd), -EPROTO);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(feed_open(&feed, fd), -EPROTO);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	assert_int_equal(feed_open(&feed, fd), -EPROTO);
	close(fd);
	assert_int_equal(feed_open(&feed, -1), -EBADF);
	feed = (struct feed){0};
	feed_close(&feed);
}

/* A server without a standard input has its first feed there. */
static void a_feed_may_be_descriptor_0(void **state)
{
	int input = dup(0);
	struct feed feed;

	(void)state;
	close(0);
	feed = new_feed();
	assert_int_equal(feed.fd, 0);
	feed_close(&feed);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	if (input != -1) {
		assert_int_equal(dup2(input, 0), 0);
		close(input);
	}
}

static void refused_memory_is_an_error_and_leaks_nothing(void **state)
{
	int lowest = open("/dev/null", O_RDONLY);
	bool hit = true;

	(void)state;
	close(lowest);
	for (unsigned n = 0; hit; n++) {
		struct feed_shape shape = small_shape();
		struct feed feed, view = {.fd = -1};
		int error, fd = -1;

		oom_arm(n);
		error = feed_create(&feed, 1, BYTES("a"), BYTES("b"), 0, &shape);
		if (!error) {
			fd = dup(feed.fd);
			error = feed_open(&view, fd);
		}
		hit = oom_disarm();
		assert_int_equal(error, hit ? -ENOMEM : 0);
		if (error && fd != -1)
			close(fd);
		feed_close(&view);
		feed_close(&feed);
		fd = open("/dev/null", O_RDONLY);
		assert_int_equal(fd, lowest);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_hold_what_was_asked),
		cmocka_unit_test(a_process_reads_what_another_writes),
		cmocka_unit_test(notes_hold_from_their_place_on),
		cmocka_unit_test(headers_are_those_of_the_chain),
		cmocka_unit_test(a_feed_keeps_its_size),
		cmocka_unit_test(bad_names_and_shapes_are_refused),
		cmocka_unit_test(a_bent_page_is_refused),
		cmocka_unit_test(what_is_no_feed_is_refused),
		cmocka_unit_test(a_feed_may_be_descriptor_0),
		cmocka_unit_test(refused_memory_is_an_error_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
