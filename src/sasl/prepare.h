/*
 * sasl/prepare.h - login names and passwords in the form in which they are compared: SASLprep (RFC 4013), as RFC 4616 and RFC 5802 ask.
 *
 * Owner     the caller; out must end in secret_wipe() when it is a password.
 * Blocks    never.
 */
#ifndef POSTERN_SASL_PREPARE_H
#define POSTERN_SASL_PREPARE_H

#include "base/secret.h"

/* What is being prepared: a text to be stored must not have code points that Unicode 3.2 has not assigned (RFC 3454 7). */
enum prepare { PREPARE_QUERY, PREPARE_STORED };

/* False, and out empty: not UTF-8, forbidden characters, nothing left, or too long (4616-3). */
bool sasl_prepare(enum prepare, struct span in, struct secret *out);

#endif
