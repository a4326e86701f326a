/* voice_request_about: what one is told of others: statistics, and their long texts and pictures. */
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"

#define BLOBS_MAX (4u << 20) /* bytes of one answer */

/* --- statistics -------------------------------------------------------------------------------- */

static float bits_float(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

#define COUNT(field) atomic_load_explicit(&counts->field, memory_order_relaxed)

static void describe_traffic(const struct voice_user *about, struct mumble_user_stats *stats)
{
	const struct voice_counts *counts = &about->peer->counts;

	MUMBLE_SET(&stats->from_client, stats, good, COUNT(good));
	MUMBLE_SET(&stats->from_client, stats, late, COUNT(late));
	MUMBLE_SET(&stats->from_client, stats, lost, COUNT(lost));
	MUMBLE_SET(&stats->from_client, stats, resync, COUNT(resync));
	MUMBLE_SET(&stats->from_server, stats, good, COUNT(far_good));
	MUMBLE_SET(&stats->from_server, stats, late, COUNT(far_late));
	MUMBLE_SET(&stats->from_server, stats, lost, COUNT(far_lost));
	MUMBLE_SET(&stats->from_server, stats, resync, COUNT(far_resync));
	stats->has |= MUMBLE_HAS(user_stats, from_client) | MUMBLE_HAS(user_stats, from_server);
}

static void set_quality(struct mumble_stats *to, const struct voice_quality *from)
{
	MUMBLE_SET(to, stats, good, from->good);
	MUMBLE_SET(to, stats, late, from->late);
	MUMBLE_SET(to, stats, lost, from->lost);
	MUMBLE_SET(to, stats, resync, from->resync);
}

/* 1.5 shows how it has been lately. */
RUNS_ON(on_control)
static void describe_window(const struct voice_user *about, struct mumble_user_stats *stats)
{
	struct mumble_rolling_stats *rolling = &stats->rolling_stats;
	uint32_t seconds;
	struct voice_sample window = voice_window_of(about, &seconds);

	MUMBLE_SET(rolling, rolling_stats, time_window, seconds);
	set_quality(&rolling->from_client, &window.here);
	set_quality(&rolling->from_server, &window.there);
	rolling->has |=
		MUMBLE_HAS(rolling_stats, from_client) | MUMBLE_HAS(rolling_stats, from_server);
	stats->has |= MUMBLE_HAS(user_stats, rolling_stats);
}

static void describe_pings(const struct voice_user *about, struct mumble_user_stats *stats)
{
	const struct voice_counts *counts = &about->peer->counts;
	int64_t now = mono_now().us, spoke = COUNT(spoke_us);
	int64_t active = spoke > about->active_us ? spoke : about->active_us;
	int64_t online = (now - about->came_us) / 1000000;
	uint64_t bytes = COUNT(bytes);

	MUMBLE_SET(stats, user_stats, udp_packets, COUNT(udp_packets));
	MUMBLE_SET(stats, user_stats, tcp_packets, COUNT(tcp_packets));
	MUMBLE_SET(stats, user_stats, udp_ping_avg, bits_float(COUNT(udp_average)));
	MUMBLE_SET(stats, user_stats, udp_ping_var, bits_float(COUNT(udp_variance)));
	MUMBLE_SET(stats, user_stats, tcp_ping_avg, bits_float(COUNT(tcp_average)));
	MUMBLE_SET(stats, user_stats, tcp_ping_var, bits_float(COUNT(tcp_variance)));
	MUMBLE_SET(stats, user_stats, onlinesecs, (uint32_t)online);
	MUMBLE_SET(stats, user_stats, idlesecs, (uint32_t)((now - active) / 1000000));
	MUMBLE_SET(stats, user_stats, bandwidth,
		   (uint32_t)(bytes / (uint64_t)(online > 0 ? online : 1)));
}

static void describe_client(const struct voice_user *about, struct mumble_user_stats *stats)
{
	struct mumble_version *version = &stats->version;
	uint64_t v = about->version;

	MUMBLE_SET(version, version, version_v1,
		   mumble_version_v1((uint32_t)(v >> 48), (uint32_t)(v >> 32) & 0xffff,
				     (uint32_t)(v >> 16) & 0xffff));
	MUMBLE_SET(version, version, version_v2, v);
	MUMBLE_SET(version, version, release, bytes_str(about->release));
	MUMBLE_SET(version, version, os, bytes_str(about->os));
	MUMBLE_SET(version, version, os_version, bytes_str(about->os_version));
	stats->has |= MUMBLE_HAS(user_stats, version);
	MUMBLE_SET(stats, user_stats, address, bytes_of(about->peer->address.ip, 16));
	MUMBLE_SET(stats, user_stats, opus, about->opus);
	MUMBLE_SET(stats, user_stats, strong_certificate, false);
}

/* How much of it: all for himself and those who may send people away; for others in the same channel
 * or below, the traffic; for everybody else whether he is idle. */
void voice_on_user_stats(struct voice_user *user, const struct mumble_message *message)
{
	const struct voice_user *about = voice_user_find(message->user_stats.session);
	struct mumble_message answer;
	struct mumble_user_stats *stats = &answer.user_stats;
	struct bytes certificate;
	bool all, local;

	if (!about)
		return;
	all = about == user || voice_may(user, voice_channel_find(VOICE_ROOT)) & MAY_REGISTER;
	local = all || about->channel == user->channel ||
		voice_may(user, about->channel) & MAY_WRITE;
	message_init(&answer, MUMBLE_USER_STATS);
	MUMBLE_SET(stats, user_stats, session, about->peer->session);
	describe_pings(about, stats);
	if (local) {
		describe_traffic(about, stats);
		describe_window(about, stats);
	}
	if (all && !message->user_stats.stats_only) {
		describe_client(about, stats);
		certificate = bytes_of(about->peer->certificate, about->peer->certificate_len);
		stats->certificates.at = &certificate;
		stats->certificates.count = certificate.len > 0;
	}
	voice_send(user, &answer);
}

/* --- long texts and pictures ------------------------------------------------------------------- */

/* One of those that are asked for: each once, and so many bytes together. */
static bool may_have(const struct voice_blob *blob, uint32_t *mark, uint32_t now, size_t *room)
{
	if (!blob->len || blob->len > *room || *mark == now)
		return false;
	*mark = now;
	*room -= blob->len;
	return true;
}

void voice_on_request_blob(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_request_blob *said = &message->request_blob;
	struct mumble_message answer;
	size_t room = BLOBS_MAX;

	voice_hub.mark++;
	voice_hub.channel_mark++;
	for (size_t i = 0; i < said->session_texture.count; i++) {
		struct voice_user *about = voice_user_find(said->session_texture.at[i]);

		if (!about || !may_have(&about->texture, &about->mark, voice_hub.mark, &room))
			continue;
		message_init(&answer, MUMBLE_USER_STATE);
		MUMBLE_SET(&answer.user_state, user_state, session, about->peer->session);
		MUMBLE_SET(&answer.user_state, user_state, texture,
			   voice_blob_bytes(&about->texture));
		voice_send(user, &answer);
	}
	voice_hub.mark++;
	for (size_t i = 0; i < said->session_comment.count; i++) {
		struct voice_user *about = voice_user_find(said->session_comment.at[i]);

		if (!about || !may_have(&about->comment, &about->mark, voice_hub.mark, &room))
			continue;
		message_init(&answer, MUMBLE_USER_STATE);
		MUMBLE_SET(&answer.user_state, user_state, session, about->peer->session);
		MUMBLE_SET(&answer.user_state, user_state, comment,
			   voice_blob_bytes(&about->comment));
		voice_send(user, &answer);
	}
	for (size_t i = 0; i < said->channel_description.count; i++) {
		struct voice_channel *channel = voice_channel_find(said->channel_description.at[i]);

		if (!channel ||
		    !may_have(&channel->description, &channel->mark, voice_hub.channel_mark, &room))
			continue;
		message_init(&answer, MUMBLE_CHANNEL_STATE);
		MUMBLE_SET(&answer.channel_state, channel_state, channel_id, channel->id);
		MUMBLE_SET(&answer.channel_state, channel_state, description,
			   voice_blob_bytes(&channel->description));
		voice_send(user, &answer);
	}
}
