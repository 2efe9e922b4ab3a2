#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/0_master.h"

enum { BACKLOG = 1024, EXIT_OS = 71, EXIT_CONFIG = 78, EXIT_TEMPORARY = 75 };

static bool
refuse(struct buf *why, const char *words)
{
	why->len = 0;
	buf_put_text(why, words);
	if (why->len == why->max && why->len > 0)
		why->len--;
	buf_terminate(why);
	return false;
}

/* What the operator should do about it. */
static const char *
remedy(int error)
{
	switch (error) {
	case EACCES:
		return "; ports below 1024 need CAP_NET_BIND_SERVICE: start as root, say AmbientCapabilities=CAP_NET_BIND_SERVICE "
		       "in the systemd unit, or choose another port";
	case EADDRINUSE:
		return "; another program listens there (`ss -ltnp` says which)";
	case EADDRNOTAVAIL:
		return "; this machine has no such address (`ip address` lists them)";
	default:
		return "";
	}
}

static bool
refuse_bind(struct buf *why, const char *address, uint16_t port, int error, int *status)
{
	char words[400];

	*status = error == EACCES || error == EADDRNOTAVAIL ? EXIT_CONFIG : EXIT_OS;
	(void)snprintf(words, sizeof(words), "cannot listen on address %s, port %u: %s%s", address, port, strerror(error),
	    remedy(error));
	return refuse(why, words);
}

static int
listening_socket(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, error;

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Accepted sockets inherit it, which saves a call for each. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (address->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

static int
bind_one(const char *address, uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
		return listening_socket((struct sockaddr *)&v6, sizeof(v6));
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return listening_socket((struct sockaddr *)&v4, sizeof(v4));
	errno = EINVAL;
	return -1;
}

struct binding {
	struct socket_bound socket[SOCKETS_MAX];
	size_t count;
};

/* Keep what m has of l, else bind it. A machine without IPv6 is no reason to refuse "*". */
static bool
bind_address(struct master *m, struct binding *next, const struct conf_listen *l, const char *address, int *error)
{
	struct socket_bound *s = &next->socket[next->count];
	bool both = strcmp(l->address, "*") == 0;

	for (size_t i = 0; i < m->sockets; i++) {
		if (m->socket[i].conf.port == l->port && m->socket[i].conf.service == l->service &&
		    strcmp(m->socket[i].address, address) == 0 && strcmp(m->socket[i].conf.address, l->address) == 0) {
			*s = m->socket[i];
			next->count++;
			return true;
		}
	}
	*s = (struct socket_bound){ .conf = *l, .fd = bind_one(address, l->port), .fresh = true };
	*error = errno;
	if (s->fd == -1)
		return both && strcmp(address, "::") == 0 && (*error == EAFNOSUPPORT || *error == EADDRNOTAVAIL);
	(void)snprintf(s->address, sizeof(s->address), "%s", address);
	next->count++;
	return true;
}

/* Close those of a that b has not. */
static void
close_difference(const struct socket_bound *a, size_t as, const struct socket_bound *b, size_t bs)
{
	for (size_t i = 0; i < as; i++) {
		bool kept = false;

		for (size_t k = 0; k < bs; k++)
			kept = kept || b[k].fd == a[i].fd;
		if (!kept)
			(void)close(a[i].fd);
	}
}

bool
master_listen(struct master *m, const struct conf *conf, struct buf *why, int *status)
{
	struct binding next = { .count = 0 };
	int error = 0;

	for (size_t i = 0; i < conf->listens; i++) {
		const struct conf_listen *l = &conf->listen[i];
		bool both = strcmp(l->address, "*") == 0;
		const char *first = both ? "::" : l->address;

		if (bind_address(m, &next, l, first, &error) && (!both || bind_address(m, &next, l, "0.0.0.0", &error)))
			continue;
		close_difference(next.socket, next.count, m->socket, m->sockets);
		return refuse_bind(why, l->address, l->port, error, status);
	}
	close_difference(m->socket, m->sockets, next.socket, next.count);
	memcpy(m->socket, next.socket, sizeof(m->socket));
	m->sockets = next.count;
	return true;
}

bool
master_control_open(struct master *m, struct buf *why, int *status)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = m->conf.control_socket.p;
	char words[512];
	struct stat st;
	mode_t mask;
	int error;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%.107s", path);
	/* A socket that somebody left behind; we hold the lock, so nobody listens on it. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	m->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0177);
	error = m->control_fd == -1 || bind(m->control_fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	        listen(m->control_fd, 64) != 0 ? errno : 0;
	(void)umask(mask);
	if (error == 0)
		return true;
	*status = EXIT_OS;
	(void)snprintf(words, sizeof(words), "control-socket %s: %s", path, strerror(error));
	return refuse(why, words);
}

static void
write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	ssize_t n = ftruncate(fd, 0) == 0 ? pwrite(fd, text, (size_t)len, 0) : -1;

	(void)n;
}

bool
master_lock(struct master *m, struct buf *why, int *status)
{
	char path[CONF_TEXT_MAX + 8], words[CONF_TEXT_MAX + 160], holder[32] = "";
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/lock", m->conf.state_dir.p);
	m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->lock_fd == -1) {
		*status = EXIT_CONFIG;
		(void)snprintf(words, sizeof(words), "state-dir %s: %s", m->conf.state_dir.p, strerror(errno));
		return refuse(why, words);
	}
	if (flock(m->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		write_pid(m->lock_fd);
		return true;
	}
	n = pread(m->lock_fd, holder, sizeof(holder) - 1, 0);
	holder[n > 0 && holder[n - 1] == '\n' ? n - 1 : 0] = '\0';
	*status = EXIT_TEMPORARY;
	(void)snprintf(words, sizeof(words), "another server (process %s) already works in %s", holder, m->conf.state_dir.p);
	return refuse(why, words);
}

void
master_listeners_close(struct master *m)
{
	for (size_t i = 0; i < m->sockets; i++)
		(void)close(m->socket[i].fd);
	m->sockets = 0;
}

void
master_sockets_close(struct master *m)
{
	master_listeners_close(m);
	if (m->control_fd != -1) {
		(void)close(m->control_fd);
		(void)unlink(m->conf.control_socket.p);
	}
	if (m->lock_fd != -1)
		(void)close(m->lock_fd);
	m->control_fd = m->lock_fd = -1;
}
