/* events: what a reader patches together is what the server has: patch(a, b) applied to a gives b. */
#include "edge/events.h"

#include <stdlib.h>

#include "expect.h"

/* RFC 7396 section 2, as readers do it. Takes target. */
static json_t *merge(json_t *target, const json_t *patch)
{
	json_t *changes = (json_t *)(uintptr_t)patch, *value;
	const char *key;

	if (!json_is_object(target)) {
		json_decref(target);
		target = json_object();
	}
	json_object_foreach(changes, key, value)
	{
		if (json_is_null(value))
			json_object_del(target, key);
		else if (json_is_object(value))
			json_object_set_new(target, key,
					    merge(json_incref(json_object_get(target, key)),
						  value));
		else
			json_object_set(target, key, value);
	}
	return target;
}

static json_t *parse(const char *text)
{
	json_t *tree = json_loads(text, 0, NULL);

	assert_non_null(tree);
	return tree;
}

static void expect_patch(const char *from, const char *to, const char *patch)
{
	json_t *a = parse(from), *b = parse(to), *got = events_patch(a, b);
	json_t *want = patch ? parse(patch) : NULL;

	assert_true(want ? json_equal(got, want) : got == NULL);
	if (got) {
		json_t *merged = merge(json_deep_copy(a), got);

		assert_true(json_equal(merged, b));
		json_decref(merged);
	}
	json_decref(a);
	json_decref(b);
	json_decref(got);
	json_decref(want);
}

static void test_only_what_differs_is_said(void **state)
{
	(void)state;
	expect_patch("{}", "{}", NULL);
	expect_patch("{\"a\":1,\"b\":{\"c\":2}}", "{\"a\":1,\"b\":{\"c\":2}}", NULL);
	expect_patch("{\"a\":1}", "{\"a\":2}", "{\"a\":2}");
	expect_patch("{\"a\":1,\"b\":2}", "{\"b\":2}", "{\"a\":null}");
	expect_patch("{}", "{\"/live\":{\"listeners\":0}}", "{\"/live\":{\"listeners\":0}}");
	expect_patch("{\"m\":{\"x\":1,\"y\":[1,2]}}", "{\"m\":{\"x\":1,\"y\":[1,3]}}",
		     "{\"m\":{\"y\":[1,3]}}");
	expect_patch("{\"m\":{\"source\":{\"a\":1}}}", "{\"m\":{\"source\":\"none\"}}",
		     "{\"m\":{\"source\":\"none\"}}");
	expect_patch("{\"m\":{\"source\":\"none\"}}", "{\"m\":{\"source\":{\"a\":1}}}",
		     "{\"m\":{\"source\":{\"a\":1}}}");
	expect_patch("{\"m\":{\"x\":{}}}", "{\"m\":{}}", "{\"m\":{\"x\":null}}");
}

static json_t *any_tree(unsigned depth)
{
	json_t *tree = json_object();

	for (int i = 0; i < 4; i++) {
		char key[2] = {(char)('a' + rand() % 6), '\0'};

		if (depth && rand() % 3 == 0)
			json_object_set_new(tree, key, any_tree(depth - 1));
		else
			json_object_set_new(tree, key, json_integer(rand() % 3));
	}
	return tree;
}

static void test_patches_of_any_trees_lead_from_one_to_the_other(void **state)
{
	(void)state;
	srand(7396);
	for (int i = 0; i < 5000; i++) {
		json_t *a = any_tree(3), *b = any_tree(3), *patch = events_patch(a, b);

		if (patch)
			a = merge(a, patch);
		assert_true(json_equal(a, b));
		json_decref(a);
		json_decref(b);
		json_decref(patch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_differs_is_said),
		cmocka_unit_test(test_patches_of_any_trees_lead_from_one_to_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
