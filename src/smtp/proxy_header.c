#include "smtp/proxy_header.h"

#include <assert.h>
#include <string.h>

enum { LOCAL = 0, PROXY = 1, TCP4 = 0x11, TCP6 = 0x21, TLV_HEAD = 3, TLV_CRC32C = 3, CRC_OCTETS = 4 };

const uint8_t proxy_signature[PROXY_SIGNATURE] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

const struct span proxy_local_header = SPAN_INIT("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");

/* Family and transport, and how long the two ends of the connection then are. */
static const struct ends {
	uint8_t code;
	uint8_t octets;
	bool by_datagram;
} all_ends[] = {
	{ 0x00, 0, false }, { TCP4, 12, false }, { 0x12, 12, true }, { TCP6, 36, false }, { 0x22, 36, true }, { 0x31, 216, false },
	{ 0x32, 216, true },
};

static const struct ends *
ends_find(uint8_t code)
{
	for (size_t i = 0; i < sizeof all_ends / sizeof all_ends[0]; i++)
		if (all_ends[i].code == code)
			return &all_ends[i];
	return NULL;
}

/* CRC32c, reflected (RFC 3720 12.1), octet by octet: a header is short and comes once. */
static uint32_t
sum_octet(uint32_t sum, uint8_t octet)
{
	sum ^= octet;
	for (unsigned i = 0; i < 8; i++)
		sum = sum >> 1 ^ (UINT32_C(0x82f63b78) & (0 - (sum & 1)));
	return sum;
}

/* The only function that changes the part. */
static void
part_enter(struct proxy_header *p, enum proxy_part part, uint16_t need)
{
	p->part = part;
	p->need = need;
	p->have = 0;
}

void
proxy_header_init(struct proxy_header *p)
{
	memset(p, 0, sizeof *p);
	p->sum = UINT32_MAX;
	part_enter(p, PROXY_PART_FIXED, PROXY_FIXED);
}

bool
proxy_header_begun(const struct proxy_header *p)
{
	return p->part != PROXY_PART_FIXED || p->have > 0;
}

size_t
proxy_header_wants(const struct proxy_header *p)
{
	if (p->part == PROXY_PART_OVER)
		return 0;
	return p->part == PROXY_PART_FIXED ? (size_t)(p->need - p->have) : p->left;
}

static enum proxy_step
bad(struct proxy_header *p, const char *why)
{
	p->why = why;
	part_enter(p, PROXY_PART_OVER, 0);
	return PROXY_BAD;
}

/* A block that means nothing is thrown away as it is; any other one must make sense to its last octet. */
static enum proxy_step
senseless(struct proxy_header *p, const char *why)
{
	if (!p->tolerant)
		return bad(p, why);
	p->summed = false;
	part_enter(p, PROXY_PART_SKIP, p->left);
	return PROXY_MORE;
}

/* ---- the ends of the parts ---- */

static enum proxy_step
header_over(struct proxy_header *p)
{
	if (p->summed && (p->sum ^ UINT32_MAX) != p->given)
		return bad(p, "its CRC32c is wrong");
	part_enter(p, PROXY_PART_OVER, 0);
	return PROXY_DONE;
}

/* At the start of a TLV, or at the end of the block. */
static enum proxy_step
tlv_begin(struct proxy_header *p)
{
	if (p->left == 0)
		return header_over(p);
	if (p->left < TLV_HEAD)
		return senseless(p, "there are octets behind its last TLV");
	part_enter(p, PROXY_PART_TLV, TLV_HEAD);
	return PROXY_MORE;
}

static enum proxy_step
tlv_read(struct proxy_header *p)
{
	uint16_t len = (uint16_t)(p->kept[1] << 8 | p->kept[2]);

	if (len > p->left)
		return senseless(p, "a TLV is longer than what is left of it");
	if (p->kept[0] != TLV_CRC32C)
		part_enter(p, PROXY_PART_SKIP, len);
	else if (len != CRC_OCTETS || p->summed)
		return senseless(p, "its CRC32c is not four octets, or comes twice");
	else
		part_enter(p, PROXY_PART_CRC, CRC_OCTETS);
	return PROXY_MORE;
}

static enum proxy_step
crc_read(struct proxy_header *p)
{
	p->summed = true;
	p->given = (uint32_t)p->kept[0] << 24 | (uint32_t)p->kept[1] << 16 | (uint32_t)p->kept[2] << 8 | p->kept[3];
	return tlv_begin(p);
}

