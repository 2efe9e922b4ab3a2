/*
 * milter/milter.h - the MTA's half of one connection to a milter: protocol version 6 of Sendmail's libmilter (and 2 to 5). Pure.
 *
 * A milter is asked about each recipient when he is named, and then about the whole message (milter_mail.open); or about a message that is
 * whole already: then all stages of its SMTP session are played to it one after the other. The
 * driver gives bytes and takes wants, one outstanding at a time:
 *
 *	want = milter_open(t, ...);
 *	for (;;) switch (want) {
 *	case MILTER_WANT_FLUSH:   send t->out, all of it;                            want = milter_go_on(t)
 *	case MILTER_WANT_INPUT:   send t->out when there is any; read;               want = milter_feed(t, in, &used)
 *	case MILTER_WANT_MAIL:    options are agreed on; when there is a message:    want = milter_begin(t, mail)
 *	case MILTER_WANT_RCPT:    t->verdict is about the recipient that was shown, PASS or REFUSE; send t->out when there is any. When there
 *	                          is another one, or the message is whole:           want = milter_more(t, mail)
 *	case MILTER_WANT_BODY:    b = milter_body_room(t), fill it (0 at the end);   want = milter_body(t, octets)
 *	case MILTER_WANT_EDIT:    do what t->edit says, or give up;                  want = milter_go_on(t)
 *	case MILTER_WANT_VERDICT: t->verdict; then milter_suits() says which message may be begun with next
 *	case MILTER_WANT_FAIL:    t->why; hang up
 *	}
 *
 * Edits come in the order in which the milter asked for them and count only when the verdict is MILTER_PASS. What they hold has been
 * looked at: a milter is a program of others. A packet may come in any split; feed() uses whole ones only, one at a time, so
 * the driver needs room for MILTER_IN octets.
 *
 * Owner     struct milter_talk, out and mail belong to the driver; spans of edit point into the input of the last feed().
 * Blocks    never.
 * Fails     MILTER_WANT_FAIL: it broke the protocol. Nothing more may be said on this connection.
 */
#ifndef POSTERN_MILTER_MILTER_H
#define POSTERN_MILTER_MILTER_H

#include "base/buf.h"

enum {
	MILTER_VERSION = 6,
	MILTER_VERSION_LEAST = 2,
	MILTER_CHUNK = 65535,                   /* octets of body in one packet, and of anything that libmilter takes */
	MILTER_PACKET_MAX = 128 * 1024,         /* that a milter may send; libmilter sends body in pieces of 65535 */
	MILTER_IN = 4 + MILTER_PACKET_MAX,
	MILTER_STEP = 5 + MILTER_CHUNK + 4096,  /* what one command with its macros takes at most */
	MILTER_OUT = 2 * MILTER_STEP,           /* of t->out; less than MILTER_STEP will not do */
	MILTER_SYMBOLS_MAX = 512,               /* octets of the names of macros that a milter asks for at one stage */
	MILTER_STAGES = 7,                      /* at which it may ask for macros */
	MILTER_TEXT_MAX = 400,                  /* of a reply */
	MILTER_EDITS_MAX = 2000,                /* of one message by one milter */
	MILTER_CLIENT_MAX = 1024,               /* octets of what makes a client the same one */
	MILTER_PROGRESS_MAX = 10000,            /* "still busy" of one message */
};

enum milter_want {
	MILTER_WANT_FLUSH,
	MILTER_WANT_INPUT,
	MILTER_WANT_MAIL,
	MILTER_WANT_RCPT,
	MILTER_WANT_BODY,
	MILTER_WANT_EDIT,
	MILTER_WANT_VERDICT,
	MILTER_WANT_FAIL,
};

/* What is the same for every message. */
struct milter_conf {
	struct span hostname;           /* macro j */
	struct span version;            /* macro v: "Postern 0.1.0" */
};

/* One message. Everything outlives the talk about it. */
struct milter_mail {
	struct span id;                 /* macro i */
	struct span peer;               /* address text, "192.0.2.7" or "2001:db8::1" */
	struct span helo;
	struct span tls_version, cipher;
	struct span login, mechanism;
	struct span reverse_path;       /* empty: <> */
	uint32_t rcpts;
	struct span (*rcpt)(void *arg, uint32_t number);        /* local@domain */
	void *arg;
	struct span header;             /* the section, without the empty line; its first Received, which is ours, is not shown */
	uint64_t size;                  /* of the whole content */
	bool eightbit, utf8;
	bool open;                      /* more recipients may come: of header and what follows nothing is known, size is as declared, and rcpts
	                                 * are those to be shown now */
};

