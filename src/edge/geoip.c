#include "edge/geoip.h"

#include <arpa/inet.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "core/log.h"

static MMDB_s database;
static char *opened; /* its path; NULL: none is open */

void geoip_close(void)
{
	if (opened)
		MMDB_close(&database);
	free(opened);
	opened = NULL;
}

void geoip_open(const char *path)
{
	int error;

	if (opened && strcmp(opened, path) == 0)
		return;
	geoip_close();
	if (!path[0])
		return;
	error = MMDB_open(path, MMDB_MODE_MMAP, &database);
	if (error != MMDB_SUCCESS) {
		log_warnx("edge", "geoip file not read", kv_str("file", path),
			  kv_str("why", MMDB_strerror(error)));
		return;
	}
	opened = strdup(path);
	if (!opened)
		MMDB_close(&database);
	else
		log_info("edge", "geoip file opened", kv_str("file", path),
			 kv_str("type", database.metadata.database_type));
}

bool geoip_is_there(void)
{
	return opened != NULL;
}

static bool is_code(const MMDB_entry_data_s *data)
{
	return data->has_data && data->type == MMDB_DATA_TYPE_UTF8_STRING && data->data_size == 2;
}

const char *geoip_country(const struct address *address, char out[4])
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	const void *place = &six;
	MMDB_lookup_result_s found;
	MMDB_entry_data_s data;
	int error;

	memcpy(out, "??", 3);
	memcpy(&six.sin6_addr, address->ip, sizeof six.sin6_addr);
	memcpy(&four.sin_addr, address->ip + 12, sizeof four.sin_addr);
	if (address_is_v4(address))
		place = &four;
	if (!opened)
		return out;
	found = MMDB_lookup_sockaddr(&database, place, &error);
	if (error != MMDB_SUCCESS || !found.found_entry)
		return out;
	if (MMDB_get_value(&found.entry, &data, "country", "iso_code", NULL) == MMDB_SUCCESS &&
	    is_code(&data))
		memcpy(out, data.utf8_string, 2);
	return out;
}
