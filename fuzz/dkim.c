/*
 * What anybody submits, in the form that DKIM digests. The first two octets say into which pieces the message is cut.
 *
 * Whatever comes: any split of the body gives the same octets, and these are their own canonical form; what h= lists can be digested,
 * From at least once more than it is there when there is any; the fields' form has no line inside; the signature's field fits.
 */
#include <stdlib.h>
#include <string.h>

#include "mail/dkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { ROOM = 1 << 20 };

static void
insist(bool good)
{
	if (!good)
		abort();
}

static void
gather(void *arg, struct span octets)
{
	insist(octets.len > 0 && buf_put(arg, octets));
}

static void
body(struct span octets, size_t first, size_t then, struct buf *out)
{
	struct dkim_sink to = { gather, out };
	struct dkim_body b;

	dkim_body_init(&b);
	for (size_t piece = first; octets.len > 0; piece = then) {
		struct span some = span_head(octets, piece);

		dkim_body_put(&b, some, &to);
		span_skip(&octets, some.len);
	}
	dkim_body_end(&b, &to);
	insist(b.empty == 0 || out->len == 0 || out->p[out->len - 1] == '\n');
}

static void
check_body(struct span octets, size_t first, size_t then)
{
	static uint8_t one_room[ROOM], two_room[ROOM], three_room[ROOM];
	struct buf one = BUF_OVER(one_room), two = BUF_OVER(two_room), three = BUF_OVER(three_room);

	body(octets, octets.len + 1, 1, &one);
	body(octets, first + 1, then + 1, &two);
	insist(span_eq(buf_span(&one), buf_span(&two)) && one.len <= octets.len + 2);
	body(buf_span(&one), then + 1, first + 1, &three);
	insist(span_eq(buf_span(&one), buf_span(&three)));
}

static void
check_field(const struct dkim_header *h, struct span names, struct buf *out)
{
	static const uint8_t zeros[DKIM_SIGNATURE_MAX];
	uint8_t text[DKIM_FIELD_MAX];
	struct buf field = BUF_OVER(text);
	struct dkim_sink to = { gather, out };
	size_t before;

	insist(dkim_header_put(h, names, &to));
	insist(dkim_field_format(&(struct dkim_signature){ DKIM_RSA_SHA256, SPAN("example.org"), SPAN("s"), names, 1, { zeros, DKIM_DIGEST },
	    { zeros, sizeof zeros } }, &field));
	before = out->len;
	dkim_field_put(buf_span(&field), &to);
	for (size_t i = before; i < out->len; i++)
		insist(out->p[i] != '\r' && out->p[i] != '\n');
}

static void
check_header(struct span section)
{
	static uint8_t names_room[DKIM_NAMES_MAX], room[ROOM];
	struct buf names = BUF_OVER(names_room), out = BUF_OVER(room);
	struct dkim_header h;
	struct mailbox author;

	dkim_header_init(&h, section);
	insist(dkim_names_format(&h, &names) && span_take(&(struct span){ names.p, names.len }, SPAN("from")));
	insist(!dkim_header_author(&h, &author) || h.count[0] > 0);
	if (h.count[0] > 0)
		insist(span_take(&(struct span){ names.p, names.len }, SPAN("from:from")));
	check_field(&h, buf_span(&names), &out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span octets = { p, n };
	size_t section = n, at = n;

	if (n < 2 || n > ROOM / 4)
		return 0;
	span_skip(&octets, 2);
	section = at = octets.len;
	if (dkim_header_find(octets, &section, &at))
		insist(at == section + 2 && at <= octets.len && memcmp(octets.p + section, "\r\n", 2) == 0);
	check_header(span_head(octets, section));
	span_skip(&octets, at);
	check_body(octets, p[0], p[1]);
	return 0;
}
