/* charset: what people write in titles and station names, made into clean UTF-8 and back.
 *
 *     bytes of unknown worth ──▶ UTF-8 without control characters ──▶ UTF-8 or ISO-8859-1 out
 *
 * Everything inside the server is UTF-8. What comes in is read as the charset it was announced
 * with; what was announced as nothing or as UTF-8 and is not valid UTF-8 (RFC 3629) is read as
 * windows-1252. "latin1" is read as windows-1252 as well, as browsers do (WHATWG Encoding, section
 * 4.2): nobody means the C1 control characters that ISO-8859-1 has at 0x80 to 0x9f, and Windows
 * encoders that say latin1 put quotes and dashes there.
 *
 * Pure: any thread, no allocation, no I/O. It does not guess further charsets and it does not
 * escape for HTML, XML or JSON: that is the business of whoever writes those. */
#pragma once

#include "core/writer.h"

enum charset {
	CHARSET_UTF8,   /* also what to pass when nothing was announced */
	CHARSET_LATIN1, /* ISO-8859-1, read as windows-1252 */
	CHARSET_WINDOWS_1252,
};

#define CHARSET_REPLACEMENT 0xfffdu /* stands for bytes that are no character */
#define CHARSET_CHAR_MAX    4u      /* bytes of the longest character in UTF-8 */

/* The charset that a "charset=" parameter names (quotes and blanks around it are dropped). False:
 * not one of ours, *charset is untouched and the caller tells the peer. */
bool charset_of_name(struct bytes name, enum charset *charset);

/* The first character of in, which is not empty, and how many bytes it takes. A byte that begins no
 * valid character is one CHARSET_REPLACEMENT of length 1. */
size_t charset_decode(struct bytes in, uint32_t *code);

/* Writes one character as UTF-8, whole or (writer_ok() false) not at all. */
void charset_encode(uint32_t code, struct writer *out);

/* C0, DEL and C1: what never belongs in a title, and breaks lines and headers. */
bool charset_is_control(uint32_t code);

bool charset_is_utf8(struct bytes in);

/* Writes in, which is said to be in charset, as valid UTF-8. Control characters stay. */
void charset_to_utf8(struct bytes in, enum charset charset, struct writer *out);

/* Writes UTF-8 as ISO-8859-1, '?' for each character that has no place there. Control characters
 * stay. */
void charset_to_latin1(struct bytes utf8, struct writer *out);

/* Writes UTF-8 with each control character as one space and each invalid byte as U+FFFD. */
void charset_clean(struct bytes utf8, struct writer *out);

/* As many whole characters from the beginning of utf8 as fit in max bytes. */
struct bytes charset_cut(struct bytes utf8, size_t max);

/* A field for people: in, said to be in charset, as clean UTF-8 without blanks at either end,
 * cut at a character and NUL-terminated. Returns the length without the NUL; size is at least 1. */
size_t charset_to_field(struct bytes in, enum charset charset, char *field, size_t size);
