#include "base/buf.h"

#include <string.h>

bool
buf_put(struct buf *b, struct span s)
{
	if (s.len > b->max - b->len)
		return false;
	if (s.len > 0)
		memcpy(b->p + b->len, s.p, s.len);
	b->len += s.len;
	return true;
}

bool
buf_put_byte(struct buf *b, uint8_t c)
{
	if (b->len == b->max)
		return false;
	b->p[b->len++] = c;
	return true;
}

bool
buf_put_text(struct buf *b, const char *text)
{
	return buf_put(b, span_of(text));
}

bool
buf_put_u64(struct buf *b, uint64_t value)
{
	return buf_put_padded(b, value, 1);
}

bool
buf_put_padded(struct buf *b, uint64_t value, unsigned width)
{
	uint8_t digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (at > 0 && sizeof digits - at < width)
		digits[--at] = '0';
	return buf_put(b, (struct span){ digits + at, sizeof digits - at });
}

bool
buf_put_hex(struct buf *b, uint64_t value, unsigned digits)
{
	uint8_t text[16];

	if (digits > sizeof text)
		digits = sizeof text;
	for (unsigned i = digits; i > 0; i--, value >>= 4)
		text[i - 1] = (uint8_t)"0123456789abcdef"[value & 15];
	return buf_put(b, (struct span){ text, digits });
}

bool
buf_terminate(struct buf *b)
{
	if (b->len == b->max)
		return false;
	b->p[b->len] = 0;
	return true;
}

void
buf_end_words(struct buf *b)
{
	if (b->len == b->max && b->len > 0)
		b->len--;
	(void)buf_terminate(b);
}

static void
put_cut(struct buf *b, const char *text)
{
	(void)buf_put(b, span_head(span_of(text), buf_room(b)));
}

bool
buf_refuse(struct buf *why, const char *words, const char *detail)
{
	why->len = 0;
	put_cut(why, words);
	if (detail != NULL) {
		put_cut(why, ": ");
		put_cut(why, detail);
	}
	buf_end_words(why);
	return false;
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n > 0)
		memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
}
