#include "slot.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#define ANSWER_MAX 8192

struct answer {
	char text[ANSWER_MAX];
	size_t len;
};

bool slot_is(const fc_info_t *info, const fc_config_t *config)
{
	return info->width == config->width && info->height == config->height &&
	       info->fps_num == config->fps_num && info->fps_den == config->fps_den &&
	       info->pixel_format == config->pixel_format &&
	       (config->ring_depth == 0 || info->ring_depth == config->ring_depth) &&
	       info->scan == config->scan && info->audio_channels == config->audio_channels &&
	       (config->audio_channels == 0 || info->audio_rate == config->audio_rate);
}

static size_t on_answer(char *data, size_t one, size_t count, void *to)
{
	struct answer *answer = to;
	size_t len = one * count, room = ANSWER_MAX - 1 - answer->len;

	len = len < room ? len : room;
	memcpy(answer->text + answer->len, data, len);
	answer->len += len;
	return one * count;
}

static char *order_text(const struct slot_order *order, bool replace)
{
	const fc_config_t *config = &order->config;
	json_t *tree =
		json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:b}", "slot_id",
			  order->id, "width", (json_int_t)config->width, "height",
			  (json_int_t)config->height, "fps_num", (json_int_t)config->fps_num,
			  "fps_den", (json_int_t)config->fps_den, "pixel_format",
			  fc_pix_name(config->pixel_format), "source_type", config->source_type,
			  "scan", (json_int_t)config->scan, "colour", (json_int_t)config->colour,
			  "audio_channels", (json_int_t)config->audio_channels, "audio_rate",
			  (json_int_t)config->audio_rate, "replace", replace);
	char *text;

	if (tree && config->ring_depth)
		json_object_set_new(tree, "ring_depth", json_integer(config->ring_depth));
	text = json_dumps(tree, 0);
	json_decref(tree);
	return text;
}

/* The status of the answer; 0: there was none, and it was said why. */
static long post(const struct slot_order *order, bool replace, struct answer *answer)
{
	char url[512], bearer[512];
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	CURL *curl = curl_easy_init();
	char *body = order_text(order, replace);
	long status = 0;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	snprintf(url, sizeof url, "%s/slots", order->api);
	if (order->token && strchr(order->token, ':')) {
		curl_easy_setopt(curl, CURLOPT_USERPWD, order->token);
	} else if (order->token) {
		snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", order->token);
		headers = curl_slist_append(headers, bearer);
	}
	if (curl && body && headers) {
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
		code = curl_easy_perform(curl);
		if (code == CURLE_OK)
			curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	}
	if (code != CURLE_OK)
		say("the service at %s does not answer: %s", order->api, curl_easy_strerror(code));
	answer->text[answer->len] = '\0';
	free(body);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return status;
}

/* 0; EEXIST; EBUSY; 1: later; SLOT_NEVER; SLOT_SHAPE. */
static int make_by_service(const struct slot_order *order, bool replace)
{
	struct answer answer = {.len = 0};
	long status = post(order, replace, &answer);
	json_t *tree, *error;
	const char *code, *message;
	int result = SLOT_NEVER;

	if (status == 201 || status == 0)
		return status ? 0 : 1;
	tree = json_loads(answer.text, 0, NULL);
	error = json_object_get(tree, "error");
	code = json_string_value(json_object_get(error, "code"));
	message = json_string_value(json_object_get(error, "message"));
	if (status == 409)
		result = code && strcmp(code, "has_writer") == 0 ? EBUSY : EEXIST;
	else if (status == 400)
		result = SLOT_SHAPE;
	else if (status >= 500)
		result = 1;
	if (status != 409)
		say("the service at %s makes no slot (%ld): %s", order->api, status,
		    message ? message : answer.text);
	json_decref(tree);
	return result;
}

static const char *directory(void)
{
	const char *name = getenv("FC_DIR");

	return name && *name ? name : FC_DEFAULT_DIR;
}

static int make_alone(const struct slot_order *order, bool replace)
{
	int error;

	if (fc_slot_create(order->id, &order->config, replace ? FC_REPLACE : 0) == 0)
		return 0;
	if (errno == EEXIST || errno == EBUSY)
		return errno;
	error = errno;
	say("no slot can be made in %s: %s", directory(),
	    error == EINVAL ? "none has this shape" : strerror(error));
	return error == EINVAL ? SLOT_SHAPE : 1;
}

static int make(const struct slot_order *order, bool replace)
{
	return strcmp(order->api, "none") == 0 ? make_alone(order, replace)
					       : make_by_service(order, replace);
}

int slot_open(const struct slot_order *order, fc_writer_t **writer)
{
	fc_info_t info;
	int made;

	if (*writer) {
		fc_writer_info(*writer, &info);
		/* Beating is refused where the file was taken away or replaced by others. */
		if (slot_is(&info, &order->config) &&
		    fc_writer_set_state(*writer, FC_STATE_LIVE) == FC_OK)
			return 0;
		fc_writer_close(*writer);
		*writer = NULL;
	}
	made = make(order, false);
	if (made == EEXIST) {
		*writer = fc_writer_open(order->id);
		if (*writer) {
			fc_writer_info(*writer, &info);
			if (slot_is(&info, &order->config))
				return 0;
			fc_writer_close(*writer);
			*writer = NULL;
		}
		made = make(order, true);
	}
	if (made == EBUSY || made == EEXIST)
		say("somebody else writes to this slot");
	if (made != 0)
		return made < 0 ? made : 1;
	*writer = fc_writer_open(order->id);
	if (*writer)
		return 0;
	say("the slot was made, but cannot be opened in %s: %s", directory(), strerror(errno));
	return 1;
}
