/* What a front has for strangers, as rows of docs/limits.md and of `postern check --explain`. */
#include "proc/1_front.h"
#include "proc/ceilings.h"
#include "sasl/server.h"
#include "smtp/proxy_header.h"
#include "tls/cost.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

static const struct limit coming[] = {
	{ "connections", "sessions-max", 0, LIMIT_COUNT, "front", "the most crowded network's oldest unauthenticated one ends; else 421, or closed before TLS" },
	{ "connections from proxies beyond that, until they say for whom they come", NULL, FRONT_PROXY_BEYOND, LIMIT_COUNT, "front", "421, or closed before TLS" },
	{ "connections of one network", "sessions-per-address", 0, LIMIT_COUNT, "IPv4 address or IPv6 /64", "421, or closed before TLS" },
	{ "connections without AUTH, handshakes in progress among them", "unauthenticated-max", 0, LIMIT_COUNT,
	    "front", "the most crowded network's oldest one ends" },
	{ "connections without AUTH of one network", "unauthenticated-per-address", 0, LIMIT_COUNT, "IPv4 address or IPv6 /64",
	    "its oldest one ends if it is older than the next line says; else 421, or closed before TLS" },
	{ "time after which such a one makes room for a neighbour", NULL, CROWD_SETTLED_MS, LIMIT_MS, "connection", "421 4.7.0, or closed" },
	{ "time for a TLS handshake, whatever comes", NULL, FRONT_HANDSHAKE_MS, LIMIT_MS, "connection", "closed" },
	{ "messages of TLS itself, such as KeyUpdate, with each MiB of content", NULL, TLS_ASIDES_MAX, LIMIT_COUNT, "connection", "closed" },
	{ "TLS records of one reading", NULL, TLS_RECORDS_MAX, LIMIT_COUNT, "session", "the rest waits" },
	{ "a ClientHello", NULL, TLS_HELLO_MAX, LIMIT_OCTETS, "connection", "closed" },
	{ "time from the connection to the AUTH that succeeds", "auth-deadline", 0, LIMIT_MS, "connection", "421 4.7.0" },
	{ "time for a command, and for an AUTH response", "command-timeout", 0, LIMIT_MS, "session", "421 4.4.2" },
	{ "time in which the client takes the replies that are held", "command-timeout", 0, LIMIT_MS, "session", "closed" },
	{ "replies held for a client that does not take them", NULL, FRONT_HELD, LIMIT_OCTETS, "session", "nothing more is read from it" },
	{ "a message under way: octets that must come a minute, on average over each command-timeout", "content-rate-min", 0, LIMIT_OCTETS,
	    "session", "421 4.4.2" },
	{ "commands read ahead", NULL, FRONT_COMMANDS, LIMIT_OCTETS, "session", "the rest waits in the client's kernel" },
	{ "content read ahead", NULL, FRONT_INPUT, LIMIT_OCTETS, "session", "the rest waits in the client's kernel" },
	{ "turns of reading before others have theirs", NULL, FRONT_READS, LIMIT_COUNT, "session", "it goes on when they had it" },
	{ "steps of handshakes before those who have shaken hands have their turn", NULL, FRONT_SHAKES, LIMIT_COUNT, "front", "the others wait for the next turn" },
	{ "time for an answer of ours (RFC 6409 5.3: two minutes)", NULL, FRONT_US_MS, LIMIT_MS, "command", "421 4.3.2" },
	{ "time for which MAIL waits for a 4_spool, and AUTH for a 3_auth, that is started again", NULL, FRONT_AWAIT_MS, LIMIT_MS, "command",
	    "451 4.3.2, 454 4.7.0" },
	{ "time to take the last reply and hang up", NULL, FRONT_GOODBYE_MS, LIMIT_MS, "connection", "closed" },
	{ "octets behind our last reply, which are thrown away", NULL, FRONT_LINGER_MAX, LIMIT_OCTETS, "connection", "closed" },
};
const struct limit_page front_limits = { "Coming, waiting, reading", coming, ROWS(coming) };

