/*
 * proc/peers_control.h - what the operator's commands ask 4_spool and 3_auth over their control sockets
 *
 * The order, and who says what, stand in proc/peers.h; spans are borrowed from the frame they came in.
 */
#ifndef POSTERN_PROC_PEERS_CONTROL_H
#define POSTERN_PROC_PEERS_CONTROL_H

#include "base/fields.h"

/* after: 0, or next of the answer before. */
struct queue_list {
	uint64_t after;
	uint32_t most, held;            /* held 1: only what is held */
	struct span address;            /* sender or recipient, empty: all */
};
struct queue_which { uint64_t id; };
struct queue_held { uint64_t id; struct span login; };  /* id 0: all of the principal's; "alice" means "alice/laptop" too */
struct queue_reschedule { uint64_t id, release; };      /* ms since 1970; 0: never, it is dropped */
struct queue_entry {
	uint64_t id, arrival, size, next_try;   /* next_try 0: being tried now, or held */
	uint32_t rcpts, waiting, attempts;
	struct span reverse_path, login, peer, tls, last;       /* last: newest reason in words */
	uint64_t held;                          /* since when; 0: not */
	struct span why;                        /* it is held */
	uint64_t release, deadline;             /* of spool_mail; release 0: it may be tried */
	uint32_t by, priority;
};
struct queue_recipient {
	uint32_t class, code;                   /* class: enum smtp_class, or 99: not tried yet */
	uint32_t kind;                          /* enum reply_class, of a class that is later or never */
	uint64_t when;
	struct span path, host, tls, text;
};
struct queue_end { uint32_t fail; uint32_t count; uint64_t next; struct span words; };    /* next: go on with after = next; 0: the end */

/* Empty: everybody's. network: as an attempt prints it, or an address. */
struct ledger_which { struct span login, network; };
struct ledger_attempt {
	struct span login, network;     /* login is empty for what a network did in all */
	uint32_t failures, secrets;     /* failed attempts, and different secrets among them */
	uint32_t known;                 /* 1: this account has logged in from there */
	uint64_t first, last;           /* ms since 1970 */
	uint64_t until;                 /* refused until then; 0: not */
	struct span words;
};
struct ledger_lock { struct span login, words; uint32_t step; uint64_t since; };        /* step: 1 slowed, 2 held, 3 locked */

extern const struct layout queue_list_layout, queue_which_layout, queue_held_layout, queue_entry_layout, queue_reschedule_layout;
extern const struct layout queue_recipient_layout, queue_end_layout, ledger_which_layout, ledger_attempt_layout;
extern const struct layout ledger_lock_layout;

#endif
