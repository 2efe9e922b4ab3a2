/*
 * fuzz/downgrade.c - the walk through a message's parts and the conversion for a lesser hop. The first octet chooses the hop: 1 takes
 * octets above 127, 2 takes UTF-8 in headers. Whole and octet by octet it comes to the same; what comes out is fit, needs
 * no second conversion, and every part decodes to what it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/downgrade.h"

enum { INPUT_MAX = 32 * 1024, OUT_MAX = 16 * INPUT_MAX + 1024 * 1024 };

static void
insist(bool good)
{
	if (!good)
		abort();
}

static enum downgrade_verdict
survey(struct span in, size_t split, const struct downgrade_hop *hop, struct downgrade_plan *plan)
{
	static struct downgrade_survey s;

	downgrade_survey_begin(&s, plan, hop);
	for (; in.len > 0; span_skip(&in, split))
		downgrade_survey_feed(&s, span_head(in, split));
	return downgrade_survey_end(&s);
}

static void
convert(struct span in, size_t split, const struct downgrade_plan *plan, struct buf *all)
{
	static uint8_t text[DOWNGRADE_ROOM];
	static struct downgrade d;
	struct buf out = BUF_OVER(text);

	downgrade_begin(&d, plan, &out);
	while (in.len > 0) {
		size_t used = downgrade_feed(&d, span_head(in, split));

		insist(used > 0);
		span_skip(&in, used);
		insist(buf_put(all, buf_span(&out)));
		out.len = 0;
	}
	downgrade_end(&d);
	insist(buf_put(all, buf_span(&out)));
}

/* ---- what is in the parts ---- */

struct reader {
	struct mime mime;
	const struct downgrade_plan *plan;      /* how to decode */
	bool before;                            /* nothing has been encoded yet, but what came so */
	struct buf out;
	uint8_t escape[2];
	uint8_t escape_len;
	bool in_escape;
	uint32_t bits, bits_len;
};

static unsigned
hex(uint8_t c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A') + 10;
}

static void
take_octet(struct reader *r, uint8_t c)
{
	if (r->in_escape) {
		r->escape[r->escape_len++] = c;
		if (r->escape_len < 2)
			return;
		c = (uint8_t)(hex(r->escape[0]) << 4 | hex(r->escape[1]));
		r->in_escape = false;
	} else if (c == '=') {
		r->in_escape = true;
		r->escape_len = 0;
		return;
	}
	insist(buf_put_byte(&r->out, c));
}

static void
take_sextet(struct reader *r, uint8_t c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = memchr(alphabet, c, 64);

	insist(at != NULL || c == '=');
	if (at == NULL)
		return;
	r->bits = (r->bits << 6 | (uint32_t)(at - alphabet)) & 0xffffff;
	r->bits_len += 6;
	if (r->bits_len >= 8) {
		r->bits_len -= 8;
		insist(buf_put_byte(&r->out, (uint8_t)(r->bits >> r->bits_len)));
	}
}

static unsigned
way(const struct reader *r)
{
	uint32_t part = r->mime.entity.number;

	if (r->mime.ignored || part >= DOWNGRADE_PARTS_MAX)
		return DOWNGRADE_KEEP;
	switch (r->plan->part[part] & DOWNGRADE_WAYS) {
	case DOWNGRADE_QUOTED: return r->before ? DOWNGRADE_KEEP : DOWNGRADE_QUOTED;
	case DOWNGRADE_BASE64: return r->before ? DOWNGRADE_KEEP : DOWNGRADE_BASE64;
	case DOWNGRADE_BROKEN_QUOTED: return DOWNGRADE_QUOTED;
	case DOWNGRADE_BROKEN_BASE64: return DOWNGRADE_BROKEN_BASE64;
	default: return DOWNGRADE_KEEP;
	}
}

static void
on_field(void *arg, enum mime_field field, struct span line)
{
	(void)arg, (void)field, (void)line;
}

static void
on_body(void *arg, const struct mime_entity *e, bool blank)
{
	struct reader *r = arg;

	(void)blank;
	r->bits = r->bits_len = 0;
	r->in_escape = false;
	insist(buf_put_byte(&r->out, (uint8_t)('A' + e->kind)));
}

