/*
 * fuzz/compose.c - what people and programs pipe into sendmail. The first octet chooses: 1 a dot ends it. Whole and octet by octet it comes
 * to the same; what comes out has lines that end in CRLF and in nothing else, a header section of fields without NUL and without a Bcc, and a
 * body that may be sent unless it is called unfit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/compose.h"
#include "mail/field.h"

enum { INPUT_MAX = 16 * 1024, OUT_MAX = 1024 * 1024, TOLD_MAX = 1024 * 1024 };

struct made {
	enum compose_step step;
	struct compose c;
	struct buf out, told;
	uint8_t header[COMPOSE_HEADER_ROOM], octets[OUT_MAX], recipients[TOLD_MAX];
};

static void
insist(bool good)
{
	if (!good)
		abort();
}

static uint64_t
some_time(void *arg)
{
	(void)arg;
	return UINT64_C(1795341600000);
}

static void
some_octets(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	memset(p, 7, n);
}

static enum compose_step
take_header(struct made *m, struct span *in, size_t split)
{
	enum compose_step step = COMPOSE_MORE;

	while (step == COMPOSE_MORE && in->len > 0) {
		size_t used;

		step = compose_header_feed(&m->c, span_head(*in, split), &used);
		span_skip(in, used);
	}
	return step == COMPOSE_MORE ? compose_header_end(&m->c) : step;
}

static enum compose_step
take_recipients(struct made *m)
{
	uint8_t text[COMPOSE_ADDRESS_ROOM];
	struct buf address = BUF_OVER(text);
	enum compose_step step;

	while ((step = compose_recipient(&m->c, &address)) == COMPOSE_MORE)
		insist(buf_put(&m->told, buf_span(&address)) && buf_put_byte(&m->told, '\n'));
	return step;
}

static enum compose_step
take_body(struct made *m, struct span in, size_t split)
{
	enum compose_step step = COMPOSE_MORE;

	while (step == COMPOSE_MORE && in.len > 0) {
		size_t used;

		step = compose_body_feed(&m->c, span_head(in, split), &used, &m->out);
		insist(used > 0 || step != COMPOSE_MORE);
		span_skip(&in, used);
	}
	return step == COMPOSE_BAD ? step : compose_body_end(&m->c, &m->out);
}

static void
make(struct made *m, const struct compose_facts *facts, struct span in, size_t split)
{
	m->out = (struct buf){ m->octets, 0, OUT_MAX };
	m->told = (struct buf){ m->recipients, 0, TOLD_MAX };
	compose_init(&m->c, facts, (struct buf){ m->header, 0, sizeof m->header });
	m->step = take_header(m, &in, split);
	if (m->step == COMPOSE_DONE)
		m->step = take_recipients(m);
	if (m->step == COMPOSE_DONE)
		m->step = compose_header_drain(&m->c, &m->out);
	if (m->step == COMPOSE_DONE)
		m->step = take_body(m, in, split);
	insist(m->step != COMPOSE_MORE);
	insist(m->step == COMPOSE_DONE || m->c.why != NULL);
}

static void
check_lines(struct span out)
{
	for (size_t i = 0; i < out.len; i++) {
		insist((out.p[i] == '\r') == (i + 1 < out.len && out.p[i + 1] == '\n'));
		insist(out.p[i] != '\n' || (i > 0 && out.p[i - 1] == '\r'));
	}
	insist(out.len >= 2 && out.p[out.len - 1] == '\n');
}

/* What is left of out is the body. */
static void
check_header(struct span *out)
{
	struct header_field f;

	while (field_next(out, &f)) {
		insist(span_find(f.whole, 0) == f.whole.len);
		insist(!span_same(f.name, SPAN("bcc")) && !span_same(f.name, SPAN("return-path")));
	}
	insist(span_take(out, SPAN("\r\n")));
}

static void
check_body(struct span body)
{
	size_t column = 0;

	for (size_t i = 0; i < body.len; i++) {
		column = body.p[i] == '\n' ? 0 : column + (body.p[i] != '\r');
		insist(body.p[i] != 0 && column <= COMPOSE_LINE_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct made whole, pieces;
	struct compose_facts facts = { .from = SPAN("alice@example.org"), .name = SPAN("Alice \"A\" \xc3\x9c"), .domain = SPAN("example.org"),
		.env = { some_time, some_octets, NULL }, .dot_ends = n > 0 && (p[0] & 1) };
	struct span in = { p + 1, n - 1 }, out;

	if (n == 0 || n > INPUT_MAX)
		return 0;
	make(&whole, &facts, in, in.len);
	make(&pieces, &facts, in, 1);
	insist(whole.step == pieces.step && whole.c.line == pieces.c.line && whole.c.why == pieces.c.why && whole.c.unfit == pieces.c.unfit);
	insist(span_eq(buf_span(&whole.told), buf_span(&pieces.told)));
	if (whole.step != COMPOSE_DONE)
		return 0;
	insist(span_eq(buf_span(&whole.out), buf_span(&pieces.out)));
	out = buf_span(&whole.out);
	check_lines(out);
	check_header(&out);
	if (!whole.c.unfit)
		check_body(out);
	return 0;
}
