/* What 7_history and 8_hook have, as rows of docs/limits.md and of `postern check --explain`. */
#include "history/history.h"
#include "proc/4_spool_limits.h"
#include "proc/7_history.h"
#include "proc/ceilings.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

enum {
	HISTORY_PROGRAM = 14 * 1024 * 1024,     /* resident with an open history: 11 MiB measured */
	HISTORY_CACHE = 8 * 1024 * 1024,        /* of SQLite's pages; as much again is written ahead and its index */
	HISTORY_TRANSACTION = 64 * 1024 * 1024, /* changed pages of one, spilled beyond the cache, and what SQLite allocates to sort */
	HOOK_PROGRAM = 24 * 1024 * 1024,        /* 16 MiB measured, libcurl and libunbound among it */
	HOOK_POST = 160 * 1024,                 /* libcurl's buffers, the answer, TLS */
};

static const struct limit remembering[] = {
	{ "how long a message is remembered", "history-age", 0, LIMIT_MS, "message", "it is forgotten" },
	{ "the file", "history-size", 0, LIMIT_OCTETS, "server", "the oldest messages are forgotten" },
	{ "damaged files that were set aside", NULL, HISTORY_ASIDE_MOST, LIMIT_COUNT, "server", "the oldest is removed" },
	{ "log that is kept until it has been read", "history-backlog", 0, LIMIT_OCTETS, "server", "a gap, which is said" },
	{ "segments shown to it and not read yet", NULL, KEEPER_AHEAD, LIMIT_COUNT, "server", "the others wait" },
	{ "records of one transaction", NULL, ARCHIVE_BATCH, LIMIT_COUNT, "server", "the others wait" },
	{ "a Message-ID, from which it is cut", NULL, FACT_WORDS_MAX, LIMIT_OCTETS, "message", "found by its beginning" },
	{ "connections of `postern queue where`", NULL, ARCHIVE_CONTROLS, LIMIT_COUNT, "server", "closed" },
	{ "messages of one answer", NULL, HISTORY_FIND_MOST, LIMIT_COUNT, "answer", "the rest is asked for anew" },
	{ "recipients told of one message", NULL, HISTORY_FIND_RECIPIENTS, LIMIT_COUNT, "message", "the others are left out" },
	{ "recipients and attempts of one answer", NULL, HISTORY_FIND_ROWS, LIMIT_COUNT, "answer", "the rest is asked for anew" },
	{ "events that wait to be posted", "webhook-most", 0, LIMIT_COUNT, "server", "the oldest are dropped" },
	{ "how long an event is tried", "webhook-age", 0, LIMIT_MS, "event", "it is dropped" },
	{ "posts at once", NULL, HOOK_IN_FLIGHT, LIMIT_COUNT, "server", "the others wait" },
};
const struct limit_page history_limits = { "Remembering mail", remembering, ROWS(remembering) };

void
history_memory(const struct conf *c, struct memory *m)
{
	*m = (struct memory){ .process = "7_history", .processes = c->history };
	memory_add(m, "the program and its libraries, as measured", HISTORY_PROGRAM, 1);
	memory_add(m, "SQLite's pages", HISTORY_CACHE, 2);
	memory_add(m, "a transaction", HISTORY_TRANSACTION, 1);
	memory_add(m, "counts of recipients", sizeof(struct archive_recent), ARCHIVE_RECENT);
	memory_add(m, "one record of the log", RECORD_PAYLOAD_MAX, 1);
	memory_add(m, "the log as it is read", TAIL_WINDOW, 1);
	memory_add(m, "what 4_spool, 8_hook and `postern queue where` have not read yet", CHANNEL_BACKLOG_MAX, 2 + ARCHIVE_CONTROLS);
	memory_add(m, "what they say", CHANNEL_BODY_MAX, 2 + ARCHIVE_CONTROLS);
}

void
hook_memory(const struct conf *c, struct memory *m)
{
	*m = (struct memory){ .process = "8_hook", .processes = c->webhook.p[0] != '\0' };
	memory_add(m, "the program and its libraries, as measured", HOOK_PROGRAM, 1);
	memory_add(m, "posts", HOOK_POST, HOOK_IN_FLIGHT);
	memory_add(m, "what 7_history has not read yet", CHANNEL_BACKLOG_MAX, 1);
	memory_add(m, "what it says", CHANNEL_BODY_MAX, 1);
}
