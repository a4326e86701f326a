/* What comes in: one record at a time, into a slot; opened, looked at, and given on. The header is
 * tls.h. */
#include <errno.h>

#include "edge/tls_part.h"

/* A peer that sends records of nothing is served with the others, a few at a time. */
#define RECORDS_A_CALL 16u

RUNS_ON(on_worker) static EVP_CIPHER_CTX *opener_of(struct link link, const struct tls_row *row)
{
	struct tls_side *side = &tls_here.sides[link.tls - 1];

	if (!side->opens)
		side->opens = tls_cipher_create((enum tls_suite)row->suite, row->in_key, false);
	return side->opens;
}

RUNS_ON(on_worker) static ssize_t failed(struct link link, int alert)
{
	tls_fail(link, (enum tls_alert)alert);
	return -EPROTO;
}

/* Receives up to size bytes; as tcp_recv. */
RUNS_ON(on_worker)
static ssize_t receive(struct link link, struct tls_row *row, uint8_t *at, size_t size)
{
	ssize_t n = tcp_recv(link.fd, at, size);

	if (n > 0)
		row->wire_in += (uint64_t)n;
	return n;
}

/* Until a whole record is in the slot: 1. Else what tcp_recv said, or -EPROTO. */
RUNS_ON(on_worker) static ssize_t record_fill(struct link link, struct tls_row *row)
{
	struct tls_slot *slot;
	size_t len;
	ssize_t n;
	int alert;

	while (row->head_len < TLS_HEADER_LEN) {
		n = receive(link, row, row->head + row->head_len, TLS_HEADER_LEN - row->head_len);
		if (n <= 0)
			return n;
		row->head_len = (uint8_t)(row->head_len + n);
	}
	alert = tls_header_parse((enum tls_shape)row->shape, row->head, &len);
	if (alert)
		return failed(link, alert);
	slot = row->in_slot ? tls_slot_of(row->in_slot) : tls_slot_take(&row->in_slot);
	if (!slot)
		return -ENOMEM;
	while (slot->len < len) {
		n = receive(link, row, slot->bytes + slot->len, len - slot->len);
		if (n <= 0)
			return n;
		slot->len += (uint32_t)n;
	}
	return 1;
}

/* Opens the record in the slot to room, or where it lies when room is too small. 0 or an alert. */
RUNS_ON(on_worker)
static int record_open(struct link link, struct tls_row *row, uint8_t *room, size_t size,
		       uint8_t *type, struct bytes *data)
{
	enum tls_shape shape = (enum tls_shape)row->shape;
	struct tls_slot *slot = tls_slot_of(row->in_slot);
	size_t before = tls_explicit_len(shape);
	struct bytes sealed = bytes_of(slot->bytes + before, slot->len - before);
	size_t len = sealed.len - TLS_TAG_LEN, aad_len;
	uint8_t *out = len <= size ? room : slot->bytes + before;
	uint8_t nonce[TLS_IV_LEN], aad[TLS_AAD_MAX];
	EVP_CIPHER_CTX *cipher = opener_of(link, row);

	if (!cipher)
		return TLS_INTERNAL_ERROR;
	tls_nonce(shape, row->in_iv, row->in_seq, slot->bytes, nonce);
	aad_len = tls_aad(shape, row->head, row->in_seq, len, aad);
	if (!tls_open(cipher, nonce, bytes_of(aad, aad_len), sealed, out))
		return TLS_BAD_RECORD_MAC;
	row->in_seq++;
	*data = bytes_of(out, len);
	*type = row->head[0];
	return shape == TLS_SHAPE_13 ? tls_inner_parse(data, type) : 0;
}

RUNS_ON(on_worker) static bool next_keys(struct link link, struct tls_row *row)
{
	struct tls_keys keys;
	bool made;

	memcpy(keys.secret, row->in_secret, sizeof keys.secret);
	made = tls_keys_next((enum tls_suite)row->suite, &keys);
	if (made) {
		memcpy(row->in_secret, keys.secret, sizeof row->in_secret);
		memcpy(row->in_key, keys.key, sizeof row->in_key);
		memcpy(row->in_iv, keys.iv, sizeof row->in_iv);
		row->in_seq = 0;
		tls_side_forget(&tls_here.sides[link.tls - 1].opens);
	}
	tls_wipe(&keys, sizeof keys);
	return made;
}

