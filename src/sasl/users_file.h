/*
 * sasl/users_file.h - the users file under its lock, from the first look to the rename. Private to this room.
 *
 * Owner     the caller; users_file_begin() is followed by exactly one of _commit() and _abort().
 * Blocks    on the disk, and on the lock for ten seconds at most.
 * Fails     false with words in why; nothing has changed then.
 */
#ifndef POSTERN_SASL_USERS_FILE_H
#define POSTERN_SASL_USERS_FILE_H

#include "base/buf.h"

struct users_file {
	const char *path;
	int lock;
	char *text;             /* as it was found; empty when there was no file */
	size_t len;
	struct buf made;        /* the new text, grown by users_file_put() */
	bool memory_short;
};

bool users_file_begin(struct users_file *, const char *path, struct buf *why);
/* What was found, whole lines only: what stands behind the last LF may have been cut, and is not in force. */
struct span users_file_lines(const struct users_file *);
/* That rest as a comment onto the new text: kept for the operator, but not brought into force by an LF of ours. */
void users_file_put_remnant(struct users_file *);
/* Onto the end of the new text; a failure shows in the commit. */
void users_file_put(struct users_file *, struct span);
bool users_file_commit(struct users_file *, struct buf *why);
void users_file_abort(struct users_file *);

#endif
