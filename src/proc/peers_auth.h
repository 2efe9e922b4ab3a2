/*
 * proc/peers_auth.h - what 1_front asks 3_auth, and what 3_auth and 4_spool tell each other about principals
 *
 * The order, and who says what, stand in proc/peers.h; spans are borrowed from the frame they came in.
 */
#ifndef POSTERN_PROC_PEERS_AUTH_H
#define POSTERN_PROC_PEERS_AUTH_H

#include "base/fields.h"

struct auth_start {
	uint32_t mechanism;             /* enum smtp_mechanism */
	uint32_t has_initial;
	struct span initial;            /* raw octets */
	struct span peer;               /* address text */
	uint32_t binding_type;          /* enum tls_binding_type */
	struct span binding;
	struct span helo;               /* as the client said it */
	uint32_t flags;                 /* enum auth_start_flag */
};
enum auth_start_flag { AUTH_PEER_IS_PROXY = 1 /* peer is a proxy that did not say for whom it asks: never punished */ };
struct auth_result {
	uint32_t fail;                  /* enum fail; OK: proved; FAIL_GUESSING: also hang up */
	struct span login;              /* what logs and queue call this principal: "alice", "alice/laptop" for a sender key */
};
struct auth_verdict {
	uint32_t fail;
	struct span words;
	uint32_t priority;              /* the highest MT-PRIORITY of this login, an int32_t; AUTH_PRIORITY_UNSAID: as configured for all */
	uint64_t warrant, when;         /* to SENDER when it is OK: policy/warrant.h */
	uint32_t unwatched;             /* 1: there is no need to ask SPEND about messages with this one */
};
enum { AUTH_PRIORITY_UNSAID = 100 };
struct auth_spend { uint32_t rcpts; uint64_t queue_id; };
struct auth_spent {
	uint32_t fail;                  /* OK, FAIL_SLOW_DOWN, FAIL_LOCKED */
	uint32_t hold;                  /* 1: accept it, with MAIL_HOLD */
	uint64_t warrant, when;         /* when it is OK: policy/warrant.h */
};

struct guard_outcome { struct span login; uint32_t delivered, bounced; };
struct guard_notice { struct span rcpt, subject, text; };       /* text: lines of at most 78 octets with LF */
struct guard_hold { struct span login, words; };        /* words: why, for `postern queue show` */

extern const struct layout auth_start_layout, auth_result_layout, auth_verdict_layout, auth_spend_layout;
extern const struct layout auth_spent_layout, guard_outcome_layout, guard_notice_layout, guard_hold_layout;

#endif
