/* url: what is encoded is decoded back, a normalized path stays as it is, parts lie inside. */
#include "edge/proto/url.h"

#include "property.h"

static uint8_t one[1 << 16];
static uint8_t two[1 << 16];
static uint8_t three[1 << 16];

static void check_encoding(struct bytes in)
{
	struct writer text = writer_of(one, sizeof one);
	struct writer back = writer_of(two, sizeof two);

	url_encode_component(&text, in);
	PROPERTY(writer_ok(&text));
	enum url_status status = url_decode(writer_done(&text), &back);

	if (bytes_find(in, 0) < in.len) {
		PROPERTY(status == URL_NUL && back.len == 0);
		return;
	}
	PROPERTY(status == URL_OK && bytes_equal(writer_done(&back), in));
}

static void check_decoding(struct bytes in)
{
	struct writer out = writer_of(one, sizeof one);
	enum url_status status = url_decode(in, &out);

	PROPERTY(writer_ok(&out) && status != URL_NO_ROOM);
	PROPERTY(status == URL_OK ? out.len <= in.len : out.len == 0);
	/* With less room than it takes it says so, and leaves nothing. */
	if (status == URL_OK && out.len > 0) {
		struct writer tight = writer_of(two, out.len - 1);

		PROPERTY(url_decode(in, &tight) == URL_NO_ROOM && tight.len == 0);
	}
}

static void check_path(struct bytes in)
{
	struct writer path = writer_of(one, sizeof one);
	struct writer text = writer_of(two, sizeof two);
	struct writer again = writer_of(three, sizeof three);

	if (url_normalize_path(in, &path) != URL_OK) {
		PROPERTY(path.len == 0);
		return;
	}
	struct bytes done = writer_done(&path);
	struct bytes rest = bytes_skip(done, 1);

	PROPERTY(done.len > 0 && done.at[0] == '/');
	while (rest.len) {
		struct bytes segment = bytes_cut(&rest, '/');

		PROPERTY(segment.len > 0);
		PROPERTY(!bytes_equal(segment, BYTES(".")) && !bytes_equal(segment, BYTES("..")));
	}
	for (size_t i = 0; i < done.len; i++)
		PROPERTY(done.at[i] >= 0x20 && done.at[i] != 0x7f && done.at[i] != '\\');
	url_encode_path(&text, done);
	PROPERTY(url_normalize_path(writer_done(&text), &again) == URL_OK);
	PROPERTY(bytes_equal(writer_done(&again), done));
}

static void check_query(struct bytes in)
{
	struct bytes path;
	struct bytes query;
	struct writer out = writer_of(one, sizeof one);
	struct url_param param;

	url_split_target(in, &path, &query);
	PROPERTY(path.len + (query.at ? query.len + 1 : 0) == in.len);
	for (struct bytes rest = query;;) {
		size_t before = rest.len;
		enum url_status status = url_query_next(&rest, &out, &param);

		PROPERTY(part_inside(rest, query));
		if (status == URL_END) {
			PROPERTY(rest.len == 0);
			break;
		}
		PROPERTY(rest.len < before);
		struct bytes from = status == URL_OK ? writer_done(&out) : query;

		PROPERTY(part_inside(param.name, from) && part_inside(param.value, from));
	}
	PROPERTY(out.len <= query.len);
}

static void check_absolute(struct bytes in)
{
	struct writer text = writer_of(one, sizeof one);
	struct url url;
	struct url again;

	if (!url_parse_http(in, &url))
		return;
	PROPERTY(part_inside(url.scheme, in) && part_inside(url.userinfo, in) &&
		 part_inside(url.host, in) && part_inside(url.target, in));
	PROPERTY(url.host.len > 0 && url.port > 0);
	PROPERTY(url.target.len == 0 || url.target.at[0] == '/');
	writer_put(&text, url.scheme);
	writer_str(&text, "://");
	writer_put(&text, url.userinfo);
	writer_str(&text, url.userinfo.at ? "@" : "");
	writer_str(&text, url.ipv6 ? "[" : "");
	writer_put(&text, url.host);
	writer_str(&text, url.ipv6 ? "]:" : ":");
	writer_dec(&text, url.port);
	writer_put(&text, url.target);
	PROPERTY(url_parse_http(writer_done(&text), &again));
	PROPERTY(again.port == url.port && again.tls == url.tls && again.ipv6 == url.ipv6);
	PROPERTY(bytes_equal(again.host, url.host) && bytes_equal(again.target, url.target) &&
		 bytes_equal(again.userinfo, url.userinfo));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	if (size > sizeof one / 4)
		return 0;
	check_encoding(in);
	check_decoding(in);
	check_path(in);
	check_query(in);
	check_absolute(in);
	return 0;
}
