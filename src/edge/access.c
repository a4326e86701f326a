#include "edge/access.h"

#include "edge/api.h"
#include "edge/edge.h"

static _Thread_local void (*go_on)(struct conn *conn);

RUNS_ON(on_worker) static void on_verdict(struct conn *conn, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_YES: go_on(conn); return;
	case VERDICT_NO:
	case VERDICT_NONE: api_refuse(conn, 401, "no_login", "log in first"); return;
	case VERDICT_BUSY: api_refuse(conn, 503, "busy", "too many logins at once"); return;
	}
}

void access_require(struct conn *conn, enum rank rank, struct bytes mount,
		    void (*then)(struct conn *conn))
{
	const struct edge_conf *conf = &edge_settings()->conf;

	(void)mount;
	if (rank == RANK_NONE) {
		then(conn);
		return;
	}
	go_on = then;
	conn_verify(conn, bytes_str(conf->admin_user), conf->admin_password, (struct bytes){0},
		    on_verdict);
}
