#include "proc/1_front_away.h"

static const struct row {
	enum fail fail;
	const char *event, *process, *why, *words;
} rows[AWAY_KINDS] = {
	[AWAY_SPOOL] = { FAIL_BUSY, "put-off", "4_spool", "it is not there, or has not said yet what it can take",
	    "the mail store is being started again, try again in a moment" },
	[AWAY_DRAFT] = { FAIL_LOCAL, "put-off", "4_spool", "it ended while messages were coming; child-ended says why",
	    "the mail store was started again while this message came, send it again" },
	[AWAY_COMMIT] = { FAIL_LOCAL, "put-off", "4_spool", "it ended while messages were being stored; child-ended says why",
	    "the mail store was started again before it had stored this message, send it again" },
	[AWAY_FORM] = { FAIL_LOCAL, "put-off", "1_front", "an envelope that 4_spool cannot be told", "local error in processing the envelope" },
	[AWAY_AUTH] = { FAIL_BUSY, "put-off", "3_auth", "it ended while messages were coming; child-ended says why",
	    "who may send cannot be asked just now, log in again and send it again" },
	[AWAY_PROOF] = { FAIL_AUTH_BACKEND, "put-off", "3_auth", "it is not there", "logins cannot be checked just now, try again in a moment" },
	[AWAY_FORGOTTEN] = { FAIL_FORGOTTEN, "put-off", "3_auth", "it has ended, and the next one knows no session from before; child-ended says why", "" },
	[AWAY_MUTE_SPOOL] = { FAIL_SHUTDOWN, "no-answer", "4_spool", "it took too long; the session ends", "" },
	[AWAY_MUTE_AUTH] = { FAIL_SHUTDOWN, "no-answer", "3_auth", "it took too long; the session ends", "" },
};

static struct log_pause said[AWAY_KINDS];

static void
say(enum away kind, uint64_t count)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, rows[kind].event);
	log_text(&l, "process", rows[kind].process);
	log_text(&l, "why", rows[kind].why);
	log_u64(&l, "count", count);
	log_end(&l);
}

struct verdict
away(enum away kind)
{
	uint64_t unsaid;

	if (log_may(&said[kind], uv_now(&front.child.loop), AWAY_MS, &unsaid))
		say(kind, unsaid + 1);
	return (struct verdict){ rows[kind].fail, span_of(rows[kind].words) };
}

static bool
is_awaited(bool there, uint64_t gone)
{
	return !there && !front.draining && uv_now(&front.child.loop) - gone < FRONT_AWAIT_MS;
}

bool
spool_is_awaited(void)
{
	return is_awaited(front.spool_fail != FAIL_BUSY, front.spool_gone);
}

bool
auth_is_awaited(void)
{
	return is_awaited(front.auth != NULL, front.auth_gone);
}

void
await_sweep(void)
{
	if ((front.spool_fail == FAIL_BUSY && !spool_is_awaited()) || (front.auth == NULL && !auth_is_awaited()))
		session_each(auth_ask_again);
}

void
away_sweep(uint64_t now)
{
	uint64_t unsaid;

	for (enum away kind = 0; kind < AWAY_KINDS; kind++)
		if (said[kind].unsaid > 0 && now >= said[kind].next && log_may(&said[kind], now, AWAY_MS, &unsaid))
			say(kind, unsaid);
}
