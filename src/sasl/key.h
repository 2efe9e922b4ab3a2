/*
 * sasl/key.h - sender keys: passwords that a machine made, for one device, to send mail and nothing else.
 *
 * Text      28 characters of Crockford's base32 in groups of four: "7k2m-q9xa-0b3c-...". The first group is the key's id, which is
 *           no secret and finds the one verifier to try; the other 24 characters are 120 random bits.
 * Owner     the caller; a key's text is a secret and ends in wipe().
 * Blocks    never.
 */
#ifndef POSTERN_SASL_KEY_H
#define POSTERN_SASL_KEY_H

#include "base/span.h"

enum { SENDER_KEY_ID = 4, SENDER_KEY_DIGITS = 28, SENDER_KEY_TEXT = 34, SENDER_KEY_ROOM = SENDER_KEY_TEXT + 1 };

/* A new key, NUL-terminated. False: no randomness. */
bool sender_key_make(char text[SENDER_KEY_ROOM]);
/* What a person typed, in the canonical form that verifiers are made of: dashes and spaces, case, O for 0, I and L for 1 do not
 * matter. False when it is no sender key. */
bool sender_key_parse(struct span typed, char text[SENDER_KEY_ROOM]);
bool sender_key_id_valid(struct span id);

#endif
