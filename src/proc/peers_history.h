/*
 * proc/peers_history.h - what 4_spool and 7_history tell each other, what `postern queue where` asks, and what 8_hook is given
 *
 * The order, and who says what, stand in proc/peers.h; spans are borrowed from the frame they came in.
 */
#ifndef POSTERN_PROC_PEERS_HISTORY_H
#define POSTERN_PROC_PEERS_HISTORY_H

#include "base/fields.h"

struct history_segment { uint64_t number, salt; };
struct history_durable { uint64_t sequence; uint32_t asked; };  /* of the last record that is synced; asked 1: this answers ASK */
struct history_gone { uint64_t number; };
/* Of the first record that is not in the history yet; 0: nothing is. again: 0, or a new number:
 * it has none of the segments that it was shown, wants them shown from there on, and hears only frames whose session is that number. */
struct history_at { uint64_t segment, sequence; uint32_t again; };

/* most: messages; before: only those with a smaller id, 0: all. */
struct where_ask { struct span what; uint64_t before; uint32_t most; };
struct where_message {
	uint64_t id, arrival, size;
	uint32_t flags, rcpts;          /* flags: enum mail_flag */
	struct span sender, login, peer, tls, message_id;
};
struct where_recipient { uint64_t id; uint32_t number; struct span path; };
struct where_attempt {
	uint64_t id, when;
	uint32_t number, attempt, class, code, took;
	struct span status, host, tls, text, reply;     /* reply: name of a reply_class, or empty */
};
struct where_event { uint64_t id, when, other; uint32_t kind; struct span words; };     /* enum history_event_kind */
struct where_gap { uint64_t when; struct span words; };
/* next: go on with before = next; 0: that was all. begun: the history's first moment, ms since 1970. behind: records of
 * the spool's log that are not in it yet. */
struct where_end { uint32_t fail; uint32_t messages; uint64_t next, begun, behind; struct span words; };

/* An event to be posted. body: JSON. */
struct hook_send { uint64_t row; struct span event_id, body; };
struct hook_sent { uint64_t row; uint32_t good; struct span words; };

extern const struct layout hook_send_layout, hook_sent_layout;
extern const struct layout history_segment_layout, history_durable_layout, history_gone_layout, history_at_layout;
extern const struct layout where_ask_layout, where_message_layout, where_recipient_layout, where_attempt_layout;
extern const struct layout where_event_layout, where_gap_layout, where_end_layout;

#endif
