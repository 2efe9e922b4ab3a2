#include "conf/network.h"

#include <string.h>

#include "conf/value.h"

enum { V4_AT = 12, V6_BITS = 128, V4_BITS = 32 };

/* Of text that address_is_v4() has passed. */
static void
v4_read(struct span text, uint8_t out[4])
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t octet = 0;

		(void)span_take_byte(&text, '.');
		(void)span_take_u64(&text, &octet);
		out[i] = (uint8_t)octet;
	}
}

static unsigned
hex_take(struct span *text)
{
	unsigned value = 0;

	while (text->len > 0 && text->p[0] != ':') {
		value = value << 4 | ascii_hex_value(text->p[0]);
		span_skip(text, 1);
	}
	return value;
}

/* Of text that address_is_v6() has passed: groups are read to the front; behind a gap they move to the end. */
static void
v6_read(struct span text, uint8_t out[16])
{
	size_t at = 0, gap = 16;

	memset(out, 0, 16);
	while (text.len > 0 && at < 16) {
		if (span_take(&text, SPAN("::"))) {
			gap = at;
		} else if (span_take_byte(&text, ':')) {
			continue;
		} else if (span_find(text, ':') == text.len && span_find(text, '.') < text.len) {
			v4_read(text, out + at);
			at += 4;
			break;
		} else {
			unsigned group = hex_take(&text);

			out[at++] = (uint8_t)(group >> 8);
			out[at++] = (uint8_t)group;
		}
	}
	if (gap < at && at < 16) {
		memmove(out + 16 - (at - gap), out + gap, at - gap);
		memset(out + gap, 0, 16 - at);
	}
}

static bool
bit_is_set(const uint8_t *octets, unsigned bit)
{
	return (octets[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

static bool
bits_take(struct span text, unsigned most, struct conf_network *out, struct buf *why)
{
	uint64_t bits = most;

	if (span_take_byte(&text, '/') && (!span_take_u64(&text, &bits) || bits > most)) {
		buf_put_text(why, "has no length of a prefix behind its /");
		return false;
	}
	if (!span_done(text)) {
		buf_put_text(why, "has something behind its prefix");
		return false;
	}
	if (bits == 0) {
		buf_put_text(why, "is everybody, and anybody could then say to be anybody");
		return false;
	}
	out->bits = (uint8_t)(bits + V6_BITS - most);
	for (unsigned i = out->bits; i < V6_BITS; i++) {
		if (!bit_is_set(out->address, i))
			continue;
		buf_put_text(why, "has bits set behind its prefix");
		return false;
	}
	return true;
}

/* False when it is no address. */
static bool
address_read(struct span text, uint8_t out[16])
{
	static const uint8_t mapped[V4_AT] = { [10] = 0xff, [11] = 0xff };

	if (address_is_v4(text)) {
		memcpy(out, mapped, sizeof mapped);
		v4_read(text, out + V4_AT);
		return true;
	}
	if (!address_is_v6(text))
		return false;
	v6_read(text, out);
	return true;
}

bool
network_parse(struct span text, struct conf_network *out, struct buf *why)
{
	struct span rest = text, address = span_take_until(&rest, '/');

	memset(out, 0, sizeof *out);
	if (text.len >= sizeof out->text || !address_read(address, out->address)) {
		buf_put_text(why, "is neither an address nor a network, ADDRESS/BITS");
		return false;
	}
	memcpy(out->text, text.p, text.len);
	return bits_take(rest, address_is_v4(address) ? V4_BITS : V6_BITS, out, why);
}

bool
network_has(const struct conf_network *n, const uint8_t address[16])
{
	size_t whole = n->bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> n->bits % 8);

	return memcmp(n->address, address, whole) == 0 && (mask == 0 || ((n->address[whole] ^ address[whole]) & mask) == 0);
}

bool
conf_is_proxy(const struct conf *conf, const uint8_t address[16])
{
	for (uint32_t i = 0; i < conf->proxies; i++)
		if (network_has(&conf->proxy[i], address))
			return true;
	return false;
}

bool
conf_is_proxy_text(const struct conf *conf, struct span address)
{
	uint8_t octets[16];

	return address_read(address, octets) && conf_is_proxy(conf, octets);
}
