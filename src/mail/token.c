#include "mail/token.h"

#include "base/utf8.h"

static bool
is_atext(uint8_t c)
{
	if (ascii_is_alnum(c))
		return true;
	return ascii_is_graph(c) && span_find(SPAN("()<>[]:;@\\,.\""), c) == 13;
}

size_t
token_atom(struct span s)
{
	size_t n = 0, width = 1;

	for (; n < s.len && width > 0; n += width) {
		if (s.p[n] < 128)
			width = is_atext(s.p[n]);
		else
			width = utf8_width((struct span){ s.p + n, s.len - n });
	}
	return n;
}

static bool
is_quoted_text(uint8_t c, bool folding)
{
	return (c >= 32 && c < 127) || (folding && (c == '\t' || c == '\r' || c == '\n'));
}

size_t
token_quoted(struct span s, bool folding)
{
	size_t n = 1;

	if (s.len == 0 || s.p[0] != '"')
		return 0;
	while (n < s.len && s.p[n] != '"') {
		size_t width;

		if (s.p[n] == '\\' && ++n == s.len)
			return 0;
		width = s.p[n] < 128 ? is_quoted_text(s.p[n], folding)
		    : utf8_width((struct span){ s.p + n, s.len - n });
		if (width == 0)
			return 0;
		n += width;
	}
	return n < s.len ? n + 1 : 0;
}
