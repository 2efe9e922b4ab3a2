/*
 * What can only be seen from inside: --login proves itself and asks for a foreign reverse-path, --active begins messages and breaks them off.
 * Credentials go to a server whose certificate verifies for the name that was asked for, and to no other.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/secret.h"
#include "cmd/audit.h"

/* Nobody takes mail there: RFC 2606 reserves it, and its MX says that it takes none (RFC 7505). */
#define INERT "nobody@example.com"

enum {
	LINE_MAX_OCTETS = 1024,
	LOGIN_MS = 10000,               /* a refusal may be late on purpose */
};

static void
put(struct endpoint *e, const char *key, const char *value)
{
	(void)transcript_put(e->out, key, span_of(value));
}

static void
put_answer(struct endpoint *e, const char *key, const char *what)
{
	char text[AUDIT_LINE_MAX + 64];

	(void)snprintf(text, sizeof text, "%s%s%u %s", what, what[0] != '\0' ? " " : "", e->reply.code,
	    e->reply.lines > 0 ? e->reply.text[e->reply.lines - 1] : "");
	put(e, key, text);
}

/* AUTH PLAIN with its response (RFC 4616), which is wiped wherever it was. */
static void
say_plain(struct endpoint *e, struct link *l)
{
	uint8_t octets[LINE_MAX_OCTETS], line[2 * LINE_MAX_OCTETS];
	struct buf plain = BUF_OVER(octets), b = BUF_OVER(line);

	e->reply.code = 0;
	l->patience = LOGIN_MS;
	if (buf_put_byte(&plain, '\0') && buf_put_text(&plain, e->login->name) && buf_put_byte(&plain, '\0')
	    && buf_put_text(&plain, e->login->password) && buf_put_text(&b, "AUTH PLAIN ") && base64_format(buf_span(&plain), &b)
	    && buf_put_text(&b, "\r\n") && link_send(l, buf_span(&b)))
		link_reply(l, &e->reply);
	l->patience = e->patience;
	wipe(octets, sizeof octets);
	wipe(line, sizeof line);
}

/* Up to the EHLO reply under TLS; false: not reached, and what is wrong with it has been said elsewhere. */
static bool
open_session(struct endpoint *e, struct link *l)
{
	char words[600];

	if (!audit_reach(e, l) || !link_secure(l, e->examiner, e->host, words))
		return false;
	if (e->service == AUDIT_SUBMISSIONS)
		link_reply(l, &e->reply);
	link_ask(l, AUDIT_EHLO, &e->reply);
	return e->reply.code == 250;
}

static bool
offers_plain(const struct reply *r)
{
	for (size_t i = 1; i < r->lines; i++) {
		struct span line = span_of(r->text[i]);

		if (!span_same(span_take_word(&line), SPAN("AUTH")))
			continue;
		while (!span_done(line))
			if (span_same(span_take_word(&line), SPAN("PLAIN")))
				return true;
	}
	return false;
}

/* Proves itself when there is a login; false: it is not in. Says why the first time. */
static bool
enter(struct endpoint *e, struct link *l, bool say)
{
	if (!open_session(e, l))
		return false;
	if (e->login == NULL)
		return true;
	if (!tls_examined_trusted(l->tls)) {
		if (say)
			put(e, "login", "unsent the certificate does not verify for this name");
		return false;
	}
	if (!offers_plain(&e->reply)) {
		if (say)
			put(e, "login", "unsent PLAIN is not offered");
		return false;
	}
	say_plain(e, l);
	if (say)
		put_answer(e, "login", "");
	return e->reply.code == 235;
}

bool
audit_enter(struct endpoint *e, struct link *l)
{
	return enter(e, l, false);
}

static void
leave(struct link *l)
{
	(void)link_say(l, "QUIT");
	link_close(l);
}

/* May this login send as somebody it cannot be? */
static void
examine_sender(struct endpoint *e, struct link *l)
{
	link_ask(l, "MAIL FROM:<audit@example.com>", &e->reply);
	put_answer(e, "sender-foreign", "");
	link_ask(l, "RSET", &e->reply);
}

/* ---- what ends a message that should not (RFC 5321 2.3.8, 4.1.1.4) ---- */
static const struct ending { const char *name; const char *octets; } endings[] = {
	{ "LF.LF", "\n.\n" }, { "LF.CRLF", "\n.\r\n" }, { "CRLF.LF", "\r\n.\n" }, { "CR.CR", "\r.\r" }, { "CR.CRLF", "\r.\r\n" },
};

/* True: content is wanted. */
static bool
begin_message(struct endpoint *e, struct link *l)
{
	char line[LINE_MAX_OCTETS];

	(void)snprintf(line, sizeof line, "MAIL FROM:<%s>", e->login != NULL ? e->login->sender : "");
	link_ask(l, line, &e->reply);
	if (e->reply.code == 250)
		link_ask(l, "RCPT TO:<" INERT ">", &e->reply);
	if (e->reply.code == 250)
		link_ask(l, "DATA", &e->reply);
	return e->reply.code == 354;
}

enum { ENDINGS = sizeof endings / sizeof endings[0], ENDING_MS = 2000 };

/*
 * Never completed: whoever is not fooled throws it away when the connection goes (RFC 5321 4.1.1.4). Endings from first to last, one after
 * the other in the same content. False: no message was taken.
 */
static bool
try_endings(struct endpoint *e, struct link *l, size_t first, size_t last)
{
	bool begun = enter(e, l, false) && begin_message(e, l);

	if (!begun) {
		put_answer(e, "smuggling", "not-begun");
		return false;
	}
	e->reply.code = 0;
	(void)link_send(l, SPAN("Subject: an examination\r\n\r\n"));
	for (size_t i = first; i <= last; i++)
		(void)(link_send(l, SPAN("This is broken off.")) && link_send(l, span_of(endings[i].octets)));
	if (link_wait(l, e->patience < ENDING_MS ? e->patience : ENDING_MS))
		link_reply(l, &e->reply);
	return true;
}

/* All at once first: a server that takes none of them for an end has been asked enough. */
static void
examine_endings(struct endpoint *e)
{
	struct link l = { .fd = -1 };
	bool begun = try_endings(e, &l, 0, ENDINGS - 1);

	if (begun && e->reply.code / 100 != 2)
		put(e, "smuggling", e->reply.code != 0 ? "refused" : l.ended ? "closed" : "waits");
	link_close(&l);
	if (!begun || e->reply.code / 100 != 2)
		return;
	for (size_t i = 0; begun && i < ENDINGS; i++) {
		begun = try_endings(e, &l, i, i);
		if (begun && e->reply.code / 100 == 2)
			put_answer(e, "smuggling", endings[i].name);
		link_close(&l);
	}
}

void
audit_inside(struct endpoint *e)
{
	struct link l = { .fd = -1 };

	if (e->service != AUDIT_SUBMISSIONS && e->service != AUDIT_SUBMISSION)
		return;
	if (e->login != NULL) {
		bool in = enter(e, &l, true);

		if (in)
			examine_sender(e, &l);
		leave(&l);
		if (!in)
			return;
	}
	if (e->active)
		examine_endings(e);
}
