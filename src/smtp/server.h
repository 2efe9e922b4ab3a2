/*
 * smtp/server.h - the server's half of one conversation. Pure: RFC 5321, 6409, 4954, 3207, 2920, 1870, 3030, 6152, 6531,
 * 2034, 3461, 9422, 4865, 6710, 2852.
 *
 * The driver gives bytes and takes wants, one outstanding at a time:
 *
 *	want = smtp_server_begin(s, ...);           the greeting is in io->out
 *	for (;;) switch (want) {
 *	case SMTP_WANT_INPUT:     send io->out when nothing more is buffered; read; want = smtp_server_feed(s, in, &used)
 *	case SMTP_WANT_FLUSH:     io->out has no room for another reply: send it;    want = smtp_server_go_on(s)
 *	case SMTP_WANT_STORE:     io->content has message octets: take them all;     want = smtp_server_go_on(s)
 *	case SMTP_WANT_MEMORY:    lend a struct smtp_mail (or NULL: 452);            want = smtp_server_lend(s, mail)
 *	case SMTP_WANT_VERDICT:   look at s->ask, find out, at once or later;        want = smtp_server_answer(s, verdict)
 *	case SMTP_WANT_STARTTLS:  send io->out, drop every byte already read, shake hands; want = smtp_server_secured(s)
 *	case SMTP_WANT_CLOSE:     send io->out, close_notify, hang up
 *	}
 *
 * Any split of the bytes gives the same talk. The engine keeps no copy of input: what feed() did not use must be given
 * again at the next INPUT; only when feed() then uses nothing of it there is something to read. It uses a command line, an
 * AUTH line and a header line only whole, so the driver needs room for SMTP_LINE_KEPT octets; a longer line is swallowed
 * and refused by the engine. What feed() did use stays where it is until INPUT is wanted again: s->ask points into it.
 *
 * Content is whole and taken before AUTHOR and COMMIT are asked; at INPUT io->content may hold octets that wait for more.
 * COMMIT ends the draft whatever the answer. ABORT is asked when the engine drops an open draft (RSET, EHLO, QUIT, refused
 * content, too many errors); the reply is in io->out by then. At CLOSE no draft is open, but for smtp_server_end().
 *
 * A line that begins or ends as a request of HTTP does ends the session without a reply: its browser has been led here, and what we say could
 * be taken for the answer of somebody else with the same certificate (ALPACA; RFC 5321 7.8).
 *
 * A bare CR, a bare LF or a NUL in a command line is answered 500 5.5.2, then 421, and ends the session: a client has no
 * reason for it, and two readers that disagree about line ends are what smuggling needs (RFC 5321 2.3.8, 7.8).
 *
 * Owner     struct smtp_server and io belong to the driver and outlive each call. conf outlives the session.
 * Secrets   AUTH octets are only ever pointed to (ask.octets into the input); the driver wipes its input after answering.
 * Blocks    never.
 */
#ifndef POSTERN_SMTP_SERVER_H
#define POSTERN_SMTP_SERVER_H

#include "base/buf.h"
#include "base/env.h"
#include "base/fail.h"
#include "base/siphash.h"
#include "mail/header.h"
#include "mail/path.h"
#include "smtp/ceilings.h"
#include "smtp/terms.h"

enum smtp_mechanism {                   /* bits of smtp_server_conf.mechanisms */
	SMTP_AUTH_PLAIN = 1, SMTP_AUTH_LOGIN = 2, SMTP_AUTH_SCRAM_SHA_256 = 4, SMTP_AUTH_SCRAM_SHA_256_PLUS = 8,
};

/* IANA's name of a mechanism, NUL-terminated; NULL: the number is none. */
const char *smtp_mechanism_name(enum smtp_mechanism);
/* Those with this name (RFC 4422 3.1: case does not matter here), 0: none. */
uint32_t smtp_mechanism_find(struct span name);

struct smtp_server_conf {               /* shared by all sessions of a listener */
	struct span hostname;           /* fully qualified, or an address literal */
	uint64_t size_max;              /* octets of a message, as RFC 1870 counts; never 0 */
	uint32_t rcpt_max;              /* at least 100 */
	uint32_t mechanisms;            /* bits of enum smtp_mechanism */
	bool binarymime, mt_priority, deliver_by;       /* RFC 3030 3, RFC 6710, RFC 2852 */
	bool encodes;                   /* the driver does: a body with long lines or NULs is taken, smtp_mail.unfit says for what */
	int8_t priority_least;          /* MAIL with less is refused */
	uint32_t by_least;              /* seconds that BY=n;R must give us; 0: any */
	uint32_t hold_max;              /* seconds until a release at most (RFC 4865); 0: no FUTURERELEASE */
	uint64_t priority_size_max;     /* octets of a message with a priority above 0; 0: as any */
	struct env env;
};

