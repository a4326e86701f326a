#include <string.h>

#include "edge/document.h"
#include "sfu/sfu_face.h"
#include "sfu/sfu_rtp.h"

RUNS_ON(on_control) static json_t *way_tree(const struct rtp_way *way)
{
	const struct sfu_session *session = way->id[0] ? session_find(bytes_str(way->id)) : NULL;
	json_t *tree = json_object();

	json_object_set_new(tree, "name", document_text(way->name));
	json_object_set_new(tree, "room", document_text(way->spec.room));
	json_object_set_new(tree, "direction", json_string(way->spec.out ? "out" : "in"));
	json_object_set_new(tree, "address", document_text(way->spec.end));
	json_object_set_new(tree, "state",
			    json_string(session   ? "running"
					: way->on ? "waiting"
						  : "stopped"));
	json_object_set_new(tree, "why", document_text(way->why));
	json_object_set_new(tree, "session", session ? json_string(session->id) : json_null());
	return tree;
}

RUNS_ON(on_control)
static void answer_ways(struct call *call, const struct api_input *input)
{
	json_t *list = json_array();

	(void)input;
	for (const struct rtp_way *way = rtp_first(); way; way = way->next)
		json_array_append_new(list, way_tree(way));
	api_answer(call, json_pack("{s:o}", "ways", list));
}

/* NULL: it was said that there is none. */
RUNS_ON(on_control)
static struct rtp_way *way_of(struct call *call, const struct api_input *input)
{
	struct rtp_way *way = rtp_find(input->arg);

	if (!way)
		api_fault(call, 404, "no_such_way", "there is no such entry of the settings");
	return way;
}

RUNS_ON(on_control)
static void answer_sdp(struct call *call, const struct api_input *input)
{
	const struct rtp_way *way = way_of(call, input);

	if (!way)
		return;
	if (!way->spec.out) {
		api_fault(call, 409, "not_sent", "this entry receives");
		return;
	}
	buffer_put(&call->reply.body, bytes_str(way->spec.sdp));
	api_answer_text(call, "application/sdp");
}

RUNS_ON(on_control)
static void order(struct call *call, const struct api_input *input, bool on)
{
	struct rtp_way *way = way_of(call, input);

	if (!way)
		return;
	api_log_order(call, way->name);
	rtp_order(way, on);
	api_done(call);
}

RUNS_ON(on_control)
static void answer_start(struct call *call, const struct api_input *input)
{
	order(call, input, true);
}

RUNS_ON(on_control)
static void answer_stop(struct call *call, const struct api_input *input)
{
	order(call, input, false);
}

const struct api_operation sfu_rtp_operations[] = {
	{"GET", API_ROOT "/sfu/rtp", RANK_OPERATOR, answer_ways,
	 "The ways in and out of plain RTP, and how they are.", NULL, "SfuWays", NULL},
	{"GET", API_ROOT "/sfu/rtp/{way}/sdp", RANK_OPERATOR, answer_sdp,
	 "What a receiver of plain RTP is to be told, as SDP: ffplay and others open it.", NULL,
	 "SfuSdp", NULL},
	{"POST", API_ROOT "/sfu/rtp/{way}/start", RANK_OPERATOR, answer_start,
	 "Starts a way in or out of plain RTP.", NULL, NULL, NULL},
	{"POST", API_ROOT "/sfu/rtp/{way}/stop", RANK_OPERATOR, answer_stop,
	 "Stops one, until it is started or the server is.", NULL, NULL, NULL},
	{0},
};
