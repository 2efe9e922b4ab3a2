/*
 * The image, little by little: numbers are 7 bits an octet, lowest first, with the top bit on all but the last; texts are a
 * number and their octets. In front stands a pool of texts, counted from 1: how many, three octets for where each begins, how
 * many octets, the texts. Then a row is flags, protocol, and what the flags do not say is as it was in the row before.
 */
#include "registry/registry.h"

enum {
	SAME_NAME = 1, SAME_DESCRIPTION = 2, SAME_ASSIGNEE = 4, CONTACT_IS_ASSIGNEE = 8, SAME_DATES = 16, HAS_REFERENCE = 32,
	HAS_REST = 64, HAS_PORT = 128,
	IS_RANGE = 8,
	PLACE = 3,
	YEAR_ZERO = 1960, YEAR_DAYS = 416, MONTH_DAYS = 32,
	DATE_MOST = (9999 - YEAR_ZERO) * YEAR_DAYS,
};

static bool
take_number(struct span *in, uint32_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 28 && in->len > 0; shift += 7) {
		uint8_t c = in->p[0];

		span_skip(in, 1);
		*value |= (uint32_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return true;
	}
	return false;
}

static bool
take_text(struct span *in, struct span *text)
{
	uint32_t n;

	if (!take_number(in, &n) || n > in->len)
		return false;
	*text = span_head(*in, n);
	span_skip(in, n);
	return true;
}

static bool
take_pooled(struct registry_reader *r, struct span *text)
{
	struct span pool = r->pool;
	const uint8_t *place;
	uint32_t id;

	*text = (struct span){ NULL, 0 };
	if (!take_number(&r->rest, &id) || id > r->places.len / PLACE)
		return false;
	if (id == 0)
		return true;
	place = r->places.p + (size_t)(id - 1) * PLACE;
	span_skip(&pool, (size_t)place[0] | (size_t)place[1] << 8 | (size_t)place[2] << 16);
	return take_text(&pool, text);
}

static bool
take_date(struct registry_reader *r, unsigned which, struct span *date)
{
	struct buf b = { (uint8_t *)r->dates[which], 0, REGISTRY_DATE };
	uint32_t n;

	if (!take_number(&r->rest, &n) || n > DATE_MOST)
		return false;
	if (n > 0 && buf_put_padded(&b, YEAR_ZERO + n / YEAR_DAYS, 4) && buf_put_byte(&b, '-')
	    && buf_put_padded(&b, n % YEAR_DAYS / MONTH_DAYS, 2) && n % MONTH_DAYS > 0)
		(void)(buf_put_byte(&b, '-') && buf_put_padded(&b, n % MONTH_DAYS, 2));
	*date = buf_span(&b);
	return true;
}

static bool
take_ports(struct registry_reader *r, uint8_t flags, bool range)
{
	uint32_t step = 0, more = 0;

	if (((flags & HAS_PORT) != 0 && !take_number(&r->rest, &step)) || (range && !take_number(&r->rest, &more)))
		return false;
	if (step > (uint32_t)UINT16_MAX - r->row.first || more > UINT16_MAX - (r->row.first + step))
		return false;
	r->row.has_port = (flags & HAS_PORT) != 0;
	r->row.first = (uint16_t)(r->row.first + step);
	r->row.last = (uint16_t)(r->row.first + more);
	return true;
}

static bool
take_rest(struct registry_reader *r, uint8_t flags)
{
	struct registry_row *row = &r->row;

	row->reference = row->service_code = row->unauthorized = row->notes = (struct span){ NULL, 0 };
	return ((flags & HAS_REFERENCE) == 0 || take_pooled(r, &row->reference))
	    && ((flags & HAS_REST) == 0 || (take_text(&r->rest, &row->service_code) && take_text(&r->rest, &row->unauthorized)
	    && take_text(&r->rest, &row->notes)));
}

struct registry_reader
registry_begin(struct span image)
{
	struct registry_reader r = { .rest = image };
	uint32_t pooled = 0;

	if (!take_number(&r.rest, &pooled) || r.rest.len / PLACE < pooled)
		return r;
	r.places = span_head(r.rest, (size_t)pooled * PLACE);
	span_skip(&r.rest, r.places.len);
	(void)take_text(&r.rest, &r.pool);
	return r;
}

bool
registry_next(struct registry_reader *r, struct registry_row *out)
{
	struct registry_row *row = &r->row;
	uint8_t flags, protocol;

	if (r->rest.len < 2)
		return false;
	flags = r->rest.p[0];
	protocol = r->rest.p[1];
	span_skip(&r->rest, 2);
	if ((protocol & ~(unsigned)IS_RANGE) >= REGISTRY_PROTOCOLS || !take_ports(r, flags, (protocol & IS_RANGE) != 0)
	    || ((flags & SAME_NAME) == 0 && !take_text(&r->rest, &row->name))
	    || ((flags & SAME_DESCRIPTION) == 0 && !take_text(&r->rest, &row->description))
	    || ((flags & SAME_ASSIGNEE) == 0 && !take_pooled(r, &row->assignee))
	    || ((flags & CONTACT_IS_ASSIGNEE) == 0 && !take_pooled(r, &row->contact))
	    || ((flags & SAME_DATES) == 0 && !(take_date(r, 0, &row->registered) && take_date(r, 1, &row->modified)))
	    || !take_rest(r, flags))
		return false;
	if ((flags & CONTACT_IS_ASSIGNEE) != 0)
		row->contact = row->assignee;
	row->protocol = (enum registry_protocol)(protocol & ~(unsigned)IS_RANGE);
	*out = *row;
	return true;
}
