#include "policy/origin.h"

/* A network is its prefix in the low six octets, left-justified, with its family above it. */
enum { FAMILY_4 = 4, FAMILY_6 = 6, FAMILY_SHIFT = 56 };

static uint64_t
network_of(uint64_t family, uint64_t prefix)
{
	return family << FAMILY_SHIFT | prefix;
}

/* ---- IPv4 ---- */

static bool
take_v4(struct span *s, uint32_t *out)
{
	uint64_t octet;

	*out = 0;
	for (int i = 0; i < 4; i++) {
		if ((i > 0 && !span_take_byte(s, '.')) || !span_take_u64(s, &octet) || octet > 255)
			return false;
		*out = *out << 8 | (uint32_t)octet;
	}
	return true;
}

static uint64_t
network_4(uint32_t address)
{
	return network_of(FAMILY_4, (uint64_t)(address >> 8) << 24);
}

/* ---- IPv6 ---- */

static bool
take_group(struct span *s, uint16_t *out)
{
	size_t n = 0;

	*out = 0;
	while (n < 4 && n < s->len && ascii_hex_value(s->p[n]) < 16)
		*out = (uint16_t)(*out << 4 | ascii_hex_value(s->p[n++]));
	span_skip(s, n);
	return n > 0;
}

/* The last 32 bits may be written as IPv4 (RFC 4291 2.2). */
static bool
take_tail_v4(struct span *s, uint16_t *group, size_t *n)
{
	struct span try = *s;
	uint32_t v4;

	if (*n > 6 || !take_v4(&try, &v4) || !span_done(try))
		return false;
	group[(*n)++] = (uint16_t)(v4 >> 16);
	group[(*n)++] = (uint16_t)v4;
	*s = try;
	return true;
}

/* Groups up to the end or to "::"; how many. False: malformed. */
static bool
take_groups(struct span *s, uint16_t group[8], size_t *n)
{
	for (*n = 0; *n < 8;) {
		if (take_tail_v4(s, group, n))
			return true;
		if (!take_group(s, &group[(*n)++]))
			return false;
		if (span_done(*s) || (s->len >= 2 && s->p[0] == ':' && s->p[1] == ':'))
			return true;
		if (!span_take_byte(s, ':'))
			return false;
	}
	return false;
}

static bool
parse_v6(struct span s, uint16_t out[8])
{
	uint16_t head[8] = { 0 }, tail[8] = { 0 };
	size_t heads = 0, tails = 0;

	if (!(s.len >= 2 && s.p[0] == ':' && s.p[1] == ':') && !take_groups(&s, head, &heads))
		return false;
	if (!span_done(s)) {
		span_skip(&s, 2);
		if (heads > 7 || (!span_done(s) && !take_groups(&s, tail, &tails)) || heads + tails > 7)
			return false;
	} else if (heads != 8) {
		return false;
	}
	for (size_t i = 0; i < 8; i++)
		out[i] = i < heads ? head[i] : i >= 8 - tails ? tail[i - (8 - tails)] : 0;
	return span_done(s);
}

static uint64_t
network_6(const uint16_t g[8])
{
	bool mapped = (g[0] | g[1] | g[2] | g[3] | g[4]) == 0 && g[5] == 0xffff;

	if (mapped)
		return network_4((uint32_t)g[6] << 16 | g[7]);
	return network_of(FAMILY_6, (uint64_t)g[0] << 32 | (uint64_t)g[1] << 16 | g[2]);
}

/* ---- both ---- */

uint64_t
origin_network(struct span address)
{
	struct span s = address;
	uint16_t group[8];
	uint32_t v4;

	if (take_v4(&s, &v4) && span_done(s))
		return network_4(v4);
	/* A scope (fe80::1%eth0) says which link, not which network. */
	return parse_v6(span_head(address, span_find(address, '%')), group) ? network_6(group) : ORIGIN_UNKNOWN;
}

uint64_t
origin_region(uint64_t network)
{
	uint64_t kept = network >> FAMILY_SHIFT == FAMILY_4 ? UINT64_C(0xffff) << 32 : UINT64_C(0xffffffff) << 16;

	return network & (UINT64_C(0xff) << FAMILY_SHIFT | kept);
}

static bool
put_hex(struct buf *out, unsigned value)
{
	unsigned digits = value > 0xfff ? 4 : value > 0xff ? 3 : value > 0xf ? 2 : 1;

	return buf_put_hex(out, value, digits);
}

bool
origin_format(uint64_t network, struct buf *out)
{
	if (network >> FAMILY_SHIFT == FAMILY_4)
		return buf_put_u64(out, network >> 40 & 255) && buf_put_byte(out, '.') && buf_put_u64(out, network >> 32 & 255)
		    && buf_put_byte(out, '.') && buf_put_u64(out, network >> 24 & 255) && buf_put_text(out, ".0/24");
	if (network >> FAMILY_SHIFT == FAMILY_6)
		return put_hex(out, network >> 32 & 0xffff) && buf_put_byte(out, ':') && put_hex(out, network >> 16 & 0xffff)
		    && buf_put_byte(out, ':') && put_hex(out, network & 0xffff) && buf_put_text(out, "::/48");
	return buf_put_text(out, "an unknown network");
}

/* ::1 shares its /48 with nobody who is not this machine: ::/48 has only the unspecified, the loopback and the obsolete ones. */
bool
origin_is_here(uint64_t network)
{
	return network == network_4(UINT32_C(0x7f000001)) || network == network_of(FAMILY_6, 0);
}

uint32_t
origin_client(struct span helo, uint32_t mechanism)
{
	uint32_t h = UINT32_C(2166136261) ^ mechanism;

	if (helo.len > 0 && helo.p[0] == '[')
		helo = SPAN("[");
	for (size_t i = 0; i < helo.len; i++)
		h = (h ^ ascii_lower(helo.p[i])) * UINT32_C(16777619);
	return h == 0 ? 1 : h;
}
