/*
 * conf/nearest.h - which known word was meant. Pure.
 */
#ifndef POSTERN_CONF_NEAREST_H
#define POSTERN_CONF_NEAREST_H

#include "base/span.h"

/* Insertions, deletions, replacements and swaps of neighbours that make b of a, ignoring ASCII case; words over 40 octets are far
 * from everything (1000). */
unsigned word_distance(struct span a, struct span b);

/* The name of the setting nearest to word, or NULL when none is near enough to be worth a guess. */
const char *conf_nearest(struct span word);

#endif
