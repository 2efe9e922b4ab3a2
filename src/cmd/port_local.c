/* Who listens on this host: /proc/net has the sockets, /proc/PID/fd whose they are. */
#include <arpa/inet.h>
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "cmd/port.h"

enum { TCP_LISTEN_STATE = 0x0a, UDP_OPEN_STATE = 0x07, PIDS_MAX = 100000, FDS_MAX = 100000 };

struct waiting {
	uint64_t inode;
	struct port_local *local;
};

static const struct table {
	const char *file;
	enum registry_protocol protocol;
	unsigned state;
	int family;
} tables[] = {
	{ "/proc/net/tcp", REGISTRY_TCP, TCP_LISTEN_STATE, AF_INET }, { "/proc/net/tcp6", REGISTRY_TCP, TCP_LISTEN_STATE, AF_INET6 },
	{ "/proc/net/udp", REGISTRY_UDP, UDP_OPEN_STATE, AF_INET }, { "/proc/net/udp6", REGISTRY_UDP, UDP_OPEN_STATE, AF_INET6 },
};

/* Hexadecimal digits, as many as there are and fit. */
static bool
take_hex(struct span *in, size_t digits, uint32_t *value)
{
	static const char alphabet[] = "0123456789abcdef";
	const char *at;

	for (*value = 0; digits > 0; digits--) {
		if (in->len == 0 || in->p[0] == '\0' || (at = strchr(alphabet, ascii_lower(in->p[0]))) == NULL)
			return false;
		*value = *value << 4 | (uint32_t)(at - alphabet);
		span_skip(in, 1);
	}
	return true;
}

/* The kernel prints each 32 bits of an address as a number of this machine. */
static bool
take_address(struct span *in, int family, char out[64])
{
	uint32_t words[4] = { 0 };

	for (size_t i = 0; i < (family == AF_INET ? 1 : 4); i++)
		if (!take_hex(in, 8, &words[i]))
			return false;
	return inet_ntop(family, words, out, 64) != NULL;
}

/* "  0: 0100007F:01D1 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 12345 ..." */
static bool
take_line(struct span line, const struct table *t, struct port_local *local, uint64_t *inode)
{
	struct span field[10];
	uint32_t port, state;

	for (size_t i = 0; i < 10; i++)
		field[i] = span_take_word(&line);
	*local = (struct port_local){ .protocol = t->protocol };
	if (!take_address(&field[1], t->family, local->address) || !span_take_byte(&field[1], ':') || !take_hex(&field[1], 4, &port)
	    || !take_hex(&field[3], 2, &state) || state != t->state || !span_take_u64(&field[9], inode))
		return false;
	local->port = (uint16_t)port;
	return true;
}

static size_t
read_table(const struct table *t, const struct port_query *q, struct waiting *waiting, struct port_local *out, size_t n, size_t max)
{
	FILE *f = fopen(t->file, "re");
	char line[512];

	while (f != NULL && n < max && fgets(line, sizeof line, f) != NULL)
		if (take_line(span_of(line), t, &out[n], &waiting[n].inode) && q->first <= out[n].port && out[n].port <= q->last
		    && (q->any_protocol || q->protocol == t->protocol)) {
			waiting[n].local = &out[n];
			n++;
		}
	if (f != NULL)
		(void)fclose(f);
	return n;
}

static void
name_process(const char *pid, struct port_local *local)
{
	char path[64], name[32] = "";
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	f = fopen(path, "re");
	if (f != NULL && fgets(name, sizeof name, f) != NULL)
		name[strcspn(name, "\n")] = '\0';
	if (f != NULL)
		(void)fclose(f);
	(void)snprintf(local->process, sizeof local->process, "%.20s %s", pid, name);
}

static void
look_at_fds(const char *pid, struct waiting *waiting, size_t n)
{
	char path[64], target[64];
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	d = opendir(path);
	for (int i = 0; d != NULL && i < FDS_MAX && (e = readdir(d)) != NULL; i++) {
		ssize_t len = readlinkat(dirfd(d), e->d_name, target, sizeof target);
		struct span what = { (const uint8_t *)target, len > 0 ? (size_t)len : 0 };
		uint64_t inode;

		if (!span_take(&what, SPAN("socket:[")) || !span_take_u64(&what, &inode))
			continue;
		for (size_t k = 0; k < n; k++)
			if (inode == waiting[k].inode && waiting[k].local->process[0] == '\0')
				name_process(pid, waiting[k].local);
	}
	if (d != NULL)
		(void)closedir(d);
}

size_t
port_listening(const struct port_query *q, struct port_local *out, size_t max)
{
	struct waiting waiting[PORT_LOCAL_MAX];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	max = max < PORT_LOCAL_MAX ? max : PORT_LOCAL_MAX;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		n = read_table(&tables[i], q, waiting, out, n, max);
	d = n > 0 ? opendir("/proc") : NULL;
	for (int i = 0; d != NULL && i < PIDS_MAX && (e = readdir(d)) != NULL; i++)
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
			look_at_fds(e->d_name, waiting, n);
	if (d != NULL)
		(void)closedir(d);
	return n;
}
