#include "mail/xtext.h"

/* Upper case only, says the grammar. */
static unsigned
hex_value(uint8_t c)
{
	return c >= 'a' ? 16 : ascii_hex_value(c);
}

size_t
xtext_octet(struct span s, uint8_t *octet)
{
	*octet = s.p[0];
	if (s.p[0] != '+')
		return 1;
	if (s.len < 3 || hex_value(s.p[1]) > 15 || hex_value(s.p[2]) > 15)
		return 0;
	*octet = (uint8_t)(hex_value(s.p[1]) << 4 | hex_value(s.p[2]));
	return 3;
}
