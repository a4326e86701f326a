#include "edge/proto/tls_record.h"

#include "core/reader.h"
#include "core/writer.h"

#define CLIENT_HELLO       1u
#define HELLO_REQUEST      0
#define NEW_SESSION_TICKET 4u
#define KEY_UPDATE         24u

#define LEVEL_WARNING 1u
#define LEVEL_FATAL   2u

#define WARNINGS_MAX 32u /* a peer that has nothing else to say for so long is let go */

/* --- records -------------------------------------------------------------------------------- */

int tls_header_parse(enum tls_shape shape, const uint8_t header[TLS_HEADER_LEN], size_t *len)
{
	struct reader r = reader_of(bytes_of(header, TLS_HEADER_LEN));
	uint8_t type = reader_u8(&r);
	size_t most = TLS_SEALED_MAX;
	size_t least = TLS_TAG_LEN + 1;

	/* RFC 8446 section 5.1: the version is to be ignored for all purposes. */
	reader_skip(&r, 2);
	*len = reader_be16(&r);
	if (shape == TLS_SHAPE_13) {
		/* RFC 8446 section 5: no change_cipher_spec any more behind the Finished. */
		if (type != TLS_DATA)
			return TLS_UNEXPECTED_MESSAGE;
	} else {
		most = tls_sealed_len(shape, TLS_DATA_MAX);
		least = tls_sealed_len(shape, 0);
		if (type != TLS_DATA && type != TLS_ALERT && type != TLS_HANDSHAKE)
			return TLS_UNEXPECTED_MESSAGE;
	}
	if (*len > most)
		return TLS_RECORD_OVERFLOW;
	return *len < least ? TLS_BAD_RECORD_MAC : 0;
}

void tls_header_write(uint8_t header[TLS_HEADER_LEN], enum tls_type type, size_t len)
{
	struct writer w = writer_of(header, TLS_HEADER_LEN);

	writer_u8(&w, (uint8_t)type);
	writer_be(&w, 0x0303, 2);
	writer_be(&w, len, 2);
}

size_t tls_sealed_len(enum tls_shape shape, size_t data_len)
{
	return tls_explicit_len(shape) + data_len + TLS_TAG_LEN + (shape == TLS_SHAPE_13);
}

void tls_nonce(enum tls_shape shape, const uint8_t iv[TLS_IV_LEN], uint64_t seq,
	       const uint8_t *explicit_part, uint8_t nonce[TLS_IV_LEN])
{
	struct writer w = writer_of(nonce, TLS_IV_LEN);

	writer_put(&w, bytes_of(iv, TLS_IV_LEN - 8));
	if (shape == TLS_SHAPE_12_GCM && explicit_part) {
		writer_put(&w, bytes_of(explicit_part, 8));
		return;
	}
	writer_be(&w, seq, 8);
	/* RFC 8446 section 5.3, RFC 7905 section 2; RFC 5288 leaves the explicit part to us. */
	if (shape != TLS_SHAPE_12_GCM)
		for (size_t i = TLS_IV_LEN - 8; i < TLS_IV_LEN; i++)
			nonce[i] ^= iv[i];
}

size_t tls_aad(enum tls_shape shape, const uint8_t header[TLS_HEADER_LEN], uint64_t seq,
	       size_t data_len, uint8_t aad[TLS_AAD_MAX])
{
	struct writer w = writer_of(aad, TLS_AAD_MAX);

	if (shape == TLS_SHAPE_13) {
		writer_put(&w, bytes_of(header, TLS_HEADER_LEN));
		return w.len;
	}
	/* RFC 5246 section 6.2.3.3 */
	writer_be(&w, seq, 8);
	writer_put(&w, bytes_of(header, 3));
	writer_be(&w, data_len, 2);
	return w.len;
}

int tls_inner_parse(struct bytes *opened, uint8_t *type)
{
	while (opened->len && opened->at[opened->len - 1] == 0)
		opened->len--;
	if (opened->len == 0)
		return TLS_UNEXPECTED_MESSAGE; /* RFC 8446 section 5.4 */
	opened->len--;
	*type = opened->at[opened->len];
	return opened->len > TLS_DATA_MAX ? TLS_RECORD_OVERFLOW : 0;
}

size_t tls_label_write(const char *label, size_t len, uint8_t out[TLS_LABEL_MAX])
{
	struct writer w = writer_of(out, TLS_LABEL_MAX);

	writer_be(&w, len, 2);
	writer_u8(&w, (uint8_t)(6 + strlen(label)));
	writer_str(&w, "tls13 ");
	writer_str(&w, label);
	writer_u8(&w, 0);
	return writer_ok(&w) ? w.len : 0;
}

/* --- what comes in -------------------------------------------------------------------------- */

static enum tls_news fault(uint8_t *alert, enum tls_alert what)
{
	*alert = (uint8_t)what;
	return TLS_NEWS_FAULT;
}

static enum tls_news take_alert(struct tls_inbound *in, enum tls_shape shape, uint8_t level,
				uint8_t what, uint8_t *alert)
{
	*alert = what;
	if (what == TLS_CLOSE_NOTIFY)
		return TLS_NEWS_CLOSED;
	/* RFC 8446 section 6: but for those two every alert is the end, whatever its level. */
	if (level != LEVEL_WARNING || (shape == TLS_SHAPE_13 && what != TLS_USER_CANCELED))
		return TLS_NEWS_ENDED;
	return ++in->warnings > WARNINGS_MAX ? fault(alert, TLS_UNEXPECTED_MESSAGE) : TLS_NEWS_NONE;
}

