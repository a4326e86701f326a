/* import: any bytes are a file of another server's, or are refused; what is made of them is a tree that
 * can be written. */
#include <stdio.h>

#include "clients/import/import.h"
#include "property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int kind = 0; kind < 3; kind++) {
		char *report = NULL, *text = NULL, *orders = NULL;
		size_t report_len, text_len, orders_len;
		struct import import = {.settings = json_object(), .file = "file"};
		FILE *out = open_memstream(&text, &text_len);
		int code;

		import.report = open_memstream(&report, &report_len);
		import.orders = open_memstream(&orders, &orders_len);
		code = kind == 0   ? import_icecast(&import, (const char *)data, size)
		       : kind == 1 ? import_tinyice(&import, (const char *)data, size)
				   : import_znc(&import, (const char *)data, size);
		fclose(import.orders);
		/* An order is a line: its user, then words. */
		PROPERTY(!orders_len || orders[orders_len - 1] == '\n');
		import_write(import.settings, out);
		fclose(out);
		fclose(import.report);
		/* What cannot be read says why. */
		PROPERTY(code == 0 || report_len > 0);
		json_decref(import.settings);
		free(report);
		free(orders);
		free(text);
	}
	return 0;
}
