/*
 * spool/suspects.h - messages whose record a start finds damaged, envelope and all: what is known of them is said, since nobody can be told.
 *
 * A damaged record is not believed: its message is not delivered, nor is who seems to have sent it written to. But a person who
 * looks at it knows more than one who does not, so the log has what can be read of it. What stands in front of a MESSAGE names it too.
 *
 * Owner     the caller, from a zeroed struct to suspects_free(). Blocks on the disk.
 * Fails     by knowing less.
 */
#ifndef POSTERN_SPOOL_SUSPECTS_H
#define POSTERN_SPOOL_SUSPECTS_H

#include "spool/spool.h"

enum { SUSPECTS_MOST = 65536 };

struct suspect {
	uint64_t id;
	uint64_t segment, from, at;     /* of the damage, and of the record in it; at 0: only its name is known */
};

struct suspects {
	struct suspect *one;
	size_t count, max;
};

/* The octets [from, to) of a segment are damaged. salt: the segment's, without which no record is looked for, since a mail may have the
 * picture of one; named: the message that was about to come, or 0. */
void suspects_look(struct suspects *, int fd, const struct suspect *damage, uint64_t to, uint64_t salt, uint64_t named);
/* It has come all the same, or was finished. */
void suspects_clear(struct suspects *, uint64_t id);
/* All is read: those that are not in the index are lost, and the log and the history have it, once. */
void suspects_tell(struct suspects *, struct spool *, uint64_t now);
void suspects_free(struct suspects *);

#endif
