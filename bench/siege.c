/*
 * siege.c - many connections that mean ill, or one that means well and measures how it is served beside them.
 *
 * usage: siege ATTACK HOST SUBMISSIONS_PORT SUBMISSION_PORT CA LOGIN:PASSWORD FROM [key=value ...]
 *   connections=200   at a time            seconds=10     then it ends; earlier when standard input does
 *   rate=1000         new ones a second    addresses=200  of 127.NET.x.y that they come from; net=0
 *   octets=1000000    of one connection    seed=1         of what is random
 *   every=50          ms between two honest messages, size=2000 of each; patience=30 s until one counts as failed
 *
 * half-open      nothing, or half a ClientHello, and then silence       slow-reader  pipelines commands and reads no reply
 * slow-writer    an octet a second: hello, command, DATA, BDAT          garbage      noise in clear, as TLS records, inside TLS
 * greedy         logged in: transactions begun and reset, chunks of one octet
 * churn          handshakes cut off, renegotiation, key updates, STARTTLS and gone
 * guess          wrong passwords; guess-and-run does not wait for the answer
 * idle           logs in and says nothing more                          probe        honest: a message every so often
 *
 * Only on loopback. What closes is opened again. A line of key=value at the end, and for each '?' that standard input brings.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "siege.h"

enum { EVENTS = 256, PER_NET = 250, CONNECTIONS_MAX = 100000, SECONDS_MAX = 86400, ADDRESSES_MAX = 60000 };

struct siege siege = {
	.connections = 200, .seconds = 10, .rate = 1000, .addresses = 200, .seed = 1, .octets = 1000000, .every = 50, .size = 2000,
	.patience = 30,
};
static struct party *parties;

/* ---- figures ---- */

static void
report(void)
{
	printf("attack=%s opened=%ld refused=%ld there=%ld held=%ld held_max=%ld ended=%ld left=%ld replies=%ld guesses=%ld octets_out=%llu "
	       "accepted=%ld failed=%ld p50_ms=%.1f p99_ms=%.1f max_ms=%.1f auth_p50_ms=%.1f auth_p99_ms=%.1f\n",
	    siege.attack->name, siege.opened, siege.refused, siege.there, siege.held, siege.held_max, siege.ended, siege.left,
	    siege.replies, siege.guesses, (unsigned long long)siege.octets_out, siege.accepted, siege.failed,
	    samples_at(&siege.whole, 0.5), samples_at(&siege.whole, 0.99), samples_at(&siege.whole, 1), samples_at(&siege.proof, 0.5),
	    samples_at(&siege.proof, 0.99));
	(void)fflush(stdout);
}

/* False: whoever started us wants the end. */
static bool
hear(void)
{
	char asked[16];
	ssize_t n = read(STDIN_FILENO, asked, sizeof asked);

	for (ssize_t i = 0; i < n; i++)
		if (asked[i] == '?')
			report();
	return n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR));
}

/* ---- opening ---- */

static struct in_addr
source(long number)
{
	uint32_t n = (uint32_t)(number % siege.addresses);

	return (struct in_addr){ htonl(UINT32_C(127) << 24 | (uint32_t)siege.net << 16 | (1 + n / PER_NET) << 8 | (1 + n % PER_NET)) };
}

static struct party *
free_place(void)
{
	static long last;

	for (long i = 0; i < siege.connections; i++) {
		last = (last + 1) % siege.connections;
		if (parties[last].stage == PARTY_FREE)
			return &parties[last];
	}
	return NULL;
}

/* As many as are due by now. Who has no place waits, but not for more than the last tenth of a second's worth. */
static void
open_due(double now)
{
	static double next;
	double gap = siege.attack->honest ? (double)siege.every / 1e3 : 1.0 / (double)siege.rate;
	struct party *p;

	if (next < now - 0.1)
		next = now - 0.1;
	while (next <= now) {
		if (siege.held >= siege.connections || (p = free_place()) == NULL) {
			siege.failed += siege.attack->honest;
			next += gap;
			break;
		}
		party_open(p, &siege.attack->variant[siege.opened % siege.attack->variants], source(siege.opened));
		next += gap;
	}
}

/* ---- once a second ---- */

