/* One endpoint, as an analyst would look at it: what is asked on which connection. What is said there is smtp/probe's. */
#include <stdio.h>
#include <string.h>

#include "cmd/audit_pace.h"
#include "os/clock.h"
#include "os/replace.h"

enum { FIRST_MS = 400 };                /* a server that speaks first does so at once */

const char *
audit_service_name(enum audit_service service)
{
	static const char *const names[] = { "submissions", "submission", "smtp", "imaps", "pop3s" };

	return names[service];
}

bool
audit_is_implicit(const struct endpoint *e)
{
	return e->service != AUDIT_SUBMISSION && e->service != AUDIT_SMTP;
}

static bool
speaks_smtp(const struct endpoint *e)
{
	return e->service != AUDIT_IMAPS && e->service != AUDIT_POP3S;
}

void
audit_put_hostile(struct endpoint *e, const struct link *l)
{
	if (l->hostile != NULL)
		(void)transcript_put_text(e->out, "hostile", l->hostile);
}

/* ---- in clear ---- */

/* Is STARTTLS there each time? The first time the rest is looked at, on 25 nothing but the list: it is not a service for us. */
static void
examine_clear(struct endpoint *e)
{
	enum smtp_probe_plan plan = e->service == AUDIT_SUBMISSION ? SMTP_PROBE_CLEAR : SMTP_PROBE_LOOK;
	struct link l;
	char text[64];
	int offered = 0, made = 0;

	for (int tries = 0; tries < AUDIT_TRIES && audit_talk(e, &l, plan); tries++) {
		/* A list that never came does not lack it. */
		made += e->probe.greeted;
		offered += e->probe.starttls;
		plan = SMTP_PROBE_GLANCE;
		audit_put_hostile(e, &l);
		link_close(&l);
	}
	(void)snprintf(text, sizeof text, "%d %d", made, offered);
	(void)transcript_put_text(e->out, "starttls-tries", text);
}

/* ---- over TLS ---- */

/* Until the server closes, or does not. */
static void
examine_end(struct endpoint *e, struct link *l)
{
	if (!speaks_smtp(e) || l->hostile != NULL)
		return;
	while (link_wait(l, e->patience))
		l->in.len = 0;
	if (l->ended)
		(void)transcript_put_text(e->out, "close-notify", l->cut ? "no" : "yes");
}

static void
examine_tls(struct endpoint *e)
{
	struct link l;
	char words[600];

	e->secured = audit_talk(e, &l, e->service == AUDIT_SMTP ? SMTP_PROBE_LOOK_TLS : SMTP_PROBE_TLS) && audit_talk_secure(e, &l, words);
	if (e->secured) {
		(void)transcript_put_text(e->out, "first", audit_is_implicit(e) ? "tls" : "smtp");
		tls_examined(l.tls, audit_say, e);
		audit_tlsa(e->dns, e, l.tls);
		if (speaks_smtp(e))
			audit_talk_on(e, &l);
		examine_end(e, &l);
	} else if (l.tls != NULL) {
		(void)transcript_put_text(e->out, "tls-failed", words);
	}
	audit_put_hostile(e, &l);
	link_close(&l);
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
		if (link_secure(&l, e->examiner, e->host, words) && (!audit_is_implicit(e) || link_wait(&l, e->patience)))
			(void)transcript_put_text(e->out, "tls-renegotiates", link_secure_again(&l) ? "yes" : "no");
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
	uint64_t since = clock_run();
	bool spoke = false;

	if (failed != NULL) {
		(void)transcript_put_text(e->out, "connect", audit_pace_excuse(e, failed));
		return true;
	}
	(void)snprintf(text, sizeof text, "ok %u", (unsigned)(clock_run() - since));
	(void)transcript_put_text(e->out, "connect", text);
	if (audit_is_implicit(e) && link_wait(&l, FIRST_MS)) {
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

/* False: nothing came, and nothing more can be asked. */
static bool
examine_greeting(struct endpoint *e)
{
	audit_talk_whole(e, SMTP_PROBE_GREETING, 0);
	e->greeted = e->probe.code == 220;
	return e->heard;
}

static void
examine_injection(struct endpoint *e)
{
	audit_talk_whole(e, SMTP_PROBE_INJECTION, 0);
}

static void
examine_stripped(struct endpoint *e)
{
	audit_talk_whole(e, SMTP_PROBE_STRIPPED, 0);
	audit_talk_whole(e, SMTP_PROBE_STRIPPED_HELO, 0);
}

/* Out to who judges: it is kept then, whatever becomes of us. */
static void
keep(struct endpoint *e)
{
	if (e->fd == -1)
		return;
	(void)file_write(e->fd, buf_span(e->out));
	e->out->len = 0;
}

static void
part(struct endpoint *e, const char *name, void (*examine_it)(struct endpoint *))
{
	audit_part(e, name, examine_it);
	keep(e);
}

static void
examine(struct endpoint *e)
{
	if (speaks_first(e))
		return;
	if (!audit_is_implicit(e)) {
		if (!examine_greeting(e)) {
			put_first(e, SPAN(""));
			(void)transcript_put_text(e->out, "unexamined", "what comes behind the greeting");
			return;
		}
		part(e, "what is offered and taken in clear", examine_clear);
		part(e, "injection into STARTTLS", examine_injection);
	}
	if (e->service == AUDIT_SUBMISSION)
		part(e, "what is left without STARTTLS", examine_stripped);
	part(e, "TLS, the certificate and what is said over TLS", examine_tls);
	if (e->secured) {
		part(e, "versions and suites of TLS", audit_hellos);
		part(e, "renegotiation", examine_renegotiation);
		part(e, "what a login may do", audit_inside);
	} else if (audit_is_implicit(e)) {
		part(e, "what else answers", examine_other);
	}
}

void
audit_probe(struct endpoint *e)
{
	char text[128];

	(void)snprintf(text, sizeof text, "%s %u %s", e->address, e->port, audit_service_name(e->service));
	(void)transcript_put_text(e->out, "endpoint", text);
	(void)transcript_put_text(e->out, "host", e->host);
	keep(e);
	audit_pace_endpoint(e);
	examine(e);
	audit_pace_end(e);
	keep(e);
}
