/* postern audit: what an analyst would ask of a submission service. Each host is examined in a process of its own. */
#include "cmd/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "cmd/audit_find.h"
#include "cmd/audit_pace.h"
#include "cmd/audit_slow.h"
#include "cmd/commands.h"
#include "cmd/when.h"
#include "os/clock.h"
#include "os/replace.h"
#include "tls/client.h"

enum {
	MET = 0, NOT_MET = 1, NOT_EXAMINED = 2, WRONG = 64,
	HOST_SECONDS = 300,             /* one host may take so long, beside what the pace and --slow ask for */
	PATIENCE_MS = 5000,
};

/* Looked at unasked. */
static const struct { uint16_t port; enum audit_service service; } usual[] = {
	{ 465, AUDIT_SUBMISSIONS }, { 587, AUDIT_SUBMISSION }, { 25, AUDIT_SMTP },
};
enum { USUAL = sizeof usual / sizeof usual[0] };

/* ---- one host, in a process of its own ---- */

static void
put_head(const struct audit_host *h, struct buf *out)
{
	char text[WHEN_ROOM];

	(void)transcript_put_text(out, "postern-audit", "1");
	(void)transcript_put_text(out, "target", h->name);
	when_format(clock_wall(), text);
	(void)transcript_put_text(out, "at", text);
}

static void
write_whole(int fd, struct buf *out)
{
	(void)file_write(fd, buf_span(out));
	out->len = 0;
}

/* With --slow: what was seen of each endpoint waits until it is known how long it waits for clients. */
static struct slow_host {
	struct audit_slow slow;
	size_t end[AUDIT_SLOW_PLACES];  /* of what was seen of each place, in the transcript */
} held;

static void
hold(const struct endpoint *e)
{
	if (!e->secured || (e->service != AUDIT_SUBMISSIONS && e->service != AUDIT_SUBMISSION))
		return;
	if (audit_slow_add(&held.slow, e))
		held.end[held.slow.places - 1] = e->out->len;
	else
		(void)transcript_put_text(e->out, "unexamined", "time-outs: those of four other endpoints were looked at");
}

static void
write_held(struct endpoint *e, int fd)
{
	uint8_t octets[AUDIT_SLOW_TEXT];
	struct span rest = buf_span(e->out);
	size_t at = 0;

	audit_slow_wait(&held.slow, e);
	for (size_t i = 0; i < held.slow.places; i++) {
		struct buf facts = BUF_OVER(octets);

		audit_slow_tell(&held.slow, i, &facts);
		(void)file_write(fd, span_head(rest, held.end[i] - at));
		(void)file_write(fd, buf_span(&facts));
		span_skip(&rest, held.end[i] - at);
		at = held.end[i];
	}
	(void)file_write(fd, rest);
	e->out->len = 0;
}

/* Everything about an endpoint that is the same for all of them. */
static struct endpoint *
endpoint_of(const struct audit *a, struct audit_dns *dns, struct buf *out)
{
	static struct endpoint e;

	e = (struct endpoint){ .patience = a->patience, .examiner = a->examiner, .dns = dns, .active = a->active,
		.login = a->login.name != NULL ? &a->login : NULL, .out = out };
	return &e;
}

/* The one port of a host at each of its addresses. */
static void
probe_place(const struct audit *a, struct audit_dns *dns, const struct audit_place *place, struct buf *out, int fd)
{
	char address[AUDIT_ADDRESSES_MAX][64];
	size_t n = audit_addresses(dns, place->host, address, out);

	for (size_t i = 0; i < n; i++) {
		struct endpoint *e = endpoint_of(a, dns, out);

		e->host = place->host;
		e->port = place->port;
		e->service = place->service;
		e->vouched = place->vouched;
		e->fd = a->slow == 0 ? fd : -1;
		memcpy(e->address, address[i], sizeof e->address);
		audit_probe(e);
		if (a->slow != 0)
			hold(e);
	}
}

/* Before any endpoint begins, so that it is told of the target which host has no address; there is nothing to examine. */
static void
drop_unknown(struct audit_dns *dns, struct audit_places *p, struct buf *out)
{
	char address[AUDIT_ADDRESSES_MAX][64];
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++)
		if (audit_addresses(dns, p->place[i].host, address, out) > 0)
			p->place[kept++] = p->place[i];
	p->count = kept;
}

static void
usual_places(const struct audit_host *h, struct audit_places *p)
{
	p->count = h->port != 0 ? 1 : USUAL;
	for (size_t i = 0; i < p->count; i++)
		p->place[i] = audit_place_of(h->name, h->port != 0 ? h->port : usual[i].port, h->port != 0 ? h->service : usual[i].service, true);
}

