/* proxy_protocol: a header is taken when it is whole and never before; what was read, written again
 * as either version, is read the same. */
#include "edge/proto/proxy_protocol.h"

#include "core/writer.h"
#include "property.h"

static bool same(const struct address *a, const struct address *b)
{
	return address_same_ip(a, b) && a->port == b->port;
}

static void check_cuts(struct bytes in, enum proxy_status whole, const struct proxy_info *info)
{
	/* Nothing behind a header changes it, so its length bounds where the verdict can fall. */
	size_t most = in.len < PROXY_V2_MAX ? in.len : PROXY_V2_MAX;
	bool decided = false;

	for (size_t n = 0; n < most; n += n < 128 ? 1 : 61) {
		struct proxy_info part;
		enum proxy_status status = proxy_parse(bytes_first(in, n), &part);

		if (whole == PROXY_OK && n < info->used)
			PROPERTY(status == PROXY_MORE);
		else if (whole == PROXY_MORE)
			PROPERTY(status == PROXY_MORE);
		else if (status != PROXY_MORE || decided)
			PROPERTY(status == whole && part.used == info->used);
		decided |= status != PROXY_MORE;
	}
}

static void check_read_back(struct bytes text, const struct proxy_info *want)
{
	struct proxy_info got;

	PROPERTY(proxy_parse(text, &got) == PROXY_OK);
	PROPERTY(got.used == text.len && got.known);
	PROPERTY(same(&got.source, &want->source) && same(&got.destination, &want->destination));
}

/* An IPv6 connection's IPv4 end has no dotted spelling in TCP6. */
static void write_ip(struct writer *w, const struct address *address, bool v4)
{
	if (!v4 && address_is_v4(address))
		writer_str(w, "::ffff:");
	address_write_ip(w, address);
}

static void check_v1(const struct proxy_info *info, bool v4)
{
	uint8_t buf[PROXY_V1_MAX];
	struct writer w = writer_of(buf, sizeof buf);

	writer_str(&w, v4 ? "PROXY TCP4 " : "PROXY TCP6 ");
	write_ip(&w, &info->source, v4);
	writer_u8(&w, ' ');
	write_ip(&w, &info->destination, v4);
	writer_u8(&w, ' ');
	writer_dec(&w, info->source.port);
	writer_u8(&w, ' ');
	writer_dec(&w, info->destination.port);
	writer_str(&w, "\r\n");
	PROPERTY(writer_ok(&w));
	check_read_back(writer_done(&w), info);
}

static void check_v2(const struct proxy_info *info, bool v4)
{
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof buf);
	size_t skip = v4 ? 12 : 0;

	writer_put(&w, BYTES("\r\n\r\n\0\r\nQUIT\n\x21"));
	writer_u8(&w, v4 ? 0x11 : 0x21);
	writer_be(&w, 2 * (16 - skip) + 4 + 5, 2);
	writer_put(&w, bytes_of(info->source.ip + skip, 16 - skip));
	writer_put(&w, bytes_of(info->destination.ip + skip, 16 - skip));
	writer_be(&w, info->source.port, 2);
	writer_be(&w, info->destination.port, 2);
	writer_put(&w, BYTES("\4\0\2xy"));
	PROPERTY(writer_ok(&w));
	check_read_back(writer_done(&w), info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct proxy_info info;
	enum proxy_status status = proxy_parse(in, &info);

	PROPERTY(info.used <= size && (status == PROXY_BAD) == (info.fault != NULL));
	PROPERTY(status != PROXY_OK || info.used > 0);
	PROPERTY(status != PROXY_NONE || info.used == 0);
	PROPERTY(status == PROXY_OK || !info.known);
	check_cuts(in, status, &info);
	if (!info.known)
		return 0;
	bool v4 = address_is_v4(&info.source) && address_is_v4(&info.destination);

	check_v1(&info, v4);
	check_v2(&info, v4);
	return 0;
}
