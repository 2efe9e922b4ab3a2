/* The body in relaxed form (RFC 6376 3.4.4), whatever pieces it comes in. */
#include "mail/dkim.h"

static void
put(const struct dkim_sink *to, const uint8_t *p, size_t len)
{
	if (len > 0)
		to->put(to->arg, (struct span){ p, len });
}

static void
put_text(const struct dkim_sink *to, struct span text)
{
	put(to, text.p, text.len);
}

void
dkim_body_init(struct dkim_body *b)
{
	*b = (struct dkim_body){ .empty = 0 };
}

/* What was held back counts after all: something follows. */
static void
content_begins(struct dkim_body *b, const struct dkim_sink *to)
{
	static const char lines[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";

	while (b->empty > 0) {
		size_t n = b->empty < 8 ? (size_t)b->empty : 8;

		put_text(to, span_head(span_of(lines), 2 * n));
		b->empty -= n;
	}
	if (b->space)
		put_text(to, SPAN(" "));
	b->space = false;
	b->line = true;
}

static void
line_ends(struct dkim_body *b, const struct dkim_sink *to)
{
	b->space = false;
	if (b->line)
		put_text(to, SPAN("\r\n"));
	else
		b->empty++;
	b->line = false;
}

static bool
is_special(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The definition; what plain() finds is only quicker. */
static void
octet(struct dkim_body *b, uint8_t c, const struct dkim_sink *to)
{
	if (b->cr) {
		b->cr = false;
		if (c == '\n') {
			line_ends(b, to);
			return;
		}
		content_begins(b, to);
		put_text(to, SPAN("\r"));
	}
	if (c == '\r') {
		b->cr = true;
	} else if (is_special(c)) {
		b->space = true;
	} else {
		content_begins(b, to);
		put(to, &c, 1);
	}
}

/* How many octets, in the middle of a line, are canonical as they stand: nearly all of most mail. */
static size_t
plain(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (!is_special(p[i]))
			i++;
		else if (p[i] == ' ' && n - i > 1 && !is_special(p[i + 1]))
			i += 2;
		else if (p[i] == '\r' && n - i > 2 && p[i + 1] == '\n' && !is_special(p[i + 2]))
			i += 3;
		else
			break;
	}
	return i;
}

void
dkim_body_put(struct dkim_body *b, struct span octets, const struct dkim_sink *to)
{
	while (octets.len > 0) {
		if (b->line && !b->space && !b->cr) {
			size_t n = plain(octets.p, octets.len);

			put(to, octets.p, n);
			span_skip(&octets, n);
		}
		if (octets.len > 0) {
			octet(b, octets.p[0], to);
			span_skip(&octets, 1);
		}
	}
}

/* A last line without its end is given one, as the SMTP client gives it (RFC 5321 4.1.1.4). */
void
dkim_body_end(struct dkim_body *b, const struct dkim_sink *to)
{
	if (b->cr) {
		b->cr = false;
		content_begins(b, to);
		put_text(to, SPAN("\r"));
	}
	if (b->line)
		line_ends(b, to);
}
