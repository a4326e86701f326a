#include "irc/irc_errand.h"

#include <stdlib.h>

#include "edge/account.h"
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
	if (json_array_size(errand->lines) < IRC_ERRAND_LINES)
		json_array_append_new(errand->lines, text ? text : json_string("?"));
	else
		json_decref(text);
}

static void on_done(struct irc_order *order, bool good)
{
	struct irc_errand *errand = container_of(order, struct irc_errand, order);

	errand->good = good;
	errand->tree = order->data;
	go_home(errand);
}

static void deliver_there(struct message *message)
{
	struct irc_errand *errand = container_of(message, struct irc_errand, message);
	struct bytes name = bytes_str(errand->user);
	struct irc_user *user = irc_user_find(name);

	enter_worker();
	/* Who has an account, or is the administrator himself, begins here. */
	if (!user && irc_here.runs && errand->text &&
	    (errand->is_admin || account_find(account_book(), name)))
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
