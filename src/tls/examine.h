/*
 * tls/examine.h - TLS towards a server that is being examined: whatever OpenSSL still speaks is accepted, nothing is refused, and
 * what came is told as facts. Never for anything that carries a secret.
 *
 * Owner     the caller, until tls_examiner_free(); sessions are freed first, with tls_free().
 * Blocks    never; the session is driven as tls/session.h says.
 */
#ifndef POSTERN_TLS_EXAMINE_H
#define POSTERN_TLS_EXAMINE_H

#include "tls/session.h"

struct tls_examiner;

/* ca_file: what is trusted, NULL for the system's store. NULL with words in why when it cannot be read. */
struct tls_examiner *tls_examiner_new(const char *ca_file, struct buf *why);
void tls_examiner_free(struct tls_examiner *);
/* name: host name or address literal, NUL-terminated. NULL when memory is short. */
struct tls_session *tls_examine(struct tls_examiner *, int fd, const char *name);
/* Before the handshake: TLS 1.2 at most, which is the last that has renegotiation. */
void tls_examine_old(struct tls_session *);
/* Before the handshake: suites with Diffie-Hellman over a prime only, which TLS 1.2 is the last to have. */
void tls_examine_prime(struct tls_session *);
/* After it: how long was the prime? 0: there was none. */
unsigned tls_examined_prime(const struct tls_session *);
/* After it: ask for a new one (RFC 5246 7.4.1.1); tls_handshake() says whether it comes. False: not in this version. */
bool tls_examine_again(struct tls_session *);
/* After the handshake: every fact that audit/transcript.h has a key for, under that key. */
void tls_examined(const struct tls_session *, void (*say)(void *arg, const char *key, struct span value), void *arg);
/* After the handshake: does the chain verify, for the name that was asked for? */
bool tls_examined_trusted(const struct tls_session *);
/* After the handshake: is the certificate good for this host, whatever its chain? */
bool tls_examined_covers(const struct tls_session *, const char *name);
enum { TLS_FINGERPRINT = 32 };
/* After the handshake: SHA-256 of the certificate. False: there is none. */
bool tls_examined_fingerprint(const struct tls_session *, uint8_t leaf[TLS_FINGERPRINT]);
/* After the handshake: is the certificate, or with usage 0 and 2 one of those above it, what a TLSA record says (RFC 6698 2.1)? */
bool tls_examined_matches(const struct tls_session *, unsigned usage, unsigned selector, unsigned matching, struct span data);

#endif
