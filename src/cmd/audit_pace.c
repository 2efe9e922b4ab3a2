#include "cmd/audit_pace.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "os/clock.h"

enum {
	TRIES = 3,                      /* of a connection that is refused after good ones */
	TURNS = 2,                      /* of a part */
	PAUSE_PACES = 10,               /* a pause is so many times the pace, */
	PAUSE_LEAST = 100,              /* ms, but not less */
	SLOW_MS = 500, SLOW_TIMES = 10, /* a reply is slow when it takes so long, and so many times longer than the quickest */
	TARPIT_MS = 1000,               /* every reply takes so long */
	SLOW_REPLIES = 3,               /* so many are no accident */
};

static struct {
	unsigned asked;                 /* ms, or AUDIT_PACE_USUAL */
	unsigned ms;                    /* between two connections now */
	uint64_t last;                  /* when the last one was begun */
	char refused[64];               /* the address that had enough before */
	/* of the endpoint */
	unsigned connections, good, tries;
	bool greeted;                   /* it has said 220 */
	bool lost;                      /* it has had enough: nothing more is asked */
	char sign[200];                 /* the first one, in words; "": none */
	uint64_t quickest, slowest;     /* reply, ms */
	unsigned replies, slow;
	/* of the connection under way */
	unsigned heard;                 /* replies */
	/* of the part under way */
	bool doubt;                     /* perhaps it has had enough */
	bool enough;                    /* it has said so */
	bool partly;                    /* it broke off in the middle */
} pace;

static void
pause_for(uint64_t ms)
{
	(void)poll(NULL, 0, (int)ms);
}

static unsigned
pause_length(void)
{
	return pace.ms * PAUSE_PACES > PAUSE_LEAST ? pace.ms * PAUSE_PACES : PAUSE_LEAST;
}

static void
slow_down(void)
{
	unsigned twice = pace.ms == 0 ? AUDIT_PACE_MS / 2 : pace.ms * 2;

	if (pace.ms < AUDIT_PACE_SLOWED)
		pace.ms = twice < AUDIT_PACE_SLOWED ? twice : AUDIT_PACE_SLOWED;
	pause_for(pause_length());
}

__attribute__((format(printf, 1, 2))) static void
see(const char *words, ...)
{
	va_list list;

	if (pace.sign[0] != '\0')
		return;
	va_start(list, words);
	(void)vsnprintf(pace.sign, sizeof pace.sign, words, list);
	va_end(list);
}

void
audit_pace_begin(unsigned ms)
{
	pace.asked = ms;
}

/* This machine needs no politeness. */
static bool
is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

void
audit_pace_endpoint(const struct endpoint *e)
{
	unsigned usual = is_loopback(e->address) ? 0 : AUDIT_PACE_MS;
	bool refused = strcmp(pace.refused, e->address) == 0;

	pace.ms = pace.asked != AUDIT_PACE_USUAL ? pace.asked : usual;
	pace.connections = pace.good = pace.tries = 0;
	pace.greeted = refused;
	pace.lost = false;
	pace.sign[0] = '\0';
	pace.quickest = UINT64_MAX;
	pace.slowest = 0;
	pace.replies = pace.slow = 0;
}

/* ---- what happens on a connection ---- */

void
audit_pace_wait(void)
{
	uint64_t now = clock_run();

	if (pace.last != 0 && now < pace.last + pace.ms)
		pause_for(pace.last + pace.ms - now);
	pace.last = clock_run();
	pace.connections++;
	pace.heard = 0;
}

bool
audit_pace_again(const char *failed)
{
	if (failed == NULL) {
		pace.good++;
		pace.tries = 0;
		return false;
	}
	/* Who never was there has not had enough. */
	if (pace.good == 0 || pace.lost)
		return false;
	if (pace.tries == TRIES) {
		pace.tries = 0;
		pace.lost = pace.enough = true;
		see("%s after %u good connections", failed, pace.good);
		return false;
	}
	pause_for((uint64_t)pause_length() << pace.tries++);
	return true;
}

/* A greeting may be late on purpose, each time (RFC 5321 4.5.3.2.1): it says how quick the server can be, not that it grows tired. */
static void
note_delay(uint64_t ms, bool greeting)
{
	pace.replies++;
	pace.quickest = ms < pace.quickest ? ms : pace.quickest;
	if (greeting)
		return;
	pace.slowest = ms > pace.slowest ? ms : pace.slowest;
	if (ms >= SLOW_MS && ms >= pace.quickest * SLOW_TIMES)
		pace.slow++;
}

