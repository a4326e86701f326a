/* addon: the frame cache for Node: control in JavaScript, pixels in threads.
 *
 *   open, info, state, close …   on the event loop: none of them waits
 *   readFrameCopy                waits and copies on libuv's pool, into a Buffer that was made before
 *   pump                         a thread of its own (pump.h); what it tells comes as calls of a function
 *
 * No memory of the ring is ever seen by JavaScript: it would change under it. All is per environment, so that
 * workers have their own; what an environment leaves running when it ends is stopped then. Plain Node-API,
 * version 8. */
#define NAPI_VERSION 8
#include <errno.h>
#include <node_api.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pump.h"

#define UNDERWAY_MAX    16u
#define READ_MS_MAX     100 /* what an environment that ends, and others that want the pool, wait for */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* --- help --------------------------------------------------------------------------------------- */

static napi_value undefined(napi_env env)
{
	napi_value value;

	napi_get_undefined(env, &value);
	return value;
}

static napi_value fail(napi_env env, int error, const char *what)
{
	static const struct {
		int error;
		const char *code;
	} codes[] = {{ENOENT, "ENOENT"}, {EINVAL, "EINVAL"}, {EPROTO, "EPROTO"},
		     {EACCES, "EACCES"}, {EBUSY, "EBUSY"},   {ENODATA, "ENODATA"},
		     {EBADF, "EBADF"},   {ENOMEM, "ENOMEM"}};
	const char *code = "EIO";
	char text[160];

	for (size_t i = 0; i < COUNT_OF(codes); i++)
		if (codes[i].error == error)
			code = codes[i].code;
	snprintf(text, sizeof text, "%s: %s", what, strerror(error));
	napi_throw_error(env, code, text);
	return NULL;
}

static void set_number(napi_env env, napi_value object, const char *name, double number)
{
	napi_value value;

	napi_create_double(env, number, &value);
	napi_set_named_property(env, object, name, value);
}

static void set_text(napi_env env, napi_value object, const char *name, const char *text)
{
	napi_value value;

	napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
	napi_set_named_property(env, object, name, value);
}

static void set_bool(napi_env env, napi_value object, const char *name, bool truth)
{
	napi_value value;

	napi_get_boolean(env, truth, &value);
	napi_set_named_property(env, object, name, value);
}

/* As many arguments as there are places; those that are not given are undefined. */
static void arguments(napi_env env, napi_callback_info info, napi_value *out, size_t count)
{
	napi_get_cb_info(env, info, &count, out, NULL, NULL);
}

static bool text_of(napi_env env, napi_value value, char *out, size_t size)
{
	size_t len = 0;

	return napi_get_value_string_utf8(env, value, out, size, &len) == napi_ok &&
	       len < size - 1 && !memchr(out, 0, len);
}

/* --- slots -------------------------------------------------------------------------------------- */

struct handle {
	fc_slot_t *slot; /* NULL: closed */
	bool busy;       /* a read is under way, on another thread */
	bool closing;    /* when it is over */
};

static const napi_type_tag handle_tag = {0x66726d6373616e64, 0x736c6f7468616e64};
static const napi_type_tag pump_tag = {0x66726d6370756d70, 0x70756d7068616e64};

static void handle_final(napi_env env, void *data, void *hint)
{
	struct handle *handle = data;

	(void)env;
	(void)hint;
	fc_close(handle->slot);
	free(handle);
}

static void *tagged(napi_env env, napi_value value, const napi_type_tag *tag)
{
	napi_valuetype type = napi_undefined;
	bool ours = false;
	void *data = NULL;

	/* Of what is no object it would throw by itself. */
	if (napi_typeof(env, value, &type) != napi_ok || type != napi_object)
		return NULL;
	if (napi_check_object_type_tag(env, value, tag, &ours) != napi_ok || !ours)
		return NULL;
	napi_unwrap(env, value, &data);
	return data;
}

/* NULL with an exception. */
static struct handle *handle_of(napi_env env, napi_value value)
{
	struct handle *handle = tagged(env, value, &handle_tag);

	if (!handle || !handle->slot || handle->closing) {
		fail(env, EBADF, "slot");
		return NULL;
	}
	if (handle->busy) {
		fail(env, EBUSY, "a read is under way");
		return NULL;
	}
	return handle;
}

static napi_value wrapped(napi_env env, void *data, napi_finalize final, const napi_type_tag *tag)
{
	napi_value object;

	napi_create_object(env, &object);
	napi_wrap(env, object, data, final, NULL, NULL);
	napi_type_tag_object(env, object, tag);
	return object;
}

