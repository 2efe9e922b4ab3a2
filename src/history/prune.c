/* What is too old, or too much, goes from the old end, a little at a time. */
#include "history/parts.h"

enum { STEP = 500, SEARCH_STEP = 5000, GAPS_MOST = 100, FREE_FEW = 32, ROW_OCTETS = 400 /* of a message and what belongs to it, about */ };

static uint64_t
number_of(struct history *h, enum statement which)
{
	sqlite3_stmt *s = statement(h, which);
	uint64_t value = 0;

	if (row(h, s)) {
		value = column_number(s, 0);
		(void)sqlite3_reset(s);
	}
	return value;
}

static void
drop(struct history *h, enum statement which, uint64_t one, uint64_t two)
{
	sqlite3_stmt *s;

	/* SQLite may have rolled back by itself: what comes now would be by itself, too. */
	if (h->fault != HISTORY_FINE)
		return;
	s = statement(h, which);
	bind_number(s, 1, one);
	if (two > 0)
		bind_number(s, 2, two);
	(void)run(h, s);
}

/* Every id at most this one is to go; 0: none. */
static uint64_t
find_end(struct history *h, uint64_t now, uint64_t *count)
{
	bool full = (number_of(h, ST_PAGES) - number_of(h, ST_FREE_PAGES)) * h->page_size > h->limits.size;
	uint64_t cutoff = now > h->limits.age ? (now - h->limits.age) << 18 : 0, end = 0;
	sqlite3_stmt *s = statement(h, ST_OLDEST);

	bind_number(s, 1, full ? INT64_MAX : cutoff);
	bind_number(s, 2, STEP);
	if (row(h, s)) {
		end = column_number(s, 0);
		*count = column_number(s, 1);
		(void)sqlite3_reset(s);
	}
	return end;
}

/* Give free pages back, when they are many. */
static bool
shrink(struct history *h)
{
	uint64_t pages = number_of(h, ST_PAGES), spare = number_of(h, ST_FREE_PAGES);

	return spare > FREE_FEW && (spare > pages / 8 || pages * h->page_size > h->limits.size)
	    && run(h, statement(h, ST_VACUUM));
}

/* Every id up to end goes. */
static bool
drop_all(struct history *h, uint64_t end, uint64_t count)
{
	history_begin(h);
	drop(h, ST_DROP_ATTEMPTS, end, 0);
	drop(h, ST_DROP_EVENTS, end, 0);
	drop(h, ST_DROP_RECIPIENTS, end, 0);
	drop(h, ST_DROP_MESSAGES, end, 0);
	drop(h, ST_DROP_SEARCH, end >> PERIOD_BITS, SEARCH_STEP);
	/* Of the oldest period rows stay that lead nowhere, until it is over, or they are an eighth of all that there may be. */
	h->dropped += count;
	if (h->dropped * 8 * ROW_OCTETS >= h->limits.size) {
		drop(h, ST_DROP_PERIOD, end >> PERIOD_BITS, end);
		h->dropped = 0;
	}
	drop(h, ST_DROP_GAPS, GAPS_MOST, 0);
	return history_commit(h, &h->place) == HISTORY_FINE;
}

bool
history_prune(struct history *h, uint64_t now, enum history_fault *fault)
{
	uint64_t count = 0, end;
	bool more;

	h->fault = HISTORY_FINE;
	end = find_end(h, history_trusted(h, now), &count);
	more = end == 0 ? shrink(h) : drop_all(h, end, count);
	*fault = h->fault;
	return more;
}
