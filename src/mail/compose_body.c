#include "mail/compose.h"

#include <assert.h>

enum { OCTET_GROWS_TO = 4 };    /* a dot held back, CRLF for a CR that was alone, the octet */

/* The first thing that is; the rest is not looked for. */
static void
find_unfit(struct compose *c, const char *why)
{
	if (c->unfit)
		return;
	c->unfit = true;
	c->why = why;
	c->unfit_line = c->line;
}

static void
end_line(struct compose *c, struct buf *out)
{
	(void)buf_put_text(out, "\r\n");
	c->line++;
	c->column = 0;
	c->cr = false;
}

static void
release_dot(struct compose *c, struct buf *out)
{
	if (c->dot)
		(void)buf_put_byte(out, '.');
	c->dot = false;
}

static void
text_octet(struct compose *c, uint8_t octet, struct buf *out)
{
	if (octet == '\r') {
		c->cr = true;
		return;
	}
	if (octet == 0)
		find_unfit(c, "a NUL octet");
	if (++c->column > COMPOSE_LINE_MAX)
		find_unfit(c, "a line of more than 998 octets");
	c->eightbit |= octet > 127;
	if (c->facts->dot_ends && octet == '.' && c->column == 1) {
		c->dot = true;
		return;
	}
	release_dot(c, out);
	(void)buf_put_byte(out, octet);
}

static enum compose_step
body_octet(struct compose *c, uint8_t octet, struct buf *out)
{
	bool is_newline = octet == '\n';

	if (c->dot && is_newline) {
		c->ended = true;
		return COMPOSE_DONE;
	}
	/* A CR alone ends a line too, as programs that draw progress on a terminal write it: as it is nobody would take it. */
	if (is_newline || c->cr) {
		release_dot(c, out);
		end_line(c, out);
	}
	if (!is_newline)
		text_octet(c, octet, out);
	return COMPOSE_MORE;
}

enum compose_step
compose_body_feed(struct compose *c, struct span in, size_t *used, struct buf *out)
{
	enum compose_step step = c->ended ? COMPOSE_DONE : COMPOSE_MORE;

	assert(c->phase == COMPOSE_BODY);
	for (*used = 0; *used < in.len && step == COMPOSE_MORE && buf_room(out) >= OCTET_GROWS_TO; ++*used)
		step = body_octet(c, in.p[*used], out);
	return step;
}

enum compose_step
compose_body_end(struct compose *c, struct buf *out)
{
	assert(c->phase == COMPOSE_BODY);
	if (c->dot && !c->ended) {
		/* "." and then nothing more says the same as "." and a line end. */
		c->dot = false;
		c->ended = true;
		c->column = 0;
	}
	if (c->ended || (c->column == 0 && !c->cr))
		return COMPOSE_DONE;
	if (buf_room(out) < OCTET_GROWS_TO)
		return COMPOSE_MORE;
	end_line(c, out);
	return COMPOSE_DONE;
}
