/* What 5_relay has for next hops, who are strangers too, as rows of docs/limits.md and of `postern check --explain`. */
#include "proc/4_spool_limits.h"
#include "proc/5_relay.h"
#include "proc/ceilings.h"
#include "tls/cost.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

enum { RELAY_PROGRAM = 24 * 1024 * 1024 };      /* resident before it has looked up anything: 14 MiB measured, libunbound among it */

static const struct limit going[] = {
	{ "connections to all next hops", "relay-connections", 0, LIMIT_COUNT, "server", "mail waits" },
	{ "connections to one next hop", "relay-concurrency", 0, LIMIT_COUNT, "destination", "mail waits" },
	{ "connections that are not ready", "relay-connections", 0, LIMIT_COUNT, "server: half of them", "mail waits" },
	{ "destinations with a row in relay-limit", NULL, CONF_LIMITS_MAX, LIMIT_COUNT, "server", "the configuration is refused" },
	{ "rows of relay-source", NULL, CONF_SOURCES_MAX, LIMIT_COUNT, "server", "the configuration is refused" },
	{ "DNS questions without an answer", NULL, RESOLVER_QUESTIONS, LIMIT_COUNT, "server", "the others wait" },
	{ "time for all DNS questions of a domain", NULL, MX_DEADLINE, LIMIT_MS, "destination", "mail waits" },
	{ "time to connect", NULL, RELAY_CONNECT_MS, LIMIT_MS, "connection", "the next address" },
	{ "a reply line", NULL, SMTP_REPLY_LINE_MAX, LIMIT_OCTETS, "reply", "the connection ends, mail waits" },
	{ "lines of a reply", NULL, SMTP_REPLY_LINES_MAX, LIMIT_COUNT, "reply", "the connection ends, mail waits" },
	{ "octets of a reply that are kept", NULL, SMTP_REPLY_KEPT, LIMIT_OCTETS, "reply", "the rest is forgotten" },
	{ "challenges of an AUTH exchange", NULL, SMTP_CLIENT_ROUNDS_MAX, LIMIT_COUNT, "connection", "the connection ends, mail waits" },
	{ "MX records that are looked at", NULL, MX_RECORDS_MAX, LIMIT_COUNT, "destination", "the rest is ignored" },
	{ "hosts that are tried (RFC 5321 5.1)", NULL, MX_HOSTS_MAX, LIMIT_COUNT, "destination", "the rest is ignored" },
	{ "addresses that are tried", NULL, MX_ADDRESSES_MAX, LIMIT_COUNT, "destination", "the rest is ignored" },
	{ "age of a connection that takes another message", NULL, RELAY_AGE_MS, LIMIT_MS, "connection", "QUIT" },
};
const struct limit_page relay_limits = { "Handing mail on", going, ROWS(going) };

void
relay_memory(const struct conf *c, struct memory *m)
{
	*m = (struct memory){ .process = "5_relay", .processes = 1 };
	memory_add(m, "the program and its libraries, as measured", RELAY_PROGRAM, 1);
	memory_add(m, "connections", sizeof(struct relay_connection) + RELAY_OUT + TLS_SESSION_MOST, c->relay_connections);
	memory_add(m, "messages", sizeof(struct relay_attempt), KEEPER_TRIES);
	memory_add(m, "their recipients", KEEPER_TRIES_OCTETS, 2);
	memory_add(m, "domains, destinations with their addresses, and who waits there", sizeof(struct relay_domain) +
	    sizeof(struct relay_destination) + RELAY_KEY_MAX + sizeof(struct relay_hosts) + sizeof(struct relay_line), KEEPER_TRIES);
	memory_add(m, "what 4_spool has not read yet", CHANNEL_BACKLOG_MAX, 1);
	memory_add(m, "what it says", CHANNEL_BODY_MAX, 1);
}
