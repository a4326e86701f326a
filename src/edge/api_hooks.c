#include "edge/api_hooks.h"

#include "edge/api_server.h"
#include "edge/hook_own.h"

RUNS_ON(on_control)
static void answer_hooks(struct call *call, const struct api_input *input)
{
	json_t *tree = json_object();

	(void)input;
	json_object_set_new(tree, "hooks",
			    hooks_tree(rights_allow(&call->access.rights, RANK_ADMIN, BYTES(""))));
	api_answer(call, tree);
}

RUNS_ON(on_control)
static void answer_test(struct call *call, const struct api_input *input)
{
	if (!hook_test(bytes_str(input->arg))) {
		api_fault(call, 404, "no_such_hook", "there is no webhook %s", input->arg);
		return;
	}
	api_log_order(call, input->arg);
	api_done(call);
}

/* Whether there is one of that name that may be changed; false when it was answered. */
RUNS_ON(on_control) static bool may_be_changed(struct call *call, const char *name)
{
	switch (hook_kind_of(name)) {
	case HOOK_OWN: return true;
	case HOOK_NONE:
		api_fault(call, 404, "no_such_hook", "there is no webhook %s", name);
		return false;
	case HOOK_OF_SETTINGS: break;
	}
	api_fault(call, 409, "read_only", "%s stands in the settings: change it there", name);
	return false;
}

/* On disk, then in force, then answered. */
RUNS_ON(on_control)
static void put_in_force(struct call *call, const char *name, const json_t *said, unsigned status)
{
	char fault[160], kept[64];
	struct hook_own *own = hook_own_make(name, said, fault, sizeof fault);

	if (!own) {
		api_fault(call, 400, "bad_hook", "%s", fault);
		return;
	}
	bytes_to_str(bytes_str(json_string_value(json_object_get(own->tree, "name"))), kept,
		     sizeof kept);
	if (!hook_own_keep(kept, own)) {
		hook_own_free(&own);
		api_fault(call, 507, "not_kept", "nothing was changed: see the log");
		return;
	}
	if (!hook_own_put(own)) {
		hook_own_free(&own);
		api_fault(call, 503, "no_memory", "kept, but in force only after the next start");
		return;
	}
	api_log_order(call, kept);
	api_answer_as(call, status, hook_tree(kept, true));
}

RUNS_ON(on_control)
static void answer_add(struct call *call, const struct api_input *input)
{
	const char *name = api_text(input, "name");

	if (name && hook_kind_of(name) != HOOK_NONE)
		api_fault(call, 409, "name_taken", "there is a webhook %s already", name);
	else if (hooks_own_count() >= HOOK_OWN_MAX)
		api_fault(call, 507, "list_full", "there are as many webhooks as can be");
	else
		put_in_force(call, NULL, input->body, 201);
}

/* What is not said stays as it is, a secret too. */
RUNS_ON(on_control)
static void answer_change(struct call *call, const struct api_input *input)
{
	json_t *said;

	if (!may_be_changed(call, input->arg))
		return;
	said = json_deep_copy(hook_own_said(input->arg));
	if (!said || json_object_update(said, (json_t *)(uintptr_t)input->body) != 0)
		api_fault(call, 503, "no_memory", "out of memory");
	else
		put_in_force(call, input->arg, said, 200);
	json_decref(said);
}

RUNS_ON(on_control)
static void answer_drop(struct call *call, const struct api_input *input)
{
	/* One that the settings hide can go all the same. */
	if (!hook_own_said(input->arg) && !may_be_changed(call, input->arg))
		return;
	if (!hook_own_keep(input->arg, NULL)) {
		api_fault(call, 507, "not_kept", "nothing was changed: see the log");
		return;
	}
	hook_own_drop(input->arg);
	api_log_order(call, input->arg);
	api_done(call);
}

void hooks_health(json_t *list)
{
	unsigned failing = 0;
	json_t *hooks, *hook;
	size_t i;

	enter_control();
	hooks = hooks_tree(false);
	json_array_foreach(hooks, i, hook) failing +=
		json_is_string(json_object_get(hook, "error"));
	if (json_array_size(hooks))
		health_say(list, "webhooks", failing ? HEALTH_WARNING : HEALTH_GOOD,
			   "%u of %zu webhooks fail.", failing, json_array_size(hooks));
	json_decref(hooks);
}

const struct api_operation hook_operations[] = {
	{"GET", API_ROOT "/hooks", RANK_OPERATOR, answer_hooks, "Webhooks and how they do.", NULL,
	 "Hooks", NULL},
	{"POST", API_ROOT "/hooks", RANK_ADMIN, answer_add,
	 "Makes a webhook; it may not lead to networks of insiders.", "NewHook", "Hook", NULL},
	{"POST", API_ROOT "/hooks/{name}/test", RANK_OPERATOR, answer_test,
	 "Sends the event test to a webhook, and ends its pause.", NULL, NULL, NULL},
	{"PUT", API_ROOT "/hooks/{name}", RANK_ADMIN, answer_change,
	 "Changes what is said of a webhook that was made here.", "HookChange", "Hook", NULL},
	{"DELETE", API_ROOT "/hooks/{name}", RANK_ADMIN, answer_drop,
	 "Removes a webhook that was made here.", NULL, NULL, NULL},
	{0},
};
