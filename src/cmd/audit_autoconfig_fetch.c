/*
 * The two places where mail programs look for a domain's autoconfig file, both over HTTPS and nothing else: what is fetched in clear can be
 * anybody's. No mail address is sent along, so nobody learns whose service is examined.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/audit_autoconfig.h"
#include "cmd/audit_find.h"
#include "tls/client.h"
#include "tls/fetch.h"

enum {
	FILES = 2,
	REDIRECTS_MAX = 3,
	FETCH_PATIENCES = 2,            /* a fetch takes several answers' time: look-up of a page, handshake, answer */
	HTTPS = 443,
};

/* In the order in which mail programs ask. */
static const struct { const char *by, *prefix, *path; } where[FILES] = {
	{ "autoconfig", "autoconfig.", "/mail/config-v1.1.xml" },
	{ "well-known", "", "/.well-known/autoconfig/mail/config-v1.1.xml" },
};

struct file {
	const char *by;
	char url[FETCH_HOST_MAX + FETCH_PATH_MAX + 32];         /* as it was asked for first */
	char host[FETCH_HOST_MAX], path[FETCH_PATH_MAX];        /* to be fetched now */
	uint16_t port;
	unsigned redirects;
	bool due;
	const char *outcome;            /* what became of it; NULL: it came */
	char words[300];
	struct span came;
	uint8_t octets[AUTOCONFIG_OCTETS_MAX];
	struct search *search;
};

struct search {
	struct audit_dns *dns;
	const struct audit_web *web;
	const char *domain;
	struct audit_places *places;
	struct buf *out;
	struct fetcher *fetcher;
	unsigned under_way;
	struct file file[FILES];
};

static void
give_up(struct file *f, const char *outcome, const char *words)
{
	f->outcome = outcome;
	(void)snprintf(f->words, sizeof f->words, "%s", words);
}

/* ---- what came ---- */

static void
take_server(struct file *f, const struct autoconfig_server *s)
{
	enum audit_service service = s->socket == AUTOCONFIG_SSL ? AUDIT_SUBMISSIONS : AUDIT_SUBMISSION;
	/* The file came over HTTPS, from a server with the domain's certificate. */
	struct audit_place place = audit_place_of(s->host, s->port, service, true);
	char text[TRANSCRIPT_VALUE_MAX];

	(void)snprintf(text, sizeof text, "%s %u %s %s %s", s->host, s->port, autoconfig_socket_name(s->socket),
	    s->authentication[0] != '\0' ? s->authentication : "-", f->by);
	(void)transcript_put_text(f->search->out, "autoconfig-server", text);
	audit_place_add(f->search->places, &place, f->by, f->search->out);
}

static bool
begins_with(struct span body, struct span words)
{
	return span_same(span_head(body, words.len), words);
}

/* Many web servers answer every path with a page. */
static bool
is_page(struct span body)
{
	while (!span_done(body) && (body.p[0] <= ' ' || body.p[0] >= 0x80))     /* a mark of the encoding, too */
		span_skip(&body, 1);
	return begins_with(body, SPAN("<!doctype html")) || begins_with(body, SPAN("<html"));
}

static void
read_file(struct file *f, struct autoconfig *config)
{
	char words[AUTOCONFIG_WORDS_MAX];

	config->servers = 0;
	if (is_page(f->came)) {
		give_up(f, "none", "a web page came");
	} else if (!autoconfig_parse(f->came, f->search->domain, config, words)) {
		give_up(f, "bad", words);
	} else {
		(void)snprintf(words, sizeof words, "%u servers for submission, %u that cannot be used", config->servers, config->unusable);
		give_up(f, config->servers == 0 ? "empty" : config->unusable > 0 ? "partly" : "ok", words);
	}
}

/* When all is there, so that the transcript has it in one order whoever answered first. */
static void
tell(struct file *f)
{
	static struct autoconfig config;
	char text[TRANSCRIPT_VALUE_MAX];
	bool came = f->outcome == NULL;

	if (came)
		read_file(f, &config);
	(void)snprintf(text, sizeof text, "%.600s %s%s%.300s", f->url, f->outcome, f->words[0] != '\0' ? " " : "", f->words);
	(void)transcript_put_text(f->search->out, "autoconfig", text);
	for (uint32_t i = 0; came && i < config.servers; i++)
		take_server(f, &config.server[i]);
}

/* Where a redirect leads: https, a host, a path. Whatever else it says is no place to go. */
static bool
follow(struct file *f, const char *location)
{
	struct span s = span_of(location), host;
	uint64_t port = HTTPS;

	if (f->redirects == REDIRECTS_MAX || !span_take(&s, SPAN("https://")))
		return false;
	host = span_head(s, strcspn((const char *)s.p, ":/?#"));
	span_skip(&s, host.len);
	if (span_take_byte(&s, ':') && (!span_take_u64(&s, &port) || port == 0 || port > UINT16_MAX))
		return false;
	s = span_take_until(&s, '#');
	if (span_done(host) || host.len >= sizeof f->host || s.len >= sizeof f->path || (!span_done(s) && s.p[0] != '/'))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_graph(s.p[i]))
			return false;
	(void)snprintf(f->host, sizeof f->host, "%.*s", (int)host.len, (const char *)host.p);
	(void)snprintf(f->path, sizeof f->path, "%.*s", span_done(s) ? 1 : (int)s.len, span_done(s) ? "/" : (const char *)s.p);
	f->port = (uint16_t)port;
	f->redirects++;
	f->due = true;
	return true;
}

