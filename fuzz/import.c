/* import: any bytes are a file of another server's, or are refused; what is made of them is a tree that
 * can be written. */
#include <stdio.h>

#include "clients/import/import.h"
#include "property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int icecast = 0; icecast < 2; icecast++) {
		char *report = NULL, *text = NULL;
		size_t report_len, text_len;
		struct import import = {.settings = json_object(), .file = "file"};
		FILE *out = open_memstream(&text, &text_len);
		int code;

		import.report = open_memstream(&report, &report_len);
		code = icecast ? import_icecast(&import, (const char *)data, size)
			       : import_tinyice(&import, (const char *)data, size);
		import_write(import.settings, out);
		fclose(out);
		fclose(import.report);
		/* What cannot be read says why. */
		PROPERTY(code == 0 || report_len > 0);
		json_decref(import.settings);
		free(report);
		free(text);
	}
	return 0;
}
