#include "milter/lines.h"

static const char *
take_one(struct milter_lines *l, uint8_t c, struct buf *out)
{
	if (c == '\0' || (l->cr && c != '\n'))
		return c == '\0' ? "the body that it wants has a NUL in it" : "the body that it wants has a bare CR in it";
	l->cr = c == '\r';
	if (l->cr)
		return NULL;
	if (c == '\n') {
		(void)buf_put_text(out, "\r\n");
		l->column = 0;
		return NULL;
	}
	if (++l->column > MILTER_LINE_MAX)
		return "the body that it wants has a line of more than 998 octets";
	l->eightbit = l->eightbit || c > 127;
	(void)buf_put_byte(out, c);
	return NULL;
}

const char *
milter_lines_take(struct milter_lines *l, struct span *in, struct buf *out)
{
	while (!span_done(*in) && buf_room(out) >= 2) {
		const char *wrong = take_one(l, in->p[0], out);

		if (wrong != NULL)
			return wrong;
		span_skip(in, 1);
	}
	return NULL;
}

const char *
milter_lines_end(struct milter_lines *l, struct buf *out)
{
	if (l->cr)
		return "the body that it wants has a bare CR in it";
	if (l->column > 0)
		(void)buf_put_text(out, "\r\n");
	l->column = 0;
	return NULL;
}
