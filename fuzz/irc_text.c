/* Times that are read are written the same; pieces of a text make up the text. */
#include "irc/proto/irc_text.h"

#include "property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = bytes_of(data, size), rest = all, verb, words;
	size_t max = size ? 1u + data[0] : 1, sum = 0;
	bool utf8 = irc_is_utf8(all);
	int64_t ms, again;

	if (irc_time_parse(all, &ms)) {
		char buf[IRC_TIME_LEN];
		struct writer w = writer_of(buf, sizeof buf);

		irc_time_write(&w, ms);
		PROPERTY(writer_ok(&w) && w.len == IRC_TIME_LEN);
		PROPERTY(irc_time_parse(writer_done(&w), &again) && again == ms);
	}
	while (rest.len) {
		struct bytes piece = irc_split(&rest, max);

		PROPERTY(piece.len && piece.len <= max && piece.at == all.at + sum);
		PROPERTY(!utf8 || max < 4 || irc_is_utf8(piece));
		sum += piece.len;
	}
	PROPERTY(sum == size);
	if (irc_ctcp_parse(all, &verb, &words))
		PROPERTY(part_inside(verb, all) && part_inside(words, all));
	(void)irc_has_word(all, bytes_first(all, 3));
	return 0;
}
