/*
 * cmd/send.h - what the files of `postern send` and sendmail say to each other: options, account, message, link, session.
 *
 *	send.c            `postern send`: the order of the steps
 *	send_sendmail.c   the same as sendmail, mailq, newaliases
 *	send_options.c    both command lines
 *	send_account.c    ~/.config/postern/accounts
 *	send_rcpts.c      who it is for
 *	send_password.c   where the password comes from
 *	send_terms.c      when, how soon and by when
 *	send_message.c    input to a message that may be submitted, kept in an unlinked file
 *	send_encode.c     a message whose body cannot go as it is
 *	send_link.c       sockets and TLS, with deadlines
 *	send_session.c    the driver of smtp/client: send_session.h
 *	send_submit.c     a message and its recipients through it
 *	send_report.c     words and exit status
 *	send_stdio.c      sendmail -bs: the driver of smtp/server on standard input and output
 *
 * Owner     the command's main function, of everything. Blocks: all of it.
 * Fails     false, with words on stderr already and the status (sysexits(3)) in send->status.
 * Secrets   the password is in struct send and nowhere else; send_end() wipes it.
 */
#ifndef POSTERN_CMD_SEND_H
#define POSTERN_CMD_SEND_H

#include <stdarg.h>
#include <sysexits.h>

#include "base/secret.h"
#include "conf/conf.h"
#include "smtp/client.h"

enum {
	SEND_RCPTS_MAX = 10000,                         /* recipients of one call */
	SEND_MESSAGE_MAX = 1024 * 1024 * 1024,          /* octets of a message; the server's own limit is usually smaller */
	SEND_CONNECT_SECONDS = 30,                      /* for one address, and for a TLS handshake */
	SEND_WORDS_MAX = 2000,
	SEND_ENVID_MAX = 100,                           /* octets of xtext; RFC 3461 5.4 */
};

enum send_mode { SEND_DELIVER, SEND_STDIO, SEND_LIST_QUEUE, SEND_VERIFY, SEND_NOTHING };

struct send_options {
	enum send_mode mode;
	const char *server, *user, *ca, *password_command;      /* NULL: the account's */
	const char *account, *accounts_file;
	const char *from, *name;        /* reverse-path; the person's name for a missing From */
	const char *file;               /* NULL or "-": standard input */
	const char *helo;
	const char *envid;              /* xtext is made of it */
	uint32_t notify;
	enum smtp_ret ret;
	uint32_t seconds;
	char hold[40];                  /* "FOR=3600", "UNTIL=2026-11-22T10:00:00Z"; empty: at once */
	uint64_t deliver_by;            /* ms since 1970; 0: whenever */
	int8_t priority;
	bool by_return, by_trace;
	bool null_sender;               /* -f "" or -f "<>" */
	bool read_recipients;           /* -t */
	bool dot_ends;
	bool verbose, quiet;
	bool ask_terminal;              /* a password may be asked for */
};

/* What came of one recipient. */
enum send_fate { SEND_WAITING, SEND_ELSEWHERE, SEND_TAKEN, SEND_LATER, SEND_NEVER };       /* ELSEWHERE: in a further session */

struct send_rcpt {
	char *address;                  /* NUL-terminated, ours */
	enum send_fate fate;
};

struct send_message {
	int fd;                         /* CRLF, ready to be sent; -1: none */
	uint64_t size;
	bool eightbit, utf8;
};

struct send {
	struct send_options options;
	const char *program;            /* for the front of an error */
	struct conf_relay server;       /* always a smart host */
	bool guess;                     /* only a name was given: 587 when nobody listens on 465 (8314-4) */
	bool from_made;                 /* nobody said who sends: the login name at this host */
	bool plain;                     /* smtp://: loopback only, without TLS */
	struct conf_text ca;            /* empty: the system's */
	char password_command[1024];
	struct secret password;
	char from[512], domain[256], host[256];         /* author and reverse-path; for addresses without one; our name */
	struct send_rcpt *rcpts;
	uint32_t rcpt_count, rcpt_room;
	struct send_message message;
	int status;                     /* the worst so far */
	char said[SMTP_REPLY_KEPT + 1]; /* the server's last words on an accepted message */
	char failed[SMTP_REPLY_KEPT + 1];       /* the last words of send_fail() */
	uint32_t taken;
};

void send_init(struct send *, const char *program);
/* Wipes and frees. Returns the status. */
int send_end(struct send *);

/* send_report.c: "PROGRAM: words" on stderr; the status becomes the worse of both. Always false. */
bool send_fail(struct send *, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void send_verbose(const struct send *, const char *mark, struct span line);
/* One outcome, told to the user unless it is good news. */
void send_outcome(struct send *, const struct smtp_outcome *, const char *address);
/* The reply's words without enhanced code and without octets a terminal could mistake for orders. */
void send_clean(struct span text, char *out, size_t room);

/* send_options.c */
bool send_options_parse(struct send *, int argc, char **argv);
bool sendmail_options_parse(struct send *, int argc, char **argv);

/* send_terms.c */
bool send_take_hold_for(struct send *, const char *text);
bool send_take_hold_until(struct send *, const char *text);
bool send_take_priority(struct send *, const char *text);
bool send_take_deliver_by(struct send *, const char *text);
/* For MAIL; the seconds are those from now on. */
struct smtp_client_terms send_terms(const struct send *);

/* send_rcpts.c: what stands on a command line is kept as it is; once the account is known it is taken apart and completed. */
bool send_add_rcpt(struct send *, const char *address);
void send_forget_rcpts(struct send *);
bool send_settle_rcpts(struct send *);
bool send_is_ascii(const char *address);
/* The other form of a domain that is not ASCII (RFC 5891 4.4); false: it has none. */
bool send_a_labels(struct span domain, struct buf *out);
/* local@domain, the domain in A-labels unless what stands before it needs SMTPUTF8 anyhow. */
bool send_put_address(struct span local, struct span domain, struct buf *out);

/* send_account.c: options, then the account, then the environment, into server, ca, from, domain, host. */
bool send_account(struct send *);

/* send_password.c: false when one is needed and there is none. */
bool send_password(struct send *);

/* send_message.c: read the input, add the recipients of -t, keep the message. */
bool send_message_read(struct send *);
/* send_encode.c: s->message becomes what may be sent, with octets above 127 or without; `why` in words. False when that would break it. */
bool send_encode(struct send *, bool eightbit, const char *why);
/* An unlinked file for a message, or -1; then send_fail_file() says why. */
int send_message_file(void);
bool send_fail_file(struct send *);

/* NUL-terminated, empty for the null reverse-path. */
const char *send_reverse_path(const struct send *);

/* send_submit.c: hand the message over. */
bool send_submit(struct send *);

/* send_stdio.c */
bool send_stdio(struct send *);

#endif
