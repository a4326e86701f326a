/* What goes out: data is cut into records, sealed into the batch and sent; the header is tls.h. */
#include <errno.h>

#include "edge/tls_part.h"

/* --- sealing -------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static EVP_CIPHER_CTX *sealer_of(struct link link, const struct tls_row *row)
{
	struct tls_side *side = &tls_here.sides[link.tls - 1];

	if (!side->seals)
		side->seals = tls_cipher_create((enum tls_suite)row->suite, row->out_key, true);
	return side->seals;
}

/* The next len bytes of the pieces, from *done on, as pieces of their own. */
static size_t pieces_cut(const struct bytes *pieces, size_t count, size_t done, size_t len,
			 struct bytes *cut)
{
	size_t n = 0;

	for (size_t i = 0; i < count && len; i++) {
		struct bytes piece;

		if (done >= pieces[i].len) {
			done -= pieces[i].len;
			continue;
		}
		piece = bytes_first(bytes_skip(pieces[i], done), len);
		done = 0;
		len -= piece.len;
		cut[n++] = piece;
	}
	return n;
}

/* One record, at out. Its length, 0 when OpenSSL failed. */
static size_t record_seal(EVP_CIPHER_CTX *cipher, const struct tls_row *row, uint64_t seq,
			  enum tls_type type, const struct bytes *pieces, size_t count, size_t len,
			  uint8_t *out)
{
	enum tls_shape shape = (enum tls_shape)row->shape;
	size_t before = TLS_HEADER_LEN + tls_explicit_len(shape);
	uint8_t nonce[TLS_IV_LEN], aad[TLS_AAD_MAX], inner = (uint8_t)type;
	size_t aad_len;

	tls_header_write(out, shape == TLS_SHAPE_13 ? TLS_DATA : type, tls_sealed_len(shape, len));
	tls_nonce(shape, row->out_iv, seq, NULL, nonce);
	memcpy(out + TLS_HEADER_LEN, nonce + TLS_IV_LEN - 8, tls_explicit_len(shape));
	aad_len = tls_aad(shape, out, seq, len, aad);
	if (!tls_seal(cipher, nonce, bytes_of(aad, aad_len), pieces, count,
		      shape == TLS_SHAPE_13 ? &inner : NULL, out + before))
		return 0;
	return TLS_HEADER_LEN + tls_sealed_len(shape, len);
}

/* As many records as fit, into the batch. False: no memory. */
RUNS_ON(on_worker)
static bool batch_fill(struct link link, const struct tls_row *row, enum tls_type type,
		       const struct bytes *pieces, size_t count, size_t done, size_t len)
{
	struct tls_batch *batch = tls_here.batch;
	EVP_CIPHER_CTX *cipher = sealer_of(link, row);

	if (!cipher)
		return false;
	batch->row = 0;
	batch->seq = row->out_seq;
	batch->taken = row->taken;
	batch->wire_out = row->wire_out;
	batch->control = type != TLS_DATA;
	batch->data_len = batch->len = 0;
	for (size_t i = 0; i < TLS_BATCH_RECORDS && len; i++) {
		size_t data = len < row->record_max ? len : row->record_max;
		struct bytes cut[8];
		size_t cuts = pieces_cut(pieces, count, done, data, cut);
		size_t sealed = record_seal(cipher, row, batch->seq + i, type, cut, cuts, data,
					    batch->bytes + batch->len);

		if (sealed == 0)
			return false;
		batch->len += (uint32_t)sealed;
		batch->data_len += (uint32_t)data;
		done += data;
		len -= data;
	}
	return true;
}

/* --- sending -------------------------------------------------------------------------------- */

/* All values are made from those in the batch, so that doing it twice is doing it once. */
ssize_t tls_batch_book(struct tls_row *row, size_t n)
{
	struct tls_batch *batch = tls_here.batch;
	size_t left = batch->data_len, taken = 0, at = 0;
	uint64_t seq = batch->seq;

	while (at < n) {
		size_t data = left < row->record_max ? left : row->record_max;

		at += TLS_HEADER_LEN + tls_sealed_len((enum tls_shape)row->shape, data);
		left -= data;
		taken += data;
		seq++;
	}
	if (at > n) {
		/* The peer has the beginning of a record: it gets the rest before all else. */
		uint32_t number = row->out_slot;
		struct tls_slot *slot = number ? tls_slot_of(number) : tls_slot_take(&number);

		if (!slot) {
			row->flags |= TLS_ROW_DEAD;
			return -ENOMEM;
		}
		memcpy(slot->bytes, batch->bytes + n, at - n);
		slot->at = 0;
		slot->len = (uint32_t)(at - n);
		row->out_slot = number;
	}
	if (batch->control)
		taken = 0;
	row->out_seq = seq;
	row->taken = batch->taken + taken;
	row->wire_out = batch->wire_out + n;
	batch->row = 0;
	return (ssize_t)taken;
}

