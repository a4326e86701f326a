#include "edge/api_certificate.h"

#include "core/clock.h"
#include "edge/acme.h"
#include "edge/api_server.h"
#include "edge/tls_identity.h"
#include "edge/tree.h"

#define SOON_DAYS 14 /* uacme renews 30 days before the end: then something has failed for long */

RUNS_ON(on_control) static json_t *acme_tree(void)
{
	struct acme_state state = acme_state();
	json_t *tree = json_object();

	tree_text(tree, "phase", acme_phase_text(state.phase));
	tree_text(tree, "domain", state.domain);
	tree_text(tree, "error", state.error);
	tree_number(tree, "failures", state.failures);
	tree_time(tree, "tried", state.tried * 1000000);
	tree_time(tree, "obtained", state.obtained * 1000000);
	tree_time(tree, "next", state.next * 1000000);
	return tree;
}

RUNS_ON(on_control)
static void answer_certificate(struct call *call, const struct api_input *input)
{
	json_t *tree = json_object();
	char names[512] = "", issuer[256] = "";

	(void)input;
	if (tls_identity_in_force())
		tls_identity_names(names, sizeof names);
	tls_identity_issuer(issuer, sizeof issuer);
	tree_bool(tree, "tls", tls_identity_in_force());
	tree_text(tree, "names", names);
	tree_bool(tree, "self_signed", tls_identity_in_force() && !issuer[0]);
	tree_text(tree, "issuer", issuer);
	tree_time(tree, "ends", tls_identity_ends() * 1000000);
	json_object_set_new(tree, "acme", acme_tree());
	api_answer(call, tree);
}

/* For a person who has mended what was wrong. */
RUNS_ON(on_control) static void answer_renew(struct call *call, const struct api_input *input)
{
	(void)input;
	if (acme_state().phase == ACME_OFF) {
		api_fault(call, 409, "no_acme", "no name is set in tls.acme.domains");
		return;
	}
	acme_retry();
	api_log_order(call, "");
	api_done(call);
}

void certificate_health(json_t *list)
{
	struct acme_state state;
	int64_t days;

	enter_control();
	state = acme_state();
	if (tls_identity_in_force()) {
		days = (tls_identity_ends() - wall_now_us() / 1000000) / 86400;
		health_say(list, "certificate",
			   days < 0           ? HEALTH_BAD
			   : days < SOON_DAYS ? HEALTH_WARNING
					      : HEALTH_GOOD,
			   "It ends in %lld days.", (long long)days);
	}
	if (state.phase != ACME_OFF)
		health_say(list, "renewal", state.failures ? HEALTH_WARNING : HEALTH_GOOD, "%s %s",
			   acme_phase_text(state.phase), state.error);
}

const struct api_operation certificate_operations[] = {
	{"GET", API_ROOT "/certificate", RANK_OPERATOR, answer_certificate,
	 "The certificate in force, and how its renewal does.", NULL, "Certificate", NULL},
	{"POST", API_ROOT "/certificate/renew", RANK_ADMIN, answer_renew,
	 "Asks the authority now, whenever it was to be.", NULL, NULL, NULL},
	{0},
};
