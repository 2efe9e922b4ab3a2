#include "base/span.h"

#include <string.h>

struct span
span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, text == NULL ? 0 : strlen(text) };
}

struct span
span_head(struct span s, size_t n)
{
	return (struct span){ s.p, n < s.len ? n : s.len };
}

void
span_skip(struct span *s, size_t n)
{
	size_t k = n < s->len ? n : s->len;

	if (k > 0)
		s->p += k;
	s->len -= k;
}

bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
span_same(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
span_ends(struct span s, struct span tail)
{
	if (s.len < tail.len)
		return false;
	span_skip(&s, s.len - tail.len);
	return span_same(s, tail);
}

bool
span_is_within(struct span name, struct span domain)
{
	return span_same(name, domain)
	    || (name.len > domain.len + 1 && span_ends(name, domain) && name.p[name.len - domain.len - 1] == '.');
}

bool
span_take(struct span *s, struct span literal)
{
	if (!span_same(span_head(*s, literal.len), literal))
		return false;
	span_skip(s, literal.len);
	return true;
}

bool
span_take_byte(struct span *s, uint8_t c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	span_skip(s, 1);
	return true;
}

void
span_text(struct span s, char *out, size_t room)
{
	size_t len = s.len < room ? s.len : room - 1;

	if (len > 0)
		memcpy(out, s.p, len);
	out[len] = '\0';
}

size_t
span_find(struct span s, uint8_t c)
{
	const uint8_t *hit = s.len == 0 ? NULL : memchr(s.p, c, s.len);

	return hit == NULL ? s.len : (size_t)(hit - s.p);
}

struct span
span_take_until(struct span *s, uint8_t stop)
{
	struct span head = span_head(*s, span_find(*s, stop));

	span_skip(s, head.len);
	return head;
}

size_t
span_take_spaces(struct span *s)
{
	size_t n = 0;

	while (span_take_byte(s, ' '))
		n++;
	return n;
}

bool
span_take_u64(struct span *s, uint64_t *value)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < s->len && ascii_is_digit(s->p[n]); n++) {
		uint64_t digit = (uint64_t)(s->p[n] - '0');

		if (n == 20 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (n == 0)
		return false;
	span_skip(s, n);
	*value = v;
	return true;
}

struct span
span_take_word(struct span *s)
{
	struct span word;

	span_take_spaces(s);
	word = span_take_until(s, ' ');
	span_take_spaces(s);
	return word;
}

uint8_t
ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool
ascii_is_alpha(uint8_t c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

bool
ascii_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

bool
ascii_is_alnum(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

bool
ascii_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

unsigned
ascii_hex_value(uint8_t c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}

bool
ascii_is_graph(uint8_t c)
{
	return c > 32 && c < 127;
}

struct span
span_trim(struct span s)
{
	while (s.len > 0 && ascii_is_blank(s.p[0]))
		span_skip(&s, 1);
	while (s.len > 0 && ascii_is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct span
span_settle(uint8_t **at, struct span s)
{
	struct span copy = { *at, s.len };

	if (s.len > 0)
		memcpy(*at, s.p, s.len);
	*at += s.len;
	return copy;
}
