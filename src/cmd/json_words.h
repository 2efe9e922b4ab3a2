/*
 * cmd/json_words.h - strangers' words and times, for commands that print JSON.
 *
 * Owner     the caller. Fails NULL when memory is short, which json_pack() hands on.
 */
#ifndef POSTERN_CMD_JSON_WORDS_H
#define POSTERN_CMD_JSON_WORDS_H

#include <jansson.h>

#include "base/span.h"

/* Octets that are no UTF-8 are not worth losing the answer for: "(not UTF-8)". */
json_t *json_words(struct span);
/* "2026-11-22T10:00:00Z", null for 0. */
json_t *json_when(uint64_t ms);

#endif
