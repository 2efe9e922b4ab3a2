/*
 * os/replace.h - a file that is old or new, never half: written whole beside it, synced, moved over it.
 *
 * Owner     the caller of both names; fresh is in the same directory and nobody else's.
 * Blocks    on the disk.
 * Fails     false with errno; path is what it was, fresh may stay and is overwritten the next time.
 */
#ifndef POSTERN_OS_REPLACE_H
#define POSTERN_OS_REPLACE_H

#include "base/span.h"

/* Mode 0600. */
bool file_replace(const char *path, const char *fresh, struct span text);

#endif
