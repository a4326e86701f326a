/* A value never gets out of where it was put: not out of a JSON string, a form's field or a line. */
#include "edge/proto/template.h"

#include "property.h"

static uint8_t room[1 << 20];

static struct bytes written(struct bytes text, enum template_escape escape, struct bytes value)
{
	struct template_value values[] = {{"x", value}};
	struct writer w = writer_of(room, sizeof room);

	template_write(&w, text, escape, values, 1);
	PROPERTY(writer_ok(&w));
	return writer_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size > 8192 ? 8192 : size), out;

	out = written(BYTES("{{x}}"), TEMPLATE_JSON, in);
	for (size_t i = 0; i < out.len; i++) {
		PROPERTY(out.at[i] >= 0x20 && out.at[i] != '"');
		if (out.at[i] != '\\')
			continue;
		/* Each backslash begins an escape that is whole. */
		PROPERTY(i + 1 < out.len && memchr("\"\\nu", out.at[i + 1], 4));
		PROPERTY(out.at[i + 1] != 'u' || i + 5 < out.len);
		i++;
	}
	out = written(BYTES("{{x}}"), TEMPLATE_FORM, in);
	for (size_t i = 0; i < out.len; i++)
		PROPERTY(out.at[i] != '&' && out.at[i] != '=' && out.at[i] > ' ' &&
			 out.at[i] < 0x7f);
	out = written(BYTES("{{x}}"), TEMPLATE_TEXT, in);
	for (size_t i = 0; i < out.len; i++)
		PROPERTY(out.at[i] >= 0x20 && out.at[i] != 0x7f);
	/* As a template it is never longer than itself and the values in it. */
	out = written(in, TEMPLATE_TEXT, BYTES("y"));
	PROPERTY(out.len <= in.len);
	return 0;
}
