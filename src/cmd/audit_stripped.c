/*
 * What a client gets whose STARTTLS was taken away on the way: how far would it come in clear? Kept apart from what EHLO offers. Nothing is given
 * away: AUTH without a response, MAIL without content, both taken back.
 */
#include <stdio.h>

#include "cmd/audit.h"

enum { LINES_MAX = 100, TEXT_MAX = 300 /* octets of a line that are kept */ };

/* Some in between make such a thing of STARTTLS, so that the server does not know it and the client goes on. */
static const struct span mangled = SPAN_INIT("STARTTLX\r\n");
/* Nobody has this name: RFC 2606 reserves it. Whose EHLO is taken away too says HELO, and cannot see what is offered. */
static const struct hello { const char *verb; struct span line; } hellos[] = {
	{ "EHLO", SPAN_INIT("EHLO audit.invalid\r\n") },
	{ "HELO", SPAN_INIT("HELO audit.invalid\r\n") },
};

/* A line without its end, cut where it is too long for us. False: none comes. */
static bool
take_line(struct link *l, struct buf *line)
{
	for (;;) {
		struct span have = buf_span(&l->in);
		size_t n = span_find(have, '\n');

		if (n < have.len) {
			line->len = 0;
			(void)buf_put(line, span_head(have, n < line->max ? n : line->max));
			buf_drop(&l->in, n + 1);
			return true;
		}
		if (buf_room(&l->in) == 0 || !link_wait(l, l->patience))
			return false;
	}
}

/* The code of a whole reply, with the text of its last line behind the code; 0: none came, or it was none (RFC 5321 4.2). */
static unsigned
take_reply(struct link *l, struct buf *line)
{
	struct span text, digits;
	uint64_t code = 0;
	bool more = true;

	for (int i = 0; more && i < LINES_MAX; i++) {
		if (!take_line(l, line))
			return 0;
		more = line->len > 3 && line->p[3] == '-';
	}
	text = buf_span(line);
	digits = span_head(text, 3);
	if (more || text.len < 3 || !span_take_u64(&digits, &code) || !span_done(digits))
		return 0;
	buf_drop(line, text.len > 3 ? 4 : 3);
	while (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return (unsigned)code;
}

static unsigned
ask(struct link *l, struct span command, struct buf *line)
{
	return link_send(l, command) ? take_reply(l, line) : 0;
}

static void
put(struct endpoint *e, const char *hello, const char *verb, unsigned code, const struct buf *line)
{
	char text[TEXT_MAX + 40];

	(void)snprintf(text, sizeof text, "%s %s %u %.*s", hello, verb, code, (int)line->len, (const char *)line->p);
	(void)transcript_put(e->out, "stripped", span_of(text));
}

/* Up to where STARTTLS would stand, and on without it. */
static void
examine(struct endpoint *e, struct link *l, const struct hello *h)
{
	uint8_t octets[TEXT_MAX];
	struct buf line = BUF_OVER(octets);
	unsigned code;

	if (take_reply(l, &line) != 220 || ask(l, h->line, &line) != 250 || ask(l, mangled, &line) == 0)
		return;
	code = ask(l, SPAN("AUTH PLAIN\r\n"), &line);
	if (code != 0)
		put(e, h->verb, "AUTH", code, &line);
	if (code == 334)
		code = ask(l, SPAN("*\r\n"), &line);
	if (code != 0)
		code = ask(l, SPAN("MAIL FROM:<>\r\n"), &line);
	if (code != 0)
		put(e, h->verb, "MAIL", code, &line);
	if (code != 0 && ask(l, SPAN("RSET\r\n"), &line) != 0)
		(void)link_send(l, SPAN("QUIT\r\n"));
}

void
audit_stripped(struct endpoint *e)
{
	for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
		struct link l;

		if (link_open(&l, e->address, e->port, e->patience) == NULL)
			examine(e, &l, &hellos[i]);
		link_close(&l);
	}
}
