/*
 * mail/dsn_words.h - what a delivery status notification says to people: plain words, static text.
 */
#ifndef POSTERN_MAIL_DSN_WORDS_H
#define POSTERN_MAIL_DSN_WORDS_H

#include "mail/dsn.h"

struct dsn_words {
	const char *subject;
	const char *opening;            /* LF ends a line, as everywhere here */
	const char *report;             /* RFC 3464 2.3.3 */
	const char *status_class;       /* first digit of a status made up from nothing better */
};

const struct dsn_words *dsn_words(enum dsn_action);

/* What the sender can do about a failure with this status ("5.1.1"), said by an SMTP reply or, code 0, by ourselves; a sentence, never NULL. */
const char *dsn_advice(struct span status, uint32_t code);

#endif