static napi_value js_open(napi_env env, napi_callback_info info)
{
	char name[FC_SLOT_ID_MAX + 2];
	struct handle *handle;
	napi_value argument;

	arguments(env, info, &argument, 1);
	if (!text_of(env, argument, name, sizeof name))
		return fail(env, EINVAL, "slot id");
	handle = calloc(1, sizeof *handle);
	if (!handle)
		return fail(env, ENOMEM, name);
	handle->slot = fc_open(name);
	if (!handle->slot) {
		int error = errno;

		free(handle);
		return fail(env, error, name);
	}
	return wrapped(env, handle, handle_final, &handle_tag);
}

static napi_value js_close(napi_env env, napi_callback_info info)
{
	struct handle *handle;
	napi_value argument;

	arguments(env, info, &argument, 1);
	handle = tagged(env, argument, &handle_tag);
	if (!handle)
		return fail(env, EBADF, "slot");
	handle->closing = true;
	if (!handle->busy) {
		fc_close(handle->slot);
		handle->slot = NULL;
	}
	return undefined(env);
}

static const char *state_name(int state)
{
	switch (state) {
	case FC_OK: return "live";
	case FC_TIMEOUT: return "init";
	default: return fc_result_name(state);
	}
}

static napi_value js_info(napi_env env, napi_callback_info callback)
{
	struct handle *handle;
	napi_value argument, out;
	fc_info_t info;

	arguments(env, callback, &argument, 1);
	handle = handle_of(env, argument);
	if (!handle)
		return NULL;
	fc_info(handle->slot, &info);
	napi_create_object(env, &out);
	set_text(env, out, "slotId", info.slot_id);
	set_number(env, out, "width", info.width);
	set_number(env, out, "height", info.height);
	set_number(env, out, "fpsNum", info.fps_num);
	set_number(env, out, "fpsDen", info.fps_den);
	set_text(env, out, "pixelFormat", fc_pix_name(info.pixel_format));
	set_number(env, out, "frameSize", info.frame_size);
	set_number(env, out, "rowBytes", info.plane_row_bytes[0]);
	set_number(env, out, "ringDepth", info.ring_depth);
	set_number(env, out, "audioChannels", info.audio_channels);
	set_number(env, out, "audioRate", info.audio_rate);
	set_text(env, out, "sourceType", info.source_type);
	set_number(env, out, "generation", (double)info.generation);
	set_number(env, out, "writeCursor", (double)info.write_cursor);
	set_number(env, out, "droppedFrames", (double)info.dropped_frames);
	set_text(env, out, "state", state_name(fc_state(handle->slot)));
	set_number(env, out, "position", (double)fc_position(handle->slot));
	set_number(env, out, "lag", (double)fc_lag(handle->slot));
	set_number(env, out, "lost", (double)fc_lost(handle->slot));
	return out;
}

static napi_value js_seek(napi_env env, napi_callback_info info)
{
	napi_value given[3];
	struct handle *handle;
	int32_t where;
	double index = 0;

	arguments(env, info, given, 3);
	handle = handle_of(env, given[0]);
	if (!handle)
		return NULL;
	napi_get_value_double(env, given[2], &index);
	if (napi_get_value_int32(env, given[1], &where) != napi_ok ||
	    fc_seek(handle->slot, where, index > 0 ? (uint64_t)index : 0) != FC_OK)
		return fail(env, EINVAL, "seek");
	return undefined(env);
}

/* --- a copy of a frame -------------------------------------------------------------------------- */

struct read {
	napi_async_work work;
	napi_deferred deferred;
	napi_ref handle_ref, buffer_ref;
	struct handle *handle;
	uint8_t *data;
	size_t size;
	uint64_t timeout_ms;
	fc_frame_t frame;
	int result;
};

static void read_work(napi_env env, void *data)
{
	struct read *read = data;
	fc_frame_t *frame;

	(void)env;
	read->result =
		fc_copy_frame(read->handle->slot, &frame, read->data, read->size, read->timeout_ms);
	if (read->result == FC_OK)
		read->frame = *frame;
}

static napi_value frame_object(napi_env env, const struct read *read)
{
	const fc_frame_t *frame = &read->frame;
	napi_value out, buffer;

	napi_create_object(env, &out);
	napi_get_reference_value(env, read->buffer_ref, &buffer);
	napi_set_named_property(env, out, "data", buffer);
	set_number(env, out, "index", (double)frame->index);
	set_number(env, out, "ptsUs", (double)frame->pts_us);
	set_number(env, out, "wallUs", (double)frame->wall_us);
	set_number(env, out, "flags", frame->flags);
	set_number(env, out, "timecode", frame->timecode);
	set_number(env, out, "lost", (double)frame->lost);
	set_number(env, out, "size", frame->size);
	return out;
}