enum milter_edit_kind {
	MILTER_ADD_HEADER,              /* name, value: at the end of the section */
	MILTER_INSERT_HEADER,           /* name, value, index: how many fields stand before it, ours among them */
	MILTER_CHANGE_HEADER,           /* name, value (empty: away with it), index: the how manieth of that name, from 1 */
	MILTER_REPLACE_BODY,            /* octets: the next ones of the new body, as they came: milter/lines.h makes them legal */
	MILTER_CHANGE_SENDER,           /* path: empty is <> */
	MILTER_ADD_RCPT,                /* path */
	MILTER_DELETE_RCPT,             /* path */
	MILTER_QUARANTINE,              /* octets: why, printable */
};
struct milter_edit {
	enum milter_edit_kind kind;
	uint32_t index;
	struct span name, value, path, octets;
};

enum milter_kind {
	MILTER_PASS,                    /* it has nothing, or nothing more, against it */
	MILTER_REFUSE,                  /* with code, enhanced, text */
	MILTER_DISCARD,                 /* say yes and throw it away */
};
struct milter_verdict {
	enum milter_kind kind;
	uint16_t code;                  /* 400 to 559, never 421 */
	char enhanced[12];              /* NUL-terminated, of the code's class */
	uint8_t text[MILTER_TEXT_MAX];  /* printable ASCII */
	size_t text_len;
};

/* In the order of a session; CLOSED is after a failure. */
enum milter_state {
	MILTER_OPENING, MILTER_READY, MILTER_CONNECT, MILTER_HELO, MILTER_MAIL, MILTER_RCPT, MILTER_DATA, MILTER_HEADER, MILTER_EOH,
	MILTER_BODY, MILTER_END, MILTER_OVER, MILTER_CLOSED, MILTER_STATES
};

/* Which message the connection is good for next. libmilter forgets a client only after a message that it let go on to its end. */
enum milter_reuse { MILTER_REUSE_NOT, MILTER_REUSE_CLIENT, MILTER_REUSE_ANY };

struct milter_talk {
	const struct milter_conf *conf;
	const struct milter_mail *mail;         /* NULL between messages */
	struct buf out;                         /* lent by the driver */
	enum milter_state state;
	enum milter_want want;
	uint32_t version, actions, protocol;    /* as agreed on */
	uint32_t rcpt;                          /* the next one */
	uint32_t edits, progress;
	struct span header;                     /* still to be shown */
	bool ours_shown;                        /* our own Received has been passed over */
	bool skipping;                          /* it wants to hear of no more recipients */
	enum milter_reuse reuse;
	struct milter_edit edit;
	struct milter_verdict verdict;
	const char *why;                        /* static words */
	bool unshowable;                        /* FAIL lies in the message, which the protocol cannot carry: so will each further try */
	uint16_t client_len;
	uint8_t client[MILTER_CLIENT_MAX];      /* of the newest message: address, HELO, TLS, login */
	uint16_t symbols_len[MILTER_STAGES];
	bool has_symbols[MILTER_STAGES];
	char symbols[MILTER_STAGES][MILTER_SYMBOLS_MAX];
};

/* out: at least MILTER_STEP octets, may be replaced in t->out while it is empty. */
enum milter_want milter_open(struct milter_talk *, const struct milter_conf *, struct buf out);
enum milter_want milter_feed(struct milter_talk *, struct span in, size_t *used);
enum milter_want milter_go_on(struct milter_talk *);
/* May this message be begun with now? */
bool milter_suits(const struct milter_talk *, const struct milter_mail *);
enum milter_want milter_begin(struct milter_talk *, const struct milter_mail *);
/* At MILTER_WANT_RCPT: the same message with another recipient (open), or whole. Whole, its recipients are those that were not refused. */
enum milter_want milter_more(struct milter_talk *, const struct milter_mail *);
struct buf milter_body_room(struct milter_talk *);
enum milter_want milter_body(struct milter_talk *, size_t octets);

/* Does the milter put spaces behind the colon by itself (SMFIP_HDR_LEADSPC)? */
bool milter_spaces(const struct milter_talk *);
/* Tell it that we go: a packet into t->out, which the driver may send or not. */
void milter_quit(struct milter_talk *);

#endif
