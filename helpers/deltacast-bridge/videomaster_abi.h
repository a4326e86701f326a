/* videomaster_abi: what deltacast-bridge needs to know of libvideomasterhd.so, said in C.
 *
 * A plain C interface: handles, numbered properties of a board or of a stream, and "slots", which are the
 * library's word for one captured frame with all that belongs to it. Written for this project from how public
 * programs use it (VideoMaster 6); only what is used is here. Numbers are 32 bits wide on Linux. */
#pragma once

#include <stdint.h>

typedef void *vm_handle;
typedef uint32_t vm_result; /* 0: well */

#define VM_TIMEOUT 22u

/* Properties of a board. */
#define VM_CORE            0x01000000u
#define VM_SDI             0x02000000u
#define VM_BOARD_INPUTS    (VM_CORE + 13)
#define VM_RX0_STATUS      (VM_CORE + 19) /* to RX3 */
#define VM_RX4_STATUS      (VM_CORE + 39) /* to RX7 */
#define VM_RX0_STANDARD    (VM_SDI + 0)   /* to RX3 */
#define VM_RX4_STANDARD    (VM_SDI + 24)  /* to RX7 */
#define VM_RX0_CLOCK       (VM_SDI + 10)  /* to RX3 */
#define VM_RX4_CLOCK       (VM_SDI + 28)  /* to RX7 */
#define VM_STATUS_UNLOCKED 2u
#define VM_CLOCK_1         0u
#define VM_CLOCK_1001      1u
#define VM_INPUTS_MAX      8u

/* Properties of a stream. */
#define VM_TRANSFER_SCHEME (VM_CORE + 2)
#define VM_IO_TIMEOUT      (VM_CORE + 3)
#define VM_SLOTS_COUNT     (VM_CORE + 5)
#define VM_SLOTS_DROPPED   (VM_CORE + 6)
#define VM_QUEUE_DEPTH     (VM_CORE + 7)
#define VM_BUFFER_PACKING  (VM_CORE + 10)
#define VM_VIDEO_STANDARD  (VM_SDI + 1)
#define VM_INTERFACE       (VM_SDI + 5)
#define VM_TRANSFER_SLAVED 1u
#define VM_PACKING_8       0u
#define VM_PACKING_10      2u
#define VM_JOINED          (VM_SDI + 1) /* picture and what lies beside it, as sound */
#define VM_BUFFER_VIDEO    0u

/* Streams of the inputs 0 to 7. */
#define VM_STREAM_RX                        \
	{                                   \
		0, 1, 9, 10, 20, 21, 22, 23 \
	}

/* Sound: 4 groups of 4 channels. */
#define VM_GROUPS   4u
#define VM_CHANNELS 4u
#define VM_MONO     1u
#define VM_24_BIT   3u /* three bytes a sample, little-endian */

struct vm_channel {
	uint32_t mode, format;
	int32_t extended, status_valid;
	uint8_t status[24];
	int32_t user_valid;
	uint8_t user[24];
	uint32_t size; /* of data; what of it is used afterwards */
	uint8_t *data;
};

struct vm_group {
	int32_t control_valid;
	uint32_t active;
	uint32_t control[7][2];
	struct vm_channel channels[VM_CHANNELS];
	uint32_t reserved[4];
};

struct vm_sound {
	struct vm_group groups[VM_GROUPS];
};

/* The functions, by the names that they have in the library. */
#define VM_LIBRARY       "libvideomasterhd.so"
#define VM_LIBRARY_AUDIO "libvideomasterhd_audio.so"
#define VM_FUNCTIONS(X)                                                                          \
	X(api_info, VHD_GetApiInfo, (uint32_t * version, uint32_t * boards))                     \
	X(board_open, VHD_OpenBoardHandle,                                                       \
	  (uint32_t index, vm_handle * out, vm_handle event, uint32_t mask))                     \
	X(board_close, VHD_CloseBoardHandle, (vm_handle board))                                  \
	X(board_get, VHD_GetBoardProperty, (vm_handle board, uint32_t property, uint32_t * out)) \
	X(stream_open, VHD_OpenStreamHandle,                                                     \
	  (vm_handle board, uint32_t type, uint32_t processing, int32_t * lock, vm_handle * out, \
	   vm_handle event))                                                                     \
	X(stream_close, VHD_CloseStreamHandle, (vm_handle stream))                               \
	X(stream_get, VHD_GetStreamProperty,                                                     \
	  (vm_handle stream, uint32_t property, uint32_t * out))                                 \
	X(stream_set, VHD_SetStreamProperty,                                                     \
	  (vm_handle stream, uint32_t property, uint32_t value))                                 \
	X(stream_start, VHD_StartStream, (vm_handle stream))                                     \
	X(stream_stop, VHD_StopStream, (vm_handle stream))                                       \
	X(slot_lock, VHD_LockSlotHandle, (vm_handle stream, vm_handle * out))                    \
	X(slot_unlock, VHD_UnlockSlotHandle, (vm_handle slot))                                   \
	X(slot_buffer, VHD_GetSlotBuffer,                                                        \
	  (vm_handle slot, uint32_t type, uint8_t * *out, uint32_t * size))
#define VM_FUNCTIONS_AUDIO(X) \
	X(slot_sound, VHD_SlotExtractAudio, (vm_handle slot, struct vm_sound * sound))

/* Standards, by their number; how many frames a second is with VM_CLOCK_1. */
struct vm_standard {
	uint32_t number, width, height, fps;
	uint32_t scan; /* FC_SCAN_… */
};

#define VM_STANDARDS                                                                               \
	{                                                                                          \
		{0, 1920, 1080, 25, 1}, {1, 1920, 1080, 30, 1}, {2, 1920, 1080, 25, 2},            \
			{3, 1920, 1080, 30, 2}, {4, 1280, 720, 50, 1}, {5, 1280, 720, 60, 1},      \
			{6, 720, 576, 25, 2}, {7, 720, 487, 30, 3}, {8, 1920, 1080, 24, 1},        \
			{9, 1920, 1080, 60, 1}, {10, 1920, 1080, 50, 1}, {11, 1920, 1080, 24, 1},  \
			{12, 1920, 1080, 25, 1}, {13, 1920, 1080, 30, 1}, {14, 1280, 720, 24, 1},  \
			{15, 1280, 720, 25, 1}, {16, 1280, 720, 30, 1}, {26, 3840, 2160, 24, 1},   \
			{27, 3840, 2160, 25, 1}, {28, 3840, 2160, 30, 1}, {29, 3840, 2160, 50, 1}, \
			{30, 3840, 2160, 60, 1}, {37, 720, 480, 30, 3},                            \
	}
