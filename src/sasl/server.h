/*
 * sasl/server.h - the other side of an AUTH exchange, through GNU SASL: PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 and -PLUS (RFC 5802,
 * 7677; binding RFC 5929, 9266). No account is known here: SCRAM asks for a verifier, PLAIN and LOGIN hand out what was said.
 *
 *	switch (sasl_server_step(s, has_input, input, out)) {
 *	case SASL_CHALLENGE:  send out, step again with the response
 *	case SASL_PASSWORD:   check s->login and s->password yourself
 *	case SASL_PROVED:     SCRAM: s->login has proved that it knows the verifier's secret
 *	case SASL_REFUSED:    s->why says why, in words for the operator
 *	}
 *
 * Owner     the caller, until sasl_server_end(). Secrets: login and password are wiped there.
 * Blocks    never. Single-threaded: the loop's thread only.
 */
#ifndef POSTERN_SASL_SERVER_H
#define POSTERN_SASL_SERVER_H

#include "base/buf.h"
#include "base/secret.h"
#include "sasl/context.h"
#include "sasl/verifier.h"

enum { SASL_LOGIN_MAX = 255, SASL_PASSWORD_MAX = 255 };         /* RFC 4616 2: not less */

enum sasl_step { SASL_CHALLENGE, SASL_PASSWORD, SASL_PROVED, SASL_REFUSED };

/* Always gives a verifier: of the account, or a fake that nothing matches (scram-7). login is prepared. */
typedef void sasl_verifier_of(void *arg, struct span login, struct verifier *out);

struct sasl_server {
	Gsasl_session *session;
	enum smtp_mechanism mechanism;
	struct sasl_hook hook;
	sasl_verifier_of *verifier_of;
	void *arg;
	const char *why;
	unsigned steps;
	bool has_verifier;              /* SCRAM asked for it */
	bool said_last;                 /* SCRAM: v= is out, the client owes an empty response (scram-16) */
	bool caught;                    /* PLAIN, LOGIN: login and password are here */
	struct secret login;            /* prepared */
	struct secret password;         /* prepared */
};

/* False: memory is short, or the mechanism is none of ours. */
bool sasl_server_begin(struct sasl_server *, enum smtp_mechanism, int binding_type, struct span binding, sasl_verifier_of *, void *arg);
enum sasl_step sasl_server_step(struct sasl_server *, bool has_input, struct span input, struct buf *out);
void sasl_server_end(struct sasl_server *);

#endif
