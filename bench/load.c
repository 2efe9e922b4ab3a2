/*
 * load.c - many submitting clients in one process: TLS, AUTH PLAIN, messages, and how long each final 250 took.
 *
 * usage: load HOST PORT CA LOGIN:PASSWORD FROM [key=value ...]
 *   connections=40 messages=100 size=4096 recipients=1 pipeline=0 mode=send|handshake|resume|idle count=1000
 *   domains=0 letter=0 mix=0 tag=0 pause=0      for bench/road: recipients in so many domains, see there and bench/road_hops.c
 *
 * mode=send       connections in parallel, messages on each, then QUIT; with churn=N, N connections one after another in each slot
 * mode=handshake  count full handshakes, each with EHLO and QUIT; mode=resume the same with a session ticket
 * mode=idle       count authenticated sessions are held open until standard input ends
 *
 * Prints one line of key=value.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"

enum { LINE = 4096, RECORD = 16384, CONNECTIONS_MAX = 20000 };
enum step { GREETING, EHLO, AUTH, MAIL, RCPT, DATA, CONTENT, QUIT, HELD };
enum mode { MODE_SEND, MODE_HANDSHAKE, MODE_RESUME, MODE_IDLE };

struct connection {
	SSL *ssl;
	int fd;
	bool shaken;
	long generation;                /* changes when the slot is used anew: an SSL may get the old one's address */
	enum step step;
	long left;                      /* messages still to send on this connection */
	long recipients;
	int replies_wanted;             /* of a pipelined group */
	struct timespec dotted;
	size_t in_len;
	const char *out;                /* what is being written */
	size_t out_len;
	char *first;                    /* the message's first record; malloc'ed */
	const char *rest;               /* and what follows it */
	size_t rest_len;
	char in[LINE];
	char command[LINE];
};

static struct {
	struct sockaddr_in to;
	SSL_CTX *tls;
	SSL_SESSION *ticket;
	const char *host, *from;
	char auth[CLIENT_AUTH_MAX];
	char *content;
	size_t content_len;
	long connections, messages, size, recipients, pipeline, count, churn;
	long domains, letter, mix, tag, pause, next;    /* next: number of the next recipient */
	enum mode mode;
	long opened, finished, accepted, held, failed;
	struct samples latency;
	int epoll;
} at = { .connections = 40, .messages = 100, .size = 4096, .recipients = 1, .count = 1000, .churn = 1 };

static void
say(struct connection *c, enum step step, const char *text)
{
	c->step = step;
	c->out = text;
	c->out_len = strlen(text);
}

static void open_next(struct connection *c);

