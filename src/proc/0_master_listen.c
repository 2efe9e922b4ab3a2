#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/0_master.h"

enum { BACKLOG = 1024, EXIT_OS = 71, EXIT_CONFIG = 78, EXIT_TEMPORARY = 75, LOCK_TRIES = 200, LOCK_PAUSE_MS = 50, CONTROL_TRIES = 100 };

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
	return buf_refuse(why, words, NULL);
}

/* A client that has vanished without a word is given up after five minutes, as long as the protocol lets one be silent
 * (RFC 5321 4.5.3.2.7). Accepted sockets inherit this, too. */
static void
keep_alive(int fd)
{
	static const struct { int level, name, value; } options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 120 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 30 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 6 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 300 * 1000 },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}

static void
share(int fd, bool shared)
{
	int value = shared;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

/* shared: beside sockets of ours that share the port, too, while it is bound. */
static int
listening_socket(const struct sockaddr *address, socklen_t len, bool shared)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, error;

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Accepted sockets inherit it, which saves a call for each. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	keep_alive(fd);
	if (address->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	share(fd, shared);
	if (bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0) {
		share(fd, false);
		return fd;
	}
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

static int
bind_one(const char *address, uint16_t port, bool shared)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
		return listening_socket((struct sockaddr *)&v6, sizeof(v6), shared);
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return listening_socket((struct sockaddr *)&v4, sizeof(v4), shared);
	errno = EINVAL;
	return -1;
}

struct binding {
	struct socket_bound socket[SOCKETS_MAX];
	size_t count;
};

static bool
has_descriptor(const struct binding *b, int fd)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->socket[i].fd == fd)
			return true;
	return false;
}

/* Who may be in the way is our own socket that this reload closes, with the port and a wider or narrower address. */
static int
bind_beside_our_own(const struct master *m, const char *address, uint16_t port)
{
	int fd = bind_one(address, port, false), error;

	if (fd != -1 || errno != EADDRINUSE || m->sockets == 0)
		return fd;
	for (size_t i = 0; i < m->sockets; i++)
		share(m->socket[i].fd, true);
	fd = bind_one(address, port, true);
	error = errno;
	for (size_t i = 0; i < m->sockets; i++)
		share(m->socket[i].fd, false);
	errno = error;
	return fd;
}

/* Keep what m has of l, else bind it. A machine without IPv6 is no reason to refuse "*". */
static bool
bind_address(struct master *m, struct binding *next, const struct conf_listen *l, const char *address, int *error)
{
	struct socket_bound *s = &next->socket[next->count];
	bool both = strcmp(l->address, "*") == 0;

	for (size_t i = 0; i < m->sockets; i++) {
		if (m->socket[i].conf.port != l->port || strcmp(m->socket[i].address, address) != 0 || has_descriptor(next, m->socket[i].fd))
			continue;
		*s = m->socket[i];
		/* What is called otherwise now is another one for the fronts. */
		s->fresh = s->fresh || s->conf.service != l->service || strcmp(s->conf.address, l->address) != 0;
		s->conf = *l;
		next->count++;
		return true;
	}
	*s = (struct socket_bound){ .conf = *l, .fd = bind_beside_our_own(m, address, l->port), .fresh = true };
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
	for (size_t i = 0; i < m->workers; i++)
		m->worker[i].listens = false;
	return true;
}

/* Is it more than what a server that was killed has left behind? A full backlog is somebody, too. */
static bool
somebody_listens(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool answered = fd != -1 && (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN);

	if (fd != -1)
		(void)close(fd);
	return answered;
}

