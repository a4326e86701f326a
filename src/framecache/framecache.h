/* framecache: the room's door: its row in the table of families.
 *
 *   a bridge, an ingest ── POST /slots ──▶ slot_face ──▶ slot_board ──▶ a file in FC_DIR
 *          └──────── frames, by lib/ (fc_client.h), not through the server ──────▲──▶ readers
 *
 * The server makes slots, says how they are and collects those that nobody writes to any more. Off
 * while framecache.listen is empty. */
#pragma once

#include "core/family.h"
#include "framecache/framecache_conf.h"

extern const struct family framecache_family;
