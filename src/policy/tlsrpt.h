/*
 * policy/tlsrpt.h - what a day's sessions with next hops came to, added up as RFC 8460 4 wants it reported. Pure.
 *
 *	domain ──▶ policy (type, policy domain, its strings) ──▶ failure (result, MX, address)
 *	            successful and failed sessions                sessions
 *
 * A session is counted once, under the policy that was applied to it; a policy that could not be had counts beside it. What finds no
 * room is counted as missed, so that a report never claims to be whole when it is not.
 *
 * Owner     the caller; a table is one block without pointers into anything else.
 * Blocks    never.
 * Fails     tlsrpt_add() never; tlsrpt_parse() says false, and the table is empty.
 */
#ifndef POSTERN_POLICY_TLSRPT_H
#define POSTERN_POLICY_TLSRPT_H

#include "base/buf.h"
#include "base/siphash.h"
#include "policy/transport.h"

enum {
	TLSRPT_DOMAINS_MAX = 20000,
	TLSRPT_POLICIES_MAX = 30000,
	TLSRPT_FAILURES_MAX = 20000,
	TLSRPT_TEXT_MAX = 6 * 1024 * 1024,      /* octets of all their names, policies and reasons */
	TLSRPT_OF_DOMAIN_MAX = 16,              /* policies of one domain: nobody fills the table alone */
	TLSRPT_OF_POLICY_MAX = 32,              /* failures of one policy */
	TLSRPT_BUCKETS = 8192,
	TLSRPT_NAME_MAX = 255,
	TLSRPT_POLICY_MAX = 6 * 1024,           /* octets of one policy's strings; what is longer is cut behind one of them */
	TLSRPT_REASON_MAX = 120,                /* of one failure; what is longer is cut */
	TLSRPT_LINE_ROOM = 128,                 /* of a line of the file, beside the texts in it */
	TLSRPT_STORE_MAX = TLSRPT_TEXT_MAX + TLSRPT_LINE_ROOM * (TLSRPT_DOMAINS_MAX + TLSRPT_POLICIES_MAX + TLSRPT_FAILURES_MAX + 2),
	TLSRPT_DATE = 10,                       /* "2026-11-22" */
};

#define TLSRPT_NOTHING UINT32_MAX               /* no index */

/* 4.4 policy-type. */
enum tlsrpt_type { TLSRPT_NO_POLICY, TLSRPT_TLSA, TLSRPT_STS, TLSRPT_TYPES };
/* "no-policy-found", "tlsa", "sts". */
const char *tlsrpt_type_name(enum tlsrpt_type);
/* Whose policy a verdict applied; false: one that is not the receiver's to hear of (the message's own, the operator's). */
bool tlsrpt_type_of(enum transport_policy, enum tlsrpt_type *);

/* One session, as far as it came. Names in lower case, A-labels; control octets in any text become '?'. */
struct tlsrpt_session {
	struct span domain;             /* who gets the report: the recipient's, or the smart host */
	enum tlsrpt_type type;
	struct span policy_domain;      /* TLSA base domain, else as domain (8460 1.1) */
	struct span strings;            /* 4.5, a TAB between two */
	enum transport_result result;   /* TRANSPORT_OK: successful, and the rest counts for nothing */
	bool beside;                    /* a failure beside a session that is counted by itself: no failed session of its own */
	struct span mx, ip, from;       /* receiving-mx-hostname, receiving-ip, sending-mta-ip; empty: unknown */
	struct span reason;             /* failure-reason-code */
};

struct tlsrpt_text { uint32_t at; uint32_t len; };

struct tlsrpt_failure {
	uint32_t next;                  /* of its policy */
	enum transport_result result;
	struct tlsrpt_text mx, ip, from, reason;
	uint64_t sessions;
};

struct tlsrpt_policy {
	uint32_t next;                  /* of its domain */
	enum tlsrpt_type type;
	struct tlsrpt_text domain, strings;
	uint64_t successful, failed;
	uint32_t failures;              /* first of them */
};

struct tlsrpt_domain {
	uint32_t next;                  /* of its bucket */
	uint32_t policies;              /* first of them */
	struct tlsrpt_text name;
	uint64_t missed;                /* sessions, or failures of sessions, that found no room */
};

struct tlsrpt {
	uint8_t key[SIPHASH_KEY];
	uint32_t day;                   /* since 1970, UTC */
	uint32_t domains, policies, failures, text_len;
	uint64_t missed;                /* sessions of domains that found no room */
	uint32_t bucket[TLSRPT_BUCKETS];
	struct tlsrpt_domain domain[TLSRPT_DOMAINS_MAX];
	struct tlsrpt_policy policy[TLSRPT_POLICIES_MAX];
	struct tlsrpt_failure failure[TLSRPT_FAILURES_MAX];
	uint8_t text[TLSRPT_TEXT_MAX];
};

/* Empty, for this day. Touches only as much memory as it must. */
void tlsrpt_init(struct tlsrpt *, const uint8_t key[SIPHASH_KEY], uint32_t day);
void tlsrpt_add(struct tlsrpt *, const struct tlsrpt_session *);

struct span tlsrpt_text(const struct tlsrpt *, struct tlsrpt_text);
/* Index of this domain, or TLSRPT_NOTHING. */
uint32_t tlsrpt_find(const struct tlsrpt *, struct span domain);

/* ---- tlsrpt_store.c: the table as text, to outlive us ---- */
/* Octets that are enough for tlsrpt_format(). */
size_t tlsrpt_store_size(const struct tlsrpt *);
bool tlsrpt_format(const struct tlsrpt *, struct buf *out);
/* The inverse, into an initialised table of that day. False: it is no such text, or not whole; the table is empty again. */
bool tlsrpt_parse(struct tlsrpt *, struct span text);
/* "2026-11-22". */
void tlsrpt_date(uint32_t day, char out[TLSRPT_DATE + 1]);

#endif
