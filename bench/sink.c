/*
 * sink.c - the next hop that every contender relays to: accepts everything, keeps nothing, counts.
 *
 * usage: sink PORT        (loopback; ends when standard input does, then prints messages=N)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN = 65536, OUT = 8192 };

struct peer {
	int fd;
	bool content;
	unsigned match;                 /* octets of CRLF.CRLF seen */
	size_t in_len, out_len;
	char in[IN];
	char out[OUT];
};

static long messages;

static void
say(struct peer *p, const char *text)
{
	size_t n = strlen(text);

	if (n <= sizeof p->out - p->out_len) {
		memcpy(p->out + p->out_len, text, n);
		p->out_len += n;
	}
}

static bool
command(struct peer *p, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0)
		say(p, "250-sink.example.net\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n");
	else if (strncasecmp(line, "DATA", 4) == 0) {
		say(p, "354 go on\r\n");
		p->content = true;
		p->match = 2;
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(p, "221 2.0.0 bye\r\n");
		return false;
	} else
		say(p, "250 2.0.0 ok\r\n");
	return true;
}

/* Octets of content eaten; looks only at line feeds, as most of it is not one. */
static size_t
eat_content(struct peer *p, const char *in, size_t n)
{
	static const char end[] = "\r\n.\r\n";

	for (size_t i = 0; i < n; i++) {
		if (p->match == 0 && in[i] != '\r') {
			const char *cr = memchr(in + i, '\r', n - i);

			if (cr == NULL)
				return n;
			i = (size_t)(cr - in);
		}
		p->match = in[i] == end[p->match] ? p->match + 1 : in[i] == '\r' ? 1 : 0;
		if (p->match == 5) {
			p->content = false;
			messages++;
			say(p, "250 2.0.0 taken\r\n");
			return i + 1;
		}
	}
	return n;
}

static bool
work(struct peer *p)
{
	size_t at = 0;
	bool alive = true;

	while (alive && at < p->in_len) {
		char *lf;

		if (p->content) {
			at += eat_content(p, p->in + at, p->in_len - at);
			continue;
		}
		lf = memchr(p->in + at, '\n', p->in_len - at);
		if (lf == NULL)
			break;
		alive = command(p, p->in + at);
		at = (size_t)(lf + 1 - p->in);
	}
	memmove(p->in, p->in + at, p->in_len - at);
	p->in_len -= at;
	if (p->out_len > 0 && send(p->fd, p->out, p->out_len, MSG_NOSIGNAL) != (ssize_t)p->out_len)
		return false;
	p->out_len = 0;
	return alive;
}

static void
greet(int listener, int epoll)
{
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct peer *p = fd == -1 ? NULL : calloc(1, sizeof *p);
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };

	if (p == NULL)
		return;
	p->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
	say(p, "220 sink.example.net ESMTP\r\n");
	(void)work(p);
}

static void
serve(struct peer *p)
{
	ssize_t n = recv(p->fd, p->in + p->in_len, sizeof p->in - p->in_len, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n > 0) {
		p->in_len += (size_t)n;
		if (work(p))
			return;
	}
	(void)close(p->fd);
	free(p);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event events[64], e = { .events = EPOLLIN, .data.ptr = NULL };
	int one = 1, epoll = epoll_create1(EPOLL_CLOEXEC), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	static char input;

	if (argc != 2)
		return 64;
	sin.sin_port = htons((unsigned short)strtoul(argv[1], NULL, 10));
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&sin, sizeof sin) != 0 || listen(listener, 1024) != 0) {
		perror("sink");
		return 71;
	}
	(void)epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	e.data.ptr = &input;
	(void)epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &e);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				greet(listener, epoll);
			else if (events[i].data.ptr != &input)
				serve(events[i].data.ptr);
			else if (read(STDIN_FILENO, &input, 1) > 0 && input == '?') {
				printf("messages=%ld\n", messages);
				(void)fflush(stdout);
			} else {
				printf("messages=%ld\n", messages);
				return 0;
			}
		}
	}
}
