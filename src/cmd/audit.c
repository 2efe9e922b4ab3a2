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
#include <time.h>
#include <unistd.h>

#include "base/secret.h"
#include "cmd/commands.h"

enum {
	MET = 0, NOT_MET = 1, NOT_EXAMINED = 2,
	HOST_SECONDS = 300,             /* one host may take so long */
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
	char text[40];
	time_t now = time(NULL);
	struct tm tm;

	(void)transcript_put(out, "postern-audit", SPAN("1"));
	(void)transcript_put(out, "target", span_of(h->name));
	if (gmtime_r(&now, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		(void)transcript_put(out, "at", span_of(text));
}

/* Piece by piece, so that what was seen until then is kept when the rest takes too long. */
static void
write_whole(int fd, struct buf *out)
{
	struct span s = buf_span(out);

	while (!span_done(s)) {
		ssize_t n = write(fd, s.p, s.len);

		if (n == -1 && errno != EINTR)
			return;
		span_skip(&s, n > 0 ? (size_t)n : 0);
	}
	out->len = 0;
}

/* The one port of a host at each of its addresses. */
static void
probe_place(const struct audit *a, struct audit_dns *dns, const struct audit_place *place, struct buf *out, int fd)
{
	static struct endpoint e;
	char address[AUDIT_ADDRESSES_MAX][64];
	size_t n = audit_addresses(dns, place->host, address, out);

	for (size_t i = 0; i < n; i++) {
		e = (struct endpoint){ .host = place->host, .port = place->port, .service = place->service, .patience = a->patience,
			.examiner = a->examiner, .dns = dns, .login = a->login.name != NULL ? &a->login : NULL, .active = a->active, .out = out };
		memcpy(e.address, address[i], sizeof e.address);
		audit_probe(&e);
		write_whole(fd, out);
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
	for (size_t i = 0; i < p->count; i++) {
		p->place[i] = (struct audit_place){ .port = h->port != 0 ? h->port : usual[i].port,
			.service = h->port != 0 ? h->service : usual[i].service };
		memcpy(p->place[i].host, h->name, sizeof h->name);
	}
}

static void
probe_host(const struct audit *a, const struct audit_host *h, struct buf *out, int fd)
{
	static struct audit_places places;
	const char *anchor = a->trust_anchor != NULL ? a->trust_anchor : access(AUDIT_TRUST_ANCHOR, R_OK) == 0 ? AUDIT_TRUST_ANCHOR : NULL;
	struct audit_dns *dns = audit_dns_open(a->resolver, anchor, a->patience);

	put_head(h, out);
	if (h->domain)
		audit_find(dns, h->name, &places, out);
	else
		usual_places(h, &places);
	drop_unknown(dns, &places, out);
	for (size_t i = 0; i < places.count; i++)
		probe_place(a, dns, &places.place[i], out, fd);
	audit_dns_close(dns);
}

static bool
begin(struct audit *a, struct audit_host *h)
{
	int ends[2];

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
	(void)close(ends[1]);
	h->fd = ends[0];
	h->began = audit_now();
	h->begun = h->pid != -1;
	return h->begun;
}

static void
finish(struct audit_host *h)
{
	(void)close(h->fd);
	h->fd = -1;
	(void)waitpid(h->pid, NULL, 0);
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
		finish(h);
}

static void
give_up(struct audit_host *h)
{
	struct buf b = { h->text, h->len, TRANSCRIPT_MAX };

	(void)kill(h->pid, SIGKILL);
	(void)transcript_put(&b, "hostile", SPAN("the examination took more than five minutes"));
	h->len = b.len;
	finish(h);
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
		if (audit_now() - who[i]->began > HOST_SECONDS * 1000u)
			give_up(who[i]);
		else if (p[i].revents != 0)
			receive(who[i]);
	}
}

static void
save(const struct audit *a, const struct audit_host *h)
{
	FILE *f = a->save != NULL ? fopen(a->save, "ae") : NULL;

	if (a->save == NULL)
		return;
	if (f == NULL || fwrite(h->text, 1, h->len, f) != h->len)
		(void)fprintf(stderr, "postern audit: %s: %s\n", a->save, strerror(errno));
	if (f != NULL)
		(void)fclose(f);
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

static void
judge_one(void *arg, struct span text)
{
	judge(arg, text);
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
}

int
command_audit(int argc, char **argv)
{
	static struct audit a = { .parallel = 8, .patience = PATIENCE_MS, .report = { .format = &audit_as_text, .policy = { .from = SEVERITY_HIGH } } };
	char text[400];
	struct buf why = { (uint8_t *)text, 0, sizeof text - 1 };
	int status;

	status = audit_arguments(&a, argc, argv);
	if (status != 0)
		return status == AUDIT_HELPED ? MET : status;
	a.examiner = tls_examiner_new(a.ca_file, &why);
	if (a.examiner == NULL) {
		(void)fprintf(stderr, "postern audit: %.*s\n", (int)why.len, text);
		return NOT_EXAMINED;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (a.watch_file != NULL && !audit_watch_open(&a.watch, a.watch_file))
		return audit_misused(a.watch_file, strerror(errno));
	announce(&a);
	a.report.format->begin();
	if (a.judge != NULL)
		a.status = judge_file(&a);
	else
		examine_all(&a);
	a.report.format->end();
	if (a.watch_file != NULL && !audit_watch_close(&a.watch))
		a.status = audit_misused(a.watch_file, a.watch.full ? "has grown beyond 64 MiB" : strerror(errno));
	tls_examiner_free(a.examiner);
	wipe(a.login.password, sizeof a.login.password);
	return a.status;
}
