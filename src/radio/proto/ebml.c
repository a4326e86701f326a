#include "radio/proto/ebml.h"

#include "core/reader.h"

/* Bytes of the integer that begins with this one: leading zero bits and one; 9: none does. */
static size_t vint_len(uint8_t first)
{
	size_t len = 1;

	while (len <= 8 && !(first & 0x100u >> len))
		len++;
	return len;
}

enum ebml_status ebml_vint(struct bytes in, uint64_t *value, size_t *len)
{
	struct reader r = reader_of(in);

	if (in.len == 0)
		return EBML_SHORT;
	*len = vint_len(in.at[0]);
	if (*len > 8)
		return EBML_BAD;
	*value = reader_be(&r, *len) & ~((uint64_t)0x80 << 7 * (*len - 1));
	return reader_ok(&r) ? EBML_OK : EBML_SHORT;
}

enum ebml_status ebml_parse(struct bytes in, struct ebml *element)
{
	struct reader r = reader_of(in);
	size_t id_len = in.len ? vint_len(in.at[0]) : 1;
	size_t size_len = 0;
	enum ebml_status status;

	if (id_len > 4) /* RFC 9559 section 5: EBMLMaxIDLength is 4 */
		return EBML_BAD;
	element->id = (uint32_t)reader_be(&r, id_len);
	if (!reader_ok(&r))
		return EBML_SHORT;
	status = ebml_vint(bytes_skip(in, id_len), &element->size, &size_len);
	if (status != EBML_OK)
		return status;
	/* All ones: not known (RFC 8794 section 6.2). */
	element->unsized = element->size == ((uint64_t)1 << 7 * size_len) - 1;
	if (element->unsized)
		element->size = 0;
	element->head = id_len + size_len;
	return EBML_OK;
}

bool ebml_child(struct bytes *in, struct ebml *element, struct bytes *payload, bool *whole)
{
	struct bytes rest;

	if (ebml_parse(*in, element) != EBML_OK || element->unsized)
		return false;
	rest = bytes_skip(*in, element->head);
	*whole = element->size <= rest.len;
	*payload = bytes_first(rest, *whole ? (size_t)element->size : rest.len);
	*in = bytes_skip(rest, payload->len);
	return true;
}

uint64_t ebml_uint(struct bytes payload)
{
	struct reader r = reader_of(payload);

	return payload.len <= 8 ? reader_be(&r, payload.len) : 0;
}

double ebml_float(struct bytes payload)
{
	struct reader r = reader_of(payload);

	if (payload.len == 4) {
		uint32_t bits = reader_be32(&r);
		float value;

		memcpy(&value, &bits, sizeof value);
		return (double)value;
	}
	if (payload.len == 8) {
		uint64_t bits = reader_be64(&r);
		double value;

		memcpy(&value, &bits, sizeof value);
		return value;
	}
	return 0;
}
