#include "mail/compose.h"

#include <assert.h>

enum { OCTET_GROWS_TO = 4 };    /* a dot held back, CRLF for a CR that was alone, the octet */

static enum compose_step
refuse(struct compose *c, const char *why)
{
	c->why = why;
	return COMPOSE_BAD;
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

static enum compose_step
text_octet(struct compose *c, uint8_t octet, struct buf *out)
{
	if (octet == '\r') {
		c->cr = true;
		return COMPOSE_MORE;
	}
	if (octet == 0)
		return refuse(c, "a NUL octet in the body; encode it in base64");
	if (++c->column > COMPOSE_LINE_MAX)
		return refuse(c, "a line longer than 998 octets; encode the body as quoted-printable or base64");
	c->eightbit |= octet > 127;
	if (c->facts->dot_ends && octet == '.' && c->column == 1) {
		c->dot = true;
		return COMPOSE_MORE;
	}
	release_dot(c, out);
	(void)buf_put_byte(out, octet);
	return COMPOSE_MORE;
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
	return is_newline ? COMPOSE_MORE : text_octet(c, octet, out);
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
