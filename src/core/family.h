/* family: what main.c knows of a family: one row, filled in by the family itself.
 *
 *   configure ─▶ workers start ─▶ start ─▶ listen ─▶ … reload, listen … ─▶ stop ─▶ workers stop ─▶ fini
 *                                                     └▶ part: another server has all that is ours
 *
 * Families start in the order of the table (src/families.c) and stop in the reverse. Every function may
 * be NULL: there is nothing to do then. Conf given to one lasts until another was given and a baton has
 * passed. All run on the control thread but those that say otherwise. */
#pragma once

#include "core/conf.h"
#include "core/worker.h"

/* What ringmainctl has a family do: "ringmainctl irc USER network status" is "USER network status" for
 * the family irc. done() is called once, at once or later, on control; text may have many lines. */
struct family_order {
	const char *words;
	void (*done)(struct family_order *order, bool good, const char *text);
};

struct family {
	const char *name;
	const struct conf_room *const *rooms; /* its settings; ends with NULL */
	const struct worker_hooks *hooks;     /* its part of each worker */

	/* What of its settings is good and will not work today. Any thread, after the load. */
	void (*doubt)(const struct conf *conf, struct conf_errors *errors);
	/* Announces the tables that it leaves in an estate. Before there is one, before all else. */
	void (*know)(void);
	/* Takes the settings, hands in routes, operations, metrics. Before there are workers. */
	void (*configure)(const struct conf *conf);
	/* 0 or -errno. The workers run; there may be an estate to adopt. */
	int (*start)(uv_loop_t *loop, const struct conf *conf);
	/* Opens, keeps and closes doors of its own, at the start and at each reload. 0; or -errno
	 * with at saying where: all is as it was before then. */
	int (*listen)(uv_loop_t *loop, const struct conf *conf, char *at, size_t size);
	/* Puts other settings in force. False: no memory; old and new must both last then. */
	bool (*reload)(const struct conf *conf);

	/* Does what ringmainctl asks. */
	void (*order)(struct family_order *order);

	/* Another server is about to have what the estate holds. hush: takes in nothing more from
	 * those whom it will leave; is_hushed: and all that they asked for before is done (looked
	 * at for a short while); leave, with all workers halted: writes into the estate what only
	 * now is at rest; stay: it does not come to that, all goes on. */
	void (*hush)(void);
	bool (*is_hushed)(void);
	void (*leave)(void);
	void (*stay)(void);
	/* On each worker, at the moment when all else stands still: puts into the estate what another
	 * server is to go on with; and takes it out again when that did not take it. */
	void (*leave_worker)(void);
	void (*stay_worker)(void);

	/* Another server has what the estate holds: lets go of it without a word to anybody; on
	 * control, and then on each worker. */
	void (*part)(void);
	void (*part_worker)(void);
	/* Whether a server that nobody can reach any more still serves somebody. */
	bool (*is_idle)(void);

	void (*stop)(void); /* before the workers stop */
	void (*fini)(void); /* after they stopped */
};