static void
on_text(void *arg, struct span text)
{
	struct reader *r = arg;

	for (size_t i = 0; i < text.len && !r->mime.ignored; i++) {
		if (way(r) == DOWNGRADE_QUOTED)
			take_octet(r, text.p[i]);
		else if (way(r) == DOWNGRADE_BASE64)
			take_sextet(r, text.p[i]);
		else
			insist(buf_put_byte(&r->out, text.p[i]));
	}
}

static void
on_newline(void *arg)
{
	struct reader *r = arg;

	if (r->in_escape)
		r->in_escape = false;
	else if (!r->mime.ignored && way(r) != DOWNGRADE_BASE64 && way(r) != DOWNGRADE_BROKEN_BASE64)
		insist(buf_put_text(&r->out, "\r\n"));
}

static void
on_end(void *arg)
{
	struct reader *r = arg;

	insist(buf_put_text(&r->out, "\nend\n"));
}

static void
on_delimiter(void *arg, struct span line, bool newline, bool crlf)
{
	struct reader *r = arg;

	(void)newline, (void)crlf;
	insist(buf_put(&r->out, line));
}

static struct span
parts(struct reader *r, struct span in, const struct downgrade_plan *plan, bool before, uint8_t *text, size_t max)
{
	static const struct mime_events events = { on_field, on_body, on_text, on_newline, on_end, on_delimiter };

	r->plan = plan;
	r->before = before;
	r->out = (struct buf){ text, 0, max };
	mime_begin(&r->mime, &events, r);
	mime_feed(&r->mime, in);
	mime_end(&r->mime);
	return buf_span(&r->out);
}

/* ---- what a hop may be sent ---- */

static void
check_fit(struct span out, const struct downgrade_hop *hop)
{
	size_t column = 0;

	for (size_t i = 0; i < out.len; i++) {
		uint8_t c = out.p[i];

		insist(c != 0 && (c < 128 || hop->eightbit));
		insist((c == '\r') == (i + 1 < out.len && out.p[i + 1] == '\n'));
		insist(c != '\n' || (i > 0 && out.p[i - 1] == '\r'));
		column = c == '\n' ? 0 : column + (c != '\r');
		insist(column <= DOWNGRADE_LINE_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t one[OUT_MAX], two[OUT_MAX], before[OUT_MAX], after[OUT_MAX];
	static struct downgrade_plan plan, again;
	static struct reader r;
	struct buf whole = BUF_OVER(one), octets = BUF_OVER(two);
	struct downgrade_hop hop;
	enum downgrade_verdict verdict;
	struct span in;

	if (n < 2 || n > INPUT_MAX)
		return 0;
	in = (struct span){ p + 1, n - 1 };
	hop = (struct downgrade_hop){ .eightbit = (p[0] & 1) != 0, .utf8 = (p[0] & 2) != 0 };
	verdict = survey(in, in.len, &hop, &plan);
	insist(survey(in, 1, &hop, &again) == verdict && plan.changes == again.changes && plan.why == again.why);
	insist(memcmp(plan.part, again.part, sizeof plan.part) == 0);
	insist((verdict == DOWNGRADE_CANNOT || verdict == DOWNGRADE_HEADER) == (plan.why != NULL));
	if (verdict == DOWNGRADE_AS_IT_IS)
		check_fit(in, &hop);
	if (verdict != DOWNGRADE_CONVERT)
		return 0;
	convert(in, in.len, &plan, &whole);
	convert(in, 1, &plan, &octets);
	insist(span_eq(buf_span(&whole), buf_span(&octets)));
	check_fit(buf_span(&whole), &hop);
	insist(survey(buf_span(&whole), whole.len, &hop, &again) == DOWNGRADE_AS_IT_IS);
	in = parts(&r, in, &plan, true, before, sizeof before);
	insist(span_eq(in, parts(&r, buf_span(&whole), &plan, false, after, sizeof after)));
	return 0;
}
