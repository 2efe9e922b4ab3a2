/*
 * spool/aside.h - what cannot be used is kept in damaged/ for a person to look at, and named in the log.
 *
 * Owner     the caller has the descriptors. Blocks on the disk.
 * Fails     false: it could not be copied, which is in the log; nothing may then be cut off or removed.
 */
#ifndef POSTERN_SPOOL_ASIDE_H
#define POSTERN_SPOOL_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "spool/spool.h"

/* Octets [from, to) of a segment. Nothing is made for octets that are all zero. quiet as below. */
bool aside_range(struct spool *, int fd, const struct unkept *, bool quiet);
/* A message whose envelope is whole and whose content is not: its record and what there is of its content, in one file. quiet: the log need
 * not hear that it could not be kept. */
bool aside_message(struct spool *, uint32_t slot, const struct message_record *, bool quiet);
/* One whose envelope is not: what there is of its record. The log has it when it is kept, and when not, unless quiet. */
bool aside_record(struct spool *, uint32_t slot, bool quiet);

#endif
