/* What is asked of postern audit. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/audit_pace.h"
#include "cmd/audit_slow.h"
#include "dns/anchor.h"
#include "dns/lookup.h"
#include "os/address.h"

enum { USAGE = 64 };

static const char usage[] =
    "usage: postern audit [OPTIONS] HOST[:PORT[/SERVICE]]... | [USER]@DOMAIN...\n"
    "       postern audit [OPTIONS] --judge FILE\n"
    "\n"
    "Examines ports 465, 587 and (only a look) 25 of each host, or the port that is named; nothing is sent that could harm,\n"
    "no credentials and no mail. With [USER]@DOMAIN the service is found first: by the domain's SRV records and its autoconfig file,\n"
    "else guessed from its MX, and said so. SERVICE is submissions, submission, smtp, imaps or pop3s, where the port does not say it.\n"
    "\n"
    "    --details         why each finding matters, and how to mend it\n"
    "    --json            for programs\n"
    "    --sarif           for those that collect findings (SARIF 2.1.0)\n"
    "    --html            one page\n"
    "    --hosts FILE      hosts to examine, one a line\n"
    "    --parallel N      so many hosts at a time (1 to 64; 8)\n"
    "    --timeout S       seconds to wait for one answer (1 to 120; 5)\n"
    "    --pace MS         milliseconds between two connections to one host (0 to 10000; 100, on loopback 0); more where the server slows us\n"
    "    --slow            also how long the server waits for silent and slow clients; takes five and a half minutes\n"
    "    --slow-max S      the same, waiting for so many seconds at most (1 to 3600; 330)\n"
    "    --resolver ADDRESS[@PORT]  whom to ask for DNS, instead of the system's\n"
    "    --autoconfig-port PORT     where web servers listen for HTTPS, instead of 443\n"
    "    --trust-anchor FILE        the root of DNSSEC (" AUDIT_TRUST_ANCHOR ", when it is there)\n"
    "    --ca-file FILE    the CAs that are trusted, instead of the system's\n"
    "    --fail SEVERITY   the findings that fail: low, medium, high or critical (high)\n"
    "    --policy FILE     which findings fail: lines of fail-from SEVERITY, fail ID, allow ID\n"
    "    --login NAME      prove oneself too, where the certificate verifies; needs --password-file FILE (- for stdin)\n"
    "    --sender ADDRESS  a reverse-path that the login may use, where its name is none\n"
    "    --active          begin messages to nobody@example.com that end in five wrong ways, and break them off: a server that takes\n"
    "                      one of them for whole can be smuggled through, and will try to deliver it; with --login where it asks for one\n"
    "    --save FILE       keep the transcript, to be judged again\n"
    "    --watch FILE      only what has changed since FILE was written, and certificates that end; FILE is kept up to date\n"
    "    --judge FILE      judge a transcript that was kept; nothing is examined\n"
    "\n"
    "Exit status: 0 nothing failed, 1 something did, 2 a host could not be examined, or not as a whole.\n";

static const struct { uint16_t port; enum audit_service service; } known[] = {
	{ 465, AUDIT_SUBMISSIONS }, { 587, AUDIT_SUBMISSION }, { 25, AUDIT_SMTP }, { 993, AUDIT_IMAPS }, { 995, AUDIT_POP3S },
};
enum { KNOWN = sizeof known / sizeof known[0] };

int
audit_misused(const char *what, const char *why)
{
	(void)fprintf(stderr, "postern audit: %s: %s\n", what, why);
	return USAGE;
}

static int
misused_option(const char *option, const char *value, const char *why)
{
	(void)fprintf(stderr, "postern audit: %s %s: %s\n", option, value, why);
	return USAGE;
}

static bool
service_named(struct span name, enum audit_service *service)
{
	for (unsigned i = 0; i < KNOWN; i++)
		if (span_same(name, span_of(audit_service_name(known[i].service)))) {
			*service = known[i].service;
			return true;
		}
	return false;
}

static const char *
take_port(struct span rest, struct audit_host *h)
{
	uint64_t port;
	bool said = false;

	if (span_done(rest))
		return NULL;
	if (!span_take_byte(&rest, ':') || !span_take_u64(&rest, &port) || port == 0 || port > UINT16_MAX)
		return "what stands behind the host is no port";
	h->port = (uint16_t)port;
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].port == h->port) {
			h->service = known[i].service;
			said = true;
		}
	if (span_take_byte(&rest, '/'))
		return service_named(rest, &h->service) ? NULL : "the service is none of submissions, submission, smtp, imaps, pop3s";
	if (!span_done(rest))
		return "what stands behind the host is no port";
	return said ? NULL : "the port does not say the service: write HOST:PORT/submissions, or /submission, /smtp, /imaps, /pop3s";
}

/* Without the dot at its end, and in ASCII: as it is asked for, sent as SNI, and looked for in certificates. */
static const char *
take_name(struct span name, bool literal, char out[MX_NAME_MAX])
{
	if (!literal)
		return dns_ascii(name, out) ? NULL : "no host name";
	span_text(name, out, MX_NAME_MAX);
	return address_is_numeric(out) ? NULL : "in brackets stands an address, as in [2001:db8::1]:465";
}

