/*
 * smtp/client.h - the client's half of one conversation. Pure: RFC 5321, 3207, 4954, 2920, 1870, 3030, 3461, 6152, 6531, 8689,
 * 9422, 4865, 6710, 2852.
 * `postern send`, 5_relay and, through smtp/probe, the auditor are drivers of this engine.
 *
 *	want = smtp_client_begin(c, ...);
 *	for (;;) switch (want) {
 *	case SMTP_CLIENT_INPUT:       send io->out, read;           want = smtp_client_feed(c, in, &used)
 *	case SMTP_CLIENT_FLUSH:       io->out is full: send it;     want = smtp_client_go_on(c)
 *	case SMTP_CLIENT_STARTTLS:    drop every byte already read, shake hands, check the name;
 *	                                                            want = smtp_client_secured(c, tls facts)
 *	case SMTP_CLIENT_AUTH_START:  choose a mechanism out of c->caps.mechanisms by own preference;
 *	                                                            want = smtp_client_auth_begin(c, mechanism, initial)
 *	case SMTP_CLIENT_AUTH_NEXT:   c->challenge (decoded);       want = smtp_client_auth_next(c, response) or _auth_cancel(c)
 *	case SMTP_CLIENT_READY:       authenticated if asked: want = smtp_client_mail(c, mail), or want = smtp_client_quit(c)
 *	case SMTP_CLIENT_RCPT:        give recipient number c->rcpt_wanted: want = smtp_client_rcpt(c, rcpt)
 *	                              with mail.one_by_one, or there are no more: want = smtp_client_rcpts_end(c), smtp_client_drop(c)
 *	case SMTP_CLIENT_CONTENT:     give message octets:          want = smtp_client_content(c, octets, last, &used)
 *	case SMTP_CLIENT_OUTCOME:     c->outcome says what happened to one recipient or to the whole session;
 *	                                                            want = smtp_client_go_on(c)
 *	case SMTP_CLIENT_CLOSE:       send io->out, close_notify, hang up
 *	}
 *
 * Input that feed() did not use stays with the driver and is given again, with more behind it, at the next INPUT; only when
 * feed() then uses nothing of it there is something to read. The engine keeps no copy of input: a reply line is used only
 * whole, so the driver needs room for SMTP_REPLY_LINE_MAX octets. io->out must hold SMTP_CLIENT_OUT_ROOM octets and the
 * longest AUTH response.
 *
 * Recipients and content are pulled, so a message of any size and any number of recipients costs no memory here. With
 * PIPELINING offered MAIL, the RCPTs and DATA go out in groups (2920-4: DATA is last in its group) that are small enough for
 * a driver that writes all before it reads (2920-6).
 *
 * Owner     struct smtp_client and io belong to the driver. conf outlives the session.
 * Secrets   the response given to auth_* is encoded into io->out, which the driver wipes when sent.
 * Blocks    never.
 */
#ifndef POSTERN_SMTP_CLIENT_H
#define POSTERN_SMTP_CLIENT_H

#include "base/buf.h"
#include "base/fail.h"
#include "smtp/reply_line.h"
#include "smtp/server.h"        /* enum smtp_mechanism, smtp_body, smtp_ret, smtp_notify, struct smtp_io */

enum {
	SMTP_REPLY_KEPT = 400,          /* octets of a reply's text that are kept for log and DSN */
	SMTP_CLIENT_OUT_ROOM = 1024,    /* the least that io->out must hold when empty: the longest command line */
	SMTP_CLIENT_WINDOW = 128,       /* recipients without an answer at most (2920-6) */
	SMTP_CLIENT_ROUNDS_MAX = 8,     /* challenges in one AUTH exchange */
	SMTP_CLIENT_DOMAINS_MAX = 32,   /* of a session's recipients, kept where LIMITS counts them; a higher limit counts as this */
};

enum smtp_client_tls {
	SMTP_TLS_IMPLICIT,      /* TLS was up before the first byte */
	SMTP_TLS_REQUIRED,      /* STARTTLS or nothing: no AUTH, no MAIL without (8314-43, 3207-13) */
	SMTP_TLS_MAY,           /* opportunistic: only on port 25 */
	SMTP_TLS_NONE,          /* `smtp://` on loopback, tests */
};

struct smtp_client_conf {
	struct span helo;               /* our host name or address literal (5321-12) */
	enum smtp_client_tls tls;
	bool auth;                      /* we have credentials: authenticate or fail */
	bool relays;                    /* the mail is others': AUTH=<> to a peer that we have proved ourselves to (4954-27) */
	bool hello_again;               /* EHLO once more behind AUTH: some offers are only for who has proved himself (4865-1) */
	bool helo_fallback;             /* HELO when EHLO is not known (relay only, 5321-8) */
	bool helo_only;                 /* an examiner: no EHLO at all */
	bool lenient;                   /* an examiner: replies are read that mail should not depend on (smtp/reply_line.h) */
};

