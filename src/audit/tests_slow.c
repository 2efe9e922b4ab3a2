/* How long the server waits for clients (RFC 5321 4.5.3.2, RFC 8314 3.3), and how long it put up with us. */
#include "audit/tests.h"

enum {
	LEAST_MS = 5 * 60 * 1000,       /* that a server SHOULD wait for a command (5321-74, RFC 5321 4.5.3.2.7) */
	NEARLY_MS = LEAST_MS - 3000,    /* clocks differ, and so does what each of them measures */
	HASTY_MS = 10 * 1000,           /* a handshake over a bad radio link takes seconds */
};

/* How it waited in one of the ways that cmd/audit_slow.c has. */
struct wait {
	bool seen, closed;
	int64_t ms;
};

static const char *const ways[] = { "connect", "first-octet", "ehlo", "half-command", "drip", "login" };
enum { WAYS = sizeof ways / sizeof ways[0], DRIP = 4, LOGIN = 5 };

static struct wait
wait_of(const struct section *s, unsigned way)
{
	struct wait w = { .seen = false };
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f)) {
		struct span value = f.value, how;

		if (!span_eq(f.key, SPAN("slow")) || !span_eq(span_take_word(&value), span_of(ways[way])))
			continue;
		how = span_take_word(&value);
		w.closed = span_eq(how, SPAN("closed"));
		w.seen = (w.closed || span_eq(how, SPAN("held"))) && number_in(f.value, 2, &w.ms);
	}
	return w;
}

typedef bool judges(const struct section *, unsigned way, struct wait);

/* Names every way for which it is so, with the seconds. */
static bool
quote_ways(const struct section *s, judges *so, struct buf *e)
{
	bool any = false;

	for (unsigned way = 0; way < WAYS; way++) {
		struct wait w = wait_of(s, way);

		if (!w.seen || !so(s, way, w))
			continue;
		(void)(buf_put_text(e, any ? ", " : "") && buf_put_text(e, ways[way]) && buf_put_text(e, w.closed ? ": closed after " : ": held for ")
		    && buf_put_u64(e, (uint64_t)w.ms / 1000) && buf_put_byte(e, '.') && buf_put_u64(e, (uint64_t)w.ms % 1000 / 100) && buf_put_text(e, " s"));
		any = true;
	}
	return any;
}

static bool
is_hasty(const struct section *s, unsigned way, struct wait w)
{
	(void)s;
	return way != LOGIN && w.closed && w.ms < HASTY_MS;
}

/* Of those in which a command is waited for: not before TLS on the port where TLS comes first. */
static bool
is_short(const struct section *s, unsigned way, struct wait w)
{
	bool handshake = way < 2 && is_service(s, "submissions");

	return way != LOGIN && !handshake && w.closed && w.ms >= HASTY_MS && w.ms < NEARLY_MS;
}

static bool
is_short_after_login(const struct section *s, unsigned way, struct wait w)
{
	(void)s;
	return way == LOGIN && w.closed && w.ms < NEARLY_MS;
}

/* Who has proved himself may stay. */
static bool
is_endless(const struct section *s, unsigned way, struct wait w)
{
	(void)s;
	return way != LOGIN && way != DRIP && !w.closed && w.ms >= LEAST_MS;
}

static bool
is_dripped(const struct section *s, unsigned way, struct wait w)
{
	(void)s;
	return way == DRIP && !w.closed && w.ms >= LEAST_MS;
}

static bool
is_unknown(const struct section *s, unsigned way, struct wait w)
{
	(void)s, (void)way;
	return !w.closed && w.ms < LEAST_MS;
}

static bool
is_any(const struct section *s, unsigned way, struct wait w)
{
	(void)s, (void)way, (void)w;
	return true;
}

bool
timeout_hasty(const struct section *s, struct buf *e)
{
	return quote_ways(s, is_hasty, e);
}

bool
timeout_short(const struct section *s, struct buf *e)
{
	return quote_ways(s, is_short, e);
}

bool
timeout_short_login(const struct section *s, struct buf *e)
{
	return quote_ways(s, is_short_after_login, e);
}

bool
timeout_none(const struct section *s, struct buf *e)
{
	return quote_ways(s, is_endless, e);
}

bool
timeout_drip(const struct section *s, struct buf *e)
{
	return quote_ways(s, is_dripped, e);
}

bool
timeout_unknown(const struct section *s, struct buf *e)
{
	return quote_ways(s, is_unknown, e);
}

bool
good_timeouts(const struct section *s, struct buf *e)
{
	uint8_t octets[EVIDENCE_MAX];
	struct buf other = BUF_OVER(octets);

	return !timeout_hasty(s, &other) && !timeout_short(s, &other) && !timeout_short_login(s, &other) && !timeout_none(s, &other)
	    && !timeout_drip(s, &other) && !timeout_unknown(s, &other) && quote_ways(s, is_any, e);
}

/* ---- how long it put up with us ---- */

/* Every one, with "; " between. */
static bool
quote_all(const struct section *s, const char *key, const char *before, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;
	bool any = false;

	while (fact_take(&lines, &f)) {
		if (!span_eq(f.key, span_of(key)))
			continue;
		(void)(buf_put_text(e, any ? "; " : before) && buf_put(e, span_head(f.value, buf_room(e))));
		any = true;
	}
	return any;
}

bool
throttled(const struct section *s, struct buf *e)
{
	return quote_all(s, "throttled", "", e) && (quote_all(s, "unexamined", ". Not examined: ", e) || true);
}

bool
unexamined(const struct section *s, struct buf *e)
{
	return section_count(s, "throttled") == 0 && quote_all(s, "unexamined", "", e);
}

bool
paced(const struct section *s, struct buf *e)
{
	return quote_all(s, "paced", "", e);
}
