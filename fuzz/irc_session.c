/* irc_session: whatever a server, clients and strangers say, nobody is told what is not a line, is too long, or is another
 * user's; who is where stays whole; and nothing is left behind. */
#include "irc_stage.h"

#include "property.h"

#define SCRIPT_MOST 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stage_play(bytes_of(data, size < SCRIPT_MOST ? size : SCRIPT_MOST));
	return 0;
}
