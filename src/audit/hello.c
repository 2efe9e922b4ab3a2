#include "audit/hello.h"

#include <string.h>

enum {
	RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_HEADER = 5, RECORD_MAX = 16384 + 256,
	MESSAGE_CLIENT_HELLO = 1, MESSAGE_SERVER_HELLO = 2,
	EXTENSION_SERVER_NAME = 0, EXTENSION_GROUPS = 10, EXTENSION_POINTS = 11, EXTENSION_SCHEMES = 13, EXTENSION_EMS = 23,
	EXTENSION_VERSIONS = 43, EXTENSION_KEY_SHARE = 51, EXTENSION_RENEGOTIATION = 0xff01,
	GROUP_X25519 = 29,
	SCSV_RENEGOTIATION = 0x00ff, SCSV_FALLBACK = 0x5600,
	ALERT_WARNING = 1, ALERT_UNRECOGNIZED_NAME = 112,
	SENTINEL = 8,                   /* octets at the end of a server's random */
};

/* ---- asking ---- */

static bool
put_u16(struct buf *b, size_t n)
{
	return n <= UINT16_MAX && buf_put_byte(b, (uint8_t)(n >> 8)) && buf_put_byte(b, (uint8_t)n);
}

/* Room for a length, to be set when what it is about stands behind it. */
static bool
open_u16(struct buf *b, size_t *at)
{
	*at = b->len;
	return put_u16(b, 0);
}

static void
close_u16(struct buf *b, size_t at)
{
	size_t n = b->len - at - 2;

	b->p[at] = (uint8_t)(n >> 8);
	b->p[at + 1] = (uint8_t)n;
}

static bool
put_list(struct buf *b, unsigned extension, const uint16_t *item, size_t items)
{
	bool fits = put_u16(b, extension) && put_u16(b, items * 2 + 2) && put_u16(b, items * 2);

	for (size_t i = 0; fits && i < items; i++)
		fits = put_u16(b, item[i]);
	return fits;
}

static bool
put_name(struct buf *b, struct span name)
{
	return span_done(name) || (put_u16(b, EXTENSION_SERVER_NAME) && put_u16(b, name.len + 5) && put_u16(b, name.len + 3)
	    && buf_put_byte(b, 0) && put_u16(b, name.len) && buf_put(b, name));
}

static bool
put_tls13(struct buf *b, const struct hello_question *q)
{
	if (!(put_u16(b, EXTENSION_VERSIONS) && put_u16(b, 3) && buf_put_byte(b, 2) && put_u16(b, HELLO_TLS13)))
		return false;
	if (q->shareless)
		return put_u16(b, EXTENSION_KEY_SHARE) && put_u16(b, 2) && put_u16(b, 0);
	return put_u16(b, EXTENSION_KEY_SHARE) && put_u16(b, HELLO_RANDOM + 6) && put_u16(b, HELLO_RANDOM + 4)
	    && put_u16(b, GROUP_X25519) && put_u16(b, HELLO_RANDOM) && buf_put(b, (struct span){ q->random, HELLO_RANDOM });
}

static bool
put_extensions(struct buf *b, const struct hello_question *q)
{
	/* Whatever key a server has: RFC 8446 4.2.3, RFC 8734, ML-DSA, and what only TLS 1.2 has, DSA and SHA-1 among it. */
	static const uint16_t schemes[] = { 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x081a, 0x081b,
		0x081c, 0x0904, 0x0905, 0x0906, 0x0401, 0x0501, 0x0601, 0x0402, 0x0203, 0x0201, 0x0202 };
	uint16_t every[HELLO_GROUPS_MAX];
	const uint16_t *groups = q->group != NULL ? q->group : every;
	size_t all, n = q->group != NULL ? q->groups : q->version == HELLO_TLS13 ? hello_groups(every) : hello_curves(every);

	if (!open_u16(b, &all) || !put_name(b, q->name) || !put_list(b, EXTENSION_GROUPS, groups, n)
	    || !(put_u16(b, EXTENSION_POINTS) && put_u16(b, 2) && put_u16(b, 0x0100)))
		return false;
	if (q->version >= HELLO_TLS12 && !put_list(b, EXTENSION_SCHEMES, schemes, sizeof schemes / sizeof schemes[0]))
		return false;
	if (q->version < HELLO_TLS13 && !(put_u16(b, EXTENSION_EMS) && put_u16(b, 0)))
		return false;
	if (q->version == HELLO_TLS13 && !put_tls13(b, q))
		return false;
	close_u16(b, all);
	return true;
}

