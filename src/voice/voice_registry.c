/* voice_registry: who is registered and who is banned, in memory; the store keeps it. */
#include <stdlib.h>
#include <strings.h>

#include "voice/voice.h"
#include "voice/voice_part.h"

/* Where it is or belongs: they lie by their numbers. */
RUNS_ON(on_control) static size_t place_of(int32_t id)
{
	size_t low = 0, high = voice_hub.registration_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (voice_hub.registrations[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct voice_registration *voice_registered(int32_t id)
{
	size_t at = place_of(id);

	return at < voice_hub.registration_count && voice_hub.registrations[at]->id == id
		       ? voice_hub.registrations[at]
		       : NULL;
}

struct voice_registration *voice_registered_name(struct bytes name)
{
	for (size_t i = 0; i < voice_hub.registration_count; i++)
		if (bytes_equal_nocase(bytes_str(voice_hub.registrations[i]->name), name))
			return voice_hub.registrations[i];
	return NULL;
}

struct voice_registration *voice_registered_hash(const char *hash)
{
	for (size_t i = 0; hash[0] && i < voice_hub.registration_count; i++)
		if (strcmp(voice_hub.registrations[i]->hash, hash) == 0)
			return voice_hub.registrations[i];
	return NULL;
}

RUNS_ON(on_control) static int32_t free_id(void)
{
	size_t count = voice_hub.registration_count;

	return count ? voice_hub.registrations[count - 1]->id + 1 : 1;
}

struct voice_registration *voice_register(const char *name, const char *hash, int32_t id)
{
	struct voice_registration *made, **larger;
	size_t at;

	if (id <= 0 && voice_hub.registration_count >= voice_conf()->registrations)
		return NULL;
	if (voice_registered_name(bytes_str(name)) || voice_registered_hash(hash))
		return NULL;
	larger = realloc(voice_hub.registrations,
			 (voice_hub.registration_count + 1) * sizeof(struct voice_registration *));
	if (!larger)
		return NULL;
	voice_hub.registrations = larger;
	made = calloc(1, sizeof *made);
	if (!made)
		return NULL;
	made->id = id > 0 ? id : free_id();
	bytes_to_str(bytes_str(name), made->name, sizeof made->name);
	bytes_to_str(bytes_str(hash), made->hash, sizeof made->hash);
	made->seen_ms = wall_now_us() / 1000;
	made->unsaved = true;
	at = place_of(made->id);
	memmove(larger + at + 1, larger + at,
		(voice_hub.registration_count - at) * sizeof(struct voice_registration *));
	larger[at] = made;
	voice_hub.registration_count++;
	return made;
}

static void registration_free(struct voice_registration *registration)
{
	voice_blob_fini(&registration->comment);
	voice_blob_fini(&registration->texture);
	free(registration);
}

void voice_unregister(int32_t id)
{
	struct voice_registration *row = voice_registered(id);
	size_t at = place_of(id);

	if (!row)
		return;
	registration_free(row);
	voice_hub.registration_count--;
	memmove(voice_hub.registrations + at, voice_hub.registrations + at + 1,
		(voice_hub.registration_count - at) * sizeof(struct voice_registration *));
	voice_store_drop("user", id);
}

bool voice_same_network(const uint8_t a[16], const uint8_t b[16])
{
	struct address address = {0};

	memcpy(address.ip, a, sizeof address.ip);
	/* Who has a /64 has 2^64 addresses to come from. */
	return memcmp(a, b, address_is_v4(&address) ? 16 : 8) == 0;
}

/* --- bans -------------------------------------------------------------------------------------- */

static bool is_over(const struct voice_ban *ban, int64_t now_s)
{
	return ban->duration_s && ban->start_s + (int64_t)ban->duration_s <= now_s;
}

const struct voice_ban *voice_is_banned(const uint8_t ip[16], const char *hash)
{
	int64_t now = wall_now_us() / 1000000;
	struct address address = {0};

	memcpy(address.ip, ip, sizeof address.ip);
	for (size_t i = 0; i < voice_hub.ban_count; i++) {
		const struct voice_ban *ban = &voice_hub.bans[i];

		if (is_over(ban, now))
			continue;
		if ((ban->has_network && cidr_holds(&ban->network, &address)) ||
		    (ban->hash[0] && strcasecmp(ban->hash, hash) == 0))
			return ban;
	}
	return NULL;
}

bool voice_ban_add(const struct voice_ban *ban)
{
	struct voice_ban *larger =
		voice_hub.ban_count < voice_conf()->bans
			? realloc(voice_hub.bans, (voice_hub.ban_count + 1) * sizeof *larger)
			: NULL;

	if (!larger)
		return false;
	voice_hub.bans = larger;
	larger[voice_hub.ban_count++] = *ban;
	return true;
}

void voice_bans_set(struct voice_ban *bans, size_t count)
{
	free(voice_hub.bans);
	voice_hub.bans = bans;
	voice_hub.ban_count = count;
}

void voice_registry_fini(void)
{
	for (size_t i = 0; i < voice_hub.registration_count; i++)
		registration_free(voice_hub.registrations[i]);
	free(voice_hub.registrations);
	voice_hub.registrations = NULL;
	voice_hub.registration_count = 0;
	voice_bans_set(NULL, 0);
}
