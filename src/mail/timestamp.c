#include "mail/timestamp.h"

enum { DAY = 24 * 60 * 60 };

/* ---- calendar ---- */

static bool
is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned
days_of_month(unsigned year, unsigned month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days between the year 0 and the first day of this one, in the calendar of today. */
static uint64_t
days_before(unsigned year)
{
	uint64_t y = year == 0 ? 0 : year - 1;

	return 365 * (uint64_t)year + y / 4 - y / 100 + y / 400 + (year > 0);
}

/* ---- reading ---- */

static bool
take_digits(struct span *s, unsigned width, unsigned most, unsigned *value)
{
	*value = 0;
	for (unsigned i = 0; i < width; i++) {
		if (s->len <= i || !ascii_is_digit(s->p[i]))
			return false;
		*value = *value * 10 + (unsigned)(s->p[i] - '0');
	}
	span_skip(s, width);
	return *value <= most;
}

static bool
take_date(struct span *s, uint64_t *days)
{
	unsigned year, month, day;

	if (!take_digits(s, 4, 9999, &year) || !span_take_byte(s, '-') || !take_digits(s, 2, 12, &month) || month == 0
	    || !span_take_byte(s, '-') || !take_digits(s, 2, 31, &day) || day == 0 || year < 1970
	    || day > days_of_month(year, month))
		return false;
	*days = days_before(year) - days_before(1970) + day - 1;
	for (unsigned m = 1; m < month; m++)
		*days += days_of_month(year, m);
	return true;
}

static bool
take_clock(struct span *s, uint64_t *seconds)
{
	unsigned hour, minute, second;

	/* 60 is a leap second (RFC 3339 5.7); we count without them, so it is the first of the next minute. */
	if (!take_digits(s, 2, 23, &hour) || !span_take_byte(s, ':') || !take_digits(s, 2, 59, &minute)
	    || !span_take_byte(s, ':') || !take_digits(s, 2, 60, &second))
		return false;
	*seconds = hour * UINT64_C(3600) + minute * UINT64_C(60) + second;
	if (!span_take_byte(s, '.'))
		return true;
	if (s->len == 0 || !ascii_is_digit(s->p[0]))
		return false;
	for (second = 0; s->len > 0 && ascii_is_digit(s->p[0]); span_skip(s, 1))
		second |= s->p[0] != '0';
	*seconds += second;
	return true;
}

/* Seconds east of Greenwich. */
static bool
take_zone(struct span *s, int64_t *east)
{
	unsigned hours, minutes;
	bool minus;

	*east = 0;
	if (span_take(s, SPAN("Z")))
		return true;
	minus = span_take_byte(s, '-');
	if ((!minus && !span_take_byte(s, '+')) || !take_digits(s, 2, 23, &hours) || !span_take_byte(s, ':')
	    || !take_digits(s, 2, 59, &minutes))
		return false;
	*east = (int64_t)(hours * 3600 + minutes * 60) * (minus ? -1 : 1);
	return true;
}

bool
timestamp_parse(struct span text, uint64_t *ms)
{
	uint64_t days, seconds;
	int64_t east, when;

	if (!take_date(&text, &days) || !span_take(&text, SPAN("T")) || !take_clock(&text, &seconds)
	    || !take_zone(&text, &east) || !span_done(text))
		return false;
	when = (int64_t)(days * DAY + seconds) - east;
	if (when < 0)
		return false;
	*ms = (uint64_t)when * 1000;
	return true;
}

/* ---- writing ---- */

static bool
put_date(uint64_t days, struct buf *out)
{
	unsigned year = 1970 + (unsigned)(days / 366), month = 1;

	/* 366 days a year is too many: never past the year that it is. */
	while (days_before(year + 1) - days_before(1970) <= days)
		year++;
	days -= days_before(year) - days_before(1970);
	for (; days >= days_of_month(year, month); month++)
		days -= days_of_month(year, month);
	return buf_put_padded(out, year, 4) && buf_put_byte(out, '-') && buf_put_padded(out, month, 2) &&
	    buf_put_byte(out, '-') && buf_put_padded(out, days + 1, 2);
}

bool
timestamp_format(uint64_t ms, struct buf *out)
{
	static const uint64_t last = UINT64_C(253402300799);    /* 9999-12-31T23:59:59Z */
	uint64_t now = ms / 1000 < last ? ms / 1000 : last, second = now % DAY;

	if (buf_room(out) < TIMESTAMP_LEN)
		return false;
	return put_date(now / DAY, out) && buf_put_byte(out, 'T') && buf_put_padded(out, second / 3600, 2) &&
	    buf_put_byte(out, ':') && buf_put_padded(out, second / 60 % 60, 2) && buf_put_byte(out, ':') &&
	    buf_put_padded(out, second % 60, 2) && buf_put_byte(out, 'Z');
}