/* Sends the batch; *whole: the kernel took all of it. Bytes of rooms taken, or -errno. */
RUNS_ON(on_worker)
static ssize_t batch_send(struct link link, struct tls_row *row, bool *whole)
{
	struct tls_batch *batch = tls_here.batch;
	ssize_t n;

	/* A successor believes what is in the batch once row says whose it is. */
	atomic_signal_fence(memory_order_release);
	batch->row = link.tls;
	n = tcp_send(link.fd, bytes_of(batch->bytes, batch->len));
	if (n < 0) {
		batch->row = 0;
		row->flags |= TLS_ROW_MUTE;
		return n;
	}
	*whole = (size_t)n == batch->len;
	return tls_batch_book(row, (size_t)n);
}

int tls_send_control(struct link link, enum tls_type type, struct bytes message)
{
	struct tls_row *row = tls_row_of(link);
	uint64_t seq = row->out_seq;
	bool whole;
	ssize_t n;

	CHECK(row->out_slot == 0);
	if (!batch_fill(link, row, type, &message, 1, 0, message.len))
		return -ENOMEM;
	n = batch_send(link, row, &whole);
	if (n < 0)
		return (int)n;
	return row->out_seq != seq;
}

/* RFC 8446 section 4.6.3: what follows a key update has the next keys. */
RUNS_ON(on_worker) static int renew_keys(struct link link, struct tls_row *row)
{
	uint8_t message[TLS_KEY_UPDATE_LEN];
	struct tls_keys keys;
	int went;

	tls_key_update_write(message);
	went = tls_send_control(link, TLS_HANDSHAKE, bytes_of(message, sizeof message));
	if (went <= 0)
		return went;
	memcpy(keys.secret, row->out_secret, sizeof keys.secret);
	if (!tls_keys_next((enum tls_suite)row->suite, &keys)) {
		row->flags |= TLS_ROW_DEAD;
		return -ENOMEM;
	}
	memcpy(row->out_secret, keys.secret, sizeof row->out_secret);
	memcpy(row->out_key, keys.key, sizeof row->out_key);
	memcpy(row->out_iv, keys.iv, sizeof row->out_iv);
	row->out_seq = 0;
	row->flags &= ~TLS_ROW_OWES_KEYS;
	tls_side_forget(&tls_here.sides[link.tls - 1].seals);
	tls_wipe(&keys, sizeof keys);
	return 1;
}

int tls_pay_debts(struct link link)
{
	struct tls_row *row = tls_row_of(link);
	int went = tls_flush(link);

	if (went == 1 && (row->flags & TLS_ROW_OWES_REFUSAL)) {
		uint8_t message[2];

		tls_alert_write(message, TLS_NO_RENEGOTIATION);
		went = tls_send_control(link, TLS_ALERT, bytes_of(message, sizeof message));
		if (went == 1)
			row->flags &= ~TLS_ROW_OWES_REFUSAL;
		if (went == 1)
			went = tls_flush(link);
	}
	if (row->shape == TLS_SHAPE_13 && row->out_seq >= tls_key_limit)
		row->flags |= TLS_ROW_OWES_KEYS;
	if (went == 1 && (row->flags & TLS_ROW_OWES_KEYS)) {
		went = renew_keys(link, row);
		if (went == 1)
			went = tls_flush(link);
	}
	return went;
}

ssize_t tls_sendv(struct link link, const struct bytes *out, size_t count)
{
	struct tls_row *row = tls_row_of(link);
	size_t len = 0, done = 0;
	bool whole = true;
	int ready;

	CHECK(count <= 8);
	if (row->flags & TLS_ROW_DEAD)
		return -EPIPE;
	ready = row->out_slot || row->flags || row->out_seq >= tls_key_limit ? tls_pay_debts(link)
									     : 1;
	if (ready <= 0)
		return ready;
	for (size_t i = 0; i < count; i++)
		len += out[i].len;
	while (done < len && whole) {
		ssize_t n;

		if (!batch_fill(link, row, TLS_DATA, out, count, done, len - done))
			return -ENOMEM;
		n = batch_send(link, row, &whole);
		if (n < 0)
			return n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int tls_flush(struct link link)
{
	struct tls_row *row = tls_row_of(link);
	struct tls_slot *slot;
	ssize_t n;

	if (row->flags & (TLS_ROW_DEAD | TLS_ROW_MUTE))
		return -EPIPE;
	if (row->out_slot == 0)
		return 1;
	slot = tls_slot_of(row->out_slot);
	n = tcp_send(link.fd, bytes_of(slot->bytes + slot->at, slot->len - slot->at));
	if (n < 0) {
		row->flags |= TLS_ROW_MUTE;
		return (int)n;
	}
	slot->at += (uint32_t)n;
	row->wire_out += (uint64_t)n;
	if (slot->at < slot->len)
		return 0;
	tls_slot_give(&row->out_slot);
	return 1;
}
