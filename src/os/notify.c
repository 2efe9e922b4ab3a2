#include "os/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { STATE_MAX = 64, STATUS_MAX = 300 };

static struct sockaddr_un supervisor;
static socklen_t supervisor_len;        /* 0: there is none */

void
notify_begin(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name != NULL ? strlen(name) : 0;

	supervisor_len = 0;
	if (len > 1 && len < sizeof supervisor.sun_path && (name[0] == '/' || name[0] == '@')) {
		supervisor.sun_family = AF_UNIX;
		memcpy(supervisor.sun_path, name, len + 1);
		/* An abstract one: its first octet is a NUL, and none ends it. */
		if (name[0] == '@')
			supervisor.sun_path[0] = '\0';
		supervisor_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	(void)unsetenv("NOTIFY_SOCKET");
}

static void
notify(const char *state, const char *status)
{
	char text[STATE_MAX + sizeof "\nSTATUS=" + STATUS_MAX];
	int fd, len;

	if (supervisor_len == 0)
		return;
	len = snprintf(text, sizeof text, "%s%s%.*s", state, status != NULL ? "\nSTATUS=" : "", STATUS_MAX, status != NULL ? status : "");
	for (char *p = text + strlen(state) + 1; p < text + len; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	(void)sendto(fd, text, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&supervisor, supervisor_len);
	(void)close(fd);
}

void
notify_ready(const char *status)
{
	notify("READY=1", status);
}

void
notify_reloading(void)
{
	struct timespec now = { 0 };
	char state[STATE_MAX];

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	notify(state, NULL);
}

void
notify_stopping(const char *status)
{
	notify("STOPPING=1", status);
}
