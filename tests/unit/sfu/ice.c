#include "sfu/proto/ice.h"

#include "hex.h"

static const struct ice_names server = {"Aserver", "the password of us", "peer", ""};
static const struct ice_names client = {"peer", "x", "Aserver", "the password of us"};
#define ID BYTES("0123456789ab")

struct question {
	uint8_t buf[512];
	struct stun stun;
};

static void ask(struct question *q, const struct ice_names *names, bool nominate)
{
	struct writer w = writer_of(q->buf, sizeof q->buf);

	ice_write_check(names, ID, 0x6e0001ff, 7, nominate, hmac_sha1, &w);
	assert_true(writer_ok(&w));
	assert_int_equal(stun_parse(writer_done(&w), &q->stun), STUN_OK);
}

static unsigned answer_of(const struct ice_names *names, const struct stun *question,
			  struct ice_check *check, struct stun *answer, uint8_t buf[512])
{
	struct address from = {.ip = {[10] = 0xff, 0xff, 192, 0, 2, 1}, .port = 4711};
	struct writer w = writer_of(buf, 512);

	ice_answer(names, question, &from, hmac_sha1, &w, check);
	assert_int_equal(stun_parse(writer_done(&w), answer), STUN_OK);
	return answer->error;
}

static void test_a_check_is_answered(void **state)
{
	struct question q;
	struct ice_check check;
	struct stun answer;
	uint8_t buf[512];

	(void)state;
	ask(&q, &client, true);
	assert_same(ice_ufrag_of(&q.stun), BYTES("Aserver"));
	assert_int_equal(answer_of(&server, &q.stun, &check, &answer, buf), 0);
	assert_true(check.authentic && check.nominated);
	assert_true(ice_is_answer(&client, &answer, ID, hmac_sha1));
	assert_false(ice_is_answer(&client, &answer, BYTES("0123456789aB"), hmac_sha1));
	assert_int_equal(answer.mapped.port, 4711);
	ask(&q, &client, false);
	answer_of(&server, &q.stun, &check, &answer, buf);
	assert_true(check.authentic && !check.nominated);
}

/* A name and no more: of every length, with and without something in the place of a hash. */
static void test_no_answer_to_a_stranger_is_longer_than_the_question(void **state)
{
	unsigned answered = 0;

	(void)state;
	for (size_t len = 2; len < 60; len++) {
		for (unsigned hashed = 0; hashed < 2; hashed++) {
			struct address from = {.port = 9};
			uint8_t question[256], answer[256], name[64] = "Aserver:peer",
							    hash[24] = {0, 8, 0, 20};
			struct writer q = writer_of(question, sizeof question);
			struct writer w = writer_of(answer, sizeof answer);
			struct ice_check check;
			struct stun stun;

			memset(name + 12, 'x', sizeof name - 12);
			stun_begin(&q, STUN_REQUEST, STUN_BINDING, ID);
			stun_put_username(&q, BYTES("A"), bytes_of(name, len));
			if (hashed)
				writer_put(&q, bytes_of(hash, sizeof hash));
			question[2] = 0;
			question[3] = (uint8_t)(q.len - STUN_HEADER);
			assert_int_equal(stun_parse(writer_done(&q), &stun), STUN_OK);
			ice_answer(&server, &stun, &from, hmac_sha1, &w, &check);
			assert_true(writer_ok(&w) && !check.authentic && w.len <= q.len);
			answered += w.len > 0;
		}
	}
	assert_true(answered > 0);
}

static void test_strangers_are_refused(void **state)
{
	struct ice_names wrong = client;
	struct question q;
	struct ice_check check;
	struct stun answer;
	uint8_t buf[512];

	(void)state;
	strcpy(wrong.peer_pwd, "the password of who");
	ask(&q, &wrong, true);
	assert_int_equal(answer_of(&server, &q.stun, &check, &answer, buf), 401);
	assert_false(check.authentic || check.nominated);
	wrong = client;
	strcpy(wrong.ufrag, "pear");
	ask(&q, &wrong, true);
	assert_int_equal(answer_of(&server, &q.stun, &check, &answer, buf), 401);
	assert_false(check.authentic);
	/* Nobody has this name. Nothing longer than the question goes out. */
	ask(&q, &client, true);
	assert_int_equal(answer_of(NULL, &q.stun, &check, &answer, buf), 401);
	assert_true(answer.message.len <= q.stun.message.len);
	q.stun.integrity.at = NULL;
	assert_int_equal(answer_of(&server, &q.stun, &check, &answer, buf), 400);
	assert_false(check.authentic);
}

static void test_two_controlled_agents_have_a_conflict(void **state)
{
	struct question q;
	struct ice_check check;
	struct stun answer;
	uint8_t buf[512];
	struct writer w = writer_of(q.buf, sizeof q.buf);

	(void)state;
	stun_begin(&w, STUN_REQUEST, STUN_BINDING, ID);
	stun_put_username(&w, BYTES("Aserver"), BYTES("peer"));
	stun_put_role(&w, false, 9);
	stun_end(&w, bytes_str(server.pwd), hmac_sha1);
	assert_int_equal(stun_parse(writer_done(&w), &q.stun), STUN_OK);
	assert_int_equal(answer_of(&server, &q.stun, &check, &answer, buf), 487);
	assert_false(check.authentic);
}

static void test_unknown_attributes_are_refused(void **state)
{
	struct question q;
	struct ice_check check;
	struct stun answer;
	uint8_t buf[512];
	struct writer w = writer_of(q.buf, sizeof q.buf);

	(void)state;
	stun_begin(&w, STUN_REQUEST, STUN_BINDING, ID);
	stun_put_username(&w, BYTES("Aserver"), BYTES("peer"));
	writer_be(&w, 0x7777, 2);
	writer_be(&w, 0, 2);
	stun_end(&w, bytes_str(server.pwd), hmac_sha1);
	assert_int_equal(stun_parse(writer_done(&w), &q.stun), STUN_OK);
	assert_int_equal(answer_of(&server, &q.stun, &check, &answer, buf), 420);
}

static void test_answers_are_not_answered(void **state)
{
	struct address from = {.port = 1};
	uint8_t buf[512], out[512];
	struct writer w = writer_of(buf, sizeof buf), to = writer_of(out, sizeof out);
	struct ice_check check;
	struct stun stun;

	(void)state;
	stun_begin(&w, STUN_SUCCESS, STUN_BINDING, ID);
	stun_end(&w, bytes_str(server.pwd), hmac_sha1);
	assert_int_equal(stun_parse(writer_done(&w), &stun), STUN_OK);
	ice_answer(&server, &stun, &from, hmac_sha1, &to, &check);
	assert_int_equal(to.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_check_is_answered),
		cmocka_unit_test(test_no_answer_to_a_stranger_is_longer_than_the_question),
		cmocka_unit_test(test_strangers_are_refused),
		cmocka_unit_test(test_two_controlled_agents_have_a_conflict),
		cmocka_unit_test(test_unknown_attributes_are_refused),
		cmocka_unit_test(test_answers_are_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
