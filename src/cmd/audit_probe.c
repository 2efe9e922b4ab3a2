/* One endpoint, as an analyst would look at it. Nothing is sent that could harm: no credentials, no content. */
#include <stdio.h>
#include <string.h>

#include "cmd/audit.h"

enum { FIRST_MS = 400, INJECTED_MS = 700 };     /* a server that speaks first does so at once; an answer that was queued too */

/* Nobody has these: RFC 2606 reserves them. */
#define MAIL "MAIL FROM:<>"
#define RCPT "RCPT TO:<nobody@example.com>"

const char *
audit_service_name(enum audit_service service)
{
	static const char *const names[] = { "submissions", "submission", "smtp", "imaps", "pop3s" };

	return names[service];
}

static bool
is_implicit(const struct endpoint *e)
{
	return e->service != AUDIT_SUBMISSION && e->service != AUDIT_SMTP;
}

static bool
speaks_smtp(const struct endpoint *e)
{
	return e->service != AUDIT_IMAPS && e->service != AUDIT_POP3S;
}

static void
put(struct endpoint *e, const char *key, const char *value)
{
	(void)transcript_put(e->out, key, span_of(value));
}

static void
put_fact(void *arg, const char *key, struct span value)
{
	struct endpoint *e = arg;

	(void)transcript_put(e->out, key, value);
}

static void
put_reply(struct endpoint *e, const char *key)
{
	char text[AUDIT_LINE_MAX + 16];

	(void)snprintf(text, sizeof text, "%u %s", e->reply.code, e->reply.lines > 0 ? e->reply.text[e->reply.lines - 1] : "");
	put(e, key, text);
}

static void
put_ehlo(struct endpoint *e, const char *key)
{
	for (size_t i = 0; e->reply.code == 250 && i < e->reply.lines; i++)
		put(e, key, e->reply.text[i]);
}

static bool
offers(const struct reply *r, const char *keyword)
{
	size_t n = strlen(keyword);

	for (size_t i = 1; i < r->lines; i++)
		if (span_same(span_head(span_of(r->text[i]), n), span_of(keyword)) && (r->text[i][n] == '\0' || r->text[i][n] == ' '))
			return true;
	return false;
}

static void
put_hostile(struct endpoint *e, const struct link *l)
{
	if (l->hostile != NULL)
		put(e, "hostile", l->hostile);
}

/* ---- getting there ---- */

/* Greeting and EHLO in clear. */
static bool
hello_clear(struct endpoint *e, struct link *l)
{
	link_reply(l, &e->reply);
	if (e->reply.code != 220)
		return false;
	link_ask(l, AUDIT_EHLO, &e->reply);
	return e->reply.code == 250;
}

bool
audit_reach(struct endpoint *e, struct link *l)
{
	if (link_open(l, e->address, e->port, e->patience) != NULL)
		return false;
	if (is_implicit(e))
		return true;
	if (!hello_clear(e, l) || !offers(&e->reply, "STARTTLS"))
		return false;
	link_ask(l, "STARTTLS", &e->reply);
	l->in.len = 0;
	return e->reply.code == 220;
}

/* Who breaks off what it began, or sends what nobody should, is asked nothing more. */
static bool
is_lost(const struct endpoint *e, const struct link *l)
{
	return e->reply.code == 0 || l->hostile != NULL;
}

/* ---- in clear ---- */

static void
examine_auth_clear(struct endpoint *e, struct link *l)
{
	static const char *const mechanisms[] = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256" };

	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		char line[64], text[AUDIT_LINE_MAX + 64];

		/* Without a response: it shows whether one would be taken, and gives nothing away. */
		(void)snprintf(line, sizeof line, "AUTH %s", mechanisms[i]);
		link_ask(l, line, &e->reply);
		if (is_lost(e, l))
			return;
		(void)snprintf(text, sizeof text, "%s %u %s", mechanisms[i], e->reply.code, e->reply.text[e->reply.lines - 1]);
		put(e, "auth-clear", text);
		if (e->reply.code == 334)
			link_ask(l, "*", &e->reply);
	}
}