static void
tick(void)
{
	for (struct party *p = parties; p < parties + siege.connections; p++) {
		if (p->stage == PARTY_FREE)
			continue;
		if (siege.attack->honest && seconds_since(&p->begun) > (double)siege.patience)
			party_close(p, false, "it took too long");
		else if (p->stage == PARTY_THERE && p->variant->tick != NULL)
			p->variant->tick(p);
		if (p->stage != PARTY_FREE && p->out_len > 0)
			party_ready(p, 0);
	}
}

static void
run(void)
{
	struct timespec begun = client_now();
	struct epoll_event events[EVENTS];
	double now, ticked = 0;
	bool wanted = true;

	while (wanted && (now = seconds_since(&begun)) < (double)siege.seconds) {
		int n;

		open_due(now);
		if (now - ticked >= 1) {
			tick();
			ticked = now;
		}
		n = epoll_wait(siege.epoll, events, EVENTS, siege.attack->honest ? 2 : 5);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				wanted = hear();
			else
				party_ready(events[i].data.ptr, events[i].events);
		}
	}
}

/* ---- beginning ---- */

static _Noreturn void
usage(const char *what)
{
	fprintf(stderr, "siege: %s\nusage: siege ATTACK HOST SUBMISSIONS_PORT SUBMISSION_PORT CA LOGIN:PASSWORD FROM [key=value ...]\n"
	    "attacks:", what);
	for (const struct attack *a = attacks; a->name != NULL; a++)
		fprintf(stderr, " %s", a->name);
	fprintf(stderr, "\n");
	exit(64);
}

static void
take_options(char **options)
{
	static const struct client_option longs[] = {
		{ "connections", &siege.connections }, { "seconds", &siege.seconds }, { "rate", &siege.rate }, { "seed", &siege.seed },
		{ "addresses", &siege.addresses }, { "net", &siege.net }, { "octets", &siege.octets }, { "every", &siege.every },
		{ "size", &siege.size }, { "patience", &siege.patience }, { NULL, NULL },
	};

	for (; *options != NULL; options++)
		if (!client_option(*options, longs))
			usage(*options);
	if (siege.connections < 1 || siege.connections > CONNECTIONS_MAX || siege.seconds > SECONDS_MAX || siege.rate < 1 ||
	    siege.every < 1 || siege.addresses < 1 || siege.addresses > ADDRESSES_MAX || siege.net > 255 || siege.size > 64L << 20)
		usage("a number that is too small or too big");
}

static struct sockaddr_in
loopback(const char *port)
{
	char *end;
	long number = strtol(port, &end, 10);

	if (end == port || *end != '\0' || number < 1 || number > 65535)
		usage(port);
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)number),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A place and a descriptor for each. */
static void
make_room(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_cur != RLIM_INFINITY && (rlim_t)siege.connections + 20 > limit.rlim_cur) {
			siege.connections = (long)limit.rlim_cur - 20;
			fprintf(stderr, "siege: only %ld connections: the limit of open files is %ld\n", siege.connections,
			    (long)limit.rlim_cur);
		}
	}
	parties = calloc((size_t)siege.connections, sizeof *parties);
	if (parties == NULL)
		die("memory");
}

static void
set_up(char **argv)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };

	for (siege.attack = attacks; siege.attack->name != NULL && strcmp(siege.attack->name, argv[1]) != 0; siege.attack++)
		;
	if (siege.attack->name == NULL)
		usage(argv[1]);
	take_options(argv + 8);
	siege.host = argv[2];
	siege.implicit = loopback(argv[3]);
	siege.clear = loopback(argv[4]);
	siege.tls = client_tls(argv[5]);
	if (!siege.attack->honest)
		SSL_CTX_set_verify(siege.tls, SSL_VERIFY_NONE, NULL);
	client_auth_line(siege.auth, argv[6]);
	argv[6][strcspn(argv[6], ":")] = '\0';
	siege.login = argv[6];
	siege.from = argv[7];
	siege.content = client_message(siege.from, siege.size, &siege.content_len);
	make_room();
	siege.epoll = epoll_create1(EPOLL_CLOEXEC);
	(void)fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	/* A file or /dev/null cannot be watched; then only the time ends us. */
	(void)epoll_ctl(siege.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &e);
	(void)signal(SIGPIPE, SIG_IGN);
}

int
main(int argc, char **argv)
{
	if (argc < 8)
		usage("too few arguments");
	set_up(argv);
	run();
	report();
	return siege.attack->honest && siege.failed > 0;
}
