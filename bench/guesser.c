/*
 * guesser.c - guesses passwords over TLS at a steady rate from many loopback addresses, as a botnet would: sessions are resumed, and a
 * connection is kept for as many guesses as the server lets it make (three).
 *
 * usage: guesser HOST PORT CA LOGIN [key=value ...]
 *   rate=2000 (a second) seconds=30 addresses=200 apart=0 most=3000 (connections at once) accounts=1
 *
 * Guesses come from 127.0.1.1 to 127.0.1.200; with apart=1 from 200 networks of 256 addresses each, 127.10.1.1 to 127.209.1.1. With
 * accounts=N at LOGIN and N-1 logins that do not exist. Each secret is another one.
 * A guess that finds no free connection is not made: `made` says what was reached. Prints one line of key=value.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 250, IN = 2048 };
enum step { FREE, GREETING, EHLO, READY, ASKED };

struct connection {
	SSL *ssl;
	int fd;
	enum step step;
	unsigned address, serial;
	bool shaken;
	size_t in_len;
	char in[IN];
};

static struct {
	struct sockaddr_in to;
	SSL_CTX *tls;
	SSL_SESSION *ticket;
	const char *host, *login;
	long rate, seconds, addresses, apart, most, accounts;
	long due, made, opened, wrong, refused, busy, right, failed, skipped, kept;
	struct connection *all;
	int epoll;
} at = { .rate = 2000, .seconds = 30, .addresses = 200, .most = 3000, .accounts = 1 };

static void
die(const char *what)
{
	fprintf(stderr, "guesser: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
hang_up(struct connection *c)
{
	SSL_free(c->ssl);
	(void)close(c->fd);
	c->ssl = NULL;
	c->step = FREE;
	c->serial++;
}

static void
say(struct connection *c, const char *text)
{
	/* Short lines on an idle connection: they fit. */
	if (SSL_write(c->ssl, text, (int)strlen(text)) <= 0) {
		at.failed++;
		hang_up(c);
	}
}

static void
guess(struct connection *c)
{
	unsigned char plain[400];
	char line[800] = "AUTH PLAIN ";
	long number = at.made++;
	int n;

	if (number % at.accounts == 0)
		n = snprintf((char *)plain, sizeof plain, "_%s_guess %ld", at.login, number);
	else
		n = snprintf((char *)plain, sizeof plain, "_nobody%ld_guess %ld", number % at.accounts, number);
	plain[0] = 0;
	*strchr((char *)plain + 1, '_') = 0;
	(void)EVP_EncodeBlock((unsigned char *)line + strlen(line), plain, n);
	(void)strcat(line, "\r\n");
	c->step = ASKED;
	say(c, line);
}

