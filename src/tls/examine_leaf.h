/*
 * tls/examine_leaf.h - the facts of a certificate that a server showed. Private to the room, and to the fuzzer.
 *
 * Owner     the caller, of everything. Blocks never. The certificate may be anything that OpenSSL could read.
 */
#ifndef POSTERN_TLS_EXAMINE_LEAF_H
#define POSTERN_TLS_EXAMINE_LEAF_H

#include <openssl/x509.h>

#include "base/span.h"

/* Who hears it: a key of audit/transcript.h and its value, good during the call. */
struct tls_teller {
	void (*say)(void *arg, const char *key, struct span value);
	void *arg;
};

void tls_tell(const struct tls_teller *, const char *key, struct span value);
void tls_tell_yes(const struct tls_teller *, const char *key, bool yes);
/* name: the host that was asked for; error: X509_V_ERR_* of the chain, depth: where in it, 0 the leaf; staple: an OCSP response, DER, or empty. */
void tls_leaf_tell(const struct tls_teller *, X509 *leaf, const char *name, int error, int depth, struct span staple);
/* subjectAltName only (RFC 9525). */
bool tls_leaf_covers(X509 *leaf, const char *name);

#endif
