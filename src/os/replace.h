/*
 * os/replace.h - a file that is old or new, never half: written whole beside it, synced, moved over it; and read whole.
 *
 * Owner     the caller of both names; fresh is in the same directory and nobody else's. What is read is freed by the caller.
 * Blocks    on the disk.
 * Fails     false or NULL with errno; path is what it was, fresh may stay and is overwritten the next time.
 */
#ifndef POSTERN_OS_REPLACE_H
#define POSTERN_OS_REPLACE_H

#include "base/span.h"

/* All octets, however many calls the kernel makes of it. */
bool file_write(int fd, struct span octets);
/* Mode 0600. */
bool file_replace(const char *path, const char *fresh, struct span text);
/* A regular file of at most `most` octets (else EFBIG; EISDIR of a directory, EINVAL of what else is no file), with a NUL behind them. */
char *file_read(const char *path, uint64_t most, size_t *len);

#endif
