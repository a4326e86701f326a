#include "report.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "slot_dir.h"

int fc_report_open(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void fc_report_send(int fd, const struct fc_report *report)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int len = snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", fc_dir_name(), FC_REPORT_NAME);

	/* Where nobody listens or the queue is full, it is not told. */
	if (fd != -1 && len > 0 && (unsigned)len < sizeof at.sun_path)
		(void)sendto(fd, report, sizeof *report, MSG_DONTWAIT | MSG_NOSIGNAL,
			     (const struct sockaddr *)&at, sizeof at);
}