/* NULL, or what is wrong with it. */
static const char *
parse_host(struct span text, struct audit_host *h)
{
	struct span name;
	bool literal = span_take_byte(&text, '[');
	const char *wrong;

	*h = (struct audit_host){ .fd = -1 };
	if (span_find(text, '%') < text.len)
		return "an address of one zone only (what stands behind the %) cannot be examined; take one that is good everywhere";
	name = span_take_until(&text, literal ? ']' : ':');
	if (literal && !span_take_byte(&text, ']'))
		return "the bracket is not closed";
	if (!literal && text.len > 0 && span_find((struct span){ text.p + 1, text.len - 1 }, ':') < text.len - 1)
		return "an IPv6 address stands in brackets, as in [2001:db8::1]:465";
	h->domain = span_find(name, '@') < name.len;
	if (h->domain && !span_done(text))
		return "a domain's service is found by itself; name its host to choose a port";
	if (h->domain)
		span_skip(&name, span_find(name, '@') + 1);
	wrong = take_name(name, literal, h->name);
	return wrong != NULL ? wrong : take_port(text, h);
}

static int
add_host(struct audit *a, const char *text)
{
	const char *wrong;

	if (a->hosts == AUDIT_HOSTS_MAX)
		return audit_misused(text, "more than 1000 hosts at once");
	wrong = parse_host(span_of(text), &a->host[a->hosts]);
	if (wrong != NULL)
		return audit_misused(text, wrong);
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
		return audit_misused(file, strerror(errno));
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
		return audit_misused(file, strerror(errno));
	(void)fclose(f);
	if (n > AUDIT_POLICY_MAX)
		return audit_misused(file, "is longer than 64 KiB");
	if (audit_policy_parse((struct span){ (const uint8_t *)text, n }, &a->report.policy, &line, &wrong))
		return 0;
	(void)snprintf(where, sizeof where, "%s:%u", file, line);
	return audit_misused(where, wrong);
}

/* The first line of the file, which is wiped wherever else it was. */
static int
take_password(struct audit *a, const char *file)
{
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	size_t n;

	if (f == NULL)
		return audit_misused(file, strerror(errno));
	(void)setvbuf(f, NULL, _IONBF, 0);      /* no copy in a buffer that nobody wipes */
	if (fgets(a->login.password, sizeof a->login.password, f) == NULL)
		a->login.password[0] = '\0';
	if (f != stdin)
		(void)fclose(f);
	n = strcspn(a->login.password, "\r\n");
	if (n == 0 || n == sizeof a->login.password - 1)
		return audit_misused(file, "holds no password in its first line, or one of more than 254 octets");
	a->login.password[n] = '\0';
	return 0;
}

static int
take_severity(struct audit *a, const char *value)
{
	return severity_parse(span_of(value), &a->report.policy.from) ? 0 : misused_option("--fail", value, "is none of low, medium, high, critical");
}

/* An option with a value: what takes it, or where it is kept, as a text or as a number. */
static const struct valued {
	const char *name;
	int (*take)(struct audit *, const char *value);
	size_t at;
	unsigned times, least, most;    /* times 0: a text */
	const char *wrong;
} valued[] = {
#define AT(member) .at = offsetof(struct audit, member)
	{ "--ca-file", AT(ca_file) }, { "--save", AT(save) }, { "--judge", AT(judge) }, { "--resolver", AT(resolver) },
	{ "--trust-anchor", AT(trust_anchor) }, { "--watch", AT(watch_file) }, { "--login", AT(login.name) }, { "--sender", AT(login.sender) },
	{ "--parallel", AT(parallel), .times = 1, .least = 1, .most = AUDIT_PARALLEL_MAX, .wrong = "is no number of 1 to 64" },
	{ "--timeout", AT(patience), .times = 1000, .least = 1, .most = 120, .wrong = "is no number of 1 to 120" },
	{ "--pace", AT(pace), .times = 1, .least = 0, .most = AUDIT_PACE_MOST, .wrong = "is no number of 0 to 10000" },
	{ "--slow-max", AT(slow), .times = 1, .least = 1, .most = AUDIT_SLOW_MOST, .wrong = "is no number of 1 to 3600" },
	{ "--autoconfig-port", AT(autoconfig_port), .times = 1, .least = 1, .most = UINT16_MAX, .wrong = "is no port" },
	{ "--hosts", .take = add_hosts }, { "--policy", .take = take_policy }, { "--password-file", .take = take_password },
	{ "--fail", .take = take_severity },
#undef AT
};

