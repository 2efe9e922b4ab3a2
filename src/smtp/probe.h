/*
 * smtp/probe.h - one conversation with a server that is being examined. Pure: RFC 5321, 3207, 4954, 8314.
 *
 * Where a client would go, smtp/client goes: greeting, EHLO, STARTTLS, AUTH, QUIT. Where none would - AUTH in clear, MAIL without a login,
 * octets behind STARTTLS, odd ends of a message - steps are put in, which are rows of a table. What is learned is said as facts,
 * under the keys of audit/transcript.h; what it means is not asked here.
 *
 *	want = smtp_probe_begin(p, conf, io);
 *	for (;;) switch (want) {
 *	case SMTP_PROBE_INPUT:        send io->out, read for smtp_probe_patience() ms;
 *	                                              want = smtp_probe_feed(p, in, &used), or smtp_probe_lost(p, closed)
 *	case SMTP_PROBE_SHAKE:        drop every byte already read, shake hands, look at what came of it;
 *	                                              want = smtp_probe_secured(p), or do something else on this connection
 *	case SMTP_PROBE_LOGIN:        choose a mechanism out of p->client.caps.mechanisms; want = smtp_probe_login(p, mechanism, initial),
 *	                                              or smtp_probe_decline(p, why)
 *	case SMTP_PROBE_CHALLENGE:    p->client.challenge (decoded); want = smtp_probe_respond(p, response), or smtp_probe_decline(p, why)
 *	case SMTP_PROBE_DONE:         send io->out, hang up
 *	}
 *
 * Input that feed() did not use stays with the driver and is given again, with more behind it, at the next INPUT; only when
 * feed() then uses nothing of it there is something to read. io->out must hold SMTP_CLIENT_OUT_ROOM octets and the response in base64.
 *
 * Owner     struct smtp_probe and io belong to the driver. What conf points to outlives the conversation.
 * Secrets   the response is encoded into io->out, which the driver wipes when sent.
 * Blocks    never. Fails: whatever the peer does ends in DONE; what no honest server does is in hostile.
 */
#ifndef POSTERN_SMTP_PROBE_H
#define POSTERN_SMTP_PROBE_H

#include "smtp/client.h"

enum {
	SMTP_PROBE_TEXT_MAX = 1000,             /* octets of a reply's line that are kept */
	SMTP_PROBE_EHLO_MAX = 16 * 1024,        /* octets of an EHLO reply; more is hostile */
	SMTP_PROBE_ENDINGS = 5,                 /* what ends a message that should not */
	SMTP_PROBE_SENDER_MAX = 512,
};

enum smtp_probe_plan {
	SMTP_PROBE_GREETING,    /* hear the greeting */
	SMTP_PROBE_REACH,       /* as far as the handshake; nothing is said */
	SMTP_PROBE_GLANCE,      /* EHLO in clear; nothing is said but whether there is STARTTLS, in starttls */
	SMTP_PROBE_LOOK,        /* EHLO in clear */
	SMTP_PROBE_CLEAR,       /* EHLO, AUTH without a response, MAIL, all in clear */
	SMTP_PROBE_INJECTION,   /* a command in one piece with STARTTLS (3207-7) */
	SMTP_PROBE_LOOK_TLS,    /* EHLO over TLS */
	SMTP_PROBE_TLS,         /* EHLO, MAIL, VRFY, EXPN over TLS */
	SMTP_PROBE_SENDER,      /* the login, and a reverse-path that cannot be its own (RFC 6409 6.1) */
	SMTP_PROBE_ENDING,      /* the login if there is one, and a message whose end is not CRLF . CRLF (RFC 5321 2.3.8, 4.1.1.4) */
	SMTP_PROBE_STRIPPED,    /* how far a client comes in clear whose STARTTLS was taken away on the way */
	SMTP_PROBE_STRIPPED_HELO,       /* the same for one whose EHLO was taken away too */
	SMTP_PROBE_WAIT,        /* hear the greeting; nothing is said, and the connection is left as it is */
	SMTP_PROBE_ENTER,       /* EHLO over TLS and the login if there is one; the connection is left as it is too */
	SMTP_PROBE_PLANS
};

struct smtp_probe_conf {
	enum smtp_probe_plan plan;
	bool implicit;                  /* TLS comes first: the first thing wanted is SHAKE */
	bool login;                     /* there are credentials */
	struct span sender;             /* ENDING: the reverse-path, empty for <>; at most SMTP_PROBE_SENDER_MAX octets */
	uint8_t ending;                 /* ENDING: which one, or with SMTP_PROBE_ENDINGS all of them, one behind the other */
	void (*say)(void *arg, const char *key, struct span value);
	void *arg;
};

enum smtp_probe_want { SMTP_PROBE_INPUT, SMTP_PROBE_SHAKE, SMTP_PROBE_LOGIN, SMTP_PROBE_CHALLENGE, SMTP_PROBE_DONE };

struct smtp_probe {
	const char *hostile;            /* what it did that no honest server does, in words; NULL: nothing */
	bool starttls;                  /* EHLO offered it */
	bool inside;                    /* everything that comes before the plan's own steps went well, a login too */
	uint32_t replies;               /* whole ones so far */
	uint16_t code;                  /* of the newest line; 0: none came */
	struct buf text;                /* of the newest line */
	bool begun;                     /* ENDING: it wanted content */
	bool taken;                     /* ENDING: it said 2yz to an end that is none */
	/* The rest is the engine's own. */
	struct smtp_probe_conf conf;
	struct smtp_io *io;
	struct smtp_client client;
	struct smtp_client_conf client_conf;
	struct smtp_reply_reader reader;
	enum smtp_probe_want want;
	uint8_t phase;                  /* enum probe_phase */
	uint8_t step;                   /* of the plan's steps, the next one */
	bool secured;                   /* TLS is up */
	bool injected, proving, greeted;
	struct buf ehlo;                /* the lines of an EHLO reply, each with LF behind */
	uint8_t text_octets[SMTP_PROBE_TEXT_MAX];
	uint8_t ehlo_octets[SMTP_PROBE_EHLO_MAX];
};

enum smtp_probe_want smtp_probe_begin(struct smtp_probe *, const struct smtp_probe_conf *, struct smtp_io *);
enum smtp_probe_want smtp_probe_feed(struct smtp_probe *, struct span in, size_t *used);
/* Nothing came in time, or the peer has closed. */
enum smtp_probe_want smtp_probe_lost(struct smtp_probe *, bool closed);
enum smtp_probe_want smtp_probe_secured(struct smtp_probe *);
/* Raw octets; the engine encodes. initial.p == NULL: the mechanism has none. */
enum smtp_probe_want smtp_probe_login(struct smtp_probe *, enum smtp_mechanism, struct span initial);
enum smtp_probe_want smtp_probe_respond(struct smtp_probe *, struct span response);
enum smtp_probe_want smtp_probe_decline(struct smtp_probe *, struct span why);

/* ms to wait for the peer now, of one who waits so many for an ordinary answer. */
uint32_t smtp_probe_patience(const struct smtp_probe *, uint32_t usual);
/* Would an honest server answer now? After a farewell, or an end that is none, silence is no wonder. */
bool smtp_probe_awaits_reply(const struct smtp_probe *);
/* Is it the first word of all? A server should be given more time for it (RFC 5321 4.5.3.2.1). */
bool smtp_probe_awaits_greeting(const struct smtp_probe *);
/* Has a part of a reply come? */
bool smtp_probe_is_within_reply(const struct smtp_probe *, struct span unused);
void smtp_probe_check(const struct smtp_probe *);

#endif
