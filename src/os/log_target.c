#include "os/log_target.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/log.h"

static int
syslog_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

void
log_target_open(const struct conf *conf, const char *who)
{
	static int syslog_fd = -1;
	struct log_conf lc = { .json = conf->log_format == CONF_LOG_JSON, .fd = STDERR_FILENO, .most = LOG_NOTE };

	if (conf->log_target == CONF_LOG_SYSLOG && syslog_fd == -1)
		syslog_fd = syslog_connect();
	if (conf->log_target == CONF_LOG_SYSLOG && syslog_fd != -1) {
		lc.syslog = true;
		lc.fd = syslog_fd;
	}
	log_open(&lc, who);
}