static void
probe_host(const struct audit *a, const struct audit_host *h, struct buf *out, int fd)
{
	static struct audit_places places;
	struct audit_dns *dns = audit_dns_open(a->resolver, a->trust_anchor, a->patience);

	put_head(h, out);
	write_whole(fd, out);
	audit_pace_begin(a->pace);
	held.slow.most = (uint64_t)a->slow * 1000;
	if (h->domain)
		audit_find(dns, &(struct audit_web){ a->ca_file, (uint16_t)a->autoconfig_port, a->patience }, h->name, &places, out);
	else
		usual_places(h, &places);
	drop_unknown(dns, &places, out);
	for (size_t i = 0; i < places.count; i++)
		probe_place(a, dns, &places.place[i], out, fd);
	if (held.slow.places > 0)
		write_held(endpoint_of(a, dns, out), fd);
	audit_dns_close(dns);
}

static bool
begin(struct audit *a, struct audit_host *h)
{
	int ends[2], error;

	h->text = malloc(TRANSCRIPT_MAX);
	if (h->text == NULL || pipe2(ends, O_CLOEXEC) == -1)
		return false;
	h->pid = fork();
	if (h->pid == 0) {
		struct buf out = { h->text, 0, TRANSCRIPT_MAX };

		(void)signal(SIGPIPE, SIG_IGN);
		probe_host(a, h, &out, ends[1]);
		write_whole(ends[1], &out);
		_exit(0);
	}
	error = errno;
	(void)close(ends[1]);
	if (h->pid == -1) {
		(void)close(ends[0]);
		errno = error;
		return false;
	}
	h->fd = ends[0];
	h->began = clock_run();
	return true;
}

/* What is missing is missing at the endpoint that it was at. */
static void
put_broken_off(struct audit_host *h, const char *why)
{
	struct buf b = { h->text, h->len, TRANSCRIPT_MAX };

	while (b.len > 0 && b.p[b.len - 1] != '\n')
		b.len--;
	if (b.len > 0)
		(void)transcript_put_text(&b, "unexamined", why);
	h->len = b.len;
}

/* why: it is broken off; NULL: as it says itself. */
static void
finish(struct audit_host *h, const char *why)
{
	int status = 0;

	(void)close(h->fd);
	h->fd = -1;
	(void)waitpid(h->pid, &status, 0);
	if (why != NULL || status != 0)
		put_broken_off(h, why != NULL ? why : "the rest: the examination ended in the middle");
	h->done = true;
}

/* ---- all of them ---- */

static void
receive(struct audit_host *h)
{
	ssize_t n = read(h->fd, h->text + h->len, TRANSCRIPT_MAX - h->len);

	if (n > 0)
		h->len += (size_t)n;
	else if (n == 0 || errno != EINTR)
		finish(h, NULL);
}

/* How long one host may take: longer when it is we who wait. */
static unsigned
seconds_for(const struct audit *a)
{
	unsigned pace = a->pace != AUDIT_PACE_USUAL ? a->pace : 0;

	return HOST_SECONDS + pace * (AUDIT_CONNECTIONS / 1000) + 2 * a->slow;
}

static void
give_up(const struct audit *a, struct audit_host *h)
{
	char words[80];

	(void)kill(h->pid, SIGKILL);
	(void)snprintf(words, sizeof words, "the rest: the examination took more than %u s", seconds_for(a));
	finish(h, words);
}

/* Wait for those that run, a second at most; whoever takes too long is ended. */
static void
attend(struct audit *a)
{
	struct pollfd p[AUDIT_PARALLEL_MAX];
	struct audit_host *who[AUDIT_PARALLEL_MAX];
	nfds_t n = 0;

	for (size_t i = 0; i < a->hosts && n < AUDIT_PARALLEL_MAX; i++)
		if (a->host[i].fd != -1) {
			who[n] = &a->host[i];
			p[n++] = (struct pollfd){ a->host[i].fd, POLLIN, 0 };
		}
	(void)poll(p, n, 1000);
	for (nfds_t i = 0; i < n; i++) {
		if (clock_run() - who[i]->began > seconds_for(a) * 1000ull)
			give_up(a, who[i]);
		else if (p[i].revents != 0)
			receive(who[i]);
	}
}

static void
save(struct audit *a, const struct audit_host *h)
{
	if (a->saved == NULL || (fwrite(h->text, 1, h->len, a->saved) == h->len && fflush(a->saved) == 0))
		return;
	(void)audit_misused(a->save, strerror(errno));
	a->status = NOT_EXAMINED;
}

static void
judge(struct audit *a, struct span text)
{
	enum audit_outcome outcome = audit_report(&a->report, text);

	if (outcome == AUDIT_NOT_EXAMINED)
		a->status = NOT_EXAMINED;
	else if (outcome == AUDIT_NOT_MET && a->status == MET)
		a->status = NOT_MET;
}

