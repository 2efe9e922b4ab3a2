#include "mail/unitext.h"

#include "base/utf8.h"
#include "mail/pen.h"

bool
unitext_narrow(struct span text, struct buf *out)
{
	struct pen pen;

	pen_begin(&pen, out);
	while (text.len > 0) {
		size_t width = text.p[0] < 128 ? 1 : utf8_width(text);
		struct span one = span_head(text, width == 0 ? 1 : width);

		if (text.p[0] < 128)
			pen_span(&pen, one);
		else
			pen_unitext(&pen, one);
		span_skip(&text, one.len);
	}
	return pen_end(&pen);
}

/* "\x{" 2 to 6 digits "}" at the front of s; 0 when there is none. */
static size_t
take_point(struct span s, uint32_t *point)
{
	size_t n = 3;

	*point = 0;
	if (s.len < 6 || !span_eq(span_head(s, 3), SPAN("\\x{")))
		return 0;
	for (; n < s.len && n < 9 && ascii_hex_value(s.p[n]) < 16; n++)
		*point = *point << 4 | ascii_hex_value(s.p[n]);
	return n > 4 && n < s.len && s.p[n] == '}' ? n + 1 : 0;
}

static bool
put_point(struct buf *out, uint32_t c)
{
	uint8_t o[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; c >>= 6)
		o[i] = (uint8_t)(0x80 | (c & 0x3f));
	o[0] = (uint8_t)(first[n] | c);
	return buf_put(out, (struct span){ o, n });
}

/* Controls, and what is no character, stay as they were written. */
static bool
is_shown(uint32_t c)
{
	return (c >= 0x21 && c < 0x7f) || (c >= 0xa0 && c < 0xd800) || (c > 0xdfff && c <= 0x10ffff);
}

bool
unitext_widen(struct span s, struct buf *out)
{
	size_t before = out->len;
	bool good = true;

	while (s.len > 0 && good) {
		uint32_t point;
		size_t n = take_point(s, &point);

		good = n > 0 && is_shown(point) ? put_point(out, point) : buf_put(out, span_head(s, n > 0 ? n : 1));
		span_skip(&s, n > 0 ? n : 1);
	}
	if (!good)
		out->len = before;
	return good;
}
