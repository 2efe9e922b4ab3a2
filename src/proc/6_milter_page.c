/* What 6_milter has for milters and for what is shown to them, as rows of docs/limits.md and of `postern check --explain`. */
#include "conf/milter.h"
#include "mail/header.h"
#include "proc/6_milter.h"
#include "proc/ceilings.h"
#include "spool/spool.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

enum { MILTER_PROGRAM = 12 * 1024 * 1024 };     /* resident before the first message: 9 MiB measured */

static const struct limit filtering[] = {
	{ "time for all milters together", "milter-deadline", 0, LIMIT_MS, "message", "as if the one that is busy had failed" },
	{ "milters", NULL, CONF_MILTERS_MAX, LIMIT_COUNT, "server", "no start" },
	{ "messages that are asked about", NULL, KEEPER_FILTERS, LIMIT_COUNT, "server", "the others wait" },
	{ "connections to one milter (connections=, else 32)", NULL, MILTER_CONNECTIONS_MOST, LIMIT_COUNT, "milter",
	    "who thinks longest between two recipients is told anew; else messages wait" },
	{ "a connection that nobody needs", NULL, MILTER_IDLE_MS, LIMIT_MS, "connection", "it is closed" },
	{ "a packet from a milter", NULL, MILTER_PACKET_MAX, LIMIT_OCTETS, "packet", "it has failed" },
	{ "changes that it may want, pieces of a body not counted", NULL, MILTER_EDITS_MAX, LIMIT_COUNT, "message", "it has failed" },
	{ "times that it may say that it is busy", NULL, MILTER_PROGRESS_MAX, LIMIT_COUNT, "message", "it has failed" },
	{ "octets that it may add to a header", NULL, MILTER_HEADER_GROWTH, LIMIT_OCTETS, "message", "it has failed" },
	{ "recipients that it may add", NULL, FILTER_ADDED_MAX, LIMIT_COUNT, "message", "it has failed" },
	{ "octets of a new body beyond size-max", NULL, MILTER_BODY_MORE, LIMIT_OCTETS, "message", "it has failed" },
	{ "octets of its words to a client", NULL, MILTER_TEXT_MAX, LIMIT_OCTETS, "reply", "the rest is cut" },
};
const struct limit_page milter_limits = { "Content filters", filtering, ROWS(filtering) };

void
milter_memory(const struct conf *c, struct memory *m)
{
	uint64_t links = 0;

	for (uint32_t i = 0; i < c->milters; i++)
		links += c->milter[i].connections;
	*m = (struct memory){ .process = "6_milter", .processes = c->milters > 0 ? 1 : 0 };
	memory_add(m, "the program and its libraries, as measured", MILTER_PROGRAM, 1);
	memory_add(m, "connections", sizeof(struct milter_link) + MILTER_OUT + MILTER_IN, links);
	memory_add(m, "messages: envelope and small content, or where it lies", sizeof(struct milter_job) + CHANNEL_BODY_MAX, KEEPER_FILTERS);
	memory_add(m, "their headers, as they came and as they will be", 2 * HEADER_OCTETS_MAX + MILTER_HEADER_GROWTH, KEEPER_FILTERS);
	memory_add(m, "their recipients", SPOOL_DRAFTS_OCTETS, 2);
	memory_add(m, "what 4_spool has not read yet", CHANNEL_BACKLOG_MAX, 1);
	memory_add(m, "what it says", CHANNEL_BODY_MAX, 1);
}