static enum tls_news take_alerts(struct tls_inbound *in, enum tls_shape shape, struct bytes data,
				 uint8_t *alert)
{
	struct reader r = reader_of(data);

	/* RFC 8446 section 5.1: an alert fills a record. In 1.2 it may be in pieces, or one of many. */
	if (data.len == 0 || (shape == TLS_SHAPE_13 && data.len != 2))
		return fault(alert, TLS_UNEXPECTED_MESSAGE);
	while (reader_left(&r)) {
		uint8_t level = in->alert_level ? in->alert_level : reader_u8(&r);
		enum tls_news news;

		if (level != LEVEL_WARNING && level != LEVEL_FATAL)
			return fault(alert, TLS_DECODE_ERROR);
		in->alert_level = level;
		if (reader_left(&r) == 0)
			break;
		in->alert_level = 0;
		news = take_alert(in, shape, level, reader_u8(&r), alert);
		if (news != TLS_NEWS_NONE)
			return news;
	}
	return TLS_NEWS_NONE;
}

/* RFC 8446 section 4.6.3. It must be the last of its record: what follows has other keys. */
static enum tls_news take_key_update(struct reader *r, uint8_t *alert)
{
	uint8_t asked = reader_u8(r);

	if (asked > 1)
		return fault(alert, TLS_DECODE_ERROR);
	if (reader_left(r))
		return fault(alert, TLS_UNEXPECTED_MESSAGE);
	return asked ? TLS_NEWS_KEYS_ASKED : TLS_NEWS_KEYS;
}

/* The head of a message is whole: what it is about. */
static enum tls_news take_message(struct tls_inbound *in, enum tls_shape shape, uint8_t last,
				  uint8_t *alert)
{
	size_t len = (size_t)in->head[1] << 16 | (size_t)in->head[2] << 8 | last;

	/* RFC 8446 section 4.6.1: tickets, which we do not take up. */
	if (shape == TLS_SHAPE_13 && in->from_server && in->head[0] == NEW_SESSION_TICKET) {
		if (len > UINT16_MAX)
			return fault(alert, TLS_DECODE_ERROR);
		in->skip = (uint16_t)len;
		return TLS_NEWS_NONE;
	}
	/* A client that was not asked for a certificate has nothing else to say. */
	if (shape == TLS_SHAPE_13) {
		if (in->head[0] != KEY_UPDATE)
			return fault(alert, TLS_UNEXPECTED_MESSAGE);
		return len == 1 ? TLS_NEWS_NONE : fault(alert, TLS_DECODE_ERROR);
	}
	if (in->head[0] != (in->from_server ? HELLO_REQUEST : CLIENT_HELLO))
		return fault(alert, TLS_UNEXPECTED_MESSAGE);
	if (len > UINT16_MAX)
		return fault(alert, TLS_DECODE_ERROR);
	in->skip = (uint16_t)len;
	return TLS_NEWS_RENEGOTIATION;
}

static enum tls_news take_handshake(struct tls_inbound *in, enum tls_shape shape, struct bytes data,
				    uint8_t *alert)
{
	struct reader r = reader_of(data);
	enum tls_news news = TLS_NEWS_NONE;

	if (data.len == 0)
		return fault(alert, TLS_UNEXPECTED_MESSAGE);
	while (reader_left(&r)) {
		size_t skip = in->skip < reader_left(&r) ? in->skip : reader_left(&r);

		reader_skip(&r, skip);
		in->skip = (uint16_t)(in->skip - skip);
		if (reader_left(&r) == 0)
			break;
		if (in->head_len < sizeof in->head) {
			in->head[in->head_len++] = reader_u8(&r);
			continue;
		}
		if (in->head_len == sizeof in->head) {
			enum tls_news what = take_message(in, shape, reader_u8(&r), alert);

			in->head_len = shape == TLS_SHAPE_13 && in->head[0] == KEY_UPDATE ? 4 : 0;
			if (what == TLS_NEWS_FAULT)
				return what;
			/* One refusal answers all that are in a record. */
			if (what != TLS_NEWS_NONE)
				news = what;
			continue;
		}
		in->head_len = 0;
		return take_key_update(&r, alert);
	}
	if (news == TLS_NEWS_RENEGOTIATION && ++in->warnings > WARNINGS_MAX)
		return fault(alert, TLS_UNEXPECTED_MESSAGE);
	return news;
}

enum tls_news tls_inbound_take(struct tls_inbound *in, enum tls_shape shape, uint8_t type,
			       struct bytes data, uint8_t *alert)
{
	bool unfinished = in->head_len || in->skip;

	*alert = 0;
	/* RFC 8446 section 5.1: nothing comes between the pieces of a handshake message. */
	if (unfinished && type != TLS_HANDSHAKE)
		return fault(alert, TLS_UNEXPECTED_MESSAGE);
	if (in->alert_level && type != TLS_ALERT)
		return fault(alert, TLS_UNEXPECTED_MESSAGE);
	switch (type) {
	case TLS_DATA:
		if (data.len)
			in->warnings = 0;
		return TLS_NEWS_DATA;
	case TLS_ALERT: return take_alerts(in, shape, data, alert);
	case TLS_HANDSHAKE: return take_handshake(in, shape, data, alert);
	default: return fault(alert, TLS_UNEXPECTED_MESSAGE);
	}
}

void tls_alert_write(uint8_t out[2], enum tls_alert alert)
{
	bool warning = alert == TLS_CLOSE_NOTIFY || alert == TLS_NO_RENEGOTIATION;

	out[0] = warning ? LEVEL_WARNING : LEVEL_FATAL;
	out[1] = (uint8_t)alert;
}

void tls_key_update_write(uint8_t out[TLS_KEY_UPDATE_LEN])
{
	static const uint8_t message[TLS_KEY_UPDATE_LEN] = {KEY_UPDATE, 0, 0, 1, 0};

	memcpy(out, message, sizeof message);
}
