/*
 * fuzz/header.c - everything that reads a header section: the scan of a submission, the repair of a local message, the original in
 * a notification. The first octet chooses: 1 SMTPUTF8, 2 "." ends a local message, 4 an encoded original; the rest is the message.
 * Whole and octet by octet it comes to the same; what was repaired needs no second repair.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/compose.h"
#include "mail/dsn.h"
#include "mail/header.h"

enum { INPUT_MAX = 32 * 1024, OUT_MAX = 1024 * 1024 };

static void
insist(bool good)
{
	if (!good)
		abort();
}

/* ---- the scan ---- */

/* Feed a section; lines that stay are put onto kept, each with LF. */
static enum fail
scan(struct header_scan *h, struct span in, bool utf8, struct buf *kept)
{
	header_init(h, utf8);
	while (!span_done(in) && !h->ended) {
		struct span line = span_take_until(&in, '\n');

		span_skip(&in, 1);
		if (header_line(h, line))
			insist(buf_put(kept, line) && buf_put_byte(kept, '\n'));
	}
	return header_end(h);
}

static void
try_scan(struct span in, bool utf8)
{
	static uint8_t text[INPUT_MAX + 1], again_text[INPUT_MAX + 1];
	static struct header_scan first, second;
	struct buf kept = BUF_OVER(text), again = BUF_OVER(again_text);
	enum fail f = scan(&first, in, utf8, &kept);

	insist(first.from_len <= HEADER_FROM_MAX && first.received <= RECEIVED_MAX && first.octets <= HEADER_OCTETS_MAX);
	insist((f == OK) == (first.fail_words == NULL) && first.fail_line <= first.line);
	if (f != OK)
		return;
	insist(scan(&second, buf_span(&kept), utf8, &again) == OK);
	insist(span_eq(buf_span(&kept), buf_span(&again)));
	insist(span_eq(header_authors(&first), header_authors(&second)));
	insist(header_lacks_date(&first) == header_lacks_date(&second));
}

/* ---- the repair ---- */

static uint64_t
fixed_now(void *arg)
{
	(void)arg;
	return UINT64_C(1795341600000);
}

static void
fixed_random(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	memset(p, 7, n);
}

struct composed {
	struct compose c;
	enum compose_step step;
	struct buf out, recipients;
	uint8_t header[INPUT_MAX * 2], text[OUT_MAX], addresses[OUT_MAX];
};

static void
compose_whole_header(struct composed *m, struct span *in, size_t split)
{
	m->step = COMPOSE_MORE;
	while (m->step == COMPOSE_MORE && !span_done(*in)) {
		size_t used;

		m->step = compose_header_feed(&m->c, span_head(*in, split), &used);
		insist(used > 0 || m->step == COMPOSE_DONE);
		span_skip(in, used);
	}
	if (m->step == COMPOSE_MORE)
		m->step = compose_header_end(&m->c);
}

static void
compose_recipients(struct composed *m)
{
	uint8_t text[COMPOSE_ADDRESS_ROOM];
	struct buf address = BUF_OVER(text);
	struct mailbox parsed;

	while ((m->step = compose_recipient(&m->c, &address)) == COMPOSE_MORE) {
		enum path_error e = mailbox_parse(buf_span(&address), &parsed);

		insist(e == PATH_OK || e == PATH_UNQUALIFIED);
		insist(buf_put(&m->recipients, buf_span(&address)) && buf_put_byte(&m->recipients, '\n'));
	}
}

static void
compose_body(struct composed *m, struct span in, size_t split)
{
	while ((m->step = compose_header_drain(&m->c, &m->out)) == COMPOSE_MORE)
		;
	if (m->step == COMPOSE_BAD)
		return;
	m->step = COMPOSE_MORE;
	while (m->step == COMPOSE_MORE && !span_done(in)) {
		size_t used;

		m->step = compose_body_feed(&m->c, span_head(in, split), &used, &m->out);
		span_skip(&in, used);
	}
	if (m->step != COMPOSE_BAD)
		m->step = compose_body_end(&m->c, &m->out);
}

static void
compose_all(struct composed *m, const struct compose_facts *facts, struct span in, size_t split)
{
	m->out = (struct buf){ m->text, 0, sizeof m->text };
	m->recipients = (struct buf){ m->addresses, 0, sizeof m->addresses };
	compose_init(&m->c, facts, (struct buf){ m->header, 0, sizeof m->header });
	compose_whole_header(m, &in, split);
	if (m->step == COMPOSE_DONE)
		compose_recipients(m);
	if (m->step == COMPOSE_DONE)
		compose_body(m, in, split);
	insist(m->step != COMPOSE_MORE);
}

