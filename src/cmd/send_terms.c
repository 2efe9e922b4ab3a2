/* --hold-for, --hold-until, --priority, --deliver-by: RFC 4865, RFC 6710, RFC 2852. */
#include <stdio.h>

#include "cmd/send.h"
#include "cmd/when.h"
#include "conf/value.h"
#include "mail/timestamp.h"
#include "os/clock.h"

enum { SECONDS_MOST = 999999999 };      /* RFC 4865 3, RFC 2852 4: nine digits */

static bool
only_once(struct send *s)
{
	return s->options.hold[0] == '\0'
	    || send_fail(s, EX_USAGE, "either --hold-for or --hold-until, and once: the message is released once");
}

bool
send_take_hold_for(struct send *s, const char *text)
{
	uint8_t words[200];
	struct buf why = BUF_OVER(words);
	uint32_t seconds;

	if (!duration_parse(span_of(text), &seconds, &why) || seconds == 0 || seconds > SECONDS_MOST)
		return send_fail(s, EX_USAGE, "\"%s\": how long to hold it is a span of time, like 90min, 2h, 3d", text);
	if (!only_once(s))
		return false;
	(void)snprintf(s->options.hold, sizeof s->options.hold, "FOR=%u", seconds);
	return true;
}

/* A span of time would do too, but the server's clock and ours may differ: that is what --hold-for is for. */
bool
send_take_hold_until(struct send *s, const char *text)
{
	char utc[TIMESTAMP_LEN + 1] = "";
	struct buf out = { (uint8_t *)utc, 0, TIMESTAMP_LEN };
	uint64_t when;

	if (!timestamp_parse(span_of(text), &when) || !timestamp_format(when, &out))
		return send_fail(s, EX_USAGE, "\"%s\": until when to hold it is a time like 2026-11-23T08:00:00Z or 2026-11-23T08:00:00+01:00", text);
	if (!only_once(s))
		return false;
	if (when <= clock_wall())
		return send_fail(s, EX_USAGE, "\"%s\": that time is over", text);
	(void)snprintf(s->options.hold, sizeof s->options.hold, "UNTIL=%s", utc);
	return true;
}

bool
send_take_priority(struct send *s, const char *text)
{
	struct span digit = span_of(text);
	bool minus = span_take_byte(&digit, '-');

	if (digit.len != 1 || !ascii_is_digit(digit.p[0]))
		return send_fail(s, EX_USAGE, "\"%s\": a priority is -9 to 9; 0 is the usual one", text);
	s->options.priority = (int8_t)(minus ? '0' - digit.p[0] : digit.p[0] - '0');
	return true;
}

/* "2h", "2h,return", "2026-11-23T08:00:00Z,notify,trace" */
bool
send_take_deliver_by(struct send *s, const char *text)
{
	struct span rest = span_of(text), when = span_take_until(&rest, ',');
	bool good = when_parse(when, clock_wall(), &s->options.deliver_by);

	while (good && span_take_byte(&rest, ',')) {
		struct span word = span_take_until(&rest, ',');

		if (span_same(word, SPAN("return")))
			s->options.by_return = true;
		else if (span_same(word, SPAN("trace")))
			s->options.by_trace = true;
		else
			good = span_same(word, SPAN("notify"));
	}
	if (good && s->options.deliver_by > clock_wall())
		return true;
	return send_fail(s, EX_USAGE, "\"%s\": by when to deliver it is " WHEN_FORMS ", then ,return or ,notify, and ,trace", text);
}

struct smtp_client_terms
send_terms(const struct send *s)
{
	const struct send_options *o = &s->options;
	uint64_t now = clock_wall();
	struct smtp_client_terms t = { .hold = span_of(o->hold), .priority = o->priority, .by = o->deliver_by != 0,
		.by_return = o->by_return, .by_trace = o->by_trace, .needed = true };

	if (t.by)
		t.by_seconds = o->deliver_by > now ? (int64_t)((o->deliver_by - now + 999) / 1000) : 0;
	return t;
}
