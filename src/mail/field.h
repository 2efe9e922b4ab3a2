/*
 * mail/field.h - one field of a header section: where its name ends and its value begins (RFC 5322 2.2, 4.5).
 *
 * Owner     spans point into the input; nothing is copied. Blocks never.
 */
#ifndef POSTERN_MAIL_FIELD_H
#define POSTERN_MAIL_FIELD_H

#include "base/span.h"

struct header_field {
	struct span whole;      /* with every continuation line and the last CRLF */
	struct span name;
	struct span value;      /* what follows the colon, folds and the last CRLF included */
};

/* Split "Name: value"; spaces before the colon are allowed (obs-optional). False when line is no field. */
bool field_split(struct span line, struct span *name, struct span *value);

/* Take the field in front of a header section, lines ended by CRLF; false at its end or where there is no field. */
bool field_next(struct span *section, struct header_field *out);

#endif
