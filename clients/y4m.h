/* y4m: a slot's frames as YUV4MPEG2, which players and encoders take from a pipe.
 *
 *   uyvy422 ─▶ C422    v210 ─▶ C422p10    nv12 ─▶ C420mpeg2    p010 ─▶ C420p10    rgba ─▶ C444
 *
 * 10 bits come as 16-bit words, little-endian. RGBA is converted by BT.709 to limited range; its alpha is
 * dropped. Pure; nothing is allocated. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "fc_client.h"

/* Bytes of one frame without its "FRAME" line. */
size_t y4m_frame_size(const fc_info_t *info);

/* "YUV4MPEG2 W… H… F… I… A1:1 C…\n" into buf; its length, or 0 when it does not fit. */
size_t y4m_header(const fc_info_t *info, char *buf, size_t size);

/* The planes of one frame, y4m_frame_size() bytes. */
void y4m_frame(const fc_info_t *info, const uint8_t *from, uint8_t *to);