/* What a record was that is no data. 1: on with the next. Else what tls_recv says. */
RUNS_ON(on_worker)
static ssize_t act_on(struct link link, struct tls_row *row, enum tls_news news, uint8_t alert)
{
	switch (news) {
	case TLS_NEWS_NONE:
	case TLS_NEWS_DATA: return 1;
	case TLS_NEWS_KEYS_ASKED: row->flags |= TLS_ROW_OWES_KEYS; __attribute__((fallthrough));
	case TLS_NEWS_KEYS: return next_keys(link, row) ? 1 : failed(link, TLS_INTERNAL_ERROR);
	case TLS_NEWS_RENEGOTIATION:
		/* At once, if the socket lets it: the peer waits. */
		row->flags |= TLS_ROW_OWES_REFUSAL;
		return tls_pay_debts(link) < 0 ? -ECONNRESET : 1;
	case TLS_NEWS_CLOSED: row->flags |= TLS_ROW_CLOSED; return 0;
	case TLS_NEWS_ENDED: row->flags |= TLS_ROW_DEAD; return -ECONNRESET;
	case TLS_NEWS_FAULT: break;
	}
	return failed(link, alert);
}

/* What is left of the record that was opened last. */
RUNS_ON(on_worker) static ssize_t give_opened(struct tls_row *row, uint8_t *buf, size_t size)
{
	struct tls_slot *slot = tls_slot_of(row->in_slot);
	struct bytes data =
		bytes_first(bytes_of(slot->bytes + slot->at, slot->len - slot->at), size);

	memcpy(buf, data.at, data.len);
	slot->at += (uint32_t)data.len;
	row->given += data.len;
	if (slot->at == slot->len) {
		row->flags &= ~TLS_ROW_OPENED;
		tls_slot_give(&row->in_slot);
	}
	return (ssize_t)data.len;
}

/* Takes the record in the slot. Bytes of data, -EAGAIN: there were none; 0 and other errors as
 * tls_recv. */
RUNS_ON(on_worker)
static ssize_t record_take(struct link link, struct tls_row *row, uint8_t *buf, size_t size)
{
	struct tls_slot *slot = tls_slot_of(row->in_slot);
	struct bytes data;
	enum tls_news news;
	uint8_t type, alert;
	ssize_t went;
	int fault;

	fault = record_open(link, row, buf, size, &type, &data);
	row->head_len = 0;
	if (fault)
		return failed(link, fault);
	news = tls_inbound_take(&row->inbound, (enum tls_shape)row->shape, type, data, &alert);
	if (news == TLS_NEWS_DATA && data.len && data.at != buf) {
		slot->at = (uint32_t)(data.at - slot->bytes);
		slot->len = slot->at + (uint32_t)data.len;
		row->flags |= TLS_ROW_OPENED;
		return give_opened(row, buf, size);
	}
	tls_slot_give(&row->in_slot);
	if (news == TLS_NEWS_DATA && data.len) {
		row->given += data.len;
		return (ssize_t)data.len;
	}
	went = act_on(link, row, news, alert);
	return went == 1 ? -EAGAIN : went;
}

ssize_t tls_recv(struct link link, void *buf, size_t size)
{
	struct tls_row *row = tls_row_of(link);

	if (row->flags & TLS_ROW_OPENED)
		return give_opened(row, buf, size);
	for (unsigned i = 0; i < RECORDS_A_CALL; i++) {
		ssize_t n;

		if (row->flags & TLS_ROW_DEAD)
			return -ECONNRESET;
		if (row->flags & TLS_ROW_CLOSED)
			return 0;
		n = record_fill(link, row);
		if (n <= 0)
			return n;
		n = record_take(link, row, buf, size);
		if (n != -EAGAIN)
			return n;
	}
	return -EAGAIN;
}

bool tls_ready(struct link link)
{
	return tls_row_of(link)->flags & TLS_ROW_OPENED;
}

bool tls_alive(struct link link)
{
	uint8_t scrap[TLS_DATA_MAX];

	for (unsigned i = 0; i < RECORDS_A_CALL; i++) {
		ssize_t n = tls_recv(link, scrap, sizeof scrap);

		if (n <= 0)
			return n == -EAGAIN;
	}
	return true;
}