static const struct limit talk[] = {
	{ "octets before AUTH", NULL, SMTP_HEARD_MAX, LIMIT_OCTETS, "session", "421 4.7.0" },
	{ "a command line (RFC 5321 4.5.3.1.4)", NULL, SMTP_COMMAND_MAX, LIMIT_OCTETS, "command", "500 5.5.2" },
	{ "an AUTH line (RFC 4954 4)", NULL, SMTP_AUTH_LINE_MAX, LIMIT_OCTETS, "command", "500 5.5.6" },
	{ "failed AUTHs (RFC 4954 9: not fewer than three)", NULL, SMTP_AUTH_FAILURES_MAX, LIMIT_COUNT, "session", "421 4.7.0" },
	{ "senseless commands since the last accepted message", NULL, SMTP_ERRORS_MAX, LIMIT_COUNT, "session", "421 4.7.0" },
	{ "commands in a row that bring nothing forward: NOOP, RSET, VRFY, HELP, EHLO, BDAT 0", NULL, SMTP_NOTHING_MAX, LIMIT_COUNT,
	    "session", "421 4.7.0" },
	{ "MAIL and DATA since the last accepted message", NULL, SMTP_TRIES_MAX, LIMIT_COUNT, "session", "421 4.7.0" },
	{ "recipients", "rcpt-max", 0, LIMIT_COUNT, "message", "452 4.5.3" },
	{ "RCPT commands beyond that", NULL, SMTP_OVERSHOOT_MAX, LIMIT_COUNT, "message", "421 4.7.0" },
	{ "commands out of order in a row, beyond the errors: as many as recipients", "rcpt-max", 0, LIMIT_COUNT, "session", "421 4.7.0" },
	{ "content", "size-max", 0, LIMIT_OCTETS, "message", "552 5.3.4 at its end" },
	{ "content that is read to its end, in messages of the biggest size", NULL, SMTP_CONTENT_TIMES, LIMIT_COUNT, "message", "421 4.7.0" },
	{ "octets of refused BDATs and of lines that are too long, in messages of the biggest size, since the last accepted message", NULL, SMTP_SWALLOW_TIMES, LIMIT_COUNT,
	    "session", "421 4.7.0" },
	{ "a header line, with CRLF (RFC 5322 2.1.1)", NULL, SMTP_TEXT_LINE_MAX, LIMIT_OCTETS, "message", "554 5.6.0" },
	{ "the header section", NULL, HEADER_OCTETS_MAX, LIMIT_OCTETS, "message", "554 5.6.0" },
	{ "Received fields (RFC 5321 6.3)", NULL, RECEIVED_MAX, LIMIT_COUNT, "message", "554 5.4.6" },
};
const struct limit_page talk_limits = { "Talking", talk, ROWS(talk) };

/* ---- memory ---- */

/*
 * SHAKING: TLS has not come up yet. UNKNOWN: it has, or is not there; nobody has authenticated. KNOWN: somebody has.
 * A login and an address are what sasl and path allow; malloc(3) rounds up by less than 32 octets for each of four pieces. A response that
 * waits is shorter than its line, which was input.
 */
struct session_memory
front_session_memory(enum session_age age)
{
	const uint64_t base = sizeof(struct front_session) + 4 * 32, names = SASL_LOGIN_MAX + PATH_MAX_OCTETS;
	struct session_memory m = { base + TLS_SESSION_IDLE, base + TLS_SESSION_MOST + FRONT_HELD };

	switch (age) {
	case SESSION_SHAKING:
		return (struct session_memory){ base + TLS_SESSION_SHAKING, base + TLS_SESSION_SHAKING + FRONT_COMMANDS };
	case SESSION_UNKNOWN:
		m.most += FRONT_COMMANDS;
		break;
	case SESSION_KNOWN:
	case SESSION_AGES:
		m.idle += names;
		m.most += names + FRONT_INPUT + sizeof(struct front_draft);
		break;
	}
	return m;
}

void
front_memory(const struct conf *c, struct memory *m)
{
	uint64_t strangers = conf_unauthenticated_max(c), shaking = front_session_memory(SESSION_SHAKING).most;
	uint64_t unknown = front_session_memory(SESSION_UNKNOWN).most;

	*m = (struct memory){ .process = "1_front", .processes = memory_fronts(c) };
	memory_add(m, "the program, its libraries and buffers, as measured", FRONT_PROGRAM, 1);
	memory_add(m, "places of sessions", sizeof front.slot[0], FRONT_SLOTS);
	memory_add(m, "table of networks", crowd_octets(c->sessions_max), 1);
	memory_add(m, "sessions without AUTH", shaking > unknown ? shaking : unknown, strangers);
	memory_add(m, "sessions with it", front_session_memory(SESSION_KNOWN).most, c->sessions_max - strangers);
	memory_add(m, "proxies that have not said for whom they come", sizeof(struct front_session) + sizeof(struct proxy_header), FRONT_PROXY_BEYOND);
	memory_add(m, "what 3_auth and 4_spool have not read yet", CHANNEL_BACKLOG_MAX, 2);
	memory_add(m, "what they say", CHANNEL_BODY_MAX, 2);
}
