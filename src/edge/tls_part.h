/* tls_part: what tls.c, tls_out.c and tls_in.c share of one worker's record layer; for them alone. */
#pragma once

#include "edge/tls.h"

/* Contexts of a row; made when they are first needed, gone with the process. */
struct tls_side {
	EVP_CIPHER_CTX *seals, *opens;
	bool claimed; /* a connection of this process has the row */
};

struct tls_worker {
	struct table rows, slots, batches;
	struct tls_batch *batch;
	struct tls_side *sides; /* one a row */
};

extern _Thread_local struct tls_worker tls_here;
extern uint64_t tls_key_limit;

RUNS_ON(on_worker) struct tls_row *tls_row_of(struct link link);
RUNS_ON(on_worker) struct tls_slot *tls_slot_of(uint32_t number);
RUNS_ON(on_worker) struct tls_slot *tls_slot_take(uint32_t *number); /* NULL: none left */
RUNS_ON(on_worker) void tls_slot_give(uint32_t *number);

/* One record that is no data. 1: it is on its way. 0: the socket is full, nothing of it is. Or
 * -errno. */
RUNS_ON(on_worker)
int tls_send_control(struct link link, enum tls_type type, struct bytes message);

/* What must go out before the next data: a refusal, new keys. 1: nothing (any more). 0: the socket is
 * full. Or -errno. */
RUNS_ON(on_worker) int tls_pay_debts(struct link link);

/* Books that the kernel took n bytes of the batch; the bytes of rooms among them, or -ENOMEM. */
RUNS_ON(on_worker) ssize_t tls_batch_book(struct tls_row *row, size_t n);

/* The end of a connection that cannot go on: says why, if it can. */
RUNS_ON(on_worker) void tls_fail(struct link link, enum tls_alert alert);

/* Forgets a context whose key is no more. */
RUNS_ON(on_worker) void tls_side_forget(EVP_CIPHER_CTX **context);
