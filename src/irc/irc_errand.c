#include "irc/irc_errand.h"

#include <stdlib.h>

#include "edge/account.h"
#include "irc/irc_auth.h"
#include "irc/irc_service.h"
#include "irc/irc_user.h"

struct irc_errand *irc_errand_new(struct bytes user, const char *text)
{
	struct irc_errand *errand;

	if (!user.len || user.len >= IRC_USER_SIZE)
		return NULL;
	errand = calloc(1, sizeof *errand);
	if (!errand)
		return NULL;
	bytes_to_str(user, errand->user, sizeof errand->user);
	errand->lines = json_array();
	if (text)
		errand->text = irc_copy(bytes_str(text));
	if (!errand->lines || (text && !errand->text)) {
		irc_errand_free(errand);
		return NULL;
	}
	return errand;
}

void irc_errand_free(struct irc_errand *errand)
{
	json_decref(errand->lines);
	json_decref(errand->tree);
	free(errand->text);
	free(errand);
}

static void deliver_home(struct message *message)
{
	struct irc_errand *errand = container_of(message, struct irc_errand, message);

	errand->back(errand);
}

static void go_home(struct irc_errand *errand)
{
	errand->message.deliver = deliver_home;
	if (errand->home)
		worker_post(errand->home, &errand->message);
	else
		control_post(&errand->message);
}

static void on_said(struct irc_order *order, const char *line)
{
	struct irc_errand *errand = container_of(order, struct irc_errand, order);
	json_t *text = json_string(line);

	/* What is no UTF-8 (a server may say anything) is not shown. */
	if (json_array_size(errand->lines) < irc_conf_now()->answer_lines) {
		json_array_append_new(errand->lines, text ? text : json_string("?"));
	} else {
		json_decref(text);
		errand->more++;
	}
}

/* Who has no account, and asked only, leaves nothing behind. */
RUNS_ON(on_worker) static void forget_guest(const struct irc_errand *errand)
{
	struct irc_user *user = errand->is_guest ? irc_user_find(bytes_str(errand->user)) : NULL;

	if (user && !user->clients && !user->networks && !user->passwords && !user->rules &&
	    !user->pushes && !user->device_count && !user->networks_most && !user->nick[0] &&
	    !user->realname[0] && !user->away && !user->scram)
		irc_user_drop(user, true);
}

static void on_done(struct irc_order *order, bool good)
{
	struct irc_errand *errand = container_of(order, struct irc_errand, order);

	enter_worker();
	forget_guest(errand);

	errand->good = good;
	errand->tree = order->data;
	if (errand->more)
		json_array_append_new(errand->lines,
				      json_sprintf("and %llu more lines (irc.answer_lines)",
						   errand->more));
	go_home(errand);
}

/* Whether somebody of this name can come in: by an account, or as the settings let others in, by a name that an
 * order can be given for. Else a slip of the keyboard would be a user, whom networks see. */
static bool may_begin(struct irc_errand *errand)
{
	const char *name = errand->user;

	if (errand->is_own || irc_is_admin(name) || account_find(account_book(), bytes_str(name)))
		return true;
	/* With '-' in front it is an option, of somebody who was not told that there is none. */
	errand->is_guest = errand->is_admin && irc_auth_is_elsewhere() && name[0] != '-' &&
			   irc_auth_name_valid(name);
	return errand->is_guest;
}

static void deliver_there(struct message *message)
{
	struct irc_errand *errand = container_of(message, struct irc_errand, message);
	struct bytes name = bytes_str(errand->user);
	struct irc_user *user = irc_user_find(name);

	enter_worker();
	if (irc_here.hushed && errand->text) {
		errand->found = true;
		json_array_append_new(errand->lines,
				      json_string("the server is being renewed: say it again"));
		go_home(errand);
		return;
	}
	if (!user && irc_here.runs && errand->text && may_begin(errand))
		user = irc_user_make(name);
	errand->found = user != NULL;
	if (user && errand->text) {
		errand->order = (struct irc_order){.user = user,
						   .is_admin = errand->is_admin,
						   .say = on_said,
						   .done = on_done,
						   .wants_data = errand->wants_data};
		irc_service(&errand->order, bytes_str(errand->text));
		return;
	}
	if (user)
		errand->look(errand, user);
	go_home(errand);
}

void irc_errand_send(struct irc_errand *errand)
{
	errand->home = irc_here.worker;
	errand->message.deliver = deliver_there;
	worker_post(irc_worker_of(bytes_str(errand->user)), &errand->message);
}
