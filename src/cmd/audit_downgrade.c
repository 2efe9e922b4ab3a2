/* Protection against being talked down to an older version (RFC 7507, RFC 8446 4.1.3). */
#include "cmd/audit_hello.h"

/* The version's own suites, in the order in which we offer them elsewhere. */
static enum hello_step
ask(struct endpoint *e, uint16_t version, bool fallback, struct hello_reply *r)
{
	uint16_t suite[HELLO_SUITES_MAX];
	struct hello_question q = { .version = version, .suite = suite, .suites = hello_suites(version, suite), .fallback = fallback };

	return audit_ask_hello(e, &q, r);
}

void
audit_downgrade(struct endpoint *e, uint16_t best, uint16_t next)
{
	struct hello_reply r;
	enum hello_step step = ask(e, next, true, &r);

	if (step == HELLO_SERVER)
		(void)transcript_put_text(e->out, "tls-fallback", "taken");
	else if (step == HELLO_ALERT)
		(void)transcript_put_text(e->out, "tls-fallback", r.alert == HELLO_INAPPROPRIATE_FALLBACK ? "refused" : "other-alert");
	/* Only who speaks 1.3 puts the mark there in every older version. */
	if (best == HELLO_TLS13 && ask(e, next, false, &r) == HELLO_SERVER)
		(void)transcript_put_text(e->out, "tls-downgrade-mark", r.downgraded ? "yes" : "no");
}
