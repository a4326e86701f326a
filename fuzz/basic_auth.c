/* basic_auth: one pair of user and password has one spelling, and every pair is read back. */
#include "edge/proto/basic_auth.h"

#include "edge/proto/base64.h"
#include "property.h"

static uint8_t one[1 << 16];
static uint8_t two[1 << 16];

/* What is taken is what the encoder makes of the two parts. */
static void check_canonical(struct bytes in)
{
	struct writer buf = writer_of(one, sizeof one);
	struct writer text = writer_of(two, sizeof two);
	struct basic_auth auth;
	enum basic_auth_status status = basic_auth_parse(in, &buf, &auth);

	if (status != BASIC_AUTH_OK) {
		PROPERTY(buf.len == 0 && auth.user.len == 0 && auth.password.len == 0);
		return;
	}
	PROPERTY(part_inside(auth.user, writer_done(&buf)));
	PROPERTY(part_inside(auth.password, writer_done(&buf)));
	PROPERTY(bytes_find(auth.user, ':') == auth.user.len);
	PROPERTY(auth.user.len + 1 + auth.password.len == buf.len);
	base64_encode(writer_done(&buf), &text);
	PROPERTY(bytes_end_with(bytes_trim(in), writer_done(&text)));
}

static void check_read_back(struct bytes pair)
{
	struct writer text = writer_of(one, sizeof one);
	struct writer buf = writer_of(two, sizeof two);
	struct basic_auth auth;
	bool good = bytes_find(pair, ':') < pair.len;

	for (size_t i = 0; i < pair.len; i++)
		good &= pair.at[i] >= 0x20 && pair.at[i] != 0x7f;
	writer_str(&text, "Basic ");
	base64_encode(pair, &text);
	PROPERTY(writer_ok(&text) && text.len == 6 + BASE64_SIZE(pair.len));
	enum basic_auth_status status = basic_auth_parse(writer_done(&text), &buf, &auth);

	PROPERTY(status == (good ? BASIC_AUTH_OK : BASIC_AUTH_BAD));
	if (good) {
		struct bytes password = pair;

		PROPERTY(bytes_equal(auth.user, bytes_cut(&password, ':')));
		PROPERTY(bytes_equal(auth.password, password));
	}
}

static void check_base64(struct bytes in)
{
	struct writer data = writer_of(one, sizeof one);
	struct writer text = writer_of(two, sizeof two);

	if (base64_decode(in, &data)) {
		base64_encode(writer_done(&data), &text);
		PROPERTY(bytes_equal(writer_done(&text), in));
	} else {
		PROPERTY(data.len == 0);
	}
}

static void check_bearer(struct bytes in)
{
	struct bytes token;

	if (!basic_auth_parse_bearer(in, &token))
		return;
	PROPERTY(token.len > 0 && part_inside(token, in));
	for (size_t i = 0; i < token.len; i++)
		PROPERTY(token.at[i] > 0x20 && token.at[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	if (size > sizeof one / 2)
		return 0;
	check_canonical(in);
	check_read_back(in);
	check_base64(in);
	check_bearer(in);
	return 0;
}
