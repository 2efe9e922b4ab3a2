/* What 4_spool has for those who may send, as rows of docs/limits.md and of `postern check --explain`. */
#include "proc/4_spool_gather.h"
#include "proc/4_spool_session.h"
#include "proc/ceilings.h"
#include "spool/suspects.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

enum {
	SPOOL_PROGRAM = 12 * 1024 * 1024,       /* resident with an empty spool: 8 MiB measured */
	SPOOL_OVERSHOOT = 2,                    /* a buffer grows by doubling after its octets were counted */
};

static const struct limit keeping[] = {
	{ "drafts", NULL, SPOOL_DRAFTS_MAX, LIMIT_COUNT, "server", "451 4.3.2" },
	{ "MAILs without one that have not heard of it yet, in sessions-max", NULL, 2, LIMIT_COUNT, "front", "the front is ended" },
	{ "octets held for all drafts", NULL, SPOOL_DRAFTS_OCTETS, LIMIT_OCTETS, "server", "451 4.3.2" },
	{ "the same, from which content goes to the log as it comes", NULL, SPOOL_DRAFTS_CONTENT, LIMIT_OCTETS, "server", "nothing is refused" },
	{ "octets of recipients in drafts of one principal", NULL, SPOOL_DRAFTS_SHARE, LIMIT_OCTETS, "principal", "451 4.3.2" },
	{ "octets of recipients for which there is room in any case", NULL, SPOOL_DRAFT_PROMISED, LIMIT_OCTETS, "draft", "the lines before" },
	{ "content beyond size-max, should 1_front or 6_milter not keep to it", NULL, KEEPER_CONTENT_MORE, LIMIT_OCTETS, "message", "552 5.3.4" },
	{ "octets held of one draft's content", NULL, SPOOL_INLINE_MAX, LIMIT_OCTETS, "draft", "the log has the rest" },
	{ "recipients of one draft", NULL, SPOOL_DRAFT_RCPTS_MAX, LIMIT_OCTETS, "draft", "552 5.3.4" },
	{ "octets that wait to be written, from which fronts are held back", NULL, JOURNAL_CROWDED, LIMIT_OCTETS, "server",
	    "clients are not read" },
	{ "the same, from which a message is refused", NULL, JOURNAL_REFUSE, LIMIT_OCTETS, "server", "452 4.3.1" },
	{ "the same, from which everything is", NULL, JOURNAL_MOST, LIMIT_OCTETS, "server", "452 4.3.1" },
	{ "submissions that are known when they come again", NULL, ONCE_MOST, LIMIT_COUNT, "server", "the oldest is forgotten" },
	{ "messages that wait", NULL, SPOOL_MESSAGES_MAX, LIMIT_COUNT, "server", "452 4.3.1" },
	{ "recipients of all of them", NULL, SPOOL_RCPTS_MAX, LIMIT_COUNT, "server", "452 4.3.1" },
	{ "messages in damaged records, named in the log", NULL, SUSPECTS_MOST, LIMIT_COUNT, "start", "the log names the segment" },
	{ "disk that stays free", "spool-free-min", 0, LIMIT_OCTETS, "server", "452 4.3.1" },
	{ "messages handed to 5_relay", NULL, KEEPER_TRIES, LIMIT_COUNT, "server", "the others wait" },
	{ "octets of their recipients and of what became of them", NULL, KEEPER_TRIES_OCTETS, LIMIT_OCTETS, "server", "the others wait" },
	{ "messages that wait for their release (RFC 4865)", "future-release-messages", 0, LIMIT_COUNT, "principal", "552 5.2.2" },
	{ "time until then", "future-release", 0, LIMIT_MS, "message", "501 5.5.4" },
	{ "a notification of non-delivery", NULL, SPOOL_NOTICE_MAX, LIMIT_OCTETS, "message", "the original is cut" },
	{ "tries that wait to be told of together", NULL, KEEPER_GATHER_MOST, LIMIT_COUNT, "server", "told of by themselves" },
	{ "words to the postmaster about mail without a sender", NULL, KEEPER_ORPHANS_HOUR, LIMIT_COUNT, "hour", "only the log has it" },
	{ "time that one is tried (RFC 8460 5.5)", NULL, KEEPER_LETTER_MS, LIMIT_MS, "TLS report", "dropped" },
	{ "TLS reports to be mailed, in one hour", NULL, KEEPER_LETTERS_HOUR, LIMIT_COUNT, "server", "5_relay tries again later" },
	{ "connections of `postern queue`", NULL, KEEPER_CONTROLS, LIMIT_COUNT, "server", "closed" },
};
const struct limit_page spool_limits = { "Keeping mail", keeping, ROWS(keeping) };

void
spool_memory(const struct conf *c, uint32_t fronts, struct memory *m)
{
	uint32_t milter = c->milters > 0 ? 1 : 0;

	*m = (struct memory){ .process = "4_spool", .processes = 1 };
	memory_add(m, "the program and its libraries, as measured", SPOOL_PROGRAM, 1);
	memory_add(m, "drafts", SPOOL_DRAFT_STRUCT, SPOOL_DRAFTS_MAX);
	memory_add(m, "messages of which there is none", sizeof(struct front_session), (uint64_t)2 * c->sessions_max * fronts);
	memory_add(m, "what is held for them", SPOOL_DRAFTS_OCTETS, SPOOL_OVERSHOOT);
	memory_add(m, "and for the first recipients of each", SPOOL_DRAFT_PROMISED, SPOOL_DRAFTS_MAX);
	memory_add(m, "submissions that are known", sizeof(struct once_entry) + sizeof(uint32_t), ONCE_MOST);
	memory_add(m, "what is gathered, and what is being written", JOURNAL_MOST, 2);
	memory_add(m, "messages handed to 5_relay", sizeof(struct try), KEEPER_TRIES);
	memory_add(m, "their recipients", KEEPER_TRIES_OCTETS, SPOOL_OVERSHOOT);
	if (milter > 0)
		memory_add(m, "headers that milters have changed", FILTER_HEADER_MAX, KEEPER_FILTERS);
	memory_add(m, "one message read or moved", RECORD_PAYLOAD_MAX, 2);
	memory_add(m, "what fronts, 5_relay, 7_history and `postern queue` have not read yet", CHANNEL_BACKLOG_MAX,
	    fronts + 2 + milter + KEEPER_CONTROLS);
	memory_add(m, "what they say", CHANNEL_BODY_MAX, fronts + 2 + milter + KEEPER_CONTROLS);
}
