/*
 * mail/xtext.h - an octet as xtext writes it (RFC 3461 4): itself, or "+" and two upper-case hexadecimal digits.
 *
 * Owner     the caller. Blocks never.
 */
#ifndef POSTERN_MAIL_XTEXT_H
#define POSTERN_MAIL_XTEXT_H

#include "base/span.h"

/* How many octets of s, which is not empty, stand for the first one: 1 or 3; 0: a "+" that begins no hexchar, and *octet is it. */
size_t xtext_octet(struct span s, uint8_t *octet);

#endif
