#include "base/utf8.h"

#include <string.h>

static bool
is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* The second octet's range depends on the first: that is what keeps out overlong forms, surrogates and the far end. */
static bool
pair_fits(uint8_t first, uint8_t second)
{
	if (!is_tail(second))
		return false;
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

size_t
utf8_width(struct span s)
{
	size_t width;
	uint8_t first;

	if (s.len == 0)
		return 0;
	first = s.p[0];
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	width = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (s.len < width || !pair_fits(first, s.p[1]))
		return 0;
	for (size_t i = 2; i < width; i++)
		if (!is_tail(s.p[i]))
			return 0;
	return width;
}

bool
utf8_valid(struct span s)
{
	while (s.len > 0) {
		size_t width = utf8_width(s);

		if (width == 0)
			return false;
		span_skip(&s, width);
	}
	return true;
}

bool
utf8_is_ascii(struct span s)
{
	size_t i = 0;
	uint64_t eight;

	/* Every header line passes here, so eight octets at a time. */
	for (; s.len - i >= sizeof eight; i += sizeof eight) {
		memcpy(&eight, s.p + i, sizeof eight);
		if ((eight & UINT64_C(0x8080808080808080)) != 0)
			return false;
	}
	for (; i < s.len; i++)
		if (s.p[i] > 127)
			return false;
	return true;
}