struct smtp_client_caps {               /* of the newest EHLO; all forgotten at STARTTLS (3207-8) */
	bool starttls, auth, pipelining, size, eightbit, utf8, dsn, chunking, binary;
	bool requiretls;                /* counts behind TLS only (RFC 8689 2) */
	bool future_release, mt_priority, deliver_by;
	uint64_t by_least;              /* seconds that BY=n;R must have; 0: any */
	uint64_t size_max;              /* 0: no limit said */
	uint32_t mechanisms;            /* bits of enum smtp_mechanism */
	uint32_t rcpt_max, mail_max;    /* LIMITS; 0: none said */
	uint32_t domain_max;            /* different domains of a session's recipients */
};

/* When, how soon and by when. What the peer does not offer is left out, but for what would break a promise. */
struct smtp_client_terms {
	struct span hold;               /* "FOR=3600", "UNTIL=2026-11-22T10:00:00Z"; empty: none */
	int64_t by_seconds;             /* that are left when by */
	bool by, by_return, by_trace;   /* R: only to who promises it (RFC 2852 4.1.3) */
	bool needed;                    /* leave nothing out: refuse it */
	int8_t priority;
};

struct smtp_client_mail {
	struct span reverse_path;       /* without brackets, empty for <> */
	uint64_t size;                  /* octets, for SIZE=; with binary exactly */
	uint32_t rcpts;                 /* how many there are to pull */
	bool one_by_one;                /* nobody knows how many: each is asked for when the one before is answered. rcpts counts the
	                                   one that is asked for: he gets an outcome too when it ends there */
	bool eightbit;                  /* content has octets above 127 */
	bool binary;                    /* it need not be lines: BODY=BINARYMIME, in one BDAT (RFC 3030) */
	bool utf8;                      /* addresses or header need SMTPUTF8 */
	bool requiretls;                /* said to who offers it; to others only <> may go (RFC 8689 4.2.1, 5) */
	enum smtp_ret ret;
	struct span envid;              /* xtext, as received */
	struct smtp_client_terms terms;
};

struct smtp_client_rcpt {
	struct span path;               /* without brackets */
	uint32_t notify;
	struct span orcpt;              /* "type;xtext" */
};

enum smtp_client_want {
	SMTP_CLIENT_INPUT,
	SMTP_CLIENT_FLUSH,
	SMTP_CLIENT_STARTTLS,
	SMTP_CLIENT_AUTH_START,
	SMTP_CLIENT_AUTH_NEXT,
	SMTP_CLIENT_READY,
	SMTP_CLIENT_RCPT,
	SMTP_CLIENT_CONTENT,
	SMTP_CLIENT_OUTCOME,
	SMTP_CLIENT_CLOSE,
};

/* What the peer was answering. */
enum smtp_stage {
	SMTP_STAGE_GREETING,
	SMTP_STAGE_EHLO,
	SMTP_STAGE_STARTTLS,
	SMTP_STAGE_AUTH,
	SMTP_STAGE_MAIL,
	SMTP_STAGE_RCPT,
	SMTP_STAGE_DATA,
	SMTP_STAGE_CONTENT,     /* the final reply */
	SMTP_STAGE_RSET,
	SMTP_STAGE_QUIT,
};

enum smtp_class {
	SMTP_CLASS_DELIVERED,   /* 2yz: the peer has it */
	SMTP_CLASS_LATER,       /* 4yz, lost connection, our own "not now" */
	SMTP_CLASS_NEVER,       /* 5yz, or the peer lacks what the message needs */
};

/* Every recipient of a transaction gets exactly one outcome; a session that fails before READY gives one with
 * recipient == SMTP_WHOLE_SESSION, then CLOSE. */
#define SMTP_WHOLE_SESSION UINT32_MAX

struct smtp_outcome {
	uint32_t recipient;             /* number as pulled, from 0 */
	enum smtp_stage stage;
	enum smtp_class class;
	uint16_t code;                  /* the peer's reply code, 0 when the verdict is ours */
	char enhanced[12];              /* "5.1.1"; from the reply, else made up from the class; NUL-terminated */
	struct span text;               /* the reply as received without code, lines joined by " / "; points into struct smtp_client;
	                                   control octets and what is not UTF-8 replaced by '?'. Our own words when code is 0 */
	bool dsn;                       /* the peer took over DSN duties (3461-6) */
	bool by;                        /* and the deadline (2852-3) */
	bool apart;                     /* the session ended at another recipient's RCPT: of this one nothing was said */
	bool elsewhere;                 /* he was not named: another session would take him (RFC 9422 4.3) */
};