static void read_done(napi_env env, napi_status status, void *data)
{
	struct read *read = data;
	napi_value value;

	read->handle->busy = false;
	if (read->handle->closing) {
		fc_close(read->handle->slot);
		read->handle->slot = NULL;
	}
	/* A frame, or the name of why there is none. */
	if (status == napi_ok && read->result == FC_OK)
		value = frame_object(env, read);
	else
		napi_create_string_utf8(
			env, status == napi_ok ? fc_result_name(read->result) : "cancelled",
			NAPI_AUTO_LENGTH, &value);
	napi_resolve_deferred(env, read->deferred, value);
	napi_delete_reference(env, read->handle_ref);
	napi_delete_reference(env, read->buffer_ref);
	napi_delete_async_work(env, read->work);
	free(read);
}

/* read(slot, milliseconds, buffer) */
static napi_value js_read(napi_env env, napi_callback_info info)
{
	napi_value given[3], promise, name;
	struct handle *handle;
	struct read *read;
	fc_info_t slot;
	double timeout = 0;
	bool is_buffer;
	size_t size;
	void *data;

	arguments(env, info, given, 3);
	handle = handle_of(env, given[0]);
	if (!handle)
		return NULL;
	if (napi_get_value_double(env, given[1], &timeout) != napi_ok || !(timeout >= 0) ||
	    timeout > READ_MS_MAX)
		return fail(env, EINVAL, "timeout");
	/* Of the caller, as one wait may be many calls. */
	fc_info(handle->slot, &slot);
	if (napi_is_buffer(env, given[2], &is_buffer) != napi_ok || !is_buffer ||
	    napi_get_buffer_info(env, given[2], &data, &size) != napi_ok || size < slot.frame_size)
		return fail(env, EINVAL, "buffer");
	read = calloc(1, sizeof *read);
	if (!read)
		return fail(env, ENOMEM, "frame");
	read->handle = handle;
	read->data = data;
	read->size = slot.frame_size;
	read->timeout_ms = (uint64_t)timeout;
	handle->busy = true;
	napi_create_reference(env, given[0], 1, &read->handle_ref);
	napi_create_reference(env, given[2], 1, &read->buffer_ref);
	napi_create_promise(env, &read->deferred, &promise);
	napi_create_string_utf8(env, "framecache read", NAPI_AUTO_LENGTH, &name);
	napi_create_async_work(env, NULL, name, read_work, read_done, read, &read->work);
	napi_queue_async_work(env, read->work);
	return promise;
}

/* --- pumps -------------------------------------------------------------------------------------- */

struct told;

struct pumping {
	napi_env env;
	struct pump *pump;
	napi_threadsafe_function tell;
	struct told
		*last; /* for the last report: whoever waits for the end is told, memory or not */
	bool hooked;
	atomic_bool silent;   /* nobody listens any more */
	atomic_uint underway; /* reports that the loop has not taken yet */
};

struct told {
	struct pumping *pumping;
	struct pump_report report;
};

static void on_told(void *whom, const struct pump_report *report)
{
	struct pumping *pumping = whom;
	struct told *told;

	/* A loop that is behind misses numbers, but not the end. Nothing here waits: the loop may be waiting
	 * for us. */
	if (atomic_load(&pumping->silent) ||
	    (atomic_load(&pumping->underway) > UNDERWAY_MAX && !report->over))
		return;
	if (report->over) {
		told = pumping->last;
		pumping->last = NULL;
	} else {
		told = malloc(sizeof *told);
	}
	if (told) {
		*told = (struct told){pumping, *report};
		atomic_fetch_add(&pumping->underway, 1);
		if (napi_call_threadsafe_function(pumping->tell, told, napi_tsfn_nonblocking) !=
		    napi_ok) {
			atomic_fetch_sub(&pumping->underway, 1);
			free(told);
		}
	}
	if (report->over)
		napi_release_threadsafe_function(pumping->tell, napi_tsfn_release);
}

