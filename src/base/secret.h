/*
 * base/secret.h - bytes that must not outlive their use: passwords, sender keys, SASL responses.
 *
 * Owner     the caller; every struct secret ends in secret_wipe() on every path.
 * Never     is logged, printed or compared with memcmp(); secret_equal() takes the same time for all bytes.
 */
#ifndef POSTERN_BASE_SECRET_H
#define POSTERN_BASE_SECRET_H

#include "base/span.h"

enum { SECRET_MAX = 1024 };

struct secret {
	uint8_t p[SECRET_MAX];
	size_t len;
};

/* Copy s in; false, and the secret empty, when it is longer than SECRET_MAX. */
bool secret_set(struct secret *, struct span s);
/* Overwrite with zeros in a way the compiler keeps. */
void secret_wipe(struct secret *);
/* The same for bytes that are no struct secret: a line buffer that held an AUTH line. */
void wipe(void *p, size_t len);
/* Time depends on the lengths alone. */
bool secret_equal(struct span a, struct span b);

#endif
