/*
 * mail/token.h - the words that addresses are made of, in the envelope and in the header alike.
 *
 * Owner     the caller; nothing is copied. Blocks never.
 */
#ifndef POSTERN_MAIL_TOKEN_H
#define POSTERN_MAIL_TOKEN_H

#include "base/span.h"

/* Octets of atext (RFC 5322 3.2.3, RFC 6532 3.2) at the front of s; 0 when there is none. */
size_t token_atom(struct span s);

/*
 * Octets of the quoted-string at the front of s, both quotes counted; 0 when there is none or it does not end. Folding lets
 * tabs and line ends stand inside (RFC 5322 3.2.4); without it only what RFC 5321 4.1.2 allows.
 */
size_t token_quoted(struct span s, bool folding);

#endif
