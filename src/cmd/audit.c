/* postern audit: what an analyst would ask of a submission service. */
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

#include "cmd/commands.h"

enum {
	MET = 0, NOT_MET = 1, NOT_EXAMINED = 2, USAGE = 64,
	HOST_SECONDS = 300,             /* one host may take so long */
	PATIENCE_SECONDS = 5,
};

#define TRUST_ANCHOR "/usr/share/dns/root.key"         /* Debian's dns-root-data */

static const char usage[] =
    "usage: postern audit [OPTIONS] HOST[:PORT[/SERVICE]]... | [USER]@DOMAIN...\n"
    "       postern audit [OPTIONS] --judge FILE\n"
    "\n"
    "Examines ports 465, 587 and (only a look) 25 of each host, or the port that is named; nothing is sent that could harm,\n"
    "no credentials and no mail. With [USER]@DOMAIN the service is found first: by the domain's SRV records, else guessed from its\n"
    "MX, and said so. SERVICE is submissions, submission, smtp, imaps or pop3s, where the port does not say it.\n"
    "\n"
    "    --details         why each finding matters, and how to mend it\n"
    "    --json            for programs\n"
    "    --sarif           for those that collect findings (SARIF 2.1.0)\n"
    "    --html            one page\n"
    "    --hosts FILE      hosts to examine, one a line\n"
    "    --parallel N      so many hosts at a time (1 to 64; 8)\n"
    "    --timeout S       seconds to wait for one answer (1 to 120; 5)\n"
    "    --resolver ADDRESS[@PORT]  whom to ask for DNS, instead of the system's\n"
    "    --trust-anchor FILE        the root of DNSSEC (" TRUST_ANCHOR ", when it is there)\n"
    "    --ca-file FILE    the CAs that are trusted, instead of the system's\n"
    "    --fail SEVERITY   the findings that fail: low, medium, high or critical (high)\n"
    "    --policy FILE     which findings fail: lines of fail-from SEVERITY, fail ID, allow ID\n"
    "    --save FILE       keep the transcript, to be judged again\n"
    "    --judge FILE      judge a transcript that was kept; nothing is examined\n"
    "\n"
    "Exit status: 0 nothing failed, 1 something did, 2 a host could not be examined.\n";

struct host {
	char name[256];
	bool domain;                    /* a mail domain: its service is to be found */
	uint16_t port;                  /* 0: the usual ones */
	enum audit_service service;
	pid_t pid;
	int fd;                         /* its transcript, being written; -1 */
	uint64_t began;
	uint8_t *text;                  /* TRANSCRIPT_MAX octets */
	size_t len;
	bool begun, done;
};

struct audit {
	struct audit_report report;
	struct host host[AUDIT_HOSTS_MAX];
	size_t hosts;
	const char *ca_file, *save, *judge, *resolver, *trust_anchor;
	unsigned parallel, patience;    /* ms */
	struct tls_examiner *examiner;
	int status;
};

static const struct { uint16_t port; enum audit_service service; } usual[] = {
	{ 465, AUDIT_SUBMISSIONS }, { 587, AUDIT_SUBMISSION }, { 25, AUDIT_SMTP }, { 993, AUDIT_IMAPS }, { 995, AUDIT_POP3S },
};
enum { USUAL = 3 /* of them are looked at unasked */, KNOWN = sizeof usual / sizeof usual[0] };

/* ---- arguments ---- */

static int
misused(const char *what, const char *why)
{
	(void)fprintf(stderr, "postern audit: %s: %s\n%s", what, why, usage);
	return USAGE;
}

static bool
service_named(struct span name, enum audit_service *service)
{
	for (unsigned i = 0; i < KNOWN; i++)
		if (span_same(name, span_of(audit_service_name(usual[i].service)))) {
			*service = usual[i].service;
			return true;
		}
	return false;
}

static const char *
take_port(struct span rest, struct host *h)
{
	uint64_t port;
	bool known = false;

	if (span_done(rest))
		return NULL;
	if (!span_take_byte(&rest, ':') || !span_take_u64(&rest, &port) || port == 0 || port > UINT16_MAX)
		return "what stands behind the host is no port";
	h->port = (uint16_t)port;
	for (size_t i = 0; i < KNOWN; i++)
		if (usual[i].port == h->port) {
			h->service = usual[i].service;
			known = true;
		}
	if (span_take_byte(&rest, '/'))
		return service_named(rest, &h->service) ? NULL : "the service is none of submissions, submission, smtp, imaps, pop3s";
	if (!span_done(rest))
		return "what stands behind the host is no port";
	return known ? NULL : "the port does not say the service: write HOST:PORT/submissions, or /submission, /smtp, /imaps, /pop3s";
}