/* MAIL without a login; where that is taken, a recipient elsewhere too. Then everything is forgotten. */
static void
examine_mail(struct endpoint *e, struct link *l, const char *mail_key, const char *rcpt_key)
{
	link_ask(l, MAIL, &e->reply);
	if (is_lost(e, l))
		return;
	put_reply(e, mail_key);
	if (e->reply.code / 100 == 2) {
		link_ask(l, RCPT, &e->reply);
		put_reply(e, rcpt_key);
	}
	link_ask(l, "RSET", &e->reply);
}

static void
examine_clear(struct endpoint *e)
{
	struct link l;
	char text[64];
	int offered = 0, made = 0;

	for (; made < AUDIT_TRIES && link_open(&l, e->address, e->port, e->patience) == NULL; made++) {
		if (hello_clear(e, &l)) {
			offered += offers(&e->reply, "STARTTLS");
			if (made == 0) {
				put_ehlo(e, "ehlo-clear");
				/* On 25 nothing but a look: it is not a service for us. */
				if (e->service == AUDIT_SUBMISSION) {
					examine_auth_clear(e, &l);
					examine_mail(e, &l, "mail-clear", "rcpt-clear");
				}
			}
		}
		(void)link_say(&l, "QUIT");
		put_hostile(e, &l);
		link_close(&l);
	}
	(void)snprintf(text, sizeof text, "%d %d", made, offered);
	put(e, "starttls-tries", text);
}

/* A command in the same segment as STARTTLS: whoever answers it after the handshake would answer a stranger's too (3207-7). */
static void
examine_injection(struct endpoint *e)
{
	char words[600];
	struct link l;

	if (link_open(&l, e->address, e->port, e->patience) == NULL && hello_clear(e, &l) && offers(&e->reply, "STARTTLS")
	    && link_send(&l, SPAN("STARTTLS\r\nNOOP\r\n"))) {
		link_reply(&l, &e->reply);
		put_reply(e, "starttls");
		if (e->reply.code == 220 && link_secure(&l, e->examiner, e->host, words)) {
			bool answered = link_wait(&l, INJECTED_MS);

			l.patience = 1;
			if (answered)
				link_reply(&l, &e->reply);
			put(e, "injection", answered ? "answered" : "clean");
		}
	}
	link_close(&l);
}

/* ---- over TLS ---- */

static void
examine_smtp(struct endpoint *e, struct link *l)
{
	if (is_implicit(e)) {
		link_reply(l, &e->reply);
		put_reply(e, "greeting");
		if (e->reply.code != 220)
			return;
	}
	link_ask(l, AUDIT_EHLO, &e->reply);
	put_ehlo(e, "ehlo-tls");
	if (e->service == AUDIT_SMTP || is_lost(e, l))
		return;
	examine_mail(e, l, "mail-tls", "rcpt-tls");
	link_ask(l, "VRFY nobody-of-this-name", &e->reply);
	put_reply(e, "vrfy");
	link_ask(l, "EXPN staff", &e->reply);
	put_reply(e, "expn");
}

static void
examine_end(struct endpoint *e, struct link *l)
{
	if (!speaks_smtp(e) || l->hostile != NULL || !link_say(l, "QUIT"))
		return;
	link_reply(l, &e->reply);
	while (link_wait(l, e->patience))
		l->in.len = 0;
	if (l->ended)
		put(e, "close-notify", l->cut ? "no" : "yes");
}

static bool
examine_tls(struct endpoint *e)
{
	struct link l;
	char words[600];
	bool up = audit_reach(e, &l) && link_secure(&l, e->examiner, e->host, words);

	if (up) {
		put(e, "first", is_implicit(e) ? "tls" : "smtp");
		tls_examined(l.tls, put_fact, e);
		audit_tlsa(e->dns, e, l.tls);
		if (speaks_smtp(e))
			examine_smtp(e, &l);
		examine_end(e, &l);
	} else if (l.tls != NULL) {
		put(e, "tls-failed", words);
	}
	put_hostile(e, &l);
	link_close(&l);
	return up;
}

