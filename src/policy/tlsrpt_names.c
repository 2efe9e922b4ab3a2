#include "policy/tlsrpt_names.h"

#include <string.h>

#include "policy/tlsrpt.h"

struct span
tlsrpt_submitter(const struct tlsrpt_names *n)
{
	struct span domain = n->contact;

	(void)span_take_until(&domain, '@');
	(void)span_take_byte(&domain, '@');
	return domain;
}

static void
put_date(uint32_t day, struct buf *b)
{
	char date[TLSRPT_DATE + 1];

	tlsrpt_date(day, date);
	(void)buf_put_text(b, date);
}

void
tlsrpt_report_id(const struct tlsrpt_names *n, char out[TLSRPT_NAMES_ROOM])
{
	struct buf b = { (uint8_t *)out, 0, TLSRPT_NAMES_ROOM - 1 };

	put_date(n->day, &b);
	(void)buf_put_byte(&b, '.');
	(void)buf_put(&b, n->domain);
	(void)buf_put_byte(&b, '.');
	(void)buf_put(&b, n->host);
	(void)buf_put_byte(&b, '@');
	(void)buf_put(&b, tlsrpt_submitter(n));
	out[b.len] = 0;
}

void
tlsrpt_filename(const struct tlsrpt_names *n, char out[TLSRPT_NAMES_ROOM])
{
	static const uint8_t nobody_hides_here[SIPHASH_KEY];
	struct buf b = { (uint8_t *)out, 0, TLSRPT_NAMES_ROOM - 1 };
	uint64_t begin = (uint64_t)n->day * TLSRPT_DAY_SECONDS;

	(void)buf_put(&b, tlsrpt_submitter(n));
	(void)buf_put_byte(&b, '!');
	(void)buf_put(&b, n->domain);
	(void)buf_put_byte(&b, '!');
	(void)buf_put_u64(&b, begin);
	(void)buf_put_byte(&b, '!');
	(void)buf_put_u64(&b, begin + TLSRPT_DAY_SECONDS - 1);
	(void)buf_put_byte(&b, '!');
	(void)buf_put_hex(&b, siphash(nobody_hides_here, n->host) & 0xffffffff, 8);
	(void)buf_put_text(&b, ".json.gz");
	out[b.len] = 0;
}

void
tlsrpt_time(uint32_t day, bool last, char out[TLSRPT_TIME + 1])
{
	struct buf b = { (uint8_t *)out, 0, TLSRPT_TIME };

	put_date(day, &b);
	(void)buf_put_text(&b, last ? "T23:59:59Z" : "T00:00:00Z");
	out[b.len] = 0;
}
