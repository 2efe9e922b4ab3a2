/*
 * proc/5_relay_signed.h - private to 5_relay_dkim*.c: a message's signatures while they come about, and afterwards.
 *
 * Owner     5_relay_dkim.c has them all; work belongs to 5_relay_dkim_work.c from the first octet to the last signature.
 */
#ifndef POSTERN_PROC_5_RELAY_SIGNED_H
#define POSTERN_PROC_5_RELAY_SIGNED_H

#include "proc/5_relay.h"
#include "tls/digest.h"

enum signed_state {
	SIGNED_DIGESTING,       /* the body is being read */
	SIGNED_ASKING,          /* 2_signer has been asked */
	SIGNED_READY,           /* text counts; empty: it goes unsigned */
	SIGNED_FAILED,          /* those that wait hear of it at the next turn */
};

/* What is needed until there is a text. */
struct relay_signed_work {
	struct relay *relay;
	struct relay_try facts;         /* where the octets lie; extents are ours */
	struct relay_conversion *conversion;    /* what gives the octets that are sent; NULL: they are those of the spool */
	bool begun;                     /* the header section has been read */
	struct relay_cursor cursor;
	uint64_t left;                  /* octets, of those that are sent */
	struct digest *header, *body;   /* the header's is the same for each signature */
	struct dkim_body form;
	uint8_t body_digest[DKIM_DIGEST];
	uint64_t when;                  /* seconds since 1970 */
	struct relay_dkim_key key[DKIM_ALGORITHMS];
	struct relay_dkim_question *question[DKIM_ALGORITHMS];  /* NULL: answered, or not asked */
	uint8_t signature[DKIM_ALGORITHMS][DKIM_SIGNATURE_MAX];
	size_t len[DKIM_ALGORITHMS];
	size_t keys;
	uint64_t deadline;              /* uv_now(); for 2_signer */
	struct buf names;
	uint8_t names_text[DKIM_NAMES_MAX];
};

struct relay_signed {
	struct relay_signed *bucket_next;
	struct relay_signed *next;      /* of those that are worked at */
	struct relay_signed *newer, *older;     /* of those that are ready */
	uint64_t queue_id;
	uint32_t form;                  /* which octets of the message: enum relay_form */
	uint32_t generation;            /* of the keys */
	int hop_rule;
	uint32_t refs;                  /* attempts */
	enum signed_state state;
	bool known;                     /* it is in its bucket: others may find it */
	const char *why;                /* FAILED */
	struct relay_attempt *waiting;
	struct relay_signed_work *work;
	uint64_t made;                  /* uv_now(): when it became ready */
	struct buf text;
};

/* ---- 5_relay_dkim.c ---- */
void relay_signed_enter(struct relay_signed *, enum signed_state);
/* It cannot be signed: those that wait hear of it at the next turn of the loop. why is static. */
void relay_signed_fail(struct relay_signed *, const char *why);
/* The text counts. Those that wait are told by relay_signed_tell(), which may end the last of them and s with it. */
void relay_signed_ready(struct relay_signed *);
void relay_signed_tell(struct relay_signed *);

/* ---- 5_relay_dkim_work.c ---- */
/* False: out of memory. */
bool relay_work_begin(struct relay *, struct relay_signed *, const struct relay_attempt *);
/* Go on as far as one turn of the loop may take; the state says what it came to. */
void relay_work_go_on(struct relay_signed *);
void relay_work_free(struct relay_signed *);

#endif