struct smtp_client {
	const struct smtp_client_conf *conf;
	struct smtp_io *io;             /* only io->out is used */
	struct smtp_client_caps caps;
	struct smtp_client_mail mail;
	struct smtp_outcome outcome;
	struct span challenge;          /* AUTH_NEXT: decoded, points into challenge_octets */
	bool initial_unsent;            /* AUTH_NEXT: the initial response made the AUTH line too long (4954-10); give it now */
	uint32_t rcpt_wanted;           /* RCPT: number to give */
	uint32_t rcpts_sent, rcpts_answered, rcpts_accepted, rcpts_reported;
	uint32_t replies;               /* whole ones that have come */
	uint32_t transactions;          /* MAIL commands of this session, refused ones too, for LIMITS MAILMAX (9422-2) */
	enum smtp_client_want want;
	/* The rest is the engine's own. */
	uint8_t state;                  /* enum client_state */
	uint8_t then;                   /* the state after the outcomes */
	uint32_t culprit;               /* at whose RCPT the session ends; rcpts or more: at nobody's */
	uint8_t rounds;                 /* challenges so far */
	uint8_t mechanism;              /* the one being tried */
	bool secured;                   /* STARTTLS has been done */
	bool proved;                    /* AUTH has */
	bool polite;                    /* the conversation is in step, so QUIT is worth saying */
	bool rset_due;                  /* the last transaction was left open */
	bool rset_awaited, mail_awaited, data_awaited;
	bool mail_due, mail_failed, data_sent, window_full;
	bool dot_due;                   /* the end of the content waits for room */
	bool line_start;                /* the next content octet is the first of its line */
	uint64_t chunk_left;            /* octets of the chunk that are to come */
	struct smtp_reply_reader reader;
	uint16_t reply_code;
	uint16_t reply_len;
	uint8_t reply[SMTP_REPLY_KEPT];
	uint32_t domains;               /* in domain[]: hashes of those that recipients have been named of */
	uint32_t domain[SMTP_CLIENT_DOMAINS_MAX];
	uint32_t swept;                 /* recipients below this one have had their outcome */
	uint8_t accepted[1024 / 8];     /* which recipients were accepted: at most 1024 RCPTs in one transaction */
	uint8_t skipped[1024 / 8];      /* which were never sent */
	uint8_t challenge_octets[3072];
};

/* At most this many recipients in one smtp_client_mail; the driver splits (5321-73: a 452 to RCPT is class LATER). */
enum { SMTP_CLIENT_RCPTS_MAX = 1024 };

enum smtp_client_want smtp_client_begin(struct smtp_client *, const struct smtp_client_conf *, struct smtp_io *);
/* Also when CONTENT is wanted and the peer speaks out of turn (or sending fails while its words can still be read). */
enum smtp_client_want smtp_client_feed(struct smtp_client *, struct span in, size_t *used);
enum smtp_client_want smtp_client_go_on(struct smtp_client *);
enum smtp_client_want smtp_client_secured(struct smtp_client *);
/* initial.p == NULL: no initial response. Octets are raw; the engine encodes. */
enum smtp_client_want smtp_client_auth_begin(struct smtp_client *, enum smtp_mechanism, struct span initial);
enum smtp_client_want smtp_client_auth_next(struct smtp_client *, struct span response);
enum smtp_client_want smtp_client_auth_cancel(struct smtp_client *, struct span why);
/* The spans of a mail live until RCPT or OUTCOME is wanted, those of a recipient during the call. */
enum smtp_client_want smtp_client_mail(struct smtp_client *, const struct smtp_client_mail *);
enum smtp_client_want smtp_client_rcpt(struct smtp_client *, const struct smtp_client_rcpt *);
/* One by one, instead of a recipient: those were all. */
enum smtp_client_want smtp_client_rcpts_end(struct smtp_client *);
/* The same, and there is to be no message: READY, without an outcome for anybody. RSET goes before the next MAIL. */
enum smtp_client_want smtp_client_drop(struct smtp_client *);
/* Octets of the message with CRLF line ends; the engine doubles leading dots and adds the final dot when last. Binary ones go as
 * they are, and must be as many as mail.size says. What was not used is given again. A bare CR or LF would be a bug of the driver's: smtp/server lets none in, they are not looked for again. */
enum smtp_client_want smtp_client_content(struct smtp_client *, struct span octets, bool last, size_t *used);
/* The driver cannot go on giving recipients or content: the connection must be closed so that the peer drops what it has; outcomes LATER. */
enum smtp_client_want smtp_client_give_up(struct smtp_client *, struct span why);
enum smtp_client_want smtp_client_quit(struct smtp_client *);
/* An examiner's own words at READY, without CRLF: what no client would say. Its reply changes nothing, and READY comes again, but CLOSE behind 421. */
enum smtp_client_want smtp_client_aside(struct smtp_client *, struct span line);
/* The connection broke, timed out, or could not be made secure: every recipient without outcome gets one of class, in words.
 * An OUTCOME that was already returned counts as told. From READY on, without recipients, it is CLOSE at once. */
enum smtp_client_want smtp_client_lost(struct smtp_client *, enum smtp_class class, struct span why);

/* What the next reply answers. */
enum smtp_stage smtp_client_awaits(const struct smtp_client *);
/* How long to wait for the peer now, in milliseconds (RFC 5321 4.5.3.2). */
uint32_t smtp_client_patience(const struct smtp_client *);
void smtp_client_check(const struct smtp_client *);

#endif
