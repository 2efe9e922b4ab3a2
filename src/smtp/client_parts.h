/*
 * smtp/client_parts.h - what the files of the client engine say to each other; nobody else includes it.
 *
 *	client.c        the states, the session up to READY, losing and closing
 *	client_auth.c   AUTH (RFC 4954)
 *	client_mail.c   one transaction: envelope and content
 *	client_outcome.c  who is told what
 *	client_terms.c  releases, urgencies, deadlines
 *	client_reply.c  the text of replies, the EHLO list
 */
#ifndef POSTERN_SMTP_CLIENT_PARTS_H
#define POSTERN_SMTP_CLIENT_PARTS_H

#include "smtp/client.h"

enum client_state {
	CLIENT_GREETING,        /* connected; the greeting is awaited */
	CLIENT_EHLO,            /* EHLO said */
	CLIENT_HELO,            /* EHLO was not known: HELO said */
	CLIENT_STARTTLS,        /* STARTTLS said */
	CLIENT_SECURING,        /* 220: the driver shakes hands */
	CLIENT_CHOOSING,        /* the driver chooses a mechanism */
	CLIENT_PROVING,         /* AUTH or a response said */
	CLIENT_ANSWERING,       /* 334: the driver makes a response */
	CLIENT_READY,           /* everything asked for is there; no transaction */
	CLIENT_ENVELOPE,        /* MAIL, RCPT, DATA are being said and answered */
	CLIENT_CONTENT,         /* 354: content goes out */
	CLIENT_FINAL,           /* the final dot is out */
	CLIENT_ASIDE,           /* an examiner's own words are out */
	CLIENT_VOID,            /* a lone dot is out, of a transaction without recipients; its reply means nothing */
	CLIENT_SWEEP,           /* outcomes are told one by one; no input is looked at */
	CLIENT_QUIT,            /* QUIT said */
	CLIENT_CLOSED,
	CLIENT_STATE_MAX
};

/* The only function that changes the state; asserts that the edge is legal. */
void client_enter(struct smtp_client *, enum client_state);
enum smtp_client_want client_want(struct smtp_client *, enum smtp_client_want);

/* Everybody without an outcome gets this one; then the state `then`. text lives until the sweep is over. */
struct client_verdict {
	enum smtp_stage stage;
	enum smtp_class class;
	uint16_t code;
	const char *enhanced;
	struct span text;
};

/* client_outcome.c */
enum smtp_client_want client_sweep(struct smtp_client *, const struct client_verdict *, enum client_state then);
/* The same with what the peer has just replied. */
enum smtp_client_want client_sweep_reply(struct smtp_client *, enum smtp_stage, enum client_state then);
/* One recipient that was refused, by the peer's reply or by our own verdict. */
enum smtp_client_want client_refuse_reply(struct smtp_client *, uint32_t recipient, enum smtp_class);
enum smtp_client_want client_refuse(struct smtp_client *, uint32_t recipient, const struct client_verdict *);
bool client_bit(const uint8_t bits[], uint32_t i);

/* client.c */
/* The peer broke the protocol: nothing more is said to it. */
enum smtp_client_want client_broken(struct smtp_client *, const char *words);
/* The same, with the beginning of the reply that it was. */
enum smtp_client_want client_nonsense(struct smtp_client *, const char *words);
enum smtp_client_want client_ready(struct smtp_client *);
/* The peer knows who we are. */
enum smtp_client_want client_proved(struct smtp_client *);
/* The session ends by our own verdict, or by the peer's. */
enum smtp_client_want client_refuse_session(struct smtp_client *, const struct client_verdict *);
enum smtp_client_want client_session_refused(struct smtp_client *);

/* client_reply.c */
/* Use one line of in, as smtp_reply_read() does, and keep what it says. */
enum smtp_reply_step client_reply_line(struct smtp_client *, struct span in, size_t *used);
enum smtp_class client_reply_class(const struct smtp_client *);
/* "5.1.1" of the reply, or made up of the class, into enhanced. */
void client_reply_enhanced(const struct smtp_client *, enum smtp_class, char enhanced[12]);
/* The octets of words become the reply's text. */
struct span client_reply_keep(struct smtp_client *, struct span words);

/* client_terms.c: NULL, or what the peer cannot be trusted with; into MAIL, as far as it is offered */
const struct client_verdict *client_terms_obstacle(const struct smtp_client *);
void client_terms_put(struct smtp_client *);

/* client_auth.c */
enum smtp_client_want client_auth_reply(struct smtp_client *);

/* client_mail.c */
enum smtp_client_want client_envelope_step(struct smtp_client *);
enum smtp_client_want client_envelope_reply(struct smtp_client *);
enum smtp_client_want client_content_end(struct smtp_client *);
enum smtp_client_want client_final_reply(struct smtp_client *);
enum smtp_client_want client_void_reply(struct smtp_client *);

#endif