struct smtp_session_facts {             /* what the driver knows of one session */
	struct span peer;               /* address literal with brackets; must outlive the session */
	struct span cipher, group;      /* of the TLS session, empty before it; must outlive the session */
	bool tls;                       /* implicit TLS is up */
	bool starttls;                  /* this listener offers STARTTLS, TLS is not up */
	bool local;                     /* a pipe to a user whom the system knows (sendmail -bs): hello is proof enough, no AUTH */
};

struct smtp_io {
	struct buf out;                 /* to the client; room for SMTP_REPLY_ROOM at each call, or SMTP_WANT_FLUSH comes */
	struct buf content;             /* message octets to keep; room for SMTP_CONTENT_ROOM, or SMTP_WANT_STORE comes */
};

enum smtp_want {
	SMTP_WANT_INPUT,
	SMTP_WANT_FLUSH,
	SMTP_WANT_STORE,
	SMTP_WANT_MEMORY,
	SMTP_WANT_VERDICT,
	SMTP_WANT_STARTTLS,
	SMTP_WANT_CLOSE,
};

enum smtp_ask_kind {
	SMTP_ASK_NONE,
	SMTP_ASK_AUTH_START,    /* mechanism, has_octets (initial response) and octets */
	SMTP_ASK_AUTH_NEXT,     /* octets: the response */
	SMTP_ASK_AUTH_CANCEL,   /* the client said "*", or sent bad base64, or too long a line; answered OK at once */
	SMTP_ASK_SENDER,        /* path, params: may this principal use it; is there room. OK opens a draft */
	SMTP_ASK_RCPT,          /* path, rcpt: add to the draft */
	SMTP_ASK_DATA,          /* content comes now; OK needs smtp_answer.queue_id */
	SMTP_ASK_AUTHOR,        /* octets: value of From, when an author in it is not the reverse-path */
	SMTP_ASK_COMMIT,        /* make it durable; only OK lets 250 be said */
	SMTP_ASK_ABORT,         /* forget the draft; answered OK at once */
};