/* The children of a server that was killed a moment ago may have it open yet. */
static bool
somebody_stays(const struct sockaddr_un *sun)
{
	struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };

	for (unsigned i = 0; i < CONTROL_TRIES; i++) {
		if (!somebody_listens(sun))
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

static int
control_socket(const struct sockaddr_un *sun, int *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask = umask(0177);

	*error = fd == -1 || bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 || listen(fd, 64) != 0 ? errno : 0;
	(void)umask(mask);
	if (*error == 0 || fd == -1)
		return fd;
	(void)close(fd);
	return -1;
}

static bool
refuse_control(struct buf *why, const char *key, const char *path, const char *reason)
{
	char words[CONF_TEXT_MAX + 200];

	(void)snprintf(words, sizeof(words), "%s %s: %s", key, path, reason);
	return buf_refuse(why, words, NULL);
}

static bool
control_open(int *fd, const char *key, const char *path, struct buf *why, int *status)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int error;

	*status = EXIT_CONFIG;
	if (strlen(path) >= sizeof(sun.sun_path))
		return refuse_control(why, key, path, "longer than the 107 octets that a socket's name may have");
	memcpy(sun.sun_path, path, strlen(path));
	*status = EXIT_TEMPORARY;
	if (somebody_stays(&sun))
		return refuse_control(why, key, path, "another server listens on it");
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	*fd = control_socket(&sun, &error);
	*status = EXIT_OS;
	return *fd != -1 || refuse_control(why, key, path, strerror(error));
}

bool
master_control_open(struct master *m, struct buf *why, int *status)
{
	return control_open(&m->control_fd, "control-socket", m->conf.control_socket.p, why, status) &&
	    control_open(&m->ledger_fd, "ledger-socket", m->conf.ledger_socket.p, why, status) &&
	    (!m->conf.history || control_open(&m->history_fd, "history-socket", m->conf.history_socket.p, why, status));
}

static void
write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	ssize_t n = ftruncate(fd, 0) == 0 ? pwrite(fd, text, (size_t)len, 0) : -1;

	(void)n;
}

static void
read_pid(int fd, char text[32])
{
	ssize_t n = pread(fd, text, 31, 0);

	text[n > 0 && text[n - 1] == '\n' ? n - 1 : 0] = '\0';
}

/* The spool of a server that was killed may still be in the middle of a write, and has the lock until that is over. */
static bool
take_lock(int fd, char holder[32])
{
	struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };

	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		struct span digits;
		uint64_t pid;

		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		read_pid(fd, holder);
		digits = span_of(holder);
		if (!span_take_u64(&digits, &pid) || pid == 0 || pid > INT32_MAX || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

/* DIRECTORY/lock. */
static bool
lock_directory(int *fd, const char *key, const char *directory, struct buf *why, int *status)
{
	char path[CONF_TEXT_MAX + 8], words[CONF_TEXT_MAX + 160], holder[32] = "";

	(void)snprintf(path, sizeof(path), "%s/lock", directory);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd == -1) {
		*status = EXIT_CONFIG;
		(void)snprintf(words, sizeof(words), "%s %s: %s", key, directory, strerror(errno));
		return buf_refuse(why, words, NULL);
	}
	if (take_lock(*fd, holder)) {
		write_pid(*fd);
		return true;
	}
	*status = EXIT_TEMPORARY;
	(void)snprintf(words, sizeof(words), "another server (process %s) already works in %s", holder, directory);
	return buf_refuse(why, words, NULL);
}

bool
master_lock(struct master *m, struct buf *why, int *status)
{
	/* Two configurations may differ in everything but the spool. */
	(void)mkdir(m->conf.spool_dir.p, 0700);
	return lock_directory(&m->lock_fd, "state-dir", m->conf.state_dir.p, why, status) &&
	    lock_directory(&m->spool_fd, "spool-dir", m->conf.spool_dir.p, why, status);
}

void
master_listeners_close(struct master *m)
{
	for (size_t i = 0; i < m->sockets; i++)
		(void)close(m->socket[i].fd);
	m->sockets = 0;
}

static void
control_close(int fd, const char *path)
{
	if (fd == -1)
		return;
	(void)close(fd);
	(void)unlink(path);
}

void
master_sockets_close(struct master *m)
{
	master_listeners_close(m);
	control_close(m->control_fd, m->conf.control_socket.p);
	control_close(m->ledger_fd, m->conf.ledger_socket.p);
	control_close(m->history_fd, m->conf.history_socket.p);
	if (m->lock_fd != -1)
		(void)close(m->lock_fd);
	if (m->spool_fd != -1)
		(void)close(m->spool_fd);
	m->control_fd = m->ledger_fd = m->history_fd = m->lock_fd = m->spool_fd = -1;
}
