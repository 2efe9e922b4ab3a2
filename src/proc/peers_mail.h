/*
 * proc/peers_mail.h - a message on its way: from 1_front to 4_spool, and from there to 5_relay
 *
 * The order, and who says what, stand in proc/peers.h; spans are borrowed from the frame they came in.
 */
#ifndef POSTERN_PROC_PEERS_MAIL_H
#define POSTERN_PROC_PEERS_MAIL_H

#include "base/fields.h"

struct spool_mail {
	uint64_t queue_id;              /* of the front's own slot: queue_id_slot() */
	uint64_t arrival;               /* ms since 1970 */
	struct span reverse_path;
	struct span login;
	struct span peer;               /* address text */
	struct span helo;
	struct span tls;                /* "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519" */
	uint32_t flags;                 /* enum mail_flag */
	uint32_t ret;                   /* enum smtp_ret */
	struct span envid;
	struct span auth;               /* AUTH= */
	uint64_t size;                  /* declared */
	uint64_t release;               /* ms since 1970: not tried before (RFC 4865); 0: at once. Then SPOOL_ADMITTED answers */
	struct span hold;               /* "for;3600", "until;..." as it was asked for */
	uint64_t deadline;              /* ms since 1970 (RFC 2852); 0: none */
	uint32_t by;                    /* enum record_by */
	uint32_t priority;              /* an int32_t, -9 to 9 (RFC 6710) */
	uint64_t warrant, when;         /* of auth_verdict, for this login and reverse-path */
	uint32_t unwatched;             /* of the same */
};
enum mail_flag {
	MAIL_8BIT = 1, MAIL_UTF8 = 2,
	MAIL_DSN = 4,                   /* we made it: never bounced */
	MAIL_HOLD = 8,                  /* accepted, not delivered until the operator says so */
	MAIL_REQUIRETLS = 16,           /* RFC 8689 2: only over verified TLS, only to who passes that on */
	MAIL_TLS_OPTIONAL = 32,         /* RFC 8689 3: "TLS-Required: No" stands in its header */
	MAIL_BINARY = 64,               /* BODY=BINARYMIME (RFC 3030 3): content may have any octets, without line ends */
	MAIL_DISCARDED = 128,           /* a content filter has thrown it away: acknowledged, never tried; for the history alone */
	MAIL_HURRIED = 256,             /* of RELAY_TRY alone: an operator has asked for it, so that it is a try even where nobody answered */
	/* What a front may say of a message at MAIL; of others the record has meanings of its own. */
	MAIL_FROM_CLIENT = MAIL_8BIT | MAIL_UTF8 | MAIL_REQUIRETLS | MAIL_TLS_OPTIONAL | MAIL_BINARY,
};
/* Of spool_commit.flags alone, where it stands above the others: enum smtp_mechanism by which the login was proved, for milters. */
enum { MAIL_MECHANISM = 24, MAIL_FLAGS = (1 << MAIL_MECHANISM) - 1 };
struct spool_rcpt { uint32_t number; struct span path; uint32_t notify; struct span orcpt; };
struct spool_commit {
	uint64_t size;
	uint32_t rcpts;
	uint32_t flags;                 /* enum mail_flag, MAIL_HOLD among them; MAIL_MECHANISM */
	struct span digest;             /* smtp_server_digest(), or empty: not to be compared with others */
	struct span message_id;         /* without its angle brackets, or empty: for the history */
	uint64_t warrant, when;         /* of auth_spent; nothing when the MAIL was unwatched */
};
struct spool_committed {
	uint32_t fail;
	uint64_t first;                 /* OK: id of the message that this one repeats and that is durable; 0: it is itself */
};
struct spool_state {
	uint32_t fail;                  /* OK, FAIL_DISK_FULL, FAIL_DOUBT */
	uint64_t room;                  /* octets that a message may take */
	struct span key;                /* for digests; empty: none are wanted */
	uint32_t asks;                  /* 1: milters want to hear of each recipient when he is named */
};
struct spool_admitted { uint32_t fail; };       /* OK, FAIL_HELD_MANY, or why there is no draft */

struct relay_segment { uint64_t number; };
struct relay_try {
	uint64_t queue_id;
	uint64_t arrival;
	uint32_t attempt;               /* from 1 */
	uint32_t rcpts;                 /* how many RELAY_RCPT follow */
	uint32_t flags, ret;
	struct span destination;        /* domain all recipients share; empty with a smart host or Maildir */
	struct span reverse_path;
	struct span envid;
	uint64_t size;                  /* octets of content */
	struct span extents;            /* of content in order: u64 segment, u64 offset, u32 octets, each 20 octets */
	uint64_t deadline;              /* as in spool_mail */
	uint32_t by, priority;
	struct span login;              /* whose it is: takes turns with others', and may have an address to be sent from */
};
enum { RELAY_EXTENT = 20 };
struct relay_result {
	uint32_t number;                /* spool_rcpt.number */
	uint32_t class;                 /* enum smtp_class */
	uint32_t code;
	uint32_t stage;                 /* enum smtp_stage */
	uint32_t dsn;                   /* next hop took over DSN duties */
	uint64_t when;
	struct span enhanced;           /* "5.1.1" */
	struct span host;               /* "mx1.example.net [192.0.2.25]:25", "maildir /path" */
	struct span tls;                /* "TLSv1.3 TLS_AES_128_GCM_SHA256 dane 3 1 1 verified", "none" */
	struct span text;               /* reply or our words */
	uint32_t by;                    /* next hop took over the deadline (RFC 2852 4.1.4) */
};

/* A TLS report by mail (RFC 8460 5.3). What else stands in it 4_spool knows itself; session is 5_relay's number for it. */
enum { RELAY_REPORT_MAX = 256 * 1024 };
struct relay_letter {
	struct span to;                 /* mailbox, ASCII */
	struct span domain;             /* whom it is about, A-labels */
	uint32_t day;                   /* since 1970, UTC */
	uint64_t successful, failed, missed;
	struct span report;             /* gzip */
};
struct relay_letter_taken { uint32_t fail; };

extern const struct layout relay_letter_layout, relay_letter_taken_layout;
extern const struct layout spool_mail_layout, spool_rcpt_layout, spool_commit_layout, spool_committed_layout, spool_admitted_layout;
extern const struct layout spool_state_layout, relay_segment_layout, relay_try_layout, relay_result_layout;

#endif
