/*
 * base/buf.h - bytes being written into an array with a ceiling.
 *
 * Owner     the caller owns the array; a buf never allocates.
 * Blocks    never.
 * Fails     every put is all or nothing: false, and nothing written, when it does not fit.
 */
#ifndef POSTERN_BASE_BUF_H
#define POSTERN_BASE_BUF_H

#include "base/span.h"

struct buf {
	uint8_t *p;
	size_t len, max;
};

#define BUF_OVER(array) ((struct buf){ (uint8_t *)(array), 0, sizeof(array) })

static inline size_t
buf_room(const struct buf *b)
{
	return b->max - b->len;
}

static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->len };
}

bool buf_put(struct buf *, struct span);
bool buf_put_byte(struct buf *, uint8_t);
/* A NUL-terminated text, without its NUL. */
bool buf_put_text(struct buf *, const char *);
/* Decimal, no leading zeros. */
bool buf_put_u64(struct buf *, uint64_t);
/* Decimal with leading zeros up to width (at most 20). */
bool buf_put_padded(struct buf *, uint64_t, unsigned width);
/* Lower-case hexadecimal, exactly digits of them (at most 16). */
bool buf_put_hex(struct buf *, uint64_t, unsigned digits);
/* A NUL behind the bytes that is not counted in len, so that p can be given to C functions. */
bool buf_terminate(struct buf *);
/* The same for words that a person reads: a NUL in place of the last byte rather than none. */
void buf_end_words(struct buf *);
/* For a function that ends in a refusal: why becomes these words, and ": detail" unless that is NULL, cut where the room ends. False, always. */
bool buf_refuse(struct buf *why, const char *words, const char *detail);
/* Drop n bytes off the front and move the rest down. */
void buf_drop(struct buf *, size_t n);

#endif
