/*
 * fuzz/probe.c - a hostile server under examination. The first octet chooses what is examined, the second how; the rest are replies, an octet 1
 * stands for the TLS handshake. Whole and octet by octet the probe must say and learn the same; smtp_probe_check() holds at each
 * step; the password goes out only when it was asked for; and facts stand one on a line whatever comes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../tests/unit/smtp/probe_talk.h"

static struct probe_talk whole, pieces;

static void
choose(struct probe_talk *t, uint8_t plan, uint8_t how)
{
	const struct smtp_probe_conf conf = { .plan = (enum smtp_probe_plan)(plan % SMTP_PROBE_PLANS), .implicit = how & 1, .login = how & 2,
		.ending = how >> 4 <= SMTP_PROBE_ENDINGS ? how >> 4 : SMTP_PROBE_ENDINGS, .sender = SPAN("a@example.org") };

	probe_talk_init(t, &conf);
	t->declines = how & 4;
	t->closes = how & 8;
}

static bool
has(const struct buf *b, struct span what)
{
	for (struct span s = buf_span(b); s.len >= what.len; span_skip(&s, 1))
		if (span_eq(span_head(s, what.len), what))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span replies;

	if (n < 2)
		return 0;
	replies = (struct span){ p + 2, n - 2 };
	choose(&whole, p[0], p[1]);
	choose(&pieces, p[0], p[1]);
	if (!probe_talk_run(&whole, replies, n) || !probe_talk_run(&pieces, replies, 1))
		abort();
	if (!span_eq(buf_span(&whole.sent), buf_span(&pieces.sent)) || !span_eq(buf_span(&whole.facts), buf_span(&pieces.facts)))
		abort();
	if (whole.probe.hostile != pieces.probe.hostile || whole.probe.inside != pieces.probe.inside)
		abort();
	/* AG1lAHNlY3JldA== is PLAIN's response, c2VjcmV0 LOGIN's second. */
	if ((has(&whole.sent, SPAN("AG1lAHNl")) || has(&whole.sent, SPAN("c2VjcmV0"))) && (!whole.conf.login || whole.declines || !whole.probe.secured))
		abort();
	return 0;
}