/* Source address, destination address, source port, destination port. */
static enum proxy_step
addresses_read(struct proxy_header *p)
{
	memcpy(p->address, p->kept, p->client == PROXY_IPV6 ? 16 : 4);
	return tlv_begin(p);
}

static enum proxy_step
block_begin(struct proxy_header *p, const struct ends *ends)
{
	if (ends == NULL)
		return senseless(p, "its address family or transport is unknown");
	if (ends->octets > p->left)
		return senseless(p, "it is too short for its addresses");
	if (p->tolerant)
		part_enter(p, PROXY_PART_SKIP, ends->octets);
	else
		part_enter(p, PROXY_PART_ADDRESSES, ends->octets);
	return PROXY_MORE;
}

static enum proxy_step
fixed_read(struct proxy_header *p)
{
	const struct ends *ends = ends_find(p->kept[13]);
	uint8_t command = p->kept[12] & 15;

	p->left = (uint16_t)(p->kept[14] << 8 | p->kept[15]);
	if (p->kept[12] >> 4 != 2)
		return bad(p, "its version is not 2");
	if (command != LOCAL && command != PROXY)
		return bad(p, "its command is neither LOCAL nor PROXY");
	if (p->left > PROXY_HEADER_MAX - PROXY_FIXED)
		return bad(p, "it is longer than 4096 octets");
	if (command == PROXY && ends != NULL && ends->by_datagram)
		return bad(p, "it speaks of datagrams, and this is a TCP connection");
	if (command == PROXY && p->kept[13] == TCP4)
		p->client = PROXY_IPV4;
	else if (command == PROXY && p->kept[13] == TCP6)
		p->client = PROXY_IPV6;
	p->tolerant = p->client == PROXY_OWN && (command == LOCAL || ends != NULL);
	return block_begin(p, ends);
}

static enum proxy_step
part_over(struct proxy_header *p)
{
	switch (p->part) {
	case PROXY_PART_FIXED:
		return fixed_read(p);
	case PROXY_PART_ADDRESSES:
		return addresses_read(p);
	case PROXY_PART_TLV:
		return tlv_read(p);
	case PROXY_PART_CRC:
		return crc_read(p);
	case PROXY_PART_SKIP:
		return tlv_begin(p);
	case PROXY_PART_OVER:
		break;
	}
	assert(!"nothing follows the last part");
	return PROXY_BAD;
}

/* ---- feeding ---- */

/* Is what has come so far the beginning of a header? Said at the first octet that shows it is not. */
static enum proxy_step
signature_check(struct proxy_header *p)
{
	static const char v1[] = "PROXY ";
	size_t n = p->have < PROXY_SIGNATURE ? p->have : PROXY_SIGNATURE;

	if (memcmp(p->kept, proxy_signature, n) == 0)
		return PROXY_MORE;
	n = p->have < sizeof v1 - 1 ? p->have : sizeof v1 - 1;
	p->version_1 = n == sizeof v1 - 1 && memcmp(p->kept, v1, n) == 0;
	if (p->version_1)
		return bad(p, "it is of version 1");
	if (memcmp(p->kept, v1, n) == 0)
		return PROXY_MORE;
	p->absent = true;
	return bad(p, "there is none");
}

static void
take(struct proxy_header *p, struct span piece)
{
	for (size_t i = 0; i < piece.len; i++)
		p->sum = sum_octet(p->sum, p->part == PROXY_PART_CRC ? 0 : piece.p[i]);
	if (p->part != PROXY_PART_SKIP && piece.len > 0)
		memcpy(p->kept + p->have, piece.p, piece.len);
	if (p->part != PROXY_PART_FIXED)
		p->left = (uint16_t)(p->left - piece.len);
	p->have = (uint16_t)(p->have + piece.len);
}

enum proxy_step
proxy_header_feed(struct proxy_header *p, struct span in, size_t *used)
{
	enum proxy_step step = PROXY_MORE;
	struct span piece;

	*used = 0;
	assert(p->part != PROXY_PART_OVER);
	while (step == PROXY_MORE) {
		piece = span_head(in, (size_t)(p->need - p->have));
		take(p, piece);
		span_skip(&in, piece.len);
		*used += piece.len;
		if (p->part == PROXY_PART_FIXED && piece.len > 0)
			step = signature_check(p);
		if (step == PROXY_MORE && p->have < p->need)
			break;
		if (step == PROXY_MORE)
			step = part_over(p);
	}
	return step;
}
