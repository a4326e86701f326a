#include "sfu/sfu_shelf.h"

#include "edge/auth.h"
#include "sfu/sfu_room.h"

#define SHELVES 4096u /* five sessions on each of them when there are 20,000 */

struct shelves {
	struct shelf_link *first[SHELVES];
};

static struct shelves by_id OWNED_BY(on_control), by_subuuid OWNED_BY(on_control);
static struct shelves by_from OWNED_BY(on_control), by_room OWNED_BY(on_control);

/* --- shelves -------------------------------------------------------------------------------------------------- */

static struct shelf_link **shelf_of(struct shelves *shelves, struct bytes key)
{
	uint8_t digest[AUTH_DIGEST_SIZE];

	auth_digest(digest, &key, 1);
	return &shelves->first[((unsigned)digest[0] << 8 | digest[1]) % SHELVES];
}

static void put(struct shelves *shelves, struct bytes key, struct shelf_link *link)
{
	struct shelf_link **shelf = shelf_of(shelves, key);

	link->next = *shelf;
	link->at = shelf;
	if (link->next)
		link->next->at = &link->next;
	*shelf = link;
}

/* One that lies nowhere stays there. */
static void take(struct shelf_link *link)
{
	if (!link->at)
		return;
	*link->at = link->next;
	if (link->next)
		link->next->at = link->at;
	link->at = NULL;
}

/* --- sessions ------------------------------------------------------------------------------------------------- */

/* Those of one network are one. */
static struct bytes place_of(const struct address *from)
{
	return bytes_of(from->ip, address_is_v4(from) ? 16 : 8);
}

void shelf_put(struct sfu_session *session)
{
	put(&by_id, bytes_str(session->id), &session->shelf.id);
	put(&by_from, place_of(&session->from), &session->shelf.from);
	/* Servers stay in their room. */
	if (session->role == PEER_VIEWER && !session->edge && session->subuuid[0])
		put(&by_subuuid, bytes_str(session->subuuid), &session->shelf.subuuid);
}

void shelf_take(struct sfu_session *session)
{
	take(&session->shelf.id);
	take(&session->shelf.from);
	take(&session->shelf.subuuid);
}

struct sfu_session *shelf_find(struct bytes id)
{
	for (struct shelf_link *link = *shelf_of(&by_id, id); link; link = link->next) {
		struct sfu_session *session = container_of(link, struct sfu_session, shelf.id);

		if (bytes_equal(bytes_str(session->id), id))
			return session;
	}
	return NULL;
}

struct sfu_session *shelf_find_subuuid(struct bytes subuuid)
{
	for (struct shelf_link *link = *shelf_of(&by_subuuid, subuuid); link; link = link->next) {
		struct sfu_session *session = container_of(link, struct sfu_session, shelf.subuuid);

		if (bytes_equal(bytes_str(session->subuuid), subuuid))
			return session;
	}
	return NULL;
}

uint64_t shelf_count_from(const struct address *from, const struct sfu_session *but, uint64_t most)
{
	struct bytes place = place_of(from);
	struct shelf_link *link = *shelf_of(&by_from, place);
	uint64_t count = 0;

	for (; link && count < most; link = link->next) {
		const struct sfu_session *session =
			container_of(link, struct sfu_session, shelf.from);

		count += session != but && !session->ending && !session->dialled &&
			 bytes_equal(place_of(&session->from), place);
	}
	return count;
}

/* --- rooms ---------------------------------------------------------------------------------------------------- */

void shelf_put_room(struct sfu_room *room)
{
	put(&by_room, bytes_str(room->name), &room->shelf);
}

void shelf_take_room(struct sfu_room *room)
{
	take(&room->shelf);
}

struct sfu_room *shelf_find_room(struct bytes name)
{
	for (struct shelf_link *link = *shelf_of(&by_room, name); link; link = link->next) {
		struct sfu_room *room = container_of(link, struct sfu_room, shelf);

		if (bytes_equal(bytes_str(room->name), name))
			return room;
	}
	return NULL;
}
