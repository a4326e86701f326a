#include "irc/proto/irc_ident.h"

/* RFC 1413 section 4: blanks may stand anywhere but within a number. */
static bool port_of(struct bytes text, uint16_t *port)
{
	uint64_t number;

	text = bytes_trim(text);
	if (text.len > 5 || !bytes_to_u64(text, 65535, &number) || !number)
		return false;
	*port = (uint16_t)number;
	return true;
}

bool irc_ident_parse(struct bytes line, uint16_t *ours, uint16_t *theirs)
{
	struct bytes rest = line, first = bytes_cut(&rest, ',');

	return first.len < line.len && port_of(first, ours) && port_of(rest, theirs);
}

void irc_ident_write(struct writer *w, uint16_t ours, uint16_t theirs, const char *name)
{
	writer_dec(w, ours);
	writer_str(w, " , ");
	writer_dec(w, theirs);
	writer_str(w, name ? " : USERID : UNIX : " : " : ERROR : NO-USER");
	writer_str(w, name ? name : "");
	writer_str(w, "\r\n");
}
