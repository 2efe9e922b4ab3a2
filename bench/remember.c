/*
 * remember - what the history costs by itself: messages spread over thirty days are written, found, and half of them forgotten.
 * usage: remember DIRECTORY [MESSAGES]            the directory is made; the file stays in it
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "history/history.h"

#define DAY UINT64_C(86400000)
#define NOW UINT64_C(1763827200000)

enum { BATCH = 2000, SENDERS = 5000, RECIPIENTS = 200000 };

static double
seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
write_one(struct history *h, unsigned i, unsigned count)
{
	char name[64], sender[64], rcpt[64];
	uint64_t id = (NOW - 30 * DAY + i * (30 * DAY) / count) << 18;
	struct history_message m = { .id = id, .arrival = id >> 18, .size = 4096, .rcpts = 1, .login = SPAN_INIT("alice/laptop"),
		.peer = SPAN_INIT("192.0.2.17"), .tls = SPAN_INIT("TLSv1.3 TLS_AES_128_GCM_SHA256 x25519") };
	struct history_attempt a = { .id = id, .sequence = i + 1, .when = id >> 18, .attempt = 1, .code = 250, .took = 123,
		.status = SPAN_INIT("2.0.0"), .host = SPAN_INIT("mx1.example.net [192.0.2.25]:25"),
		.tls = SPAN_INIT("TLSv1.3 TLS_AES_256_GCM_SHA384 opportunistic"), .text = SPAN_INIT("2.0.0 Ok: queued as 4XyZabcdefgh") };

	(void)snprintf(name, sizeof name, "%u.%u@mail.example.org", i * 2654435761u, i);
	(void)snprintf(sender, sizeof sender, "user%u@example.org", i * 7919u % SENDERS);
	(void)snprintf(rcpt, sizeof rcpt, "rcpt%u@example.net", i * 104729u % RECIPIENTS);
	m.message_id = span_of(name);
	m.sender = span_of(sender);
	(void)history_add_message(h, &m);
	history_add_recipient(h, id, 0, span_of(rcpt));
	history_add_attempt(h, &a);
}

static bool
write_all(struct history *h, unsigned count)
{
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	struct history_place place = { 1, 1, 0, 0 };

	for (unsigned i = 0; i < count;) {
		history_begin(h);
		for (unsigned k = 0; k < BATCH && i < count; k++, i++)
			write_one(h, i, count);
		place.sequence = i;
		if (history_commit(h, &place) != HISTORY_FINE)
			return false;
	}
	(void)printf("written: %.2f us CPU a message, %.1f s in all\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / count,
	    seconds(CLOCK_MONOTONIC) - wall);
	return true;
}

static void on_message(void *arg, const struct history_message *m) { (void)arg, (void)m; }
static void on_recipient(void *arg, uint64_t id, uint32_t number, struct span path) { (void)arg, (void)id, (void)number, (void)path; }
static void on_attempt(void *arg, const struct history_attempt *a) { (void)arg, (void)a; }
static void on_event(void *arg, const struct history_event *e) { (void)arg, (void)e; }
static void on_gap(void *arg, uint64_t when, struct span words) { (void)arg, (void)when, (void)words; }

static void
find(struct history *h, const char *what)
{
	struct history_answer to = { on_message, on_recipient, on_attempt, on_event, on_gap, NULL };
	struct history_question q = { .what = span_of(what), .most = 20 };
	struct history_found found;
	double wall = seconds(CLOCK_MONOTONIC);

	(void)history_find(h, &q, &to, &found);
	(void)printf("found: %s, %u messages, %.2f ms\n", what, found.messages, (seconds(CLOCK_MONOTONIC) - wall) * 1e3);
}

static void
forget_half(struct history *h, unsigned count)
{
	struct history_limits half = { 15 * DAY, UINT64_MAX >> 1 };
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	enum history_fault fault;

	history_limit(h, &half);
	while (history_prune(h, NOW, &fault))
		;
	(void)printf("forgotten: %.2f us CPU a message, %.1f s in all\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 2e6 / count,
	    seconds(CLOCK_MONOTONIC) - wall);
}

static void
show_size(const char *directory, unsigned count)
{
	char path[512];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/history.db", directory);
	if (stat(path, &st) == 0)
		(void)printf("file: %lld octets, %.0f a message\n", (long long)st.st_size, (double)st.st_size / count);
}

int
main(int argc, char **argv)
{
	struct history_limits all = { 31 * DAY, UINT64_MAX >> 1 };
	struct span digits = span_of(argc > 2 ? argv[2] : "1000000");
	enum history_fault fault;
	uint64_t count = 0;
	uint8_t words[300];
	struct buf why = BUF_OVER(words);
	struct history *h = NULL;

	if (argc < 2 || !span_take_u64(&digits, &count) || !span_done(digits) || count == 0 || count > UINT32_MAX || mkdir(argv[1], 0700) != 0)
		return 64;
	h = history_open(argv[1], &all, NOW, &fault, &why);
	if (h == NULL || !write_all(h, (unsigned)count))
		return 74;
	/* Written back, and read anew. */
	history_close(h);
	show_size(argv[1], (unsigned)count);
	h = history_open(argv[1], &all, NOW, &fault, &why);
	if (h == NULL)
		return 74;
	for (unsigned i = 0; i < 2; i++) {
		find(h, "user17@example.org");
		find(h, "rcpt77@example.net");
		find(h, "nobody@example.com");
	}
	forget_half(h, (unsigned)count);
	history_close(h);
	show_size(argv[1], (unsigned)count / 2);
	return 0;
}