/* Who never greeted has not changed his mind. */
static void
had_enough(bool first)
{
	pace.enough = pace.enough || (first && pace.greeted);
	pace.partly = true;
}

void
audit_pace_reply(unsigned code, struct span text, uint64_t ms)
{
	bool first = pace.heard++ == 0;

	note_delay(ms, first && code == 220);
	if (first && code == 220)
		pace.greeted = true;
	if (code != 421 && (!first || code / 100 != 4))
		return;
	see("%u %.*s", code, text.len < 150 ? (int)text.len : 150, (const char *)text.p);
	had_enough(first);
}

void
audit_pace_silence(const char *why)
{
	if (pace.heard > 0 || pace.greeted)
		see("%s", why);
	had_enough(pace.heard++ == 0);
}

void
audit_pace_doubt(void)
{
	pace.doubt = true;
}

/* ---- parts ---- */

/* Does it still do what it did before? */
static bool
is_as_before(struct endpoint *e)
{
	struct link l = { .fd = -1 };
	char words[600];
	bool well = true;

	if (e->secured)
		well = audit_reach(e, &l) && link_secure(&l, e->examiner, e->host, words);
	else if (e->greeted)
		well = audit_talk(e, &l, SMTP_PROBE_WAIT) && e->probe.code == 220;
	link_close(&l);
	if (!well)
		see("closed at once after %u good connections", pace.good);
	return well;
}

static void
put_unexamined(struct endpoint *e, const char *name, const char *words)
{
	char text[200];

	(void)snprintf(text, sizeof text, "%s%s", name, words);
	(void)transcript_put_text(e->out, "unexamined", text);
}

/* A server that sends what nobody should is hostile, not tired. */
static bool
is_hostile(const struct endpoint *e, size_t before)
{
	struct section s = { .lines = { e->out->p + before, e->out->len - before } };

	return section_count(&s, "hostile") > 0;
}

/* True: what the part has written can be relied on. */
static bool
holds(struct endpoint *e, size_t before)
{
	return is_hostile(e, before) || (!pace.enough && (!pace.doubt || is_as_before(e)));
}

void
audit_part(struct endpoint *e, const char *name, void (*examine)(struct endpoint *))
{
	size_t before = e->out->len;

	for (unsigned turn = 0; turn < TURNS && !pace.lost; turn++) {
		pace.doubt = pace.enough = pace.partly = false;
		if (turn > 0)
			slow_down();
		examine(e);
		if (holds(e, before)) {
			if (pace.partly && !is_hostile(e, before))
				put_unexamined(e, name, ", in part");
			return;
		}
		e->out->len = before;
	}
	pace.lost = true;
	put_unexamined(e, name, "");
}

const char *
audit_pace_excuse(struct endpoint *e, const char *failed)
{
	if (strcmp(pace.refused, e->address) != 0)
		return failed;
	see("%s, after too much was asked at another port", failed);
	put_unexamined(e, "everything", "");
	return "throttled";
}

static void
put_delays(struct endpoint *e)
{
	char text[100];

	if (pace.replies >= SLOW_REPLIES && pace.quickest >= TARPIT_MS)
		(void)snprintf(text, sizeof text, "a tarpit: no reply came in less than %u ms", (unsigned)pace.quickest);
	else if (pace.slow >= SLOW_REPLIES)
		(void)snprintf(text, sizeof text, "replies took %u ms, and later up to %u ms", (unsigned)pace.quickest, (unsigned)pace.slowest);
	else
		return;
	(void)transcript_put_text(e->out, "throttled", text);
}

void
audit_pace_end(struct endpoint *e)
{
	char text[64];

	if (pace.sign[0] != '\0')
		(void)transcript_put_text(e->out, "throttled", pace.sign);
	put_delays(e);
	(void)snprintf(text, sizeof text, "%u connections, at least %u ms apart", pace.connections, pace.ms);
	(void)transcript_put_text(e->out, "paced", text);
	if (pace.lost)
		(void)snprintf(pace.refused, sizeof pace.refused, "%s", e->address);
}
