/* What is reported to the store, as events in this thread's port. The header is store.h. */
#include <string.h>

#include "store/store.h"
#include "store/store_port.h"

/* An event's numbers and texts stand in the order in which store_write.c binds them. */
static void put(struct store_event *event, const uint8_t *ip, const char *const *texts,
		unsigned count)
{
	if (ip) {
		memcpy(event->ip, ip, sizeof event->ip);
		event->has_ip = 1;
	}
	port_put(event, texts, count);
}

static int64_t ms_of(int64_t us)
{
	return us / 1000;
}

void store_song(const char *mount, const char *title, int64_t at_us, uint32_t listeners)
{
	const char *texts[] = {mount, title};
	struct store_event event = {.kind = STORE_SONG, .number = {ms_of(at_us), listeners}};

	put(&event, NULL, texts, 2);
}

void store_source_came(const struct store_source *source)
{
	const char *texts[] = {source->mount, source->agent, source->user, source->protocol,
			       source->type};
	struct store_event event = {
		.kind = STORE_SOURCE_CAME,
		.number = {(int64_t)source->number, ms_of(source->began_us)},
	};

	put(&event, source->ip, texts, 5);
}

void store_source_gone(uint64_t number, int64_t at_us, uint64_t bytes, const char *why)
{
	struct store_event event = {
		.kind = STORE_SOURCE_GONE,
		.number = {(int64_t)number, ms_of(at_us), (int64_t)bytes},
	};

	put(&event, NULL, &why, 1);
}

void store_listener_gone(const struct store_listener *listener)
{
	const char *texts[] = {listener->mount, listener->agent, listener->why};
	struct store_event event = {
		.kind = STORE_LISTENER,
		.number = {ms_of(listener->began_us), ms_of(listener->ended_us),
			   (int64_t)listener->bytes},
	};

	put(&event, listener->ip, texts, 3);
}

void store_minute(const struct store_minute *minute)
{
	struct store_event event = {
		.kind = STORE_MINUTE,
		.number = {ms_of(minute->at_us), (int64_t)minute->listener_ms, minute->peak,
			   (int64_t)minute->joins, (int64_t)minute->bytes_in,
			   (int64_t)minute->bytes_out},
	};

	put(&event, NULL, &minute->mount, 1);
}

void store_act(const struct store_act *act)
{
	const char *texts[] = {act->who, act->how, act->action, act->target, act->result};
	struct store_event event = {.kind = STORE_ACT, .number = {ms_of(act->at_us)}};

	put(&event, act->ip, texts, 5);
}

void store_user_seen(const char *name, int64_t at_us)
{
	struct store_event event = {.kind = STORE_USER_SEEN, .number = {ms_of(at_us)}};

	put(&event, NULL, &name, 1);
}

void store_token_used(int64_t number, int64_t at_us, const uint8_t *ip)
{
	struct store_event event = {.kind = STORE_TOKEN_USED, .number = {ms_of(at_us), number}};

	put(&event, ip, NULL, 0);
}

void store_session_put(const struct store_session *session)
{
	const char *texts[] = {(const char *)session->hash, (const char *)session->bound,
			       session->user, session->agent};
	struct store_event event = {
		.kind = STORE_SESSION_PUT,
		.blobs = 2,
		.number = {ms_of(session->created_us), ms_of(session->seen_us),
			   session->of_settings},
	};

	put(&event, session->ip, texts, 4);
}

void store_session_seen(const uint8_t *hash, int64_t at_us)
{
	const char *text = (const char *)hash;
	struct store_event event = {
		.kind = STORE_SESSION_SEEN, .blobs = 1, .number = {ms_of(at_us)}};

	put(&event, NULL, &text, 1);
}

void store_session_drop(const uint8_t *hash)
{
	const char *text = (const char *)hash;
	struct store_event event = {.kind = STORE_SESSION_DROP, .blobs = 1};

	put(&event, NULL, &text, 1);
}