static void
report_done(struct audit *a, size_t *next)
{
	for (; *next < a->hosts && a->host[*next].done; (*next)++) {
		struct audit_host *h = &a->host[*next];

		save(a, h);
		if (a->watch_file != NULL)
			audit_watch_take(&a->watch, (struct span){ h->text, h->len });
		judge(a, (struct span){ h->text, h->len });
		(void)fflush(stdout);
		free(h->text);
		h->text = NULL;
	}
}

static void
examine_all(struct audit *a)
{
	size_t started = 0, reported = 0;

	while (reported < a->hosts) {
		size_t running = 0;

		for (size_t i = 0; i < started; i++)
			running += a->host[i].fd != -1;
		for (; started < a->hosts && running < a->parallel; started++, running++)
			if (!begin(a, &a->host[started])) {
				(void)fprintf(stderr, "postern audit: %s: %s\n", a->host[started].name, strerror(errno));
				a->host[started].done = true;
			}
		attend(a);
		report_done(a, &reported);
	}
}

/* What is longer than we write them is none of ours, and would only cost memory. */
static void
judge_one(void *arg, struct span text)
{
	struct audit *a = arg;

	if (text.len <= TRANSCRIPT_MAX) {
		judge(a, text);
		return;
	}
	(void)fprintf(stderr, "postern audit: %s: a transcript of more than 1 MiB was not judged\n", a->judge);
	a->status = NOT_EXAMINED;
}

static int
judge_file(struct audit *a)
{
	if (audit_judge_file(a->judge, judge_one, a))
		return a->status;
	if (errno != EFBIG && errno != ENODATA)
		return audit_misused(a->judge, strerror(errno));
	(void)fprintf(stderr, "postern audit: %s: %s\n", a->judge, errno == ENODATA ? "is empty" :
	    "is longer than 64 MiB; the transcripts that do not lie whole before that were not judged");
	return NOT_EXAMINED;
}

/* What goes beyond looking is said before it is done. */
static void
announce(const struct audit *a)
{
	if (a->judge == NULL && a->login.name != NULL)
		(void)fprintf(stderr, "postern audit: logs in as %s wherever the certificate verifies, and asks for a foreign reverse-path\n", a->login.name);
	if (a->judge == NULL && a->active)
		(void)fputs("postern audit: begins messages to nobody@example.com at each endpoint and breaks them off\n", stderr);
	if (a->judge == NULL && a->slow != 0)
		(void)fprintf(stderr, "postern audit: keeps up to %u connections to each endpoint open and silent, for %u s at most\n", AUDIT_SLOW_WAYS, a->slow);
}

/* Who trusts nobody would accuse everybody. */
static bool
trust(struct audit *a)
{
	char text[600];
	struct buf why = { (uint8_t *)text, 0, sizeof text - 1 };

	if (a->judge == NULL && a->ca_file == NULL && !tls_system_trusts(&why)) {
		(void)fprintf(stderr, "postern audit: %s; --ca-file names others\n", text);
		return false;
	}
	a->examiner = tls_examiner_new(a->ca_file, &why);
	if (a->examiner == NULL)
		(void)fprintf(stderr, "postern audit: %.*s\n", (int)why.len, text);
	return a->examiner != NULL;
}

static int
run(struct audit *a)
{
	if (!trust(a))
		return a->ca_file != NULL ? WRONG : NOT_EXAMINED;
	(void)signal(SIGPIPE, SIG_IGN);
	if (a->watch_file != NULL && !audit_watch_open(&a->watch, a->watch_file))
		return audit_misused(a->watch_file, strerror(errno));
	announce(a);
	a->report.format->begin();
	if (a->judge != NULL)
		a->status = judge_file(a);
	else
		examine_all(a);
	a->report.format->end();
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		(void)audit_misused("standard output", "the report could not be written");
		a->status = NOT_EXAMINED;
	}
	if (a->watch_file != NULL && !audit_watch_close(&a->watch)) {
		(void)audit_misused(a->watch_file, a->watch.full ? "has grown beyond 64 MiB" : strerror(errno));
		a->status = NOT_EXAMINED;
	}
	tls_examiner_free(a->examiner);
	return a->status;
}

int
command_audit(int argc, char **argv)
{
	static struct audit a = { .parallel = 8, .patience = PATIENCE_MS, .pace = AUDIT_PACE_USUAL, .autoconfig_port = 443,
		.report = { .format = &audit_as_text, .policy = { .from = SEVERITY_HIGH } } };
	int status = audit_arguments(&a, argc, argv);

	if (status == 0)
		status = run(&a);
	wipe(a.login.password, sizeof a.login.password);
	return status == AUDIT_HELPED ? MET : status;
}
