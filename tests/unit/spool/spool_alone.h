/*
 * tests/unit/spool/spool_alone.h - a struct spool without its process, in a directory of its own; what is gathered is written when the
 * test says so.
 */
#ifndef POSTERN_TESTS_SPOOL_ALONE_H
#define POSTERN_TESTS_SPOOL_ALONE_H

#include "spool/draft.h"

struct spool_alone {
	struct spool spool;
	char directory[40];
	unsigned answers, durable;      /* to commits: all of them, and the good ones */
	uint32_t slot;                  /* of the last one */
	enum fail committed;
};

/* A fresh directory; the log is quiet from now on. */
void spool_alone_make(struct spool_alone *);
/* single as in struct spool_conf. Again after spool_close(): what a restart finds. */
void spool_alone_open(struct spool_alone *, uint64_t segment_size, bool single);
/* Until nothing is waiting to be written. */
void spool_alone_write(struct spool_alone *);
/* Close it and remove the directory. */
void spool_alone_drop(struct spool_alone *);

#endif