/* 5322-1: a body that may be sent, unless it is called unfit. */
static void
check_body(struct span body)
{
	size_t column = 0;

	for (size_t i = 0; i < body.len; i++) {
		column = body.p[i] == '\n' ? 0 : column + (body.p[i] != '\r');
		insist(body.p[i] != 0 && column <= COMPOSE_LINE_MAX);
	}
}

/* 5321-2: nothing but CRLF ends a line, and nothing that is dropped is left. */
static void
check_composed(const struct composed *m)
{
	struct span out = buf_span(&m->out);
	static struct header_scan h;
	bool keep = true;

	header_init(&h, true);
	for (size_t i = 0; i < out.len; i++) {
		insist(out.p[i] != 0 || m->c.unfit);
		insist((out.p[i] == '\r') == (i + 1 < out.len && out.p[i + 1] == '\n'));
	}
	while (keep && !h.ended) {
		struct span line = span_take_until(&out, '\r');

		insist(!span_done(out) && line.len <= COMPOSE_LINE_MAX);
		span_skip(&out, 2);
		keep = header_line(&h, line);
	}
	insist(keep);
	if (!m->c.unfit)
		check_body(out);
	insist(m->c.resent || (!header_lacks_date(&h) && !header_lacks_message_id(&h)));
}

static void
try_compose(struct span in, bool dot_ends)
{
	static struct composed whole, octets;
	struct compose_facts facts = {
		.from = SPAN("a@example.org"), .domain = SPAN("b.example"), .env = { fixed_now, fixed_random, NULL }, .dot_ends = dot_ends,
	};

	compose_all(&whole, &facts, in, in.len + 1);
	compose_all(&octets, &facts, in, 1);
	insist(whole.step == octets.step && whole.c.line == octets.c.line);
	insist((whole.step == COMPOSE_BAD || whole.c.unfit) == (whole.c.why != NULL));
	insist(whole.c.unfit == octets.c.unfit && whole.c.unfit_line == octets.c.unfit_line);
	insist(span_eq(buf_span(&whole.recipients), buf_span(&octets.recipients)));
	if (whole.step == COMPOSE_BAD)
		return;
	insist(span_eq(buf_span(&whole.out), buf_span(&octets.out)));
	check_composed(&whole);
}

/* ---- the original in a notification ---- */

static struct span
report(const struct dsn_facts *facts, struct span in, size_t split, struct buf *out)
{
	struct dsn d;

	insist(dsn_begin(&d, facts, out));
	insist(dsn_original_begin(&d, out));
	while (dsn_original_wanted(&d) && !span_done(in)) {
		size_t used = dsn_original(&d, span_head(in, split), out);

		insist(used > 0);
		span_skip(&in, used);
	}
	insist(dsn_end(&d, out));
	return buf_span(out);
}

static void
try_report(struct span in, bool utf8)
{
	static uint8_t one[OUT_MAX], two[OUT_MAX];
	struct buf whole = BUF_OVER(one), octets = BUF_OVER(two);
	const struct dsn_facts facts = {
		.host = SPAN("b.example"), .to = SPAN("a@example.org"), .report_id = SPAN("1"), .message_id = SPAN("2"), .utf8 = utf8,
		.envid = span_head(in, 100), .size = in.len, .full = (in.len & 1) != 0, .eightbit = utf8,
	};
	/* The fields get what a stranger said. */
	const struct dsn_recipient r = {
		.path = SPAN("a@b.example"), .orcpt = span_head(in, 500), .status = span_head(in, 5), .host = span_head(in, 400),
		.text = span_head(in, 480), .code = (uint32_t)in.len,
	};
	struct span all = report(&facts, in, in.len + 1, &whole);
	struct dsn d;

	insist(span_eq(all, report(&facts, in, 1, &octets)));
	octets = (struct buf){ two, 0, DSN_PIECE_MAX };
	insist(dsn_begin(&d, &facts, &octets));
	octets.len = 0;
	insist(dsn_tell(&d, &r, &octets) && (octets.len = 0, dsn_between(&d, &octets)) && dsn_report(&d, &r, &octets));
	for (size_t i = 0; i < octets.len; i++) {
		insist(two[i] < 127 && (two[i] >= 32 || two[i] == '\r' || two[i] == '\n'));
		insist((two[i] == '\r') == (i + 1 < octets.len && two[i + 1] == '\n'));
	}
	for (size_t i = 0; i < all.len; i++)
		insist(all.p[i] < 128);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in;

	if (n == 0 || n > INPUT_MAX)
		return 0;
	in = (struct span){ p + 1, n - 1 };
	try_scan(in, (p[0] & 1) != 0);
	try_compose(in, (p[0] & 2) != 0);
	try_report(in, (p[0] & 4) != 0);
	return 0;
}
