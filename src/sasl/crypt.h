/*
 * sasl/crypt.h - password hashes that another program made, checked by crypt(3) (libxcrypt): yescrypt, bcrypt, sha512crypt, sha256crypt.
 *
 * They know nothing of SCRAM, so they serve PLAIN and LOGIN only.
 *
 * Owner     the caller.
 * Blocks    crypt_check() for as long as the hash's cost says, up to seconds: call it from a worker thread only.
 */
#ifndef POSTERN_SASL_CRYPT_H
#define POSTERN_SASL_CRYPT_H

#include "sasl/verifier.h"

enum { CRYPT_TEXT_MAX = 384 };

/* Take the {SCHEME} that Dovecot writes off the front of a hash, and say whether what is left is one that crypt_check() can check.
 * A bare $6$, $2y$ or $y$ is taken as it is. False: why says what it is instead (static words). */
bool crypt_supported(struct span *hash, const char **why);
/* A damaged hash is MATCH_NO, or MATCH_UNKNOWN where that is like a lack of memory. Thread-safe. secret must not have a NUL inside. yescrypt takes 16 MiB and more for a check. */
enum match crypt_check(struct span hash, struct span secret);

#endif