static bool
put_body(struct buf *b, const struct hello_question *q)
{
	struct span random = { q->random, HELLO_RANDOM };
	bool fits = put_u16(b, q->version > HELLO_TLS12 ? HELLO_TLS12 : q->version) && buf_put(b, random);

	/* TLS 1.3 wants to look like a resumption to what stands in between (RFC 8446 D.4). */
	fits = fits && (q->version == HELLO_TLS13 ? buf_put_byte(b, HELLO_RANDOM) && buf_put(b, random) : buf_put_byte(b, 0));
	fits = fits && put_u16(b, q->suites * 2 + (q->fallback ? 4 : 2)) && (!q->fallback || put_u16(b, SCSV_FALLBACK));
	for (size_t i = 0; fits && i < q->suites; i++)
		fits = put_u16(b, q->suite[i]);
	return fits && put_u16(b, SCSV_RENEGOTIATION) && (q->compress && q->version < HELLO_TLS13 ? buf_put(b, SPAN("\2\1\0")) : buf_put(b, SPAN("\1\0")))
	    && (q->version == HELLO_SSL3 || put_extensions(b, q));
}

bool
hello_format(const struct hello_question *q, struct buf *out)
{
	size_t record, message;

	if (!buf_put_byte(out, RECORD_HANDSHAKE) || !put_u16(out, q->version == HELLO_SSL3 ? HELLO_SSL3 : HELLO_TLS10)
	    || !open_u16(out, &record) || !buf_put(out, SPAN("\1\0")) || !open_u16(out, &message) || !put_body(out, q))
		return false;
	close_u16(out, message);
	close_u16(out, record);
	return true;
}

/* ---- the answer ---- */

static bool
take_u8(struct span *in, unsigned *n)
{
	if (in->len < 1)
		return false;
	*n = in->p[0];
	span_skip(in, 1);
	return true;
}

static bool
take_u16(struct span *in, unsigned *n)
{
	if (in->len < 2)
		return false;
	*n = (unsigned)in->p[0] << 8 | in->p[1];
	span_skip(in, 2);
	return true;
}

static bool
take_octets(struct span *in, size_t n, struct span *out)
{
	if (in->len < n)
		return false;
	*out = span_head(*in, n);
	span_skip(in, n);
	return true;
}

/* The octets that a server puts there where it speaks something newer than what was asked for (RFC 8446 4.1.3). */
static bool
is_sentinel(struct span random)
{
	span_skip(&random, HELLO_RANDOM - SENTINEL);
	return span_eq(random, SPAN("DOWNGRD\1")) || span_eq(random, (struct span){ (const uint8_t *)"DOWNGRD", SENTINEL });
}

static bool
take_extensions(struct span in, struct hello_reply *r)
{
	unsigned all, type, len;
	struct span value;

	if (span_done(in))
		return true;
	if (!take_u16(&in, &all) || all != in.len)
		return false;
	while (!span_done(in)) {
		if (!take_u16(&in, &type) || !take_u16(&in, &len) || !take_octets(&in, len, &value))
			return false;
		r->extended_master_secret = r->extended_master_secret || type == EXTENSION_EMS;
		r->secure_renegotiation = r->secure_renegotiation || type == EXTENSION_RENEGOTIATION;
		if (type == EXTENSION_VERSIONS && take_u16(&value, &len))
			r->version = (uint16_t)len;
		if (type == EXTENSION_KEY_SHARE && take_u16(&value, &len))
			r->group = (uint16_t)len;
	}
	return true;
}

