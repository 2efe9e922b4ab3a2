/* Where a domain has its submission service, and what else its DNS says of mail (RFC 6186, 8314 5.1, 8461 3.1, 8460 3). */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd/audit_find.h"
#include "dns/ask.h"
#include "dns/srv.h"
#include "dns/text.h"
#include "dns/tlsa.h"
#include "os/address.h"

struct audit_dns {
	struct dns_asker *asker;
	unsigned patience;              /* ms for one question */
	bool own;                       /* a resolver was named: it is asked for addresses too */
	bool away;                      /* a question had no answer: the others would wait as long */
	bool unsure;                    /* the system's resolver had none */
};

struct audit_dns *
audit_dns_open(const char *resolver, const char *trust_anchor, unsigned patience)
{
	struct audit_dns *d = calloc(1, sizeof *d);
	char words[200];
	struct buf why = BUF_OVER(words);

	if (d == NULL)
		return NULL;
	d->patience = patience;
	d->own = resolver != NULL;
	d->asker = dns_asker_open(&(struct resolver_conf){ resolver, trust_anchor }, &why);
	d->away = d->asker == NULL;
	return d;
}

void
audit_dns_close(struct audit_dns *d)
{
	if (d == NULL)
		return;
	dns_asker_close(d->asker);
	free(d);
}

/* The canonical order (RFC 4034 6.3): resolvers turn them round at each question. */
static int
by_octets(const void *one, const void *other)
{
	const struct span *a = one, *b = other;
	size_t least = a->len < b->len ? a->len : b->len;
	int order = least > 0 ? memcmp(a->p, b->p, least) : 0;

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* False: it is not known, and that is in the transcript. */
static bool
ask(struct audit_dns *d, struct buf *out, const char *name, enum dns_type type, struct dns_answer *a)
{
	if (d->away)
		return false;
	dns_ask(d->asker, name, type, d->patience, a);
	qsort(a->record, a->records, sizeof a->record[0], by_octets);
	if (a->verdict != DNS_FAILED)
		return true;
	(void)transcript_put_text(out, "dns-failed", a->words);
	d->away = true;
	return false;
}

static const char *
signed_word(const struct dns_answer *a)
{
	return a->secure ? "secure" : "insecure";
}

bool
audit_dns_away(const struct audit_dns *d)
{
	return d == NULL || d->away || d->unsure;
}

/* ---- places ---- */
struct audit_place
audit_place_of(const char *host, uint16_t port, enum audit_service service, bool vouched)
{
	struct audit_place p = { .port = port, .service = service, .vouched = vouched };

	span_text(span_of(host), p.host, sizeof p.host);
	return p;
}

static struct audit_place *
find_place(struct audit_places *p, const struct audit_place *place)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->place[i].port == place->port && span_same(span_of(p->place[i].host), span_of(place->host)))
			return &p->place[i];
	return NULL;
}

void
audit_place_add(struct audit_places *p, const struct audit_place *place, const char *by, struct buf *out)
{
	struct audit_place *known = find_place(p, place);
	char text[400];

	(void)snprintf(text, sizeof text, "%s %u %s %s", place->host, place->port, audit_service_name(place->service), by);
	(void)transcript_put_text(out, "found", text);
	if (known != NULL) {
		known->vouched |= place->vouched;
	} else if (p->count == AUDIT_PLACES_MAX) {
		(void)snprintf(text, sizeof text, "%s port %u: a domain has more than %u places", place->host, place->port, (unsigned)AUDIT_PLACES_MAX);
		(void)transcript_put_text(out, "unexamined", text);
	} else {
		p->place[p->count++] = *place;
	}
}

/* What a record names. Whoever says that the domain's own hosts are elsewhere has no certificate for their names (RFC 6186 4). */
static void
add_named(struct audit_places *p, const char *domain, const struct dns_answer *a, const char *host, uint16_t port, enum audit_service service,
    const char *by, struct buf *out)
{
	struct audit_place place = audit_place_of(host, port, service, a->secure || span_is_within(span_of(host), span_of(domain)));

	audit_place_add(p, &place, by, out);
}

