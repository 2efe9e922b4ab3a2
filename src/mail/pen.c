#include "mail/pen.h"

#include "base/utf8.h"
#include "mail/xtext.h"

enum {
	QUOTED_COLUMN_MAX = 76, /* RFC 2045 6.7 (5), the soft break's '=' included */
	FOLD_COLUMN = 72,       /* a field is folded at the first space from here on */
	FOLD_FORCED = 900,      /* and anyhow here, before RFC 5322's 998 */
};

void
pen_begin(struct pen *pen, struct buf *out)
{
	*pen = (struct pen){ .out = out, .before = out->len, .good = true };
}

bool
pen_end(struct pen *pen)
{
	if (!pen->good)
		pen->out->len = pen->before;
	return pen->good;
}

void
pen_span(struct pen *pen, struct span s)
{
	pen->good = pen->good && buf_put(pen->out, s);
}

void
pen_text(struct pen *pen, const char *text)
{
	pen_span(pen, span_of(text));
}

static void
put_byte(struct pen *pen, uint8_t c)
{
	pen->good = pen->good && buf_put_byte(pen->out, c);
}

/* ---- fields ---- */

/* folds: a line may end in front of it. */
static void
field_octet(struct pen *pen, uint8_t c, bool folds)
{
	if ((folds && pen->column >= FOLD_COLUMN) || pen->column >= FOLD_FORCED) {
		pen_text(pen, "\r\n");
		/* The space itself begins the continuation. */
		pen->column = 0;
		if (c != ' ')
			put_byte(pen, ' ');
	}
	put_byte(pen, c == ' ' || ascii_is_graph(c) ? c : '?');
	pen->column++;
}

/* Octets of a printable character above 127 at the front of s; 0: there is none. */
static size_t
wide(const struct pen *pen, struct span s)
{
	size_t width = pen->utf8 && s.p[0] > 127 ? utf8_width(s) : 0;

	/* C1 controls are no letters. */
	return width == 2 && s.p[0] == 0xc2 && s.p[1] < 0xa0 ? 0 : width;
}

void
pen_field(struct pen *pen, struct span s)
{
	bool begins = true, space = false;

	/* A space at the end might be folded into one, too (RFC 5322 3.2.2). */
	while (s.len > 0 && s.p[s.len - 1] == ' ')
		s.len--;
	while (s.len > 0) {
		size_t width = wide(pen, s);
		bool another = space && s.p[0] == ' ';

		space = s.p[0] == ' ';
		/* Folded at the first of several spaces, no line is nothing but space; in quotes each of them counts (RFC 5321 4.1.2). */
		if (width == 0 && !(space && begins) && !(another && pen->column >= FOLD_FORCED))
			field_octet(pen, s.p[0], space && !another);
		begins = begins && space;
		pen_span(pen, span_head(s, width));
		pen->column = (uint16_t)(pen->column + (width > 0));
		span_skip(&s, width > 0 ? width : 1);
	}
}

void
pen_xtext(struct pen *pen, struct span s)
{
	while (span_ends(s, SPAN("+20")))
		s.len -= 3;
	while (!span_done(s)) {
		uint8_t c;
		size_t width = xtext_octet(s, &c);

		field_octet(pen, c, c == ' ');
		span_skip(&s, width > 0 ? width : 1);
	}
}

static uint32_t
code_point(struct span s, size_t width)
{
	static const uint8_t first_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t value = s.p[0] & first_mask[width];

	for (size_t i = 1; i < width; i++)
		value = value << 6 | (s.p[i] & 0x3f);
	return value;
}

static unsigned
hex_digits(uint32_t value)
{
	unsigned digits = 2;

	while (value >> (4 * digits) != 0)
		digits++;
	return digits;
}

/* HEXPOINT is upper case (RFC 6533 3), which buf_put_hex() is not. */
static void
put_point(struct pen *pen, uint32_t value)
{
	pen_text(pen, "\\x{");
	for (unsigned i = hex_digits(value); i > 0; i--)
		put_byte(pen, (uint8_t)"0123456789ABCDEF"[value >> (4 * (i - 1)) & 15]);
	put_byte(pen, '}');
}

void
pen_unitext(struct pen *pen, struct span s)
{
	while (s.len > 0) {
		size_t width = utf8_width(s);
		uint32_t value = width == 0 ? '?' : code_point(s, width);

		if (ascii_is_graph((uint8_t)value) && value < 127 && value != '+' && value != '=' && value != '\\')
			put_byte(pen, (uint8_t)value);
		else
			put_point(pen, value);
		span_skip(&s, width == 0 ? 1 : width);
	}
}

/* ---- quoted-printable ---- */

void
pen_quoted_octet(struct pen *pen, uint8_t c)
{
	bool literal = ascii_is_blank(c) || (ascii_is_graph(c) && c != '=');
	unsigned width = literal ? 1 : 3;

	if (pen->column + width > QUOTED_COLUMN_MAX - 1) {
		pen_text(pen, "=\r\n");
		pen->column = 0;
	}
	if (literal) {
		put_byte(pen, c);
	} else {
		put_byte(pen, '=');
		put_byte(pen, (uint8_t)"0123456789ABCDEF"[c >> 4]);
		put_byte(pen, (uint8_t)"0123456789ABCDEF"[c & 15]);
	}
	pen->column = (uint16_t)(pen->column + width);
	pen->space = ascii_is_blank(c);
}

void
pen_quoted_newline(struct pen *pen)
{
	/* A space at the end of a line would be lost on the way (RFC 2045 6.7 (3)): a soft break keeps it from being one. */
	if (pen->space)
		pen_text(pen, "=\r\n");
	pen_text(pen, "\r\n");
	pen->column = 0;
	pen->space = false;
}

void
pen_quoted(struct pen *pen, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			pen_quoted_newline(pen);
		else
			pen_quoted_octet(pen, (uint8_t)*text);
	}
}

void
pen_quoted_safe(struct pen *pen, struct span s)
{
	while (s.len > 0) {
		size_t width = utf8_width(s);

		if (width < 2)
			pen_quoted_octet(pen, s.p[0] == ' ' || ascii_is_graph(s.p[0]) ? s.p[0] : '?');
		for (size_t i = 0; width > 1 && i < width; i++)
			pen_quoted_octet(pen, s.p[i]);
		span_skip(&s, width == 0 ? 1 : width);
	}
}