static int
take_value(struct audit *a, const struct valued *v, const char *value)
{
	unsigned n;

	if (v->take != NULL)
		return v->take(a, value);
	if (v->times == 0) {
		memcpy((uint8_t *)a + v->at, &value, sizeof value);
		return 0;
	}
	if (!take_number(value, v->least, v->most, &n))
		return misused_option(v->name, value, v->wrong);
	n *= v->times;
	memcpy((uint8_t *)a + v->at, &n, sizeof n);
	return 0;
}

static int
take_valued(struct audit *a, const char *option, const char *value)
{
	for (size_t i = 0; i < sizeof valued / sizeof valued[0]; i++)
		if (strcmp(option, valued[i].name) == 0)
			return value != NULL ? take_value(a, &valued[i], value) : audit_misused(option, "needs a value behind it");
	return audit_misused(option, "no such option; `postern audit --help` lists them");
}

static bool
take_flag(struct audit *a, const char *option)
{
	if (strcmp(option, "--details") == 0)
		a->report.details = true;
	else if (strcmp(option, "--active") == 0)
		a->active = true;
	else if (strcmp(option, "--slow") == 0)
		a->slow = a->slow != 0 ? a->slow : AUDIT_SLOW_SECONDS;
	else
		return false;
	return true;
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

/* "192.0.2.53" or "192.0.2.53@5353": NULL, or what is wrong with it. */
static const char *
wrong_resolver(const char *text)
{
	char address[64];
	size_t len = strcspn(text, "@");
	unsigned port;

	span_text((struct span){ (const uint8_t *)text, len }, address, sizeof address);
	if (len >= sizeof address || !address_is_numeric(address))
		return "is no ADDRESS and no ADDRESS@PORT; a name will not do";
	return text[len] == '\0' || take_number(text + len + 1, 1, UINT16_MAX, &port) ? NULL : "has no port from 1 to 65535 behind its @";
}

/* One that vouches for nobody would accuse everybody. A device such as /dev/null is the wish for none. */
static int
check_anchor(struct audit *a)
{
	char text[400];
	struct buf why = BUF_OVER(text);
	struct stat st;

	if (a->trust_anchor == NULL && access(AUDIT_TRUST_ANCHOR, R_OK) == 0) {
		if (dns_anchor_current(AUDIT_TRUST_ANCHOR, &why))
			a->trust_anchor = AUDIT_TRUST_ANCHOR;
		else
			(void)fprintf(stderr, "postern audit: %s: %s; DNSSEC is not looked at\n", AUDIT_TRUST_ANCHOR, text);
	} else if (a->trust_anchor != NULL) {
		if (stat(a->trust_anchor, &st) == -1 || access(a->trust_anchor, R_OK) == -1)
			return audit_misused(a->trust_anchor, strerror(errno));
		if (S_ISREG(st.st_mode) && !(dns_anchor_usable(a->trust_anchor, &why) && dns_anchor_current(a->trust_anchor, &why)))
			return audit_misused(a->trust_anchor, text);
	}
	return 0;
}

/* What would show only when somebody has been examined. */
static int
check_values(struct audit *a)
{
	const char *wrong = a->resolver != NULL ? wrong_resolver(a->resolver) : NULL;

	if (wrong != NULL)
		return misused_option("--resolver", a->resolver, wrong);
	if (check_anchor(a) != 0)
		return USAGE;
	if (a->save != NULL && (a->saved = fopen(a->save, "ae")) == NULL)
		return audit_misused(a->save, strerror(errno));
	return 0;
}

/* What belongs together. */
static int
complete(struct audit *a)
{
	if ((a->hosts == 0) == (a->judge == NULL))
		return audit_misused("HOST", a->judge == NULL ? "is missing" : "cannot stand beside --judge");
	if (a->watch_file != NULL && (a->judge != NULL || a->report.format != &audit_as_text))
		return audit_misused("--watch", "prints changes as text, of hosts that are examined now");
	if (a->watch_file != NULL)
		a->report.format = &audit_as_nothing;
	if ((a->login.name == NULL) != (a->login.password[0] == '\0'))
		return audit_misused("--login", "needs --password-file, and the other way round");
	if (a->login.sender == NULL)
		a->login.sender = a->login.name != NULL && strchr(a->login.name, '@') != NULL ? a->login.name : "";
	if (strpbrk(a->login.sender, "<>\r\n ") != NULL || strlen(a->login.sender) > 254)
		return misused_option("--sender", a->login.sender, "is no mail address");
	return check_values(a);
}

int
audit_arguments(struct audit *a, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage, stdout);
		return AUDIT_HELPED;
	}
	for (int i = 1; i < argc; i++) {
		int status = 0;

		if (take_format(a, argv[i]) || take_flag(a, argv[i]))
			continue;
		if (argv[i][0] != '-')
			status = add_host(a, argv[i]);
		else
			status = take_valued(a, argv[i], i + 1 < argc ? argv[i + 1] : NULL), i++;
		if (status != 0)
			return status;
	}
	return complete(a);
}
