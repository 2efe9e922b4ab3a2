/*
 * sasl/context.h - the one GNU SASL context of the process, and what its two users share. Private to this room.
 *
 * Owner     made at the first call, lives as long as the process. Single-threaded: the loop's thread only.
 */
#ifndef POSTERN_SASL_CONTEXT_H
#define POSTERN_SASL_CONTEXT_H

#include <gsasl.h>

#include "base/span.h"
#include "smtp/server.h"

/* The numbers of enum tls_binding_type, which this room may not include. */
enum { SASL_BINDING_NONE, SASL_BINDING_UNIQUE, SASL_BINDING_EXPORTER };

/* NULL when memory is short. */
Gsasl *sasl_context(void);
/* The session's channel binding as GNU SASL wants it; NONE sets nothing. False when memory is short or the octets are too many. */
bool sasl_set_binding(Gsasl_session *, int binding_type, struct span binding);
/* gsasl_finish() after overwriting the copies of the password that the session can reach. NULL is harmless. */
void sasl_finish(Gsasl_session *);
/* free() after overwriting. NULL is harmless. */
void sasl_free_output(char *output, size_t len);

/* What the server side answers when GNU SASL asks for a property; the session's hook leads to it. */
struct sasl_hook {
	int (*property)(void *arg, Gsasl_session *, Gsasl_property);
	void *arg;
};

#endif
