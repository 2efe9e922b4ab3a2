/*
 * tls/client.h - TLS towards a server: verification is on unless the caller is opportunistic (RFC 7817, 9525).
 *
 * Names are matched against dNSName (or iPAddress for a literal) only, never CN; wildcards are one whole left-most label.
 *
 * Owner     the caller, until tls_client_free().
 */
#ifndef POSTERN_TLS_CLIENT_H
#define POSTERN_TLS_CLIENT_H

#include "tls/session.h"

struct tls_client;

enum tls_verify {
	TLS_VERIFY,             /* chain and name, or the handshake fails */
	TLS_VERIFY_NOTHING,     /* opportunistic relaying on port 25 only */
};

/* ca_file: PEM file of trusted CAs, NULL for the system's. NULL with words in why when it cannot be read. */
struct tls_client *tls_client_new(const char *ca_file, struct buf *why);
void tls_client_free(struct tls_client *);
/* name: host name (also SNI) or address literal without brackets; NUL-terminated. Resumes an earlier session to the same name
 * when there is one. NULL when memory is short. */
struct tls_session *tls_connect(struct tls_client *, int fd, const char *name, enum tls_verify);
/* After the handshake: was the chain trusted and the name right (also known under TLS_VERIFY_NOTHING)? */
bool tls_verified(const struct tls_session *);

#endif
