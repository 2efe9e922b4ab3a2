/*
 * tls/inspect.h - what clients will not like about a chain that can be served all the same.
 *
 * Owner     nothing is kept between calls.
 * Blocks    on the disk: this machine's CA certificates are looked at.
 */
#ifndef POSTERN_TLS_INSPECT_H
#define POSTERN_TLS_INSPECT_H

#include "base/buf.h"

/* say() hears each finding once: words that name the certificate and what to do; NUL-terminated, good during the call.
 * Order and completeness (RFC 5246 7.4.2, RFC 8446 4.4.2), certificates above the leaf that have ended or are weak. */
void tls_chain_inspect(struct span chain_pem, void (*say)(void *arg, const char *words), void *arg);

/* Is the leaf good for this host name? As clients see it (RFC 9525): subjectAltName only. False when it does not parse. */
bool tls_certificate_covers(struct span chain_pem, const char *name);
/* Do both leaves have the same names and different kinds of key? Then they are served side by side, by the client's algorithms. */
bool tls_certificates_side_by_side(struct span chain_pem, struct span other_pem);

#endif