/* NULL, or what is wrong with it. */
static const char *
parse_host(struct span text, struct host *h)
{
	struct span name;
	bool literal = span_take_byte(&text, '[');

	*h = (struct host){ .fd = -1 };
	name = span_take_until(&text, literal ? ']' : ':');
	if (literal && !span_take_byte(&text, ']'))
		return "the bracket is not closed";
	h->domain = span_find(name, '@') < name.len;
	if (h->domain && !span_done(text))
		return "a domain's service is found by itself; name its host to choose a port";
	if (h->domain)
		span_skip(&name, span_find(name, '@') + 1);
	if (name.len == 0 || name.len >= sizeof h->name)
		return "no host name";
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '.' && name.p[i] != '_' && !(literal && name.p[i] == ':'))
			return "no host name";
	memcpy(h->name, name.p, name.len);
	return take_port(text, h);
}

static int
add_host(struct audit *a, const char *text)
{
	const char *wrong;

	if (a->hosts == AUDIT_HOSTS_MAX)
		return misused(text, "more than 1000 hosts at once");
	wrong = parse_host(span_of(text), &a->host[a->hosts]);
	if (wrong != NULL)
		return misused(text, wrong);
	a->hosts++;
	return 0;
}

static int
add_hosts(struct audit *a, const char *file)
{
	FILE *f = fopen(file, "re");
	char line[400];
	int status = 0;

	if (f == NULL)
		return misused(file, strerror(errno));
	while (status == 0 && fgets(line, sizeof line, f) != NULL) {
		struct span rest = span_of(line), word;

		line[strcspn(line, "#\r\n")] = '\0';
		rest = span_of(line);
		word = span_take_word(&rest);
		if (span_done(word))
			continue;
		line[word.p + word.len - (const uint8_t *)line] = '\0';
		status = add_host(a, (const char *)word.p);
	}
	(void)fclose(f);
	return status;
}

static bool
take_number(const char *text, unsigned least, unsigned most, unsigned *n)
{
	struct span s = span_of(text);
	uint64_t value;

	if (!span_take_u64(&s, &value) || !span_done(s) || value < least || value > most)
		return false;
	*n = (unsigned)value;
	return true;
}

static int
take_policy(struct audit *a, const char *file)
{
	FILE *f = fopen(file, "re");
	static char text[AUDIT_POLICY_MAX + 1];
	char where[400];
	const char *wrong = NULL;
	uint32_t line;
	size_t n = f != NULL ? fread(text, 1, sizeof text, f) : 0;

	if (f == NULL)
		return misused(file, strerror(errno));
	(void)fclose(f);
	if (n > AUDIT_POLICY_MAX)
		return misused(file, "is longer than 64 KiB");
	if (audit_policy_parse((struct span){ (const uint8_t *)text, n }, &a->report.policy, &line, &wrong))
		return 0;
	(void)snprintf(where, sizeof where, "%s:%u", file, line);
	return misused(where, wrong);
}

/* An option with a value. 0 or a status; -1: it is none. */
static int
take_valued(struct audit *a, const char *option, const char *value)
{
	unsigned n;

	if (strcmp(option, "--hosts") == 0)
		return add_hosts(a, value);
	if (strcmp(option, "--policy") == 0)
		return take_policy(a, value);
	if (strcmp(option, "--ca-file") == 0)
		a->ca_file = value;
	else if (strcmp(option, "--save") == 0)
		a->save = value;
	else if (strcmp(option, "--judge") == 0)
		a->judge = value;
	else if (strcmp(option, "--resolver") == 0)
		a->resolver = value;
	else if (strcmp(option, "--trust-anchor") == 0)
		a->trust_anchor = value;
	else if (strcmp(option, "--fail") == 0)
		return severity_parse(span_of(value), &a->report.policy.from) ? 0 : misused(value, "is none of low, medium, high, critical");
	else if (strcmp(option, "--parallel") == 0)
		return take_number(value, 1, AUDIT_PARALLEL_MAX, &a->parallel) ? 0 : misused(value, "is no number of 1 to 64");
	else if (strcmp(option, "--timeout") == 0 && take_number(value, 1, 120, &n))
		a->patience = n * 1000;
	else
		return strcmp(option, "--timeout") == 0 ? misused(value, "is no number of 1 to 120") : -1;
	return 0;
}

static bool
take_format(struct audit *a, const char *option)
{
	static const struct audit_format *const formats[] = { &audit_as_json, &audit_as_sarif, &audit_as_html };

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (strcmp(option, formats[i]->option) == 0) {
			a->report.format = formats[i];
			return true;
		}
	return false;
}