/* How an AUTH exchange stands after START or NEXT. */
enum smtp_auth_state { SMTP_AUTH_FAILED, SMTP_AUTH_CHALLENGE, SMTP_AUTH_DONE };

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_notify {                      /* bits; 0: the parameter was not given */
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

struct smtp_ask {
	enum smtp_ask_kind kind;
	enum smtp_mechanism mechanism;
	bool has_octets;
	struct span octets;             /* AUTH: base64 text that base64_valid() has passed, "=" already made empty;
	                                   AUTHOR: the value of From. Points into the input, or into the lent memory */
	struct mailbox path;            /* SENDER: whole is empty for <> */
	/* SENDER */
	uint64_t size;                  /* SIZE=, 0 when not given */
	enum smtp_body body;
	enum smtp_ret ret;
	bool utf8, requiretls;          /* SMTPUTF8, REQUIRETLS (RFC 8689 2) */
	struct span envid;              /* xtext as received, at most 100 */
	struct span auth;               /* AUTH= as received (RFC 4954 5), at most 500 */
	struct smtp_terms terms;
	/* RCPT */
	uint32_t notify;
	struct span orcpt;              /* "type;xtext" as received, at most 500 */
};

struct smtp_answer {
	struct verdict verdict;         /* OK or why not; words replace the row's text */
	enum smtp_auth_state auth;      /* AUTH_START, AUTH_NEXT */
	struct span challenge;          /* raw octets of a challenge, encoded by the engine; at most SMTP_CHALLENGE_MAX */
	uint64_t queue_id;              /* DATA; COMMIT: of the message that this one repeats, 0: it is no such */
	const uint8_t *digest_key;      /* DATA: of SIPHASH_KEY octets, when the driver wants smtp_server_digest(); else NULL */
	bool lowered; int8_t priority;  /* SENDER: it gets this priority, and not what it asked for (RFC 6710 4.1) */
	uint16_t code; const char *enhanced;    /* SENDER, RCPT, COMMIT refused, COMMIT taken in somebody else's words: their code, and one of its class; 0: not */
};

/* Lent for one transaction, given back when smtp_server_reclaim() says so. */
struct smtp_mail {
	struct header_scan header;
	uint8_t reverse_path[PATH_MAX_OCTETS];
	uint16_t reverse_path_len;
	uint8_t recipient[PATH_MAX_OCTETS];     /* the first one, for the trace field */
	uint16_t recipient_len;
	uint64_t size;                  /* octets of content as received (RFC 1870 5) */
	uint64_t taken;                 /* the same with stuffed dots, refused or not */
	uint64_t queue_id;
	uint64_t chunk_left;            /* of the BDAT in progress */
	uint32_t line;                  /* number of the content line we are in, from 1 */
	uint32_t column;                /* octets of that line so far, without CRLF */
	uint32_t rcpts;                 /* accepted */
	uint32_t rcpt_commands;         /* all of them, for LIMITS RCPTMAX (RFC 9422 4.1) */
	uint32_t overshoot;             /* and those beyond it */
	enum smtp_body body;
	struct smtp_terms terms;
	enum fail fail;                 /* first thing wrong with the content */
	uint32_t fail_line;
	const char *fail_words;
	const char *unfit; uint32_t unfit_line; /* the first thing in the body that may not be sent as it is; NULL: nothing */
	bool utf8, requiretls, digesting;
	bool eightbit;                  /* content has octets above 127 */
	struct siphash digest;          /* of the content as the client sent it */
	/* Private to smtp/content.c. */
	bool in_body;                   /* the header section is behind us */
	uint16_t partial_len;
	uint8_t partial[SMTP_TEXT_LINE_MAX + 2];        /* a line that a BDAT chunk cut in two */
};

/* The states, in order of trust; see smtp/server.c for what is true in each. */
enum smtp_state {
	SMTP_OPENED,            /* greeted by us; no EHLO yet */
	SMTP_GREETED,           /* EHLO or HELO said */
	SMTP_PROVING,           /* inside an AUTH exchange */
	SMTP_READY,             /* authenticated */
	SMTP_MAIL,              /* MAIL accepted */
	SMTP_RCPT,              /* at least one RCPT accepted */
	SMTP_BODY,              /* content is coming: DATA or a BDAT chunk */
	SMTP_CHUNKS,            /* between BDAT chunks */
	SMTP_CLOSED,
	SMTP_STATE_MAX
};

struct smtp_server {
	const struct smtp_server_conf *conf;
	struct smtp_io *io;
	struct smtp_session_facts facts;
	struct smtp_mail *mail;         /* NULL outside a transaction */
	struct smtp_ask ask;            /* what SMTP_WANT_VERDICT is about */
	enum smtp_state state;
	enum smtp_want want;
	uint64_t discard;               /* octets of a refused BDAT still to swallow */
	uint64_t chunk;                 /* octets of the BDAT in progress */
	uint64_t discarded;             /* octets of refused BDATs, and of lines that are too long, since the last accepted message */
	uint32_t heard;                 /* octets before AUTH */
	uint16_t errors, auth_failures, nothings, tries;
	uint32_t strays;                /* RCPT, DATA and BDAT that came to nothing since MAIL */
	uint8_t later;                  /* enum fail to answer when a long line or a refused BDAT has been swallowed */
	uint8_t then;                   /* what follows STORE or ABORT; private */
	bool esmtp;                     /* EHLO, not HELO */
	bool authenticated;
	bool foreign;                   /* closed by us at a line of HTTP, without a word */
	bool swallowing;                /* inside a line that was too long */
	bool drafting;                  /* the driver has an open draft */
	bool dot_data;                  /* SMTP_BODY by DATA, not by BDAT */
	bool chunk_is_last;
	uint8_t helo_len;
	uint8_t helo[SMTP_HELO_MAX];
};

/* May a refusal have this code and this enhanced code (RFC 3463 2)? 4xx or 5xx, but not 421, which is ours to say; of one class. */
bool smtp_refusal_valid(uint32_t code, struct span enhanced);

enum smtp_want smtp_server_begin(struct smtp_server *, const struct smtp_server_conf *, struct smtp_io *,
    struct smtp_session_facts);
enum smtp_want smtp_server_feed(struct smtp_server *, struct span in, size_t *used);
enum smtp_want smtp_server_go_on(struct smtp_server *);
enum smtp_want smtp_server_lend(struct smtp_server *, struct smtp_mail *);
enum smtp_want smtp_server_answer(struct smtp_server *, const struct smtp_answer *);
enum smtp_want smtp_server_secured(struct smtp_server *, struct smtp_session_facts);

/* End the session from outside: FAIL_TIMEOUT, FAIL_SHUTDOWN, FAIL_CROWDED and the like, with a 421 in io->out. Gives SMTP_WANT_CLOSE; an open
 * draft is the driver's to abort. */
enum smtp_want smtp_server_end(struct smtp_server *, enum fail why);

/*
 * At COMMIT: a hash of the content as the client sent it, without what we add and with what we take out (Bcc), however it was cut
 * into chunks. False: nobody wanted it, or the message had no Message-ID of its own, by which two can be told to be the same one.
 */
bool smtp_server_digest(const struct smtp_server *, uint8_t digest[SIPHASH_WIDE]);

/* The lent memory when the transaction is over, else NULL; call after each step while s->mail is lent. The engine forgets it. */
struct smtp_mail *smtp_server_reclaim(struct smtp_server *);

/* Asserts what must be true in this state. Changes nothing. */
void smtp_server_check(const struct smtp_server *);

#endif
