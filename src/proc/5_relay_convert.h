/*
 * proc/5_relay_convert.h - private to 5_relay*.c: what leaves of a message and its envelope, when the next hop lacks 8BITMIME,
 * BINARYMIME or SMTPUTF8 (RFC 6152 3, RFC 3030 3, RFC 6531 3.2).
 *
 * Only then is the content walked through before MAIL: whether it needs what the hop lacks, whether it may be changed, and how long it
 * is then. The walk takes a slice in each turn of the loop, so a big message keeps nobody else waiting. The octets that
 * relay_outgoing() gives are the ones that are sent, before the engine doubles dots. Signatures (5_relay_dkim.h) are made of what the
 * conversion gives, and stand in front of it.
 *
 * Owner     a conversion belongs to the attempt that a connection has, through all of its transactions there.
 * Blocks    on the disk, as relay_content_read() does.
 */
#ifndef POSTERN_PROC_5_RELAY_CONVERT_H
#define POSTERN_PROC_5_RELAY_CONVERT_H

#include <uv.h>

#include "mail/downgrade.h"
#include "mail/path.h"
#include "proc/5_relay_attempt.h"

struct relay;
struct relay_connection;

enum {
	RELAY_CONVERT_SLICE = 64 * 1024,        /* walked through in one turn of the loop */
	RELAY_CONVERT_MS = 300 * 1000,          /* a connection waits for it at most */
	RELAY_CONVERT_OUT = 16 * 1024,
	RELAY_ORCPT_ROOM = 500,                 /* RFC 3461 5.4 */
};

enum relay_convert_phase {
	RELAY_CONVERT_SURVEY,
	RELAY_CONVERT_COUNT,    /* what will it be, in octets: SIZE= is to be true (RFC 1870 5) */
	RELAY_CONVERT_READY,
};

struct relay_conversion {
	struct relay_conversion *next;          /* of those under way */
	struct relay_connection *waiting;       /* its; NULL: nobody waits */
	enum relay_convert_phase state;
	enum downgrade_verdict verdict;
	struct downgrade_hop hop;
	struct downgrade_plan plan;
	union { struct downgrade_survey survey; struct downgrade writer; } walk;
	struct relay_cursor cursor;             /* of the walk */
	uint64_t given;                         /* octets of the original behind it */
	uint64_t size;                          /* octets that go out */
	bool over;                              /* the last of them are in out */
	struct buf out;
	size_t taken;                           /* of out */
	uint8_t octets[RELAY_CONVERT_OUT];
	uint8_t sender[PATH_MAX_OCTETS];        /* the reverse-path as the hop takes it */
};

/* Those whose content is being walked through, by turns. */
struct relay_converter {
	struct relay_conversion *first;
	uv_idle_t turn;
};

enum relay_convert_answer {
	RELAY_CONVERT_GO,       /* MAIL may be said */
	RELAY_CONVERT_WAIT,     /* until relay_talk_carry_on() */
	RELAY_CONVERT_REFUSED,  /* every recipient has been told why not */
};
/* May the connection's attempt go through it, and does anything have to be done to it? */
enum relay_convert_answer relay_convert_ask(struct relay_connection *);
void relay_talk_carry_on(struct relay_connection *);            /* 5_relay_talk.c */
/* The connection lets go of its attempt: what was found is forgotten, so that there are never more of these than connections. */
void relay_convert_stop(struct relay_connection *);
/* The attempt ends. */
void relay_conversion_free(struct relay *, struct relay_conversion *);

/* What the hop is told: an address whose domain is in A-labels where it must be; false: it cannot be written for this hop. */
bool relay_convert_path(const struct relay_connection *, struct span path, struct buf *out);
/* ORCPT likewise (RFC 6533 3); empty when it gets too long. */
struct span relay_convert_orcpt(const struct relay_connection *, struct span orcpt, struct buf *out);

/* ---- 5_relay_envelope.c: one transaction of the attempt ---- */
enum smtp_client_want relay_envelope_begin(struct relay_connection *);
enum smtp_client_want relay_envelope_rcpt(struct relay_connection *);

/* ---- the same octets, for signing ---- */
/* Which octets of a message go out, when its attempt may be carried: bits of these. */
enum relay_form { RELAY_FORM_STORED = 0, RELAY_FORM_CONVERTED = 1, RELAY_FORM_EIGHTBIT = 2, RELAY_FORM_UTF8 = 4 };
uint32_t relay_conversion_form(const struct relay_attempt *);
/* A reader of its own of an attempt's RELAY_FORM_CONVERTED, which outlives the attempt; NULL: out of memory. The caller's. */
struct relay_conversion *relay_conversion_again(const struct relay_attempt *);
/* The next of them, at most max; 0: they cannot be read, or it was all. m is the message, wherever it stands. */
size_t relay_conversion_read(struct relay *, const struct relay_try *m, struct relay_conversion *, uint8_t *to, size_t max);

/* ---- the octets that go out: signatures, and behind them the message ---- */
void relay_outgoing_begin(struct relay_connection *);
uint64_t relay_outgoing_size(const struct relay_connection *);
bool relay_outgoing_eightbit(const struct relay_connection *);
bool relay_outgoing_binary(const struct relay_connection *);
/* The next of them, and whether they are the last. They stay until used. False: they cannot be read. */
bool relay_outgoing(struct relay_connection *, struct span *octets, bool *last);
void relay_outgoing_used(struct relay_connection *, size_t octets);

#endif
