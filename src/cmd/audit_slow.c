#include "cmd/audit_slow.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cmd/audit_pace.h"
#include "os/clock.h"

enum {
	DRIP_MS = 5000,                 /* between two octets of a command that is never finished */
	DRIPS = 4,                      /* of them, at least, while we wait */
	LOOK_MS = 1000,                 /* so often we look at the clock */
};

enum depth { AT_CONNECTION, AT_EHLO, AT_LOGIN };

/* How far it goes, and what it says then, behind which nothing follows. */
static const struct way {
	const char *name;
	enum depth depth;
	const char *in_clear, *in_tls;  /* where the service begins in clear; where it begins with TLS, or is there */
	bool drips;
} ways[AUDIT_SLOW_WAYS] = {
	{ "connect", AT_CONNECTION, "", "", false },
	{ "first-octet", AT_CONNECTION, "E", "\x16", false },   /* of EHLO; of a ClientHello */
	{ "ehlo", AT_EHLO, "", "", false },
	{ "half-command", AT_EHLO, "NOO", "NOO", false },
	{ "drip", AT_EHLO, "NOOP ", "NOOP ", true },
	{ "login", AT_LOGIN, "", "", false },
};

bool
audit_slow_add(struct audit_slow *s, const struct endpoint *e)
{
	struct audit_slow_place *p = &s->place[s->places];

	if (s->places == AUDIT_SLOW_PLACES)
		return false;
	*p = (struct audit_slow_place){ .host = e->host, .port = e->port, .service = e->service, .vouched = e->vouched };
	memcpy(p->address, e->address, sizeof p->address);
	s->places++;
	return true;
}

/* ---- getting there ---- */

/* NULL, or why it is not there. */
static const char *
reach(struct endpoint *e, struct link *l, enum depth depth)
{
	const struct audit_login *login = e->login;
	char words[600];

	if (depth == AT_CONNECTION && e->service == AUDIT_SUBMISSIONS)
		return link_open(l, e->address, e->port, e->patience) == NULL ? NULL : "no connection";
	if (depth == AT_CONNECTION)
		return audit_talk(e, l, SMTP_PROBE_WAIT) && e->probe.code == 220 ? NULL : "no greeting";
	e->login = depth == AT_LOGIN ? login : NULL;
	if (audit_talk(e, l, SMTP_PROBE_ENTER) && audit_talk_secure(e, l, words))
		audit_talk_on(e, l);
	e->login = login;
	return e->probe.inside ? NULL : depth == AT_LOGIN ? "the login did not work" : "no EHLO under TLS";
}

static void
sit(struct audit_slow *s, const struct audit_slow_place *p, unsigned way, struct endpoint *e)
{
	struct audit_slow_seat *seat = &s->seat[s->seats++];
	const char *octets = p->service == AUDIT_SUBMISSIONS || ways[way].depth != AT_CONNECTION ? ways[way].in_tls : ways[way].in_clear;
	const char *failed;

	*seat = (struct audit_slow_seat){ .place = p, .way = way, .link = { .fd = -1 } };
	failed = reach(e, &seat->link, ways[way].depth);
	if (failed == NULL && !link_send(&seat->link, span_of(octets)))
		failed = "the connection was lost";
	/* It would tell of the time until now. */
	seat->link.in.len = 0;
	seat->link.deadline = UINT64_MAX;
	seat->since = clock_run();
	seat->next = seat->since;
	seat->over = failed != NULL;
	(void)snprintf(seat->words, sizeof seat->words, "%s", failed != NULL ? failed : "");
}

static void
sit_everywhere(struct audit_slow *s, struct endpoint *e)
{
	for (size_t i = 0; i < s->places; i++) {
		const struct audit_slow_place *p = &s->place[i];

		e->host = p->host;
		e->port = p->port;
		e->service = p->service;
		e->vouched = p->vouched;
		memcpy(e->address, p->address, sizeof e->address);
		audit_pace_endpoint(e);
		for (unsigned way = 0; way < AUDIT_SLOW_WAYS; way++)
			if (ways[way].depth != AT_LOGIN || e->login != NULL)
				sit(s, p, way, e);
	}
}

/* ---- waiting ---- */

/* What the server says at the end is kept, the rest of what it may send is not. */
static void
keep_words(struct audit_slow_seat *seat)
{
	struct span s = buf_span(&seat->link.in), line = span_take_until(&s, '\r');

	if (seat->words[0] == '\0' && !span_done(line))
		(void)snprintf(seat->words, sizeof seat->words, "%.*s", line.len < 100 ? (int)line.len : 100, (const char *)line.p);
	seat->link.in.len = 0;
}

static void
look(struct audit_slow_seat *seat)
{
	uint64_t now;

	while (link_wait(&seat->link, 0))
		keep_words(seat);
	now = clock_run();
	if (!seat->link.ended && strncmp(seat->words, "421", 3) != 0)
		return;
	seat->over = true;
	seat->ended = now > seat->since ? now - seat->since : 1;
}

/* A wait of minutes does not turn on an octet every five seconds; a shorter one needs a few all the same. */
static uint64_t
drip_length(const struct audit_slow *s)
{
	return s->most < (uint64_t)DRIP_MS * DRIPS ? s->most / DRIPS : DRIP_MS;
}

/* A connection that takes no more has ended; look() says since when. */
static void
drip(const struct audit_slow *s, struct audit_slow_seat *seat, uint64_t now)
{
	if (!ways[seat->way].drips || seat->over || now < seat->next)
		return;
	(void)link_send(&seat->link, SPAN("x"));
	seat->next = now + drip_length(s);
}

static void
attend(struct audit_slow *s)
{
	struct pollfd p[AUDIT_SLOW_SEATS];
	uint64_t drips = drip_length(s);

	for (size_t i = 0; i < s->seats; i++)
		p[i] = (struct pollfd){ s->seat[i].over ? -1 : s->seat[i].link.fd, POLLIN, 0 };
	(void)poll(p, s->seats, (int)(drips < LOOK_MS ? drips : LOOK_MS));
	for (size_t i = 0; i < s->seats; i++)
		if (!s->seat[i].over) {
			if (p[i].revents != 0)
				look(&s->seat[i]);
			drip(s, &s->seat[i], clock_run());
		}
}

/* False: all have ended, or been held for as long as we wait. */
static bool
goes_on(const struct audit_slow *s)
{
	uint64_t now = clock_run();

	for (size_t i = 0; i < s->seats; i++)
		if (!s->seat[i].over && now - s->seat[i].since < s->most)
			return true;
	return false;
}

void
audit_slow_wait(struct audit_slow *s, struct endpoint *like)
{
	sit_everywhere(s, like);
	while (goes_on(s))
		attend(s);
	for (size_t i = 0; i < s->seats; i++)
		link_close(&s->seat[i].link);
}

void
audit_slow_tell(const struct audit_slow *s, size_t place, struct buf *out)
{
	for (size_t i = 0; i < s->seats; i++) {
		const struct audit_slow_seat *seat = &s->seat[i];
		char text[200];
		const char *name = ways[seat->way].name;

		if (seat->place != &s->place[place])
			continue;
		if (seat->ended != 0)
			(void)snprintf(text, sizeof text, "%s closed %llu %s", name, (unsigned long long)seat->ended, seat->words);
		else if (seat->over)
			(void)snprintf(text, sizeof text, "%s unknown %s", name, seat->words);
		else
			(void)snprintf(text, sizeof text, "%s held %llu", name, (unsigned long long)s->most);
		(void)transcript_put_text(out, "slow", text);
	}
}
