#include "mail/mime_type.h"

#include <string.h>

/* Spaces and comments (RFC 822 3.4.3), which may stand inside each other. */
static void
skip_blank(struct span *s)
{
	size_t i = 0, depth = 0;

	for (; i < s->len; i++) {
		uint8_t c = s->p[i];

		if (c == '\\' && depth > 0)
			i += i + 1 < s->len;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && c != ' ' && c != '\t')
			break;
	}
	span_skip(s, i);
}

/* RFC 2045 5.1: anything printable but tspecials. */
static bool
is_token(uint8_t c)
{
	return ascii_is_graph(c) && span_find(SPAN("()<>@,;:\\\"/[]?="), c) == 15;
}

static struct span
take_token(struct span *s)
{
	struct span all = *s;
	size_t n = 0;

	while (n < s->len && is_token(s->p[n]))
		n++;
	span_skip(s, n);
	return span_head(all, n);
}

/* A parameter's value: how long it is, at most max of it in out. False when it is neither token nor quoted-string. */
static bool
take_value(struct span *s, uint8_t *out, size_t max, size_t *len)
{
	bool quoted = span_take_byte(s, '"');

	for (*len = 0; s->len > 0; span_skip(s, 1)) {
		if (quoted ? s->p[0] == '"' : !is_token(s->p[0]))
			break;
		if (quoted && s->p[0] == '\\' && s->len > 1)
			span_skip(s, 1);
		if (*len < max)
			out[*len] = s->p[0];
		++*len;
	}
	return quoted ? span_take_byte(s, '"') : *len > 0;
}

/* RFC 2046 5.1.1: bcharsnospace, and spaces inside. */
static bool
is_boundary(const uint8_t *p, size_t len)
{
	if (len == 0 || len > MIME_BOUNDARY_MAX || p[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_graph(p[i]) && p[i] != ' ')
			return false;
	return true;
}

bool
mime_type_parse(struct span value, struct mime_type *out)
{
	bool said = false;

	memset(out, 0, sizeof *out);
	skip_blank(&value);
	out->type = take_token(&value);
	skip_blank(&value);
	if (span_done(out->type) || !span_take_byte(&value, '/'))
		return false;
	skip_blank(&value);
	out->subtype = take_token(&value);
	skip_blank(&value);
	while (span_take_byte(&value, ';')) {
		uint8_t text[MIME_BOUNDARY_MAX];
		struct span name;
		size_t len;

		skip_blank(&value);
		name = take_token(&value);
		skip_blank(&value);
		/* "; " at the end, and what nobody understands, says nothing. */
		if (!span_take_byte(&value, '='))
			continue;
		skip_blank(&value);
		if (!take_value(&value, text, sizeof text, &len))
			break;
		skip_blank(&value);
		if (!span_same(name, SPAN("boundary")))
			continue;
		/* Two of them: no two readers need agree. */
		out->boundary_len = !said && is_boundary(text, len) ? (uint8_t)len : 0;
		memcpy(out->boundary, text, out->boundary_len);
		said = true;
	}
	return !span_done(out->subtype);
}

struct span
mime_token(struct span value)
{
	struct span token;

	skip_blank(&value);
	token = take_token(&value);
	skip_blank(&value);
	return span_done(value) ? token : span_head(value, 0);
}
