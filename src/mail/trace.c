#include "mail/trace.h"

enum { FOLD_AT = 78 };          /* RFC 5322 2.1.1 */

/* ---- dates ---- */

struct civil {
	uint64_t year;
	unsigned month, day;            /* month 0 is January, day 1 the first */
	unsigned weekday;               /* 0 is Sunday */
};

static unsigned
days_of_month(uint64_t year, unsigned month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month] + (month == 1 && leap);
}

static struct civil
civil_of(uint64_t days)
{
	enum { DAYS_IN_400_YEARS = 146097 };
	struct civil c = { 1970, 0, 1, (unsigned)((days + 4) % 7) };

	c.year += 400 * (days / DAYS_IN_400_YEARS);
	days %= DAYS_IN_400_YEARS;
	for (unsigned long_year; days >= (long_year = 337 + days_of_month(c.year, 1)); c.year++)
		days -= long_year;
	for (; days >= days_of_month(c.year, c.month); c.month++)
		days -= days_of_month(c.year, c.month);
	c.day += (unsigned)days;
	return c;
}

static bool
put_clock(uint64_t second_of_day, struct buf *out)
{
	return buf_put_padded(out, second_of_day / 3600, 2) && buf_put_byte(out, ':') &&
	    buf_put_padded(out, second_of_day / 60 % 60, 2) && buf_put_byte(out, ':') &&
	    buf_put_padded(out, second_of_day % 60, 2);
}

static bool
put_date(uint64_t now_ms, struct buf *out)
{
	static const char weekdays[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	enum { DAY = 24 * 60 * 60 };
	uint64_t now = now_ms / 1000;
	struct civil c = civil_of(now / DAY);

	return buf_put(out, (struct span){ (const uint8_t *)weekdays + 3 * c.weekday, 3 }) &&
	    buf_put_text(out, ", ") && buf_put_u64(out, c.day) && buf_put_byte(out, ' ') &&
	    buf_put(out, (struct span){ (const uint8_t *)months + 3 * c.month, 3 }) && buf_put_byte(out, ' ') &&
	    buf_put_padded(out, c.year, 4) && buf_put_byte(out, ' ') && put_clock(now % DAY, out) &&
	    buf_put_text(out, " +0000");
}

/* Every format here is all or nothing. */
static bool
all_or_nothing(bool good, size_t before, struct buf *out)
{
	if (!good)
		out->len = before;
	return good;
}

bool
date_format(uint64_t now_ms, struct buf *out)
{
	size_t before = out->len;

	return all_or_nothing(put_date(now_ms, out), before, out);
}

bool
message_id_format(struct span id, uint64_t random, struct span host, struct buf *out)
{
	size_t before = out->len;
	bool good = buf_put_byte(out, '<') && buf_put(out, id) && buf_put_byte(out, '.') &&
	    buf_put_hex(out, random, 16) && buf_put_byte(out, '@') && buf_put(out, host) && buf_put_byte(out, '>');

	return all_or_nothing(good, before, out);
}

/* ---- Received ---- */

struct folder {
	struct buf *out;
	size_t column;
	bool good;
};

static void
fold(struct folder *f)
{
	f->good = f->good && buf_put_text(f->out, "\r\n\t");
	f->column = 8;
}

/* One word, put together from three pieces, with a space or a fold before it. */
static void
put_word(struct folder *f, const char *open, struct span text, const char *close)
{
	struct span before = span_of(open), after = span_of(close);
	size_t len = before.len + text.len + after.len;

	if (f->column + 1 + len > FOLD_AT && f->column > 8)
		fold(f);
	if (f->column > 8) {
		f->good = f->good && buf_put_byte(f->out, ' ');
		f->column++;
	}
	f->good = f->good && buf_put(f->out, before) && buf_put(f->out, text) && buf_put(f->out, after);
	f->column += len;
}

static const char *
protocol_name(const struct trace *t)
{
	static const char *const esmtp[] = { "ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA" };
	static const char *const utf8smtp[] = { "UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA" };
	unsigned which = (unsigned)t->tls << 1 | (unsigned)t->auth;

	if (t->utf8)
		return utf8smtp[which];
	/* RFC 3848 has no names for HELO with TLS; the tls clause still says what there was. */
	return t->esmtp ? esmtp[which] : "SMTP";
}

static void
put_tls(struct folder *f, const struct trace *t, const char *last)
{
	/* The group clause may stand only directly behind tls (RFC 8314 4.3). */
	bool with_group = !span_done(t->group);

	put_word(f, "tls", SPAN(""), "");
	put_word(f, "", t->cipher, with_group ? "" : last);
	if (with_group) {
		put_word(f, "group", SPAN(""), "");
		put_word(f, "", t->group, last);
	}
}

/* RFC 6710 9: a clause of its own behind the others. */
static void
put_priority(struct folder *f, int priority, const char *last)
{
	const uint8_t digit = (uint8_t)('0' + (priority < 0 ? -priority : priority));

	put_word(f, priority < 0 ? "PRIORITY -" : "PRIORITY ", (struct span){ &digit, 1 }, last);
}

bool
received_format(const struct trace *t, struct buf *out)
{
	struct folder f = { out, 0, true };
	size_t before = out->len;
	bool with_tls = !span_done(t->cipher), with_rcpt = !span_done(t->recipient), ranked = t->priority != 0;

	f.good = buf_put_text(out, "Received: from");
	f.column = sizeof "Received: from" - 1;
	put_word(&f, "", span_done(t->helo) ? t->peer : t->helo, "");
	put_word(&f, "(", t->peer, ")");
	fold(&f);
	put_word(&f, "by ", t->host, "");
	put_word(&f, "with ", span_of(protocol_name(t)), "");
	put_word(&f, "id ", t->id, with_tls || with_rcpt || ranked ? "" : ";");
	if (with_tls || with_rcpt || ranked)
		fold(&f);
	if (with_rcpt)
		put_word(&f, "for <", t->recipient, with_tls || ranked ? ">" : ">;");
	if (with_tls)
		put_tls(&f, t, ranked ? "" : ";");
	if (ranked)
		put_priority(&f, t->priority, ";");
	fold(&f);
	f.good = f.good && put_date(t->now, out) && buf_put_text(out, "\r\n");
	return all_or_nothing(f.good, before, out);
}
