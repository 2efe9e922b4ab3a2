/*
 * cmd/json_words.h - strangers' words and times, for commands that print JSON.
 *
 * Owner     the caller. Fails NULL when memory is short, which json_pack() hands on. Blocks never, but on stdout.
 */
#ifndef POSTERN_CMD_JSON_WORDS_H
#define POSTERN_CMD_JSON_WORDS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/span.h"

/* Octets that are no UTF-8 are not worth losing the answer for: "(not UTF-8)". */
json_t *json_words(struct span);
/* "2026-11-22T10:00:00Z", null for 0. */
json_t *json_when(uint64_t ms);
/* On stdout, indented, no line end behind it. Strangers' words do not drive the terminal: DEL and U+0080 to U+009F, which JSON may have as
 * they are, are escaped (RFC 8259 7). NULL: a value for which there was no memory; false, errno says why stdout took none. */
bool json_show(const json_t *);

#endif
