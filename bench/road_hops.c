/*
 * road_hops.c - a whole Internet on loopback for bench/road: a DNS server and the next hops that it names, some of them bad.
 *
 * usage: road_hops DNS_PORT SMTP_PORT [delay=MS] [slow=MS]       (ends when standard input does)
 *
 * The first letter of a domain says what its only mail exchanger is like:
 *   h  healthy      s  slow: each reply takes `slow`       d  dead: a SYN has no answer      g  greylists for ever
 *   m  mute: accepts the connection and says nothing       q  its DNS server never answers
 *   p  healthy, and all domains with this letter have the same two mail exchangers
 * Replies take `delay` (default 0). A message with "X-Stamp: NANOSECONDS TAG" early in its header is measured: how old it is at its final dot.
 * "?" on standard input prints, for each tag: messages, their ages, when the last one came.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/tcp.h>

#include "client.h"

enum { IN = 16384, OUT = 1024, TAGS = 8, DNS_MAX = 1024, TYPE_A = 1, TYPE_MX = 15 };
static const char letters[] = "hsdgmqp";
enum kind { HEALTHY, SLOW, DEAD, GREY, MUTE, QUIET, PROVIDER };

struct peer {
	struct peer *next;              /* of those whose reply is late */
	double due;
	int fd;
	enum kind kind;
	bool content, waiting, over;
	unsigned match;                 /* octets of CRLF.CRLF seen */
	size_t head, in_len, out_len;
	char in[IN], out[OUT], first[1024];    /* first: of the content, with the header that has the stamp */
};

struct late { struct peer *first, **last; double wait; };

static struct {
	int epoll, listener, dns, dead[4];
	struct late late[2];            /* healthy, slow: each in the order of its replies */
	struct samples age[TAGS];
	struct timespec begun;
	double newest[TAGS];
	long delay, slow;
} at = { .slow = 1000 };

static double
now(void)
{
	return seconds_since(&at.begun);
}