static bool
is_absent(uint32_t status)
{
	return status == 404 || status == 410;
}

static void
on_fetched(void *arg, const struct fetch_answer *a)
{
	struct file *f = arg;
	char words[300];

	f->search->under_way--;
	if (a->verdict == FETCH_DONE) {
		struct buf b = BUF_OVER(f->octets);

		(void)buf_put(&b, a->body);
		f->came = buf_span(&b);
	} else if (a->location[0] != '\0') {
		if (follow(f, a->location))
			return;
		(void)snprintf(words, sizeof words, "it redirects to %.200s, which is not followed", a->location);
		give_up(f, "failed", words);
	} else {
		give_up(f, a->verdict == FETCH_UNTRUSTED ? "untrusted" : is_absent(a->status) ? "none" : "failed", a->words);
	}
}

/* ---- going there ---- */

static void
begin(struct file *f)
{
	char address[AUDIT_ADDRESSES_MAX][64];
	uint8_t octets[400];
	struct buf apart = BUF_OVER(octets);    /* a name without an address is no fact about the mail service */
	struct fetch_question q = { .host = f->host, .path = f->path, .port = f->port, .most = AUTOCONFIG_OCTETS_MAX,
		.milliseconds = f->search->web->patience * FETCH_PATIENCES };
	size_t n = audit_addresses(f->search->dns, f->host, address, &apart);

	f->due = false;
	for (size_t i = 0; i < n && q.addresses < FETCH_ADDRESSES_MAX; i++)
		if (strlen(address[i]) < FETCH_ADDRESS_TEXT)
			(void)snprintf(q.address[q.addresses++], FETCH_ADDRESS_TEXT, "%s", address[i]);
	if (q.addresses == 0) {
		give_up(f, audit_dns_away(f->search->dns) ? "failed" : "none", "the host has no address that is known");
		return;
	}
	if (fetch_begin(f->search->fetcher, &q, on_fetched, f) == NULL)
		give_up(f, "failed", "the host cannot be asked");
	else
		f->search->under_way++;
}

/* Both at once; then what they redirect to. */
static void
fetch_all(struct search *s, uv_loop_t *loop)
{
	for (unsigned round = 0; round <= REDIRECTS_MAX; round++) {
		for (size_t i = 0; i < FILES; i++)
			if (s->file[i].due)
				begin(&s->file[i]);
		while (s->under_way > 0)
			(void)uv_run(loop, UV_RUN_ONCE);
	}
}

static void
prepare(struct search *s)
{
	for (size_t i = 0; i < FILES; i++) {
		struct file *f = &s->file[i];

		f->by = where[i].by;
		f->port = s->web->port;
		f->search = s;
		(void)snprintf(f->host, sizeof f->host, "%s%s", where[i].prefix, s->domain);
		(void)snprintf(f->path, sizeof f->path, "%s", where[i].path);
		(void)snprintf(f->url, sizeof f->url, "https://%s%s", f->host, f->path);
		f->due = strlen(where[i].prefix) + strlen(s->domain) < FETCH_HOST_MAX - 2;
		if (!f->due)
			give_up(f, "none", "the host's name would be longer than names can be");
	}
}

/* False with words: nothing can be fetched. */
static bool
search(struct search *s, uv_loop_t *loop, struct tls_client *trust, struct buf *why)
{
	s->fetcher = fetcher_open(loop, trust, why);
	if (s->fetcher == NULL)
		return false;
	fetch_all(s, loop);
	fetcher_close(s->fetcher);
	return true;
}

void
audit_autoconfig(struct audit_dns *dns, const struct audit_web *web, const char *domain, struct audit_places *places, struct buf *out)
{
	struct search *s = calloc(1, sizeof *s);
	char text[200] = "out of memory";
	struct buf why = BUF_OVER(text);
	struct tls_client *trust = tls_client_new(web->ca_file, &why);
	uv_loop_t loop;
	bool looped;

	if (s == NULL) {
		tls_client_free(trust);
		return;
	}
	*s = (struct search){ .dns = dns, .web = web, .domain = domain, .places = places, .out = out };
	prepare(s);
	looped = trust != NULL && uv_loop_init(&loop) == 0;
	if (!looped || !search(s, &loop, trust, &why))
		for (size_t i = 0; i < FILES; i++)
			give_up(&s->file[i], "failed", text);
	for (size_t i = 0; i < FILES; i++)
		tell(&s->file[i]);
	if (looped) {
		(void)uv_run(&loop, UV_RUN_DEFAULT);
		(void)uv_loop_close(&loop);
	}
	tls_client_free(trust);
	free(s);
}