static void tell_js(napi_env env, napi_value callback, void *context, void *data)
{
	struct told *told = data;
	const struct pump_report *report = &told->report;
	napi_value object, none;

	(void)context;
	if (env) {
		atomic_fetch_sub(&told->pumping->underway, 1);
		napi_create_object(env, &object);
		set_number(env, object, "frames", (double)report->frames);
		set_number(env, object, "lost", (double)report->lost);
		set_number(env, object, "repeated", (double)report->repeated);
		set_number(env, object, "bytes", (double)report->bytes);
		set_number(env, object, "position", (double)report->position);
		set_number(env, object, "lag", (double)report->lag);
		set_text(env, object, "state", state_name(report->state));
		set_text(env, object, "error", report->error ? strerror(report->error) : "");
		set_bool(env, object, "over", report->over);
		set_bool(env, object, "changed", report->changed);
		none = undefined(env);
		napi_call_function(env, none, callback, 1, &object, NULL);
	}
	free(told);
}

/* The environment ends, or nobody has the pump any more, with it running. */
static void pumping_hook(void *data)
{
	struct pumping *pumping = data;

	pumping->hooked = false;
	atomic_store(&pumping->silent, true);
	pump_stop(pumping->pump);
}

static void pumping_final(napi_env env, void *data, void *hint)
{
	struct pumping *pumping = data;

	(void)hint;
	if (pumping->hooked) {
		napi_remove_env_cleanup_hook(env, pumping_hook, pumping);
		pumping_hook(pumping);
	}
	pump_free(pumping->pump);
	free(pumping->last);
	free(pumping);
}

/* pump(id, kind, fd, where, told) */
static napi_value js_pump(napi_env env, napi_callback_info info)
{
	napi_value given[5], name;
	char slot[FC_SLOT_ID_MAX + 2];
	int32_t kind, fd, where;
	struct pumping *pumping;

	arguments(env, info, given, 5);
	if (!text_of(env, given[0], slot, sizeof slot) ||
	    napi_get_value_int32(env, given[1], &kind) != napi_ok ||
	    napi_get_value_int32(env, given[2], &fd) != napi_ok ||
	    napi_get_value_int32(env, given[3], &where) != napi_ok || kind < 0 ||
	    kind > PUMP_NONE || (fd < 0) != (kind == PUMP_NONE))
		return fail(env, EINVAL, "pump");
	pumping = calloc(1, sizeof *pumping);
	if (pumping)
		pumping->last = calloc(1, sizeof *pumping->last);
	if (!pumping || !pumping->last) {
		free(pumping);
		return fail(env, ENOMEM, "pump");
	}
	napi_create_string_utf8(env, "framecache pump", NAPI_AUTO_LENGTH, &name);
	/* Its queue has no end: on_told() sees to that. */
	if (napi_create_threadsafe_function(env, given[4], NULL, name, 0, 1, NULL, NULL, NULL,
					    tell_js, &pumping->tell) != napi_ok) {
		free(pumping->last);
		free(pumping);
		return fail(env, EINVAL, "pump");
	}
	pumping->env = env;
	pumping->pump = pump_start(slot, (enum pump_kind)kind, fd, where, on_told, pumping);
	if (!pumping->pump) {
		int error = errno;

		napi_release_threadsafe_function(pumping->tell, napi_tsfn_release);
		free(pumping->last);
		free(pumping);
		return fail(env, error, slot);
	}
	napi_add_env_cleanup_hook(env, pumping_hook, pumping);
	pumping->hooked = true;
	return wrapped(env, pumping, pumping_final, &pump_tag);
}

/* After its last word, so that it does not wait: it is joined, and no hook needs to do it. */
static napi_value js_pump_end(napi_env env, napi_callback_info info)
{
	struct pumping *pumping;
	napi_value argument;

	arguments(env, info, &argument, 1);
	pumping = tagged(env, argument, &pump_tag);
	if (!pumping)
		return fail(env, EBADF, "pump");
	if (pumping->hooked)
		napi_remove_env_cleanup_hook(env, pumping_hook, pumping);
	pumping->hooked = false;
	pump_stop(pumping->pump);
	return undefined(env);
}

/* --- what there is ------------------------------------------------------------------------------ */

NAPI_MODULE_INIT()
{
	static const struct {
		const char *name;
		napi_callback function;
	} all[] = {
		{"open", js_open}, {"close", js_close}, {"info", js_info},        {"seek", js_seek},
		{"read", js_read}, {"pump", js_pump},   {"pumpEnd", js_pump_end},
	};

	for (size_t i = 0; i < COUNT_OF(all); i++) {
		napi_value function;

		napi_create_function(env, all[i].name, NAPI_AUTO_LENGTH, all[i].function, NULL,
				     &function);
		napi_set_named_property(env, exports, all[i].name, function);
	}
	return exports;
}
