/*
 * cmd/send_session.h - a session with the submission server, which the command waits for.
 *
 *	s = send_session_begin(send, &want)             NULL: it came to nothing, in words
 *	for (;;) switch (want) {
 *	case SMTP_CLIENT_READY: case SMTP_CLIENT_RCPT: case SMTP_CLIENT_OUTCOME:
 *		as smtp/client.h says; everything else is done here      want = send_session_run(s, want)
 *	case SMTP_CLIENT_CLOSE:
 *	}
 *	send_session_end(s)
 *
 * send_submit.c drives it with a message and recipients that are known, send_stdio.c with envelopes that come through a pipe.
 *
 * Owner     the caller, until send_session_end(), which NULL may be given to. send outlives it.
 * Blocks    for the peer, as long as smtp_client_patience() says.
 * Secrets   io.out and initial while they hold an AUTH response; wiped when sent, and at the end.
 */
#ifndef POSTERN_CMD_SEND_SESSION_H
#define POSTERN_CMD_SEND_SESSION_H

#include "cmd/send.h"
#include "cmd/send_link.h"
#include "sasl/client.h"

enum { OUT_ROOM = 64 * 1024, IN_ROOM = 16 * 1024, RESPONSE_ROOM = 4096 };

struct session {
	struct send *send;
	struct send_link link;
	struct smtp_client client;
	struct smtp_client_conf conf;
	struct smtp_io io;
	struct sasl_client *sasl;
	struct tls_facts tls;
	const char *mechanism;
	struct buf in, initial;
	bool fresh;                     /* something in `in` has not been shown to the engine yet */
	bool content_out;               /* what is in io.out is part of the message */
	bool secret_out, secret_in;     /* what is in io.out, or comes next, is part of an AUTH exchange */
	uint64_t content_at;            /* of send->message; 0 before each transaction */
	char envid[SEND_ENVID_MAX + 1], host[256];
	uint8_t out_octets[OUT_ROOM], in_octets[IN_ROOM], content[OUT_ROOM], initial_octets[RESPONSE_ROOM];
};

struct session *send_session_begin(struct send *, enum smtp_client_want *);
/* Until the caller has something to say: READY, RCPT, OUTCOME, CLOSE. */
enum smtp_client_want send_session_run(struct session *, enum smtp_client_want);
/* At READY: the server has neither said anything unasked nor hung up. */
bool send_session_alive(struct session *);
/* At READY: the server has shown that it knows the password, where the mechanism asks for that; else false, in words. */
bool send_session_proved(struct session *);
void send_session_end(struct session *);
/* False: it does not fit. */
bool send_put_xtext(struct buf *, struct span text);

#endif
