/*
 * What is old goes by the clock, and a clock can be a year ahead for a minute: after a dead battery, before its server is heard. So
 * the time that is trusted goes forward with the time that the machine has run, FASTER times as fast at most.
 */
#include "history/parts.h"
#include "os/clock.h"

enum { FASTER = 24, KEEP_MS = 3600 * 1000 };

/* Said again by the next one when it cannot be written: then nothing else can. */
static void
keep(struct history *h)
{
	sqlite3_stmt *s = statement(h, ST_SET_TRUSTED);

	bind_number(s, 1, h->trusted);
	if (run(h, s))
		h->trusted_kept = h->trusted;
}

/* A file that says nothing of it is from a version that did not keep it, or new. */
bool
trust(struct history *h, uint64_t now)
{
	uint64_t newest = 0;

	if (!run_text(h, "CREATE TABLE IF NOT EXISTS clock(one INTEGER PRIMARY KEY CHECK(one = 1), trusted INTEGER)"))
		return false;
	(void)get_number(h, "SELECT trusted FROM clock", &h->trusted_kept);
	h->trusted = h->trusted_kept;
	h->trusted_at = clock_run();
	if (h->trusted > 0 || h->fault != HISTORY_FINE)
		return h->fault == HISTORY_FINE;
	(void)get_number(h, "SELECT max(id) >> 18 FROM message", &newest);
	h->trusted = newest > 0 ? newest : now;
	keep(h);
	return h->fault == HISTORY_FINE;
}

uint64_t
history_trusted(struct history *h, uint64_t now)
{
	uint64_t ran = clock_run(), most = h->trusted + (ran - h->trusted_at) * FASTER;

	h->trusted = now < most ? now : most;
	h->trusted_at = ran;
	if (h->fault == HISTORY_FINE
	    && (h->trusted < h->trusted_kept || h->trusted - h->trusted_kept >= KEEP_MS))
		keep(h);
	return h->trusted;
}
