/* What 5_relay has for next hops, who are strangers too, as rows of docs/limits.md and of `postern check --explain`. */
#include "proc/4_spool_limits.h"
#include "proc/5_relay_report.h"
#include "proc/5_relay_signed.h"
#include "proc/ceilings.h"
#include "tls/cost.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

enum { REPORT_MAKING = 4 * 1024 * 1024 };       /* one TLS report as JSON, with all that it may name */
enum { RELAY_PROGRAM = 24 * 1024 * 1024 };      /* resident before it has looked up anything: 14 MiB measured, libunbound among it */

static const struct limit going[] = {
	{ "connections to all next hops", "relay-connections", 0, LIMIT_COUNT, "server", "mail waits" },
	{ "connections to one next hop", "relay-concurrency", 0, LIMIT_COUNT, "destination", "mail waits" },
	{ "connections that are not ready", "relay-connections", 0, LIMIT_COUNT, "server: half of them", "mail waits" },
	{ "connections with one principal's mail", "relay-connections", 0, LIMIT_COUNT, "principal: three quarters of them", "its mail waits" },
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
	{ "header sections of a message that is converted", NULL, DOWNGRADE_PARTS_MAX, LIMIT_COUNT, "message", "bounced 5.6.3" },
	{ "multiparts inside each other that are looked into", NULL, MIME_LEVELS, LIMIT_COUNT, "message", "bounced 5.6.3 if something there has to be" },
	{ "octets of content looked at before others have their turn", NULL, RELAY_CONVERT_SLICE, LIMIT_OCTETS, "message", "it goes on when they had it" },
	{ "domains of one day that TLS reports are made about", NULL, TLSRPT_DOMAINS_MAX, LIMIT_COUNT, "day", "counted as missed" },
	{ "policies that a domain's TLS report tells apart", NULL, TLSRPT_OF_DOMAIN_MAX, LIMIT_COUNT, "report", "counted as missed" },
	{ "failures that it tells apart of one policy", NULL, TLSRPT_OF_POLICY_MAX, LIMIT_COUNT, "policy", "counted as missed" },
	{ "octets of a TLS report, gzipped", NULL, RELAY_REPORT_MAX, LIMIT_OCTETS, "report", "not sent" },
	{ "addresses that it goes to", NULL, TLSRPT_URIS_MAX, LIMIT_COUNT, "report", "the rest is passed over" },
	{ "domains that one connection is counted for in TLS reports", NULL, RELAY_COUNTED_MAX, LIMIT_COUNT, "connection", "counted again when it is their turn again" },
	{ "waiting messages whose domains a failed connection is counted for", NULL, RELAY_COUNTED_LOOK, LIMIT_COUNT, "connection", "it counts for the first ones" },
	{ "TLS reports on their way", NULL, RELAY_REPORTS_AT_ONCE, LIMIT_COUNT, "server", "the others wait" },
	{ "octets of a server's answer to one", NULL, RELAY_REPORT_ANSWER_MAX, LIMIT_OCTETS, "report", "tried again later" },
	{ "how long a TLS report is tried", NULL, RELAY_REPORT_RETRY_MS, LIMIT_MS, "report", "dropped" },
	{ "age of a connection that takes another message", NULL, RELAY_AGE_MS, LIMIT_MS, "connection", "QUIT" },
	{ "a header section that is signed", NULL, RELAY_DKIM_HEADER_MAX, LIMIT_OCTETS, "message", "mail waits" },
	{ "fields of one name that are signed", NULL, DKIM_INSTANCES_MAX, LIMIT_COUNT, "message", "the last ones are" },
	{ "time for 2_signer to sign a message", NULL, RELAY_DKIM_MS, LIMIT_MS, "message", "mail waits" },
	{ "octets digested before others have their turn", NULL, RELAY_DKIM_SLICE, LIMIT_OCTETS, "message", "the next turn of the loop" },
	{ "signed messages that are remembered for further destinations", NULL, RELAY_DKIM_KEPT, LIMIT_COUNT, "server", "the oldest is forgotten" },
};
const struct limit_page relay_limits = { "Handing mail on", going, ROWS(going) };

void
relay_memory(const struct conf *c, struct memory *m)
{
	*m = (struct memory){ .process = "5_relay", .processes = 1 };
	memory_add(m, "the program and its libraries, as measured", RELAY_PROGRAM, 1);
	memory_add(m, "connections", sizeof(struct relay_connection) + RELAY_OUT + TLS_SESSION_MOST, c->relay_connections);
	memory_add(m, "messages that are converted", sizeof(struct relay_conversion), c->relay_connections);
	memory_add(m, "messages", sizeof(struct relay_attempt), KEEPER_TRIES);
	memory_add(m, "their recipients", KEEPER_TRIES_OCTETS, 2);
	memory_add(m, "domains, destinations with their addresses, and who waits there", sizeof(struct relay_domain) +
	    sizeof(struct relay_destination) + RELAY_KEY_MAX + sizeof(struct relay_hosts) + sizeof(struct relay_line), KEEPER_TRIES);
	if (c->tls_reports) {
		memory_add(m, "days of TLS reports", sizeof(struct tlsrpt) + TLSRPT_DOMAINS_MAX * sizeof(struct report_state), RELAY_REPORT_DAYS);
		memory_add(m, "one of them to be written, one report being made", RELAY_REPORT_FILE_MAX + REPORT_MAKING, 1);
		memory_add(m, "TLS reports on their way", RELAY_REPORT_MAX + sizeof(struct report_run), RELAY_REPORTS_AT_ONCE);
	}
	memory_add(m, "signatures that are remembered", DKIM_ALGORITHMS * DKIM_FIELD_MAX + sizeof(struct relay_signed), RELAY_DKIM_KEPT);
	memory_add(m, "signatures being made", sizeof(struct relay_signed_work) + sizeof(struct relay_conversion) +
	    DKIM_ALGORITHMS * sizeof(struct relay_dkim_question), c->relay_connections);
	memory_add(m, "what 4_spool has not read yet", CHANNEL_BACKLOG_MAX, 1);
	memory_add(m, "what it says", CHANNEL_BODY_MAX, 1);
}
