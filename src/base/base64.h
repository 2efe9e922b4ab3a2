/*
 * base/base64.h - RFC 4648 section 4, strict as RFC 4954 section 4 demands of AUTH:
 * no foreign byte, no space, '=' only at the end, a length that is a multiple of four,
 * and unused bits that are zero.
 */
#ifndef POSTERN_BASE_BASE64_H
#define POSTERN_BASE_BASE64_H

#include "base/buf.h"

/* Octets that n octets take when encoded. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Would base64_parse() take it? Writes nothing, so it may look at a secret. */
bool base64_valid(struct span text);
/* Decode onto the end of out; false, and out untouched, when text is not valid or does not fit. */
bool base64_parse(struct span text, struct buf *out);
/* Encode onto the end of out; false, and out untouched, when it does not fit. */
bool base64_format(struct span octets, struct buf *out);

#endif
