#include "edge/api_hooks.h"

#include "edge/api_server.h"
#include "edge/hook.h"

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
	{"POST", API_ROOT "/hooks/{name}/test", RANK_OPERATOR, answer_test,
	 "Sends the event test to a webhook, and ends its pause.", NULL, NULL, NULL},
	{0},
};
