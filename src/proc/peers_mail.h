/*
 * proc/peers_mail.h - a message on its way: from 1_front to 4_spool, and from there to 5_relay
 *
 * The order, and who says what, stand in proc/peers.h; spans are borrowed from the frame they came in.
 */
#ifndef POSTERN_PROC_PEERS_MAIL_H
#define POSTERN_PROC_PEERS_MAIL_H

#include "base/fields.h"

struct spool_mail {
	uint64_t queue_id;
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
};
enum mail_flag {
	MAIL_8BIT = 1, MAIL_UTF8 = 2,
	MAIL_DSN = 4,                   /* we made it: never bounced */
	MAIL_HOLD = 8,                  /* accepted, not delivered until the operator says so */
	MAIL_REQUIRETLS = 16,           /* RFC 8689 2: only over verified TLS, only to who passes that on */
	MAIL_TLS_OPTIONAL = 32,         /* RFC 8689 3: "TLS-Required: No" stands in its header */
};
struct spool_rcpt { uint32_t number; struct span path; uint32_t notify; struct span orcpt; };
struct spool_commit { uint64_t size; uint32_t rcpts; uint32_t flags; };        /* enum mail_flag, MAIL_HOLD among them */
struct spool_committed { uint32_t fail; };
struct spool_state { uint32_t fail; uint64_t room; };   /* OK, FAIL_DISK_FULL, FAIL_DOUBT; octets that a message may take */

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
};

extern const struct layout spool_mail_layout, spool_rcpt_layout, spool_commit_layout, spool_committed_layout;
extern const struct layout spool_state_layout, relay_segment_layout, relay_try_layout, relay_result_layout;

#endif
