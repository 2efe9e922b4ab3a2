/*
 * proc/5_relay_dkim.h - private to 5_relay*.c: signing a message at its attempt, when the next hop is known (RFC 6376).
 *
 *	connection ──begin──▶ signed ──digest──▶ 2_signer ──signature──▶ signed ──▶ connection goes on with MAIL
 *
 * What stands in front of a message's octets is made once for all attempts of about the same time: its destinations share it.
 * A message that cannot be signed though its domain has keys is not sent; it waits.
 *
 * What is signed is what this hop is sent: what conversion gives when the hop lacks something (5_relay_convert.h), the spool's octets
 * else. What is signed in one form is never used for another.
 *
 * Owner     an attempt holds its relay_signed from relay_seal_begin() until it is freed. Blocks on the disk, RELAY_DKIM_SLICE
 *           octets a turn of the loop.
 */
#ifndef POSTERN_PROC_5_RELAY_DKIM_H
#define POSTERN_PROC_5_RELAY_DKIM_H

#include "mail/dkim.h"
#include "proc/peers.h"

struct relay;
struct relay_attempt;
struct relay_connection;
struct relay_signed;

enum {
	RELAY_DKIM_HEADER_MAX = 272 * 1024,     /* HEADER_OCTETS_MAX and our trace fields */
	RELAY_DKIM_FIRST = 16 * 1024,           /* read at first: most messages whole */
	RELAY_DKIM_SLICE = 512 * 1024,
	RELAY_DKIM_KEPT = 256,                  /* signed messages that are remembered */
	RELAY_DKIM_KEPT_MS = 300 * 1000,
	RELAY_DKIM_MS = 3 * 1000,               /* without any answer of 2_signer's */
	RELAY_DKIM_BUCKETS = 256,
	RELAY_DKIM_TOLD = 128,                  /* domains of which the log has said that they have no keys */
};

/* An attempt's part. All zero: nothing goes in front of the message. */
struct relay_seal {
	struct relay_signed *front;
	struct relay_attempt *next;             /* of those that wait */
	struct relay_connection *waiting;       /* NULL: does not wait */
	uint32_t given;                         /* octets of the front that the next hop has */
};

/* ---- 5_relay_dkim.c ---- */
/* True: go on with MAIL, signed or without need of it. False: the connection waits (or is gone), and goes on by itself. */
bool relay_seal_begin(struct relay_connection *);
/* What goes in front of the message's octets; empty mostly without keys. */
struct span relay_dkim_front(const struct relay_attempt *);
void relay_dkim_forget(struct relay_attempt *);         /* it is about to be freed */
void relay_dkim_sweep(struct relay *);                  /* every second */

/* ---- 5_relay_talk.c ---- */
void relay_talk_mail(struct relay_connection *);        /* its attempt may go */
void relay_talk_next(struct relay_connection *);        /* it has none; the next one */

/* ---- 5_relay_dkim_keys.c: who signs ---- */
struct relay_dkim_key {
	char domain[DKIM_SDID_MAX + 1], selector[DKIM_SELECTOR_MAX + 1];
	enum dkim_algorithm algorithm;
};
/* A list is staged from index 0 on, and counts from relay_dkim_keys_take() on. False: out of order. */
bool relay_dkim_keys_stage(const struct master_dkim *);
void relay_dkim_keys_take(const struct relay *);
bool relay_dkim_keys_none(void);
/* Counts the lists taken: what was signed under another one is not used again. */
uint32_t relay_dkim_keys_generation(void);
/* A set of algorithms, or SIGNING_UNSAID: what the configuration says of mail to this hop. */
int relay_dkim_hop_rule(const struct relay_connection *);
/* The keys that sign a message of this author domain: how many, 0 to DKIM_ALGORITHMS. Says once in the log when there is none. */
size_t relay_dkim_keys_choose(const struct relay *, struct span author_domain, int hop_rule,
    const struct relay_dkim_key *out[DKIM_ALGORITHMS]);

/* ---- 5_relay_dkim_ask.c: the channel to 2_signer ---- */
struct relay_dkim_question {
	struct relay_dkim_question *next;
	struct relay_dkim_key key;
	uint8_t digest[DKIM_DIGEST];
	uint8_t signature[DKIM_SIGNATURE_MAX];
	size_t len;                             /* of the signature; 0: none yet */
	/* Called once, from the loop, unless forgotten. Why: NULL when it is signed. */
	void (*done)(struct relay_dkim_question *, const char *why);
	struct relay_signed *of;
	bool forgotten;                         /* freed instead of done() */
};
void relay_dkim_peer(struct relay *, int fd);
/* malloc'ed: theirs until done(), then the caller's. */
void relay_dkim_ask(struct relay_dkim_question *);
/* uv_now() of the last answer: answers come in order, so who answers others will answer ours. */
uint64_t relay_dkim_heard(void);

#endif
