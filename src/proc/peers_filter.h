/*
 * proc/peers_filter.h - a draft before its commit: what 4_spool asks 6_milter about it, and what comes back
 *
 * One question is one milter: 4_spool goes down the list, and what one has changed the next one sees. A recipient is a question of his own,
 * asked when he is named; the milter's connection then waits for the next one of this transaction, as long as nobody else needs it. The order, and who says what,
 * stand in proc/peers.h; spans are borrowed from the frame they came in.
 */
#ifndef POSTERN_PROC_PEERS_FILTER_H
#define POSTERN_PROC_PEERS_FILTER_H

#include "base/fields.h"

struct filter_ask {
	uint64_t queue_id;
	struct span milter;             /* as conf_milter_format() has it */
	uint32_t patience;              /* ms that are left for this message */
	uint32_t flags;                 /* enum mail_flag */
	uint32_t mechanism;             /* enum smtp_mechanism, 0: none */
	uint32_t rcpts;                 /* how many FILTER_RCPT follow */
	uint64_t size;                  /* octets of content */
	struct span reverse_path, login, peer, helo, tls;
	struct span extents;            /* of content, as relay_try has them; empty: text is the content. ASK_RCPT: text is the path */
	struct span text;
	uint64_t talk;                  /* the transaction; 0: what milters have heard of it by ASK_RCPT does not count */
};
struct filter_leave { uint64_t talk; };

enum filter_kind {
	FILTER_PASS,                    /* as it was, or as it was changed */
	FILTER_REFUSE,                  /* with code, enhanced, text */
	FILTER_DISCARD,
};
enum filter_change {
	FILTER_NEW_HEADER = 1,          /* the FILTER_HEADERs in front of it take the place of content up to body_at */
	FILTER_NEW_BODY = 2,            /* the FILTER_BODYs take the place of content from body_at on */
	FILTER_EIGHTBIT = 4,            /* the new body has octets above 127 */
	FILTER_HOLD = 8,                /* the operator shall look at it; words say why */
};
struct filter_verdict {
	uint32_t kind, changes;
	uint32_t code;
	uint64_t body_at;               /* where the header section ends in the content as it was */
	struct span enhanced, text, words;
};

/* 4_spool to 1_front: the draft is refused in these words. */
struct spool_refused { uint32_t code; struct span enhanced, text; };

enum {
	FILTER_HEADER_MAX = 512 * 1024,         /* octets of a new header section: what mail/header.h allows, and what milters may add */
	FILTER_HEADER_PIECE = 64 * 1024,        /* of one FILTER_HEADER */
	FILTER_ADDED_MAX = 1000,                /* recipients that one milter may add to a message */
};

/* A recipient, who is named just now: what the milters say of him is answered by HEARD. */
struct spool_ask_rcpt {
	struct span path;
	uint32_t notify;
	struct span orcpt;
	uint32_t mechanism;             /* enum smtp_mechanism, 0: none */
};
struct spool_heard { uint32_t fail, code; struct span enhanced, text; };        /* code 0: in the words of fail; OK: he is one */

extern const struct layout filter_ask_layout, filter_verdict_layout, filter_leave_layout, spool_refused_layout;
extern const struct layout spool_ask_rcpt_layout, spool_heard_layout;

#endif
