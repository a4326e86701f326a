#include "edge/audit.h"

#include "core/clock.h"
#include "store/store.h"

static const char *how_word(enum access_how how)
{
	switch (how) {
	case ACCESS_NOBODY: break;
	case ACCESS_BASIC: return "password";
	case ACCESS_TOKEN: return "token";
	case ACCESS_SESSION: return "browser";
	case ACCESS_ENCODER: return "encoder";
	}
	return "";
}

void audit_call(const struct call *call, const char *target, const char *result)
{
	char action[512];

	if (call->access.how == ACCESS_ENCODER)
		return;
	snprintf(action, sizeof action, "%.*s %.*s", (int)call->request.method.len,
		 (const char *)call->request.method.at, (int)call->request.path.len,
		 (const char *)call->request.path.at);
	store_act(&(struct store_act){
		.who = call->user,
		.how = how_word(call->access.how),
		.action = action,
		.target = target,
		.result = result,
		.ip = call->request.peer.ip,
		.at_us = wall_now_us(),
	});
}

void audit_say(const char *who, const char *how, const struct address *peer, const char *action,
	       const char *result)
{
	store_act(&(struct store_act){
		.who = who,
		.how = how,
		.action = action,
		.target = "",
		.result = result,
		.ip = peer->ip,
		.at_us = wall_now_us(),
	});
}
