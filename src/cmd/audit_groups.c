/* The groups of the key exchange (RFC 8446 4.2.7, RFC 8422 5.1.1). */
#include <stdio.h>

#include "cmd/audit_hello.h"

/* What has forward secrecy from a group, in TLS 1.2. */
static const uint16_t with_group[] = { 0xc02f, 0xc02b, 0xc030, 0xc02c, 0xcca8, 0xcca9, 0xc013, 0xc009, 0xc014, 0xc00a, 0xc027, 0xc023,
	0xc028, 0xc024, 0xc012, 0xc008, 0xc011, 0xc007 };
enum { WITH_GROUP = sizeof with_group / sizeof with_group[0] };

/* Offer all, note the one that is asked for, offer the rest, until none is asked for any more. */
static void
examine_groups(struct endpoint *e)
{
	uint16_t suite[HELLO_SUITES_MAX], group[HELLO_GROUPS_MAX];
	struct hello_question q = { .version = HELLO_TLS13, .suite = suite, .suites = hello_suites(HELLO_TLS13, suite), .group = group,
		.groups = hello_groups(group), .shareless = true };
	enum hello_step step = HELLO_SERVER;
	struct hello_reply r;

	while (q.groups > 0 && (step = audit_ask_hello(e, &q, &r)) == HELLO_SERVER && r.version == HELLO_TLS13) {
		size_t at = 0;

		while (at < q.groups && group[at] != r.group)
			at++;
		/* One that was not offered: the server is broken, and would never be done. */
		if (at == q.groups)
			break;
		(void)transcript_put_text(e->out, "tls-group", hello_group_name(r.group));
		for (q.groups--; at < q.groups; at++)
			group[at] = group[at + 1];
	}
	/* Nobody was there to be asked. */
	if (step == HELLO_OTHER)
		(void)transcript_put_text(e->out, "tls-groups-unknown", "yes");
}

static void
examine_weak_groups(struct endpoint *e)
{
	uint16_t group[HELLO_GROUPS_MAX];
	struct hello_question q = { .version = HELLO_TLS12, .suite = with_group, .suites = WITH_GROUP, .group = group,
		.groups = hello_weak_groups(group) };
	struct hello_reply r;
	enum hello_step step = audit_ask_hello(e, &q, &r);

	if (step == HELLO_SERVER || step == HELLO_ALERT)
		(void)transcript_put_text(e->out, "tls-weak-groups", step == HELLO_SERVER ? "yes" : "no");
}

/* The server chooses the prime alone, and may have one that was short when it was set up (CVE-2015-4000). */
static void
examine_prime(struct endpoint *e)
{
	char words[600], text[32];
	struct link l;
	unsigned bits = 0;

	if (audit_reach(e, &l)) {
		l.prime = true;
		bits = link_secure(&l, e->examiner, e->host, words) ? tls_examined_prime(l.tls) : 0;
	}
	link_close(&l);
	(void)snprintf(text, sizeof text, "%u", bits);
	if (bits > 0)
		(void)transcript_put_text(e->out, "tls-prime", text);
}

void
audit_groups(struct endpoint *e, bool tls13, bool tls12, bool prime)
{
	if (tls13)
		examine_groups(e);
	if (tls12)
		examine_weak_groups(e);
	if (prime)
		examine_prime(e);
}
