/*
 * mail/encoded_word.h - text that is not ASCII, as encoded-words (RFC 2047 2, 4.1, 5).
 *
 * Blocks    never.
 */
#ifndef POSTERN_MAIL_ENCODED_WORD_H
#define POSTERN_MAIL_ENCODED_WORD_H

#include "base/buf.h"

/*
 * The value of a field whose name is short (as Subject is), folds and the last CRLF included, onto out: from the first word that is not
 * ASCII to the last one it is encoded, the rest stays as it is. What is no UTF-8 is called unknown-8bit (RFC 1428 3). False: out is full.
 */
bool encoded_text_put(struct span value, struct buf *out);

/* All of text, in as many encoded-words as it takes, each but the first on a line of its own. */
bool encoded_words_put(struct span text, struct buf *out);

#endif