/* ---- SRV ---- */
static void
put_srv(struct buf *out, const struct dns_answer *a, const char *domain, enum audit_service service, struct audit_places *p)
{
	struct srv_record r;
	char text[400];

	for (uint32_t i = 0; i < a->records; i++) {
		if (!srv_record_parse(a->record[i], &r))
			continue;
		(void)snprintf(text, sizeof text, "%s %u %u %u %s %s", audit_service_name(service), r.priority, r.weight, r.port,
		    r.target[0] != '\0' ? r.target : ".", signed_word(a));
		(void)transcript_put_text(out, "srv", text);
		if (r.target[0] != '\0' && r.port != 0)
			add_named(p, domain, a, r.target, r.port, service, "srv", out);
	}
}

static void
find_srv(struct audit_dns *d, const char *domain, enum audit_service service, struct audit_places *p, struct buf *out)
{
	struct dns_answer a;
	char name[MX_NAME_MAX + 32], text[64];

	(void)snprintf(name, sizeof name, "_%s._tcp.%s", audit_service_name(service), domain);
	if (!ask(d, out, name, DNS_SRV, &a))
		return;
	put_srv(out, &a, domain, service, p);
	if (a.verdict == DNS_DATA)
		return;
	(void)snprintf(text, sizeof text, "%s none", audit_service_name(service));
	(void)transcript_put_text(out, "srv", text);
}

/* ---- MX ---- */
static void
find_mx(struct audit_dns *d, const char *domain, bool guess, struct audit_places *p, struct buf *out)
{
	struct mx_record best = { .preference = UINT16_MAX }, r;
	struct dns_answer a;
	char text[320];

	if (!ask(d, out, domain, DNS_MX, &a))
		return;
	for (uint32_t i = 0; i < a.records; i++) {
		if (!mx_record_parse(a.record[i], &r))
			continue;
		(void)snprintf(text, sizeof text, "%u %s %s", r.preference, r.name[0] != '\0' ? r.name : ".", signed_word(&a));
		(void)transcript_put_text(out, "mx", text);
		if (r.name[0] != '\0' && (best.name[0] == '\0' || r.preference < best.preference))
			best = r;
	}
	if (a.verdict != DNS_DATA)
		(void)transcript_put_text(out, "mx", "none");
	if (best.name[0] == '\0')
		return;
	if (guess) {
		add_named(p, domain, &a, best.name, 465, AUDIT_SUBMISSIONS, "mx", out);
		add_named(p, domain, &a, best.name, 587, AUDIT_SUBMISSION, "mx", out);
	}
	add_named(p, domain, &a, best.name, 25, AUDIT_SMTP, "mx", out);
}

/* ---- TXT ---- */
static void
find_text(struct audit_dns *d, const char *label, const char *domain, const char *version, const char *key, struct buf *out)
{
	struct dns_answer a;
	char name[MX_NAME_MAX + 32];
	size_t found = 0;

	(void)snprintf(name, sizeof name, "%s.%s", label, domain);
	if (!ask(d, out, name, DNS_TXT, &a))
		return;
	for (uint32_t i = 0; i < a.records; i++) {
		uint8_t octets[TXT_OCTETS_MAX];
		struct buf text = BUF_OVER(octets);
		struct span s;

		if (!txt_record_parse(a.record[i], &text))
			continue;
		s = buf_span(&text);
		if (!span_eq(span_head(s, strlen(version)), span_of(version)))
			continue;
		(void)transcript_put(out, key, s);
		found++;
	}
	if (found == 0)
		(void)transcript_put_text(out, key, "none");
}

void
audit_find(struct audit_dns *d, const struct audit_web *web, const char *domain, struct audit_places *p, struct buf *out)
{
	char name[MX_NAME_MAX];

	p->count = 0;
	(void)transcript_put_text(out, "domain", domain);
	if (d == NULL || d->asker == NULL || !dns_ascii(span_of(domain), name)) {
		(void)transcript_put_text(out, "dns-failed", d == NULL || d->asker == NULL ? "no resolver" : "that is no domain name");
		return;
	}
	find_srv(d, name, AUDIT_SUBMISSIONS, p, out);
	find_srv(d, name, AUDIT_SUBMISSION, p, out);
	audit_autoconfig(d, web, name, p, out);
	find_mx(d, name, p->count == 0, p, out);
	find_text(d, "_mta-sts", name, "v=STSv1", "mta-sts", out);
	find_text(d, "_smtp._tls", name, "v=TLSRPTv1", "tlsrpt", out);
}

