/* Which versions and suites a server takes: one ClientHello, one answer, one connection each. */
#include <sys/random.h>

#include "cmd/audit_hello.h"
#include "os/address.h"

enum { VERSIONS = HELLO_TLS13 - HELLO_SSL3 + 1 };

enum hello_step
audit_ask_hello(struct endpoint *e, struct hello_question *q, struct hello_reply *r)
{
	uint8_t octets[HELLO_MAX], random[HELLO_RANDOM];
	struct buf hello = BUF_OVER(octets);
	enum hello_step step = HELLO_OTHER;
	struct link l;

	/* An address literal is no name, and goes without SNI (RFC 6066 3). */
	q->name = address_is_numeric(e->host) ? SPAN("") : span_of(e->host);
	q->random = random;
	if (getrandom(random, sizeof random, 0) != sizeof random || !hello_format(q, &hello))
		return HELLO_OTHER;
	if (audit_reach(e, &l) && link_send(&l, buf_span(&hello)))
		do
			step = hello_parse(buf_span(&l.in), r);
		while (step == HELLO_MORE && link_wait(&l, e->patience));
	link_close(&l);
	return step;
}

static enum hello_step
ask(struct endpoint *e, uint16_t version, const uint16_t *suite, size_t suites, struct hello_reply *r)
{
	struct hello_question q = { .version = version, .suite = suite, .suites = suites, .compress = true };

	return audit_ask_hello(e, &q, r);
}

static void
put_suite(struct endpoint *e, uint16_t version, uint16_t suite)
{
	char text[100];
	struct buf b = BUF_OVER(text);

	(void)(buf_put_text(&b, hello_version_name(version)) && buf_put_byte(&b, ' ')
	    && buf_put_text(&b, hello_suite_name(suite)));
	(void)transcript_put(e->out, "tls-cipher", buf_span(&b));
}

/* With two that the server takes, in the order that it did not choose: whose order counts? */
static void
examine_order(struct endpoint *e, uint16_t version, uint16_t first, uint16_t second)
{
	uint16_t turned[] = { second, first };
	struct hello_reply r;

	if (ask(e, version, turned, 2, &r) == HELLO_SERVER)
		(void)transcript_put_text(e->out, "tls-preference", r.suite == first ? "server" : "client");
}

static void
put_manners(struct endpoint *e, const struct hello_reply *r)
{
	(void)transcript_put_text(e->out, "tls-compression", r->compressed ? "yes" : "no");
	(void)transcript_put_text(e->out, "tls-ems", r->extended_master_secret ? "yes" : "no");
	(void)transcript_put_text(e->out, "tls-secure-renegotiation", r->secure_renegotiation ? "yes" : "no");
}

/* "TLS_DHE_" or "TLS_DH_anon_". */
static bool
has_prime(uint16_t suite)
{
	struct span name = span_of(hello_suite_name(suite));

	return span_take(&name, SPAN("TLS_DH"));
}

/* Offer all, note what is chosen, offer the rest, until nothing is chosen any more. True: the version is spoken. */
static bool
examine_version(struct endpoint *e, uint16_t version, bool *prime)
{
	uint16_t suite[HELLO_SUITES_MAX], taken[2] = { 0, 0 };
	size_t suites = hello_suites(version, suite), found = 0;
	struct hello_reply r;
	char text[32];
	struct buf b = BUF_OVER(text);

	while (suites > 0 && ask(e, version, suite, suites, &r) == HELLO_SERVER && r.version == version) {
		size_t at = 0;

		while (at < suites && suite[at] != r.suite)
			at++;
		/* One that was not offered: the server is broken, and would never be done. */
		if (at == suites)
			break;
		put_suite(e, version, r.suite);
		*prime = *prime || has_prime(r.suite);
		if (found == 0 && version == HELLO_TLS12)
			put_manners(e, &r);
		if (found < 2)
			taken[found] = r.suite;
		found++;
		for (suites--; at < suites; at++)
			suite[at] = suite[at + 1];
	}
	(void)(buf_put_text(&b, hello_version_name(version)) && buf_put_text(&b, found > 0 ? " yes" : " no"));
	(void)transcript_put(e->out, "tls-version", buf_span(&b));
	if (found >= 2 && version == HELLO_TLS12)
		examine_order(e, version, taken[0], taken[1]);
	return found > 0;
}

void
audit_hellos(struct endpoint *e)
{
	bool speaks[VERSIONS], prime = false;
	uint16_t best = 0, next = 0;

	for (unsigned i = 0; i < VERSIONS; i++) {
		speaks[i] = examine_version(e, (uint16_t)(HELLO_SSL3 + i), &prime);
		next = speaks[i] ? best : next;
		best = speaks[i] ? (uint16_t)(HELLO_SSL3 + i) : best;
	}
	if (next != 0)
		audit_downgrade(e, best, next);
	audit_groups(e, speaks[VERSIONS - 1], speaks[VERSIONS - 2], prime);
	audit_names(e);
}
