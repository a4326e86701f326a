#include "irc/irc_tour.h"

#include <stdlib.h>

#include "irc/irc_buffer.h"
#include "irc/irc_metadata.h"
#include "irc/irc_notice.h"

/* buffer NULL: it is gone. Those that are joined meanwhile come by their rings, and are not shown. */
struct stop {
	struct irc_buffer *buffer;
	bool is_shown;
};

struct irc_tour {
	struct stop *stops;
	uint32_t count, at;
	bool shows; /* what is known is told: now what channels look like */
	bool begun;
	bool is_again; /* of a network that is called otherwise now */
	struct irc_batched batch;
};

static bool is_shown(const struct irc_buffer *buffer)
{
	return buffer->channel && !buffer->detached;
}

static bool add_all(struct irc_client *client, struct irc_tour *tour,
		    const struct irc_network *network)
{
	struct stop *larger =
		realloc(tour->stops, (tour->count + network->buffers.used + 1) * sizeof *larger);
	struct irc_named *named;
	uint32_t at = 0;

	if (!larger)
		return false;
	tour->stops = larger;
	while ((named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (is_shown(buffer) || irc_metadata_has(client, buffer))
			larger[tour->count++] = (struct stop){buffer, is_shown(buffer)};
	}
	return true;
}

bool irc_tour_begin(struct irc_client *client)
{
	struct irc_tour *tour = calloc(1, sizeof *tour);

	if (!tour)
		return false;
	client->tour = tour;
	tour->shows = !(client->caps & IRC_CAP(METADATA));
	for (uint32_t i = 0; i < client->seat_count; i++)
		if (!add_all(client, tour, client->seats[i].network))
			return false;
	return true;
}

bool irc_tour_again(struct irc_client *client, const struct irc_network *network)
{
	struct irc_tour *tour = client->tour ? client->tour : calloc(1, sizeof *tour);

	if (!tour)
		return false;
	if (!client->tour) {
		client->tour = tour;
		tour->is_again = true;
		tour->shows = !(client->caps & IRC_CAP(METADATA));
	}
	irc_tour_part(client, network);
	return add_all(client, tour, network);
}

static void step(struct irc_client *client, struct irc_tour *tour)
{
	struct stop stop = tour->at < tour->count ? tour->stops[tour->at] : (struct stop){0};
	bool is_again = tour->is_again;

	if (!tour->shows && !tour->begun)
		irc_metadata_begin(client, &tour->batch, BYTES("*"));
	tour->begun = true;
	if (tour->at++ < tour->count) {
		if (stop.buffer && !tour->shows)
			irc_metadata_tell(client, &tour->batch, stop.buffer);
		else if (stop.buffer && stop.is_shown && is_shown(stop.buffer))
			irc_client_show_channel(client, stop.buffer);
	} else if (!tour->shows) {
		irc_client_batch_end(client, &tour->batch);
		tour->shows = true;
		tour->at = 0;
	} else {
		irc_tour_free(client);
		if (!is_again)
			irc_notice_absent(client);
	}
}

void irc_tour_go_on(struct irc_client *client)
{
	bool was = client->in_turn;

	/* Not into the answer to a command that is at hand. */
	if (client->label)
		return;
	client->in_turn = true;
	while (client->tour && client->state == IRC_CLIENT_HERE && !irc_client_is_full(client))
		step(client, client->tour);
	client->in_turn = was;
}

void irc_tour_forget(struct irc_client *client, const struct irc_buffer *buffer)
{
	struct irc_tour *tour = client->tour;

	for (uint32_t i = 0; tour && i < tour->count; i++)
		if (tour->stops[i].buffer == buffer)
			tour->stops[i].buffer = NULL;
}

void irc_tour_part(struct irc_client *client, const struct irc_network *network)
{
	struct irc_tour *tour = client->tour;

	for (uint32_t i = 0; tour && i < tour->count; i++)
		if (tour->stops[i].buffer && tour->stops[i].buffer->network == network)
			tour->stops[i].buffer = NULL;
}

void irc_tour_free(struct irc_client *client)
{
	if (!client->tour)
		return;
	free(client->tour->stops);
	free(client->tour);
	client->tour = NULL;
}