static long long
monotonic(void)
{
	struct timespec t = client_now();

	return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- DNS ---- */

static size_t
put_name(uint8_t *out, const char *name)
{
	size_t n = 0;

	while (*name != '\0') {
		size_t label = strcspn(name, ".");

		out[n++] = (uint8_t)label;
		memcpy(out + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	out[n++] = 0;
	return n;
}

static size_t
put_record(uint8_t *out, int type, const uint8_t *data, size_t len)
{
	const uint8_t head[] = { 0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 1, 44, 0, (uint8_t)len };

	memcpy(out, head, sizeof head);
	memcpy(out + sizeof head, data, len);
	return sizeof head + len;
}

/* "mx.h12.road.net" and "mx1.p.road.net" are hosts, "h12.road.net" is a domain. */
static size_t
answer(uint8_t *out, const char *name, int type, int *count)
{
	bool host = strncasecmp(name, "mx", 2) == 0;
	const char *dot = strchr(name, '.'), *domain = host && dot != NULL ? dot + 1 : name;
	const char *letter = strchr(letters, domain[0]);
	long number = strtol(domain + 1, NULL, 10);
	uint8_t data[256] = { 0, 10 };
	char exchanger[128];
	size_t n = 0;

	*count = 0;
	if (letter == NULL || strstr(name, ".road.") == NULL || type != (host ? TYPE_A : TYPE_MX))
		return 0;
	if (host) {
		const uint8_t octets[] = { 127, (uint8_t)(11 + (letter - letters)), (uint8_t)(number >> 8), (uint8_t)(number + 1) };

		*count = 1;
		return put_record(out, TYPE_A, *letter == 'd' ? (const uint8_t[]){ 127, 13, 0, 1 } : octets, 4);
	}
	if (*letter != 'p') {
		(void)snprintf(exchanger, sizeof exchanger, "mx.%.100s", domain);
		*count = 1;
		return put_record(out, TYPE_MX, data, 2 + put_name(data + 2, exchanger));
	}
	for (int i = 1; i <= 2; i++) {
		(void)snprintf(exchanger, sizeof exchanger, "mx%d.p%d.road.net", i, i);
		data[1] = (uint8_t)(10 * i);
		n += put_record(out + n, TYPE_MX, data, 2 + put_name(data + 2, exchanger));
	}
	*count = 2;
	return n;
}

static void
dns(void)
{
	uint8_t q[DNS_MAX], out[2 * DNS_MAX];
	char name[DNS_MAX];
	struct sockaddr_in who;
	socklen_t len = sizeof who;
	ssize_t got = recvfrom(at.dns, q, sizeof q, 0, (struct sockaddr *)&who, &len);
	size_t p = 12, n = 0;
	int count;

	if (got < 17 || got > DNS_MAX)
		return;
	while (p < (size_t)got && q[p] != 0 && p + 1 + q[p] < (size_t)got) {
		memcpy(name + n, q + p + 1, q[p]);
		n += q[p];
		name[n++] = '.';
		p += 1 + (size_t)q[p];
	}
	name[n > 0 ? n - 1 : 0] = '\0';
	if (p > DNS_MAX - 5 || p + 5 > (size_t)got || ((name[0] == 'q' || strstr(name, ".q") != NULL) && strstr(name, ".road.") != NULL))
		return;
	memcpy(out, q, p + 5);
	n = p + 5 + answer(out + p + 5, name, q[p + 1] << 8 | q[p + 2], &count);
	out[2] = 0x81;
	/* The name itself is always there: what is not, is no record. */
	out[3] = 0x80;
	memset(out + 4, 0, 8);
	out[5] = 1;
	out[7] = (uint8_t)count;
	(void)sendto(at.dns, out, n, 0, (struct sockaddr *)&who, len);
}

/* ---- SMTP ---- */

static void
say(struct peer *p, const char *text)
{
	size_t n = strlen(text);

	if (n <= sizeof p->out - p->out_len) {
		memcpy(p->out + p->out_len, text, n);
		p->out_len += n;
	}
}

static void
end_content(struct peer *p)
{
	long long stamp;
	int tag;
	const char *line;

	p->first[p->head] = '\0';
	line = strstr(p->first, "X-Stamp: ");
	p->content = false;
	say(p, "250 2.0.0 taken\r\n");
	if (line == NULL || sscanf(line, "X-Stamp: %lld %d", &stamp, &tag) != 2 || tag < 0 || tag >= TAGS)
		return;
	samples_add(&at.age[tag], (double)(monotonic() - stamp) / 1e9);
	at.newest[tag] = now();
}

static size_t
eat_content(struct peer *p, const char *in, size_t n)
{
	static const char end[] = "\r\n.\r\n";

	for (size_t i = 0; i < n && p->head < sizeof p->first - 1; i++)
		p->first[p->head++] = in[i];
	for (size_t i = 0; i < n; i++) {
		if (p->match == 0 && in[i] != '\r') {
			const char *cr = memchr(in + i, '\r', n - i);

			if (cr == NULL)
				return n;
			i = (size_t)(cr - in);
		}
		p->match = in[i] == end[p->match] ? p->match + 1 : in[i] == '\r' ? 1 : 0;
		if (p->match == 5) {
			end_content(p);
			return i + 1;
		}
	}
	return n;
}

static void
command(struct peer *p, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0)
		say(p, "250-hop.road.net\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
	else if (strncasecmp(line, "RCPT", 4) == 0 && p->kind == GREY)
		say(p, "451 4.7.1 Greylisting in action, please come back in 5 minutes\r\n");
	else if (strncasecmp(line, "DATA", 4) == 0 && p->kind == GREY)
		say(p, "503 5.5.1 RCPT first\r\n");
	else if (strncasecmp(line, "DATA", 4) == 0) {
		say(p, "354 go on\r\n");
		p->content = true;
		p->match = 2;
		p->head = 0;
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(p, "221 2.0.0 bye\r\n");
		p->over = true;
	} else
		say(p, "250 2.0.0 ok\r\n");
}

static void
end(struct peer *p)
{
	(void)close(p->fd);
	free(p);
}

/* Send what is said, now or when it is time. */
static void
reply(struct peer *p)
{
	struct late *l = &at.late[p->kind == SLOW];

	if (p->out_len == 0 || p->waiting)
		return;
	if (l->wait > 0) {
		p->due = now() + l->wait;
		p->waiting = true;
		p->next = NULL;
		*l->last = p;
		l->last = &p->next;
		return;
	}
	(void)send(p->fd, p->out, p->out_len, MSG_NOSIGNAL);
	p->out_len = 0;
	if (p->over)
		end(p);
}

static void
work(struct peer *p)
{
	size_t at_octet = 0;

	while (!p->over && at_octet < p->in_len) {
		char *lf;

		if (p->content) {
			at_octet += eat_content(p, p->in + at_octet, p->in_len - at_octet);
			continue;
		}
		lf = memchr(p->in + at_octet, '\n', p->in_len - at_octet);
		if (lf == NULL)
			break;
		command(p, p->in + at_octet);
		at_octet = (size_t)(lf + 1 - p->in);
	}
	memmove(p->in, p->in + at_octet, p->in_len - at_octet);
	p->in_len -= at_octet;
	reply(p);
}

static void
serve(struct peer *p)
{
	ssize_t n = recv(p->fd, p->in + p->in_len, sizeof p->in - p->in_len, 0);

	if (n > 0) {
		p->in_len += (size_t)n;
		work(p);
		return;
	}
	(void)epoll_ctl(at.epoll, EPOLL_CTL_DEL, p->fd, NULL);
	p->over = true;
	if (!p->waiting)
		end(p);
}

static void
greet(void)
{
	struct sockaddr_in here;
	socklen_t len = sizeof here;
	int one = 1, fd = accept4(at.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct peer *p = fd == -1 ? NULL : calloc(1, sizeof *p);
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };
	uint32_t octet;

	if (p == NULL || getsockname(fd, (struct sockaddr *)&here, &len) != 0)
		die("accept");
	octet = ntohl(here.sin_addr.s_addr) >> 16 & 255;
	p->kind = octet >= 11 && octet < 11 + sizeof letters - 1 ? (enum kind)(octet - 11) : HEALTHY;
	p->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)epoll_ctl(at.epoll, EPOLL_CTL_ADD, fd, &e);
	if (p->kind == MUTE)
		return;
	say(p, "220 hop.road.net ESMTP\r\n");
	reply(p);
}

/* ---- the whole ---- */

static int
bound(int type, uint32_t address, long port, int backlog)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address), .sin_port = htons((uint16_t)port) };
	int one = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&sin, sizeof sin) != 0 || (backlog >= 0 && listen(fd, backlog) != 0))
		die("bind");
	return fd;
}

