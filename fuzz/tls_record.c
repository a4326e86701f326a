/* tls_record: a header has a length that a slot holds or is refused; padding comes off whole; what a
 * client says is the same in one record and in several, and after a fault or an end nothing is data
 * of a message begun before. */
#include "edge/proto/tls_record.h"

#include "core/reader.h"
#include "property.h"

static void check_header(enum tls_shape shape, struct bytes in)
{
	uint8_t header[TLS_HEADER_LEN], again[TLS_HEADER_LEN];
	size_t len;
	int alert;

	if (in.len < sizeof header)
		return;
	memcpy(header, in.at, sizeof header);
	alert = tls_header_parse(shape, header, &len);
	if (alert)
		return;
	PROPERTY(len <= TLS_SEALED_MAX && len >= tls_sealed_len(shape, 0));
	tls_header_write(again, (enum tls_type)header[0], len);
	PROPERTY(again[0] == header[0] && again[3] == header[3] && again[4] == header[4]);
}

static void check_inner(struct bytes in)
{
	struct bytes data = in;
	uint8_t type = 0;

	if (tls_inner_parse(&data, &type) != 0)
		return;
	PROPERTY(part_inside(data, in) && data.len < in.len);
	PROPERTY(type != 0 && in.at[data.len] == type);
	for (size_t i = data.len + 1; i < in.len; i++)
		PROPERTY(in.at[i] == 0);
}

static void check_nonces(enum tls_shape shape, struct bytes in)
{
	uint8_t iv[TLS_IV_LEN] = {0}, one[TLS_IV_LEN], two[TLS_IV_LEN];

	memcpy(iv, in.at, in.len < sizeof iv ? in.len : sizeof iv);
	tls_nonce(shape, iv, in.len, NULL, one);
	tls_nonce(shape, iv, in.len + 1, NULL, two);
	PROPERTY(memcmp(one, two, sizeof one) != 0);
}

/* A byte a record, where the version lets it: the same in the end, or earlier a fault. */
static void check_pieces(enum tls_shape shape, uint8_t type, struct bytes data)
{
	struct tls_inbound whole = {0}, pieces = {0};
	uint8_t alert, piece_alert = 0;
	enum tls_news news = tls_inbound_take(&whole, shape, type, data, &alert);
	enum tls_news last = TLS_NEWS_NONE;

	if (type == TLS_DATA || data.len == 0 || (type == TLS_ALERT && shape == TLS_SHAPE_13))
		return;
	for (size_t i = 0; i < data.len; i++) {
		last = tls_inbound_take(&pieces, shape, type, bytes_of(data.at + i, 1),
					&piece_alert);
		if (last != TLS_NEWS_NONE && last != TLS_NEWS_RENEGOTIATION)
			break;
	}
	/* Only a key update with something behind it is a fault whole and not in pieces. */
	if (news == TLS_NEWS_CLOSED || news == TLS_NEWS_ENDED || news == TLS_NEWS_KEYS ||
	    news == TLS_NEWS_KEYS_ASKED)
		PROPERTY(last == news && alert == piece_alert);
	if (news == TLS_NEWS_NONE)
		PROPERTY(last == TLS_NEWS_NONE && memcmp(&whole, &pieces, sizeof whole) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(bytes_of(data, size));
	enum tls_shape shape = (enum tls_shape)(reader_u8(&r) % 3);
	struct tls_inbound in = {0};

	check_header(shape, bytes_skip(bytes_of(data, size), 1));
	check_nonces(shape, bytes_of(data, size));
	while (reader_left(&r) >= 2) {
		uint8_t type = reader_u8(&r), len = reader_u8(&r), alert;
		struct bytes record =
			reader_take(&r, len < reader_left(&r) ? len : reader_left(&r));
		bool unfinished = in.head_len || in.skip || in.alert_level;
		enum tls_news news = tls_inbound_take(&in, shape, type, record, &alert);

		check_inner(record);
		check_pieces(shape, type, record);
		PROPERTY(in.head_len <= 4);
		PROPERTY(news != TLS_NEWS_DATA || (type == TLS_DATA && !unfinished));
		PROPERTY(shape == TLS_SHAPE_13 ||
			 (news != TLS_NEWS_KEYS && news != TLS_NEWS_KEYS_ASKED));
		PROPERTY(shape != TLS_SHAPE_13 || news != TLS_NEWS_RENEGOTIATION);
		if (news == TLS_NEWS_FAULT || news == TLS_NEWS_ENDED || news == TLS_NEWS_CLOSED)
			break;
	}
	return 0;
}
