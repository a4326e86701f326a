/* radio_hub: the hub's side doors: what sources on workers tell the control thread.
 *
 * Each is a message; it arrives in the order sent. Thread: any worker. */
#pragma once

#include "radio/radio_mount.h"
#include "radio/radio_source.h"

struct hub_message;

/* NULL when there is no memory. */
struct hub_message *hub_message_make(void);

/* May this encoder in? The answer comes to source_claimed() on the claim's worker. */
void hub_claim(struct claim *claim);

/* The first unit of a source is out, in this feed, from first_pos on. False: no memory to say so. */
MUST_CHECK
bool hub_source_live(struct mount *mount, const struct mount_source *about, struct feed *feed,
		     uint64_t first_pos);

/* What a SHOUTcast encoder said of itself after its login. */
void hub_source_station(struct mount *mount, const struct mount_source *about);

/* A title that came in the stream; the source has published it already. */
void hub_source_title(struct mount *mount, uint64_t id, struct bytes title, struct bytes url);

/* The source is no more and has let go of the feed. message is from hub_message_make(). */
void hub_source_gone(struct hub_message *message, struct mount *mount, uint64_t id,
		     const char *why);