/* A full backlog: further SYNs are dropped, as by a host that is not there. */
static void
bury(long port)
{
	struct sockaddr_in dead = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f0d0001), .sin_port = htons((uint16_t)port) };

	at.dead[0] = bound(SOCK_STREAM, 0x7f0d0001, port, 0);
	for (int i = 1; i < 4; i++)
		at.dead[i] = client_connect(&dead, (struct in_addr){ htonl(INADDR_ANY) });
}

/* Milliseconds until the next late reply is due, after those that are have gone. */
static int
late(void)
{
	double t = now(), next = 3600;

	for (int i = 0; i < 2; i++) {
		struct late *l = &at.late[i];

		while (l->first != NULL && l->first->due <= t) {
			struct peer *p = l->first;

			l->first = p->next;
			if (l->first == NULL)
				l->last = &l->first;
			p->waiting = false;
			(void)send(p->fd, p->out, p->out_len, MSG_NOSIGNAL);
			p->out_len = 0;
			if (p->over)
				end(p);
		}
		if (l->first != NULL && l->first->due - t < next)
			next = l->first->due - t;
	}
	return next >= 3600 ? -1 : (int)(next * 1000) + 1;
}

static bool
asked(void)
{
	char c;

	if (read(STDIN_FILENO, &c, 1) <= 0)
		return false;
	if (c != '?')
		return true;
	for (int i = 0; i < TAGS; i++)
		printf("%ld %.6f %.6f %.6f %.3f;", at.age[i].count, samples_at(&at.age[i], 0.5), samples_at(&at.age[i], 0.99),
		    samples_at(&at.age[i], 1), at.newest[i]);
	printf("%.3f\n", now());
	(void)fflush(stdout);
	return true;
}

static void
take(void *what)
{
	if (what == &at.dns)
		dns();
	else if (what == &at.listener)
		greet();
	else
		serve(what);
}

int
main(int argc, char **argv)
{
	static const struct client_option longs[] = { { "delay", &at.delay }, { "slow", &at.slow }, { NULL, NULL } };
	struct epoll_event events[256], e = { .events = EPOLLIN };
	struct rlimit files;

	if (argc < 3)
		return 64;
	for (int i = 3; i < argc; i++)
		if (!client_option(argv[i], longs))
			return 64;
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	at.begun = client_now();
	at.late[0] = (struct late){ .last = &at.late[0].first, .wait = (double)at.delay / 1e3 };
	at.late[1] = (struct late){ .last = &at.late[1].first, .wait = (double)at.slow / 1e3 };
	at.epoll = epoll_create1(EPOLL_CLOEXEC);
	at.dns = bound(SOCK_DGRAM, INADDR_LOOPBACK, strtol(argv[1], NULL, 10), -1);
	at.listener = bound(SOCK_STREAM, INADDR_ANY, strtol(argv[2], NULL, 10), 4096);
	bury(strtol(argv[2], NULL, 10));
	e.data.ptr = &at.dns;
	(void)epoll_ctl(at.epoll, EPOLL_CTL_ADD, at.dns, &e);
	e.data.ptr = &at.listener;
	(void)epoll_ctl(at.epoll, EPOLL_CTL_ADD, at.listener, &e);
	e.data.ptr = NULL;
	(void)epoll_ctl(at.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &e);
	for (;;) {
		int n = epoll_wait(at.epoll, events, 256, late());

		for (int i = 0; i < n; i++)
			if (events[i].data.ptr != NULL)
				take(events[i].data.ptr);
			else if (!asked())
				return 0;
	}
}
