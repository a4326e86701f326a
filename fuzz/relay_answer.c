/* What a relay reads of others: hop lists and play lists. Parts lie inside the input, an address ends
 * where it must, and what is handed on holds nothing but our own ids. */
#include "radio/proto/hops.h"
#include "radio/proto/playlist_read.h"

#include "property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), url = playlist_first_url(in);
	char buf[1024];
	struct writer w = writer_of(buf, sizeof buf);
	struct bytes out;

	PROPERTY(part_inside(url, in));
	for (size_t i = 0; i < url.len; i++)
		PROPERTY(url.at[i] > ' ');
	PROPERTY(url.len == 0 || bytes_start_with_nocase(url, BYTES("http")));
	playlist_is_type(in);
	hops_write_via(&w, in, BYTES("rm-5e1f"));
	PROPERTY(writer_ok(&w));
	out = writer_done(&w);
	PROPERTY(hops_hold(out, BYTES("rm-5e1f")));
	PROPERTY(hops_count(out) <= hops_count(in) + 1);
	for (size_t i = 0; i < out.len; i++)
		PROPERTY(out.at[i] >= ' ' && out.at[i] < 0x7f);
	return 0;
}
