#include <assert.h>
#include <string.h>

#include "milter/room.h"

enum { LENGTH = 4 };

void
put_big(struct buf *out, uint32_t n)
{
	uint8_t octets[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	bool fits = buf_put(out, (struct span){ octets, sizeof octets });

	assert(fits);
	(void)fits;
}

uint32_t
get_big(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void
put_string(struct buf *out, struct span s)
{
	bool fits = buf_put(out, span_head(s, span_find(s, '\0'))) && buf_put_byte(out, '\0');

	assert(fits);
	(void)fits;
}

bool
take_string(struct span *s, struct span *out)
{
	*out = span_take_until(s, '\0');
	return span_take_byte(s, '\0');
}

size_t
packet_begin(struct buf *out, uint8_t command)
{
	size_t place = out->len;

	put_big(out, 0);
	(void)buf_put_byte(out, command);
	return place;
}

void
packet_end(struct buf *out, size_t place)
{
	size_t len = out->len, octets = len - place - LENGTH;

	out->len = place;
	put_big(out, (uint32_t)octets);
	out->len = len;
}
