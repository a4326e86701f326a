/* The pages inside the program are those of web/, and are found by their path and nothing else. */
#include "guarded.h"

#include <stdio.h>

#include "core/reader.h"
#include "edge/web_files.h"

static const struct web_file *find(const char *path)
{
	struct bytes in = guarded(bytes_str(path));
	const struct web_file *file = web_file_find(in);

	guarded_free(in);
	return file;
}

static void pages_as_on_disk(void **state)
{
	static unsigned char disk[1 << 20];

	(void)state;
	assert_true(web_files_count >= 8);
	for (size_t i = 0; i < web_files_count; i++) {
		const struct web_file *file = &web_files[i];
		char name[512];

		FILE *in;

		/* A page goes without its .html; the API's document lies with the documents. */
		snprintf(name, sizeof name, "%s/%s", WEB_DIR,
			 strcmp(file->path, "/") == 0 ? "index.html" : file->path + 1);
		if (strcmp(file->path, "/openapi.json") == 0)
			snprintf(name, sizeof name, "%s/../docs/openapi.json", WEB_DIR);
		else if (!strchr(file->path + 1, '.') && file->path[1])
			snprintf(name, sizeof name, "%s%s.html", WEB_DIR, file->path);
		in = fopen(name, "rb");
		assert_non_null(in);
		assert_int_equal(fread(disk, 1, sizeof disk, in), file->len);
		fclose(in);
		assert_memory_equal(disk, file->at, file->len);
	}
}

static void every_page_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < web_files_count; i++) {
		assert_ptr_equal(find(web_files[i].path), &web_files[i]);
		assert_true(i == 0 || strcmp(web_files[i - 1].path, web_files[i].path) < 0);
	}
	assert_string_equal(find("/")->type, "text/html; charset=utf-8");
	assert_string_equal(find("/app.js")->type, "text/javascript; charset=utf-8");
	assert_string_equal(find("/style.css")->type, "text/css; charset=utf-8");
	assert_string_equal(find("/icon.svg")->type, "image/svg+xml");
}

static void nothing_else_found(void **state)
{
	static const char *const paths[] = {"",           "app.js",  "/app", "/app.j",
					    "/app.jsx",   "/App.js", "//",   "/index.html",
					    "/../app.js", "/\xff",   "\x01"};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		assert_null(find(paths[i]));
	assert_null(web_file_find(bytes_of("/app.js\0", 8)));
	assert_null(web_file_find(bytes_of(NULL, 0)));
}

static void etags_differ(void **state)
{
	(void)state;
	for (size_t i = 0; i < web_files_count; i++) {
		struct bytes etag = bytes_str(web_files[i].etag);

		assert_int_equal(etag.len, 20);
		assert_true(bytes_start_with(etag, BYTES("W/\"")));
		assert_true(bytes_end_with(etag, BYTES("\"")));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(web_files[i].etag, web_files[j].etag);
	}
}

/* CRC-32 as gzip has it (RFC 1952 section 8). */
static uint32_t crc32_of(const unsigned char *at, size_t len)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* A gzip member ends with the checksum and length of what went in (RFC 1952 section 2.3.1). */
static void gzip_holds_the_same(void **state)
{
	unsigned packed = 0;

	(void)state;
	for (size_t i = 0; i < web_files_count; i++) {
		const struct web_file *file = &web_files[i];

		if (!file->gzip)
			continue;
		struct reader r = reader_of(bytes_of(file->gzip, file->gzip_len));

		assert_int_equal(reader_be(&r, 3), 0x1f8b08);
		reader_skip(&r, file->gzip_len - 11);
		assert_int_equal(reader_le32(&r), crc32_of(file->at, file->len));
		assert_int_equal(reader_le32(&r), file->len);
		assert_true(reader_ok(&r));
		assert_true(file->gzip_len < file->len);
		packed++;
	}
	assert_true(packed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_as_on_disk),    cmocka_unit_test(every_page_found),
		cmocka_unit_test(nothing_else_found),  cmocka_unit_test(etags_differ),
		cmocka_unit_test(gzip_holds_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
