/* address: where a source may be, and which of libav's protocols may be opened for it.
 *
 *   clip.mkv, ./a:b.ts, file:x   file, crypto            a file leads to files
 *   rtmp://…                     rtmp, tcp               a server leads to no file, socket or pipe of ours
 *   pipe:0                       pipe                    standard input, which whoever started us has chosen
 *   unix:…, cache:…, concat:…    none: refused
 *
 * What a play list names is opened under the same list as the play list itself. Pure. */
#pragma once

#include <stdbool.h>

/* libav's protocol_whitelist for url; NULL: nothing of the kind is read. */
const char *address_protocols(const char *url);

/* Whether url is a file: something that ends, and may begin again. */
bool address_is_file(const char *url);

/* The schemes that are read, to tell whoever asked for another. */
extern const char address_schemes[];