/* ---- addresses ---- */
/* That nobody answers says nothing about the host. */
static void
put_unknown(struct buf *out, const char *host, const char *why, bool answered)
{
	char text[400];

	(void)snprintf(text, sizeof text, "%s: %s", host, why);
	(void)transcript_put_text(out, answered ? "unknown-host" : "dns-failed", text);
}

static int
by_text(const void *one, const void *other)
{
	return strcmp(one, other);
}

static size_t
addresses_of_system(struct audit_dns *d, const char *host, char address[AUDIT_ADDRESSES_MAX][64], struct buf *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int error = getaddrinfo(host, NULL, &hints, &list);
	size_t n = 0;

	if (error != 0)
		put_unknown(out, host, gai_strerror(error), error != EAI_AGAIN);
	if (d != NULL && error == EAI_AGAIN)
		d->unsure = true;
	for (struct addrinfo *i = list; i != NULL && n < AUDIT_ADDRESSES_MAX; i = i->ai_next)
		n += getnameinfo(i->ai_addr, i->ai_addrlen, address[n], sizeof address[n], NULL, 0, NI_NUMERICHOST) == 0;
	if (list != NULL)
		freeaddrinfo(list);
	qsort(address, n, sizeof address[0], by_text);
	return n;
}

static size_t
addresses_of_kind(struct audit_dns *d, const char *host, bool v6, char address[AUDIT_ADDRESSES_MAX][64], size_t n, struct buf *out)
{
	struct dns_answer a;

	if (!ask(d, out, host, v6 ? DNS_AAAA : DNS_A, &a))
		return n;
	for (uint32_t i = 0; i < a.records && n < AUDIT_ADDRESSES_MAX; i++)
		if (a.record[i].len == (v6 ? 16u : 4u))
			n += inet_ntop(v6 ? AF_INET6 : AF_INET, a.record[i].p, address[n], sizeof address[n]) != NULL;
	return n;
}

size_t
audit_addresses(struct audit_dns *d, const char *host, char address[AUDIT_ADDRESSES_MAX][64], struct buf *out)
{
	char name[MX_NAME_MAX];
	size_t n;

	if (address_is_numeric(host) || d == NULL || !d->own || !dns_ascii(span_of(host), name))
		return addresses_of_system(d, host, address, out);
	n = addresses_of_kind(d, name, true, address, 0, out);
	n = addresses_of_kind(d, name, false, address, n, out);
	if (n == 0)
		put_unknown(out, host, d->away ? "the resolver did not answer" : "it has no address", !d->away);
	return n;
}

/* ---- TLSA ---- */
/* Single labels are names of this network, about which the DNS knows nothing. */
static bool
is_name(const char *host)
{
	return strchr(host, '.') != NULL && !address_is_numeric(host);
}

void
audit_tlsa(struct audit_dns *d, const struct endpoint *e, const struct tls_session *session)
{
	struct dns_answer a;
	char name[MX_NAME_MAX + 32], host[MX_NAME_MAX], text[128];

	if (d == NULL || d->away || !is_name(e->host) || !dns_ascii(span_of(e->host), host))
		return;
	(void)snprintf(name, sizeof name, "_%u._tcp.%s", e->port, host);
	if (!ask(d, e->out, name, DNS_TLSA, &a))
		return;
	for (uint32_t i = 0; i < a.records; i++) {
		struct tlsa_record r;

		if (!tlsa_record_parse(a.record[i], &r))
			continue;
		(void)snprintf(text, sizeof text, "%u %u %u %s %s", r.usage, r.selector, r.matching, signed_word(&a),
		    !tlsa_record_usable(&r) ? "unusable" : tls_examined_matches(session, r.usage, r.selector, r.matching, r.data) ? "fits" : "differs");
		(void)transcript_put_text(e->out, "tlsa", text);
	}
}
