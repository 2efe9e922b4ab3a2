/*
 * mail/mime_type.h - reads the value of a Content-Type or Content-Transfer-Encoding field (RFC 2045 5, 6).
 *
 * Owner     the caller; spans point into the input but for boundary, which is a copy without its quotes. Blocks never.
 */
#ifndef POSTERN_MAIL_MIME_TYPE_H
#define POSTERN_MAIL_MIME_TYPE_H

#include "base/span.h"

enum {
	MIME_BOUNDARY_MAX = 70,         /* RFC 2046 5.1.1 */
	MIME_TYPE_MAX = 2048,           /* a Content-Type's value that is read; ours */
};

struct mime_type {
	struct span type, subtype;
	uint8_t boundary_len;           /* 0: none, or none that can be used */
	uint8_t boundary[MIME_BOUNDARY_MAX];
};

/* value is unfolded. False: it is no Content-Type. */
bool mime_type_parse(struct span value, struct mime_type *);

/* The one token of a field's value, comments taken off; empty when there is none, or more than one. */
struct span mime_token(struct span value);

#endif