static void
open_connection(struct connection *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
	unsigned number = (unsigned)(at.opened++ % at.addresses);
	int one = 1;

	from.sin_addr.s_addr = htonl(at.apart ? 0x7f000101 + ((number + 10) << 16) : 0x7f000101 + number);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		die("socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if (bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0)
		die("bind");
	if (connect(c->fd, (struct sockaddr *)&at.to, sizeof at.to) != 0 && errno != EINPROGRESS)
		die("connect");
	c->ssl = SSL_new(at.tls);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
		die("TLS");
	(void)SSL_set_tlsext_host_name(c->ssl, at.host);
	if (at.ticket != NULL)
		(void)SSL_set_session(c->ssl, at.ticket);
	SSL_set_connect_state(c->ssl);
	c->shaken = false;
	c->in_len = 0;
	c->step = GREETING;
	if (epoll_ctl(at.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll");
}

/* One ticket for everybody: whoever guesses does not care what a ticket tells about him. */
static void
keep_ticket(SSL *ssl)
{
	SSL_SESSION *s = SSL_get1_session(ssl);

	if (s == NULL || !SSL_SESSION_is_resumable(s)) {
		SSL_SESSION_free(s);
		return;
	}
	SSL_SESSION_free(at.ticket);
	at.ticket = s;
}

static void
answered(struct connection *c)
{
	if (c->in[0] == '2')
		at.right++;
	else if (strncmp(c->in, "535", 3) == 0)
		at.wrong++;
	else if (strncmp(c->in, "421", 3) == 0)
		at.refused++;
	else
		at.busy++;
	c->step = READY;
	at.kept++;
}

static void
take_line(struct connection *c)
{
	if (c->in[3] == '-')
		return;
	if (strncmp(c->in, "421", 3) == 0 && c->step != ASKED) {
		at.failed += c->step != READY;
		hang_up(c);
		return;
	}
	switch (c->step) {
	case GREETING:
		if (at.ticket == NULL || !SSL_session_reused(c->ssl))
			keep_ticket(c->ssl);
		c->step = EHLO;
		say(c, "EHLO guesser.example.net\r\n");
		break;
	case EHLO:
		guess(c);
		break;
	case ASKED:
		answered(c);
		if (strncmp(c->in, "421", 3) == 0)
			hang_up(c);
		break;
	default:
		hang_up(c);
	}
}

static void
take_lines(struct connection *c)
{
	unsigned serial = c->serial;
	char *end;

	while (c->ssl != NULL && (end = memchr(c->in, '\n', c->in_len)) != NULL) {
		size_t n = (size_t)(end + 1 - c->in);

		take_line(c);
		if (c->serial != serial)
			return;
		c->in_len -= n;
		memmove(c->in, c->in + n, c->in_len);
	}
}

static void
step(struct connection *c)
{
	unsigned serial = c->serial;
	int n;

	if (c->ssl == NULL)
		return;
	if (!c->shaken) {
		n = SSL_do_handshake(c->ssl);
		if (n <= 0) {
			int e = SSL_get_error(c->ssl, n);

			if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
				return;
			at.failed++;
			hang_up(c);
			return;
		}
		c->shaken = true;
	}
	while (c->serial == serial && c->ssl != NULL) {
		n = SSL_read(c->ssl, c->in + c->in_len, (int)(sizeof c->in - 1 - c->in_len));
		if (n <= 0) {
			if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ) {
				at.failed += c->step != READY;
				hang_up(c);
			}
			ERR_clear_error();
			return;
		}
		c->in_len += (size_t)n;
		take_lines(c);
	}
}

/* A connection that may guess again, or a new one. */
static void
guess_once(void)
{
	static long from;
	struct connection *unused = NULL;

	for (long i = 0; i < at.most; i++) {
		struct connection *c = &at.all[(from + i) % at.most];

		if (c->step == READY && at.kept > 0) {
			from = (from + i + 1) % at.most;
			at.kept--;
			guess(c);
			return;
		}
		if (c->step == FREE && unused == NULL)
			unused = c;
		if (unused != NULL && at.kept <= 0)
			break;
	}
	if (unused != NULL)
		open_connection(unused);
	else
		at.skipped++;
}

static void
recount(void)
{
	at.kept = 0;
	for (long i = 0; i < at.most; i++)
		at.kept += at.all[i].step == READY;
}

static void
run(void)
{
	struct epoll_event events[512];
	double start = now(), end = start + (double)at.seconds;

	for (double t = start; t < end; t = now()) {
		long due = (long)((t - start) * (double)at.rate);
		int n;

		recount();
		/* What could not be done in time is not made up for later. */
		if (due - at.due > at.rate / 20)
			at.skipped += due - at.due - at.rate / 20, at.due = due - at.rate / 20;
		for (; at.due < due; at.due++)
			guess_once();
		n = epoll_wait(at.epoll, events, 512, 2);
		for (int i = 0; i < n; i++)
			step(events[i].data.ptr);
	}
	printf("made=%ld per_second=%.0f connections=%ld wrong=%ld refused=%ld busy=%ld right=%ld failed=%ld skipped=%ld\n", at.made,
	    (double)at.made / (now() - start), at.opened, at.wrong, at.refused, at.busy, at.right, at.failed, at.skipped);
}

static void
parse_option(const char *text)
{
	static const struct { const char *name; long *value; } longs[] = {
		{ "rate=", &at.rate }, { "seconds=", &at.seconds }, { "addresses=", &at.addresses }, { "apart=", &at.apart },
		{ "most=", &at.most }, { "accounts=", &at.accounts },
	};

	for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++)
		if (strncmp(text, longs[i].name, strlen(longs[i].name)) == 0) {
			*longs[i].value = strtol(text + strlen(longs[i].name), NULL, 10);
			return;
		}
	fprintf(stderr, "guesser: what is %s?\n", text);
	exit(64);
}

int
main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };

	if (argc < 5) {
		fprintf(stderr, "usage: guesser HOST PORT CA LOGIN [key=value ...]\n");
		return 64;
	}
	for (int i = 5; i < argc; i++)
		parse_option(argv[i]);
	if (at.addresses < 1 || at.addresses > ADDRESSES_MAX - 10 || at.most < 1 || at.accounts < 1 || strlen(argv[4]) > 200)
		return 64;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	at.host = argv[1];
	at.login = argv[4];
	at.to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(argv[2], NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	at.tls = SSL_CTX_new(TLS_client_method());
	if (at.tls == NULL || SSL_CTX_load_verify_locations(at.tls, argv[3], NULL) != 1)
		die("CA file");
	SSL_CTX_set_verify(at.tls, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_session_cache_mode(at.tls, SSL_SESS_CACHE_CLIENT);
	at.all = calloc((size_t)at.most, sizeof *at.all);
	at.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (at.all == NULL || at.epoll == -1)
		die("memory");
	run();
	return 0;
}