static int
take_arguments(struct audit *a, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int status = 0;

		if (take_format(a, argv[i]))
			continue;
		if (strcmp(argv[i], "--details") == 0)
			a->report.details = true;
		else if (argv[i][0] != '-')
			status = add_host(a, argv[i]);
		else if (i + 1 == argc)
			status = misused(argv[i], "no such option, or its value is missing");
		else if ((status = take_valued(a, argv[i], argv[i + 1])) == -1)
			status = misused(argv[i], "no such option");
		else
			i++;
		if (status != 0)
			return status;
	}
	if ((a->hosts == 0) == (a->judge == NULL))
		return misused("HOST", a->judge == NULL ? "is missing" : "cannot stand beside --judge");
	return 0;
}

/* ---- one host, in a process of its own ---- */

static void
put_head(const struct host *h, struct buf *out)
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
			.examiner = a->examiner, .dns = dns, .out = out };
		memcpy(e.address, address[i], sizeof e.address);
		audit_probe(&e);
		write_whole(fd, out);
	}
}

static void
usual_places(const struct host *h, struct audit_places *p)
{
	p->count = h->port != 0 ? 1 : USUAL;
	for (size_t i = 0; i < p->count; i++) {
		p->place[i] = (struct audit_place){ .port = h->port != 0 ? h->port : usual[i].port,
			.service = h->port != 0 ? h->service : usual[i].service };
		memcpy(p->place[i].host, h->name, sizeof h->name);
	}
}

static void
probe_host(const struct audit *a, const struct host *h, struct buf *out, int fd)
{
	static struct audit_places places;
	const char *anchor = a->trust_anchor != NULL ? a->trust_anchor : access(TRUST_ANCHOR, R_OK) == 0 ? TRUST_ANCHOR : NULL;
	struct audit_dns *dns = audit_dns_open(a->resolver, anchor, a->patience);

	put_head(h, out);
	if (h->domain)
		audit_find(dns, h->name, &places, out);
	else
		usual_places(h, &places);
	for (size_t i = 0; i < places.count; i++)
		probe_place(a, dns, &places.place[i], out, fd);
	audit_dns_close(dns);
}

static bool
begin(struct audit *a, struct host *h)
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
finish(struct host *h)
{
	(void)close(h->fd);
	h->fd = -1;
	(void)waitpid(h->pid, NULL, 0);
	h->done = true;
}

/* ---- all of them ---- */

static void
receive(struct host *h)
{
	ssize_t n = read(h->fd, h->text + h->len, TRANSCRIPT_MAX - h->len);

	if (n > 0)
		h->len += (size_t)n;
	else if (n == 0 || errno != EINTR)
		finish(h);
}

static void
give_up(struct host *h)
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
	struct host *who[AUDIT_PARALLEL_MAX];
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
save(const struct audit *a, const struct host *h)
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
		struct host *h = &a->host[*next];

		save(a, h);
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

/* A file may hold the transcripts of several hosts, one behind the other. */
static int
judge_file(struct audit *a)
{
	static uint8_t text[TRANSCRIPT_MAX];
	FILE *f = fopen(a->judge, "rbe");
	size_t n = f != NULL ? fread(text, 1, sizeof text, f) : 0, from = 0;

	if (f == NULL)
		return misused(a->judge, strerror(errno));
	(void)fclose(f);
	for (size_t at = 1; at <= n; at++) {
		struct span here = { text + at, n - at };

		if (at < n && (text[at - 1] != '\n' || !span_take(&here, SPAN("postern-audit "))))
			continue;
		judge(a, (struct span){ text + from, at - from });
		from = at;
	}
	return a->status;
}

int
command_audit(int argc, char **argv)
{
	static struct audit a = { .parallel = 8, .patience = PATIENCE_SECONDS * 1000, .report = { .format = &audit_as_text, .policy = { .from = SEVERITY_HIGH } } };
	char text[400];
	struct buf why = { (uint8_t *)text, 0, sizeof text - 1 };
	int status;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage, stdout);
		return MET;
	}
	status = take_arguments(&a, argc, argv);
	if (status != 0)
		return status;
	a.examiner = tls_examiner_new(a.ca_file, &why);
	if (a.examiner == NULL) {
		(void)fprintf(stderr, "postern audit: %.*s\n", (int)why.len, text);
		return NOT_EXAMINED;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	a.report.format->begin();
	if (a.judge != NULL)
		a.status = judge_file(&a);
	else
		examine_all(&a);
	a.report.format->end();
	tls_examiner_free(a.examiner);
	return a.status;
}