static enum hello_step
take_server_hello(struct span in, struct hello_reply *r)
{
	unsigned version, n, suite, compression;
	struct span random, octets;

	if (!take_u16(&in, &version) || !take_octets(&in, HELLO_RANDOM, &random) || !take_u8(&in, &n) || n > HELLO_RANDOM
	    || !take_octets(&in, n, &octets) || !take_u16(&in, &suite) || !take_u8(&in, &compression))
		return HELLO_OTHER;
	*r = (struct hello_reply){ .version = (uint16_t)version, .suite = (uint16_t)suite, .compressed = compression != 0,
		.downgraded = is_sentinel(random) };
	return take_extensions(in, r) ? HELLO_SERVER : HELLO_OTHER;
}

/* The server does not know the name, and goes on all the same (RFC 6066 3). */
static bool
take_warning(struct span *in, size_t len)
{
	struct span body = *in;

	if (len != 2 || !span_take_byte(&body, ALERT_WARNING) || !span_take_byte(&body, ALERT_UNRECOGNIZED_NAME))
		return false;
	*in = body;
	return true;
}

/* The payload of the handshake records in front, joined; false when they are followed by what is no record of TLS. */
static bool
join(struct span in, struct buf *out, bool *alert, struct span *body)
{
	unsigned type, version, len;

	*alert = false;
	while (take_u8(&in, &type)) {
		/* What follows the hello under TLS 1.3 is not for us to read. */
		if (type != RECORD_HANDSHAKE && out->len > 0)
			return true;
		if ((type != RECORD_HANDSHAKE && type != RECORD_ALERT) || (in.len >= 1 && in.p[0] != 3))
			return false;
		if (!take_u16(&in, &version) || !take_u16(&in, &len))
			return true;
		if (len == 0 || len > RECORD_MAX)
			return false;
		if (type == RECORD_ALERT && out->len == 0 && take_warning(&in, len))
			continue;
		if (type == RECORD_ALERT) {
			*alert = out->len == 0 && take_octets(&in, len, body);
			return true;
		}
		if (!buf_put(out, span_head(in, len)))
			return true;
		if (in.len < len)
			return true;
		span_skip(&in, len);
	}
	return true;
}

static enum hello_step
take_message(struct span message, struct hello_reply *r)
{
	unsigned type, high, low;
	struct span body;

	if (!take_u8(&message, &type))
		return HELLO_MORE;
	if (type != MESSAGE_SERVER_HELLO)
		return HELLO_OTHER;
	if (!take_u8(&message, &high) || !take_u16(&message, &low))
		return HELLO_MORE;
	if (high != 0 || low > 2048)
		return HELLO_OTHER;
	return take_octets(&message, low, &body) ? take_server_hello(body, r) : HELLO_MORE;
}

enum hello_step
hello_parse(struct span in, struct hello_reply *r)
{
	uint8_t octets[4096];
	struct buf joined = BUF_OVER(octets);
	struct span body = { NULL, 0 };
	bool alert, good;
	enum hello_step step;

	*r = (struct hello_reply){ 0 };
	good = join(span_head(in, sizeof octets), &joined, &alert, &body);
	if (alert) {
		r->alert = body.len == 2 ? body.p[1] : 0;
		return HELLO_ALERT;
	}
	step = take_message(buf_span(&joined), r);
	/* Garbage behind an answer does not take it back; in the midst of one there will be none. */
	return step == HELLO_MORE && !good ? HELLO_OTHER : step;
}

const char *
hello_version_name(uint16_t version)
{
	static const char *const names[] = { "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3" };

	return version >= HELLO_SSL3 && version <= HELLO_TLS13 ? names[version - HELLO_SSL3] : "unknown";
}