static void
hang_up(struct connection *c, bool well)
{
	if (c->ssl != NULL) {
		if (at.mode == MODE_RESUME && well) {
			SSL_SESSION *s = SSL_get1_session(c->ssl);

			if (s != NULL && SSL_SESSION_is_resumable(s)) {
				SSL_SESSION_free(at.ticket);
				at.ticket = s;
			} else {
				SSL_SESSION_free(s);
			}
		}
		if (well)
			(void)SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	if (c->fd != -1)
		(void)close(c->fd);
	c->ssl = NULL;
	c->fd = -1;
	at.finished++;
	if (!well)
		at.failed++;
	open_next(c);
}

/* Whom the next RCPT names; one domain of ten is bad with `mix`, in one way after the other. */
static void
next_rcpt(char *out, size_t room, long recipient)
{
	static const char letters[] = "hsdgmqp", bad[] = "sdgmq";
	long n = at.domains > 0 ? at.next++ % at.domains : 0;
	char letter = at.mix && n % 10 == 0 ? bad[n / 10 % 5] : letters[at.letter];

	if (at.domains > 0)
		(void)snprintf(out, room, "RCPT TO:<sink@%c%ld.road.net>\r\n", letter, n);
	else
		(void)snprintf(out, room, "RCPT TO:<sink%ld@example.net>\r\n", recipient);
}

static void
begin_message(struct connection *c)
{
	size_t n = (size_t)snprintf(c->command, sizeof c->command, "MAIL FROM:<%s>\r\n", at.from);

	if (c->left-- == 0) {
		say(c, QUIT, "QUIT\r\n");
		return;
	}
	/* With one connection there is nothing else to do meanwhile. */
	if (at.pause > 0)
		(void)usleep((useconds_t)at.pause * 1000);
	c->recipients = at.recipients;
	if (at.pipeline && at.recipients < 60) {
		for (long i = 0; i < at.recipients; i++) {
			next_rcpt(c->command + n, sizeof c->command - n, i);
			n += strlen(c->command + n);
		}
		(void)snprintf(c->command + n, sizeof c->command - n, "DATA\r\n");
		c->replies_wanted = (int)at.recipients + 1;
	}
	say(c, MAIL, c->command);
}

/* Each has a Message-ID of its own, in the same TLS record as what follows. */
static void
begin_content(struct connection *c)
{
	static long number;
	size_t n, part;

	if (c->first == NULL && (c->first = malloc(RECORD)) == NULL)
		die("memory");
	c->dotted = client_now();
	n = (size_t)snprintf(c->first, RECORD, "Message-ID: <%ld.%d.load@example.org>\r\n", number++, (int)getpid());
	if (at.domains > 0)
		n += (size_t)snprintf(c->first + n, RECORD - n, "X-Stamp: %lld %ld\r\n",
		    (long long)c->dotted.tv_sec * 1000000000 + c->dotted.tv_nsec, at.tag);
	part = at.content_len < RECORD - n ? at.content_len : RECORD - n;
	memcpy(c->first + n, at.content, part);
	c->step = CONTENT;
	c->out = c->first;
	c->out_len = n + part;
	c->rest = at.content + part;
	c->rest_len = at.content_len - part;
}

static void
note_latency(struct connection *c)
{
	samples_add(&at.latency, seconds_since(&c->dotted));
	at.accepted++;
}

/* A whole reply with this first digit has come. */
static void
advance(struct connection *c, char digit)
{
	if (digit != '2' && digit != '3') {
		if (at.failed == 0)
			fprintf(stderr, "load: refused in step %d: %.100s\n", (int)c->step, c->in);
		hang_up(c, false);
		return;
	}
	switch (c->step) {
	case GREETING:
		say(c, EHLO, "EHLO load.example.org\r\n");
		break;
	case EHLO:
		if (at.mode == MODE_HANDSHAKE || at.mode == MODE_RESUME)
			say(c, QUIT, "QUIT\r\n");
		else
			say(c, AUTH, at.auth);
		break;
	case AUTH:
		if (at.mode == MODE_IDLE) {
			c->step = HELD;
			if (++at.held == at.count) {
				printf("held=%ld\n", at.held);
				(void)fflush(stdout);
			}
			open_next(NULL);
		} else {
			begin_message(c);
		}
		break;
	case MAIL:
		if (c->replies_wanted > 0 && c->replies_wanted-- > 0) {
			if (c->replies_wanted == 0)
				c->step = DATA;
			break;
		}
		/* fall through */
	case RCPT:
		if (c->recipients-- > 0) {
			next_rcpt(c->command, sizeof c->command, c->recipients);
			say(c, RCPT, c->command);
		} else {
			say(c, DATA, "DATA\r\n");
		}
		break;
	case DATA:
		begin_content(c);
		break;
	case CONTENT:
		note_latency(c);
		begin_message(c);
		break;
	case QUIT:
		hang_up(c, true);
		break;
	case HELD:
		hang_up(c, false);
		break;
	}
}

static void
read_replies(struct connection *c)
{
	char *end;

	c->in[c->in_len] = 0;
	while (c->ssl != NULL && (end = memchr(c->in, '\n', c->in_len)) != NULL) {
		bool last = c->in_len > 3 && c->in[3] != '-';
		char digit = c->in[0];
		size_t n = (size_t)(end + 1 - c->in);
		long before = c->generation;

		if (last)
			advance(c, digit);
		if (c->ssl == NULL || c->generation != before)
			return;
		c->in_len -= n;
		memmove(c->in, c->in + n, c->in_len);
	}
}

static void
poll_for(struct connection *c, int ssl_error)
{
	struct epoll_event e = { .events = ssl_error == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN, .data.ptr = c };

	(void)epoll_ctl(at.epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static bool
write_out(struct connection *c)
{
	while (c->ssl != NULL && c->out_len > 0) {
		int n = SSL_write(c->ssl, c->out, c->out_len > RECORD ? RECORD : (int)c->out_len);

		if (n <= 0) {
			poll_for(c, SSL_get_error(c->ssl, n));
			return false;
		}
		c->out += n;
		c->out_len -= (size_t)n;
		if (c->out_len == 0 && c->rest_len > 0) {
			c->out = c->rest;
			c->out_len = c->rest_len;
			c->rest_len = 0;
		}
		if (c->out_len == 0)
			poll_for(c, SSL_ERROR_WANT_READ);
	}
	return true;
}

static void
step(struct connection *c)
{
	int n;

	if (!c->shaken) {
		n = SSL_do_handshake(c->ssl);
		if (n <= 0) {
			int e = SSL_get_error(c->ssl, n);

			if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
				poll_for(c, e);
			else {
				if (at.failed == 0)
					ERR_print_errors_fp(stderr);
				hang_up(c, false);
			}
			return;
		}
		c->shaken = true;
		poll_for(c, SSL_ERROR_WANT_READ);
	}
	for (;;) {
		long before = c->generation;

		if (!write_out(c) || c->ssl == NULL)
			return;
		n = SSL_read(c->ssl, c->in + c->in_len, (int)(sizeof c->in - 1 - c->in_len));
		if (n <= 0) {
			int e = SSL_get_error(c->ssl, n);

			if (e != SSL_ERROR_WANT_READ)
				hang_up(c, false);
			return;
		}
		c->in_len += (size_t)n;
		read_replies(c);
		if (c->ssl == NULL || c->generation != before)
			return;
	}
}

static long
wanted(void)
{
	return at.mode == MODE_SEND ? at.connections * at.churn : at.count;
}

static void
open_connection(struct connection *c)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };

	free(c->first);
	memset(c, 0, sizeof *c);
	c->generation = at.opened;
	c->left = at.messages;
	c->fd = client_connect(&at.to, (struct in_addr){ htonl(INADDR_ANY) });
	if (c->fd == -1)
		die("connect");
	c->ssl = client_ssl(at.tls, c->fd, at.host);
	if (at.mode == MODE_RESUME && at.ticket != NULL)
		(void)SSL_set_session(c->ssl, at.ticket);
	if (epoll_ctl(at.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll");
	at.opened++;
}

/* c is free again; NULL: take a new one (idle mode opens them one by one). */
static void
open_next(struct connection *c)
{
	if (at.opened >= wanted())
		return;
	if (c == NULL)
		c = calloc(1, sizeof *c);
	if (c == NULL)
		die("memory");
	open_connection(c);
}

static void
report(double took)
{
	printf("accepted=%ld failed=%ld connections=%ld seconds=%.4f per_second=%.1f p50_ms=%.3f p99_ms=%.3f\n", at.accepted,
	    at.failed, at.finished, took, (double)(at.accepted > 0 ? at.accepted : at.finished) / took,
	    samples_at(&at.latency, 0.5) * 1e3, samples_at(&at.latency, 0.99) * 1e3);
}

static void
parse_option(const char *text)
{
	static const struct client_option longs[] = {
		{ "connections", &at.connections }, { "messages", &at.messages }, { "size", &at.size }, { "recipients", &at.recipients },
		{ "pipeline", &at.pipeline }, { "count", &at.count }, { "churn", &at.churn }, { "domains", &at.domains },
		{ "letter", &at.letter }, { "mix", &at.mix }, { "tag", &at.tag }, { "pause", &at.pause }, { NULL, NULL },
	};
	static const char *const modes[] = { "mode=send", "mode=handshake", "mode=resume", "mode=idle" };

	if (client_option(text, longs))
		return;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(text, modes[i]) == 0) {
			at.mode = (enum mode)i;
			return;
		}
	fprintf(stderr, "load: what is %s?\n", text);
	exit(64);
}

static void
set_up(int argc, char **argv)
{
	for (int i = 6; i < argc; i++)
		parse_option(argv[i]);
	at.to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(argv[2], NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	at.host = argv[1];
	at.from = argv[5];
	at.tls = client_tls(argv[3]);
	if (at.mode == MODE_RESUME)
		(void)SSL_CTX_set_session_cache_mode(at.tls, SSL_SESS_CACHE_CLIENT);
	client_auth_line(at.auth, argv[4]);
	at.content = client_message(at.from, at.size, &at.content_len);
	at.epoll = epoll_create1(EPOLL_CLOEXEC);
}

int
main(int argc, char **argv)
{
	struct timespec start;
	struct epoll_event events[256];

	if (argc < 6) {
		fprintf(stderr, "usage: load HOST PORT CA LOGIN:PASSWORD FROM [key=value ...]\n");
		return 64;
	}
	set_up(argc, argv);
	start = client_now();
	for (long i = 0; i < (at.mode == MODE_IDLE ? 8 : at.connections); i++)
		open_next(NULL);
	while (at.finished < wanted() && (at.mode != MODE_IDLE || at.held + at.failed < at.count)) {
		int n = epoll_wait(at.epoll, events, 256, 60000);

		if (n == 0) {
			fprintf(stderr, "load: nothing came for a minute\n");
			break;
		}
		for (int i = 0; i < n; i++)
			step(events[i].data.ptr);
	}
	if (at.mode == MODE_IDLE)
		while (getchar() != EOF)
			;
	report(seconds_since(&start));
	return at.failed > 0;
}