/* Work that a stranger may ask for again and again (RFC 9325 3.5). TLS 1.3 has none. */
static void
examine_renegotiation(struct endpoint *e)
{
	struct link l;
	char words[600];

	if (audit_reach(e, &l)) {
		l.old = true;
		/* A greeting under way would be taken for a part of the handshake. */
		if (link_secure(&l, e->examiner, e->host, words) && (!is_implicit(e) || link_wait(&l, e->patience)))
			put(e, "tls-renegotiates", link_secure_again(&l) ? "yes" : "no");
	}
	link_close(&l);
}

/* ---- what is it at all? ---- */

static const char *
kind_of(struct span seen)
{
	if (span_take(&seen, SPAN("220")))
		return "smtp";
	if (span_take(&seen, SPAN("HTTP/")))
		return "http";
	return span_done(seen) ? "nothing" : "other";
}

/* URD answers every GET on this port with the words of a router (urd-2). */
static bool
is_urd(struct span seen)
{
	struct span router = SPAN("cisco IOS");

	for (; seen.len >= router.len; span_skip(&seen, 1))
		if (span_same(span_head(seen, router.len), router))
			return true;
	return false;
}

static void
put_first(struct endpoint *e, struct span seen)
{
	char octets[300];
	struct buf b = BUF_OVER(octets);
	const char *kind = is_urd(seen) ? "urd" : kind_of(seen);

	(void)(buf_put_text(&b, kind) && (span_done(seen) || buf_put_byte(&b, ' ')) && buf_put(&b, span_head(seen, 200)));
	(void)transcript_put(e->out, "first", buf_span(&b));
}

/* Does it speak first, in clear? True: then that is said, and TLS is not to be expected. */
static bool
speaks_first(struct endpoint *e)
{
	struct link l;
	const char *failed = link_open(&l, e->address, e->port, e->patience);
	char text[32];
	uint64_t since = audit_now();
	bool spoke = false;

	if (failed != NULL) {
		put(e, "connect", failed);
		return true;
	}
	(void)snprintf(text, sizeof text, "ok %u", (unsigned)(audit_now() - since));
	put(e, "connect", text);
	if (is_implicit(e) && link_wait(&l, FIRST_MS)) {
		put_first(e, buf_span(&l.in));
		spoke = true;
	}
	link_close(&l);
	return spoke;
}

/* No TLS came about: what does it say to a line? */
static void
examine_other(struct endpoint *e)
{
	struct link l;

	if (link_open(&l, e->address, e->port, e->patience) == NULL) {
		(void)link_send(&l, SPAN("GET / HTTP/1.0\r\n\r\n"));
		(void)link_wait(&l, e->patience);
		put_first(e, buf_span(&l.in));
	}
	link_close(&l);
}

static void
examine_greeting(struct endpoint *e)
{
	struct link l;

	if (link_open(&l, e->address, e->port, e->patience) == NULL) {
		link_reply(&l, &e->reply);
		put_reply(e, "greeting");
	}
	link_close(&l);
}

void
audit_probe(struct endpoint *e)
{
	char text[128];

	(void)snprintf(text, sizeof text, "%s %u %s", e->address, e->port, audit_service_name(e->service));
	put(e, "endpoint", text);
	put(e, "host", e->host);
	if (speaks_first(e))
		return;
	if (!is_implicit(e)) {
		examine_greeting(e);
		examine_clear(e);
	}
	if (!is_implicit(e))
		examine_injection(e);
	if (e->service == AUDIT_SUBMISSION)
		audit_stripped(e);
	if (examine_tls(e)) {
		audit_hellos(e);
		examine_renegotiation(e);
		audit_inside(e);
	} else if (is_implicit(e)) {
		examine_other(e);
	}
}
