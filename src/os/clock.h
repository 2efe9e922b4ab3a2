/*
 * os/clock.h - the time, in milliseconds. Blocks never, fails never.
 */
#ifndef POSTERN_OS_CLOCK_H
#define POSTERN_OS_CLOCK_H

#include <stdint.h>

/* Since 1970, UTC: for what people read, what is kept on disk, and what another process is told. May be set, forward and back. */
uint64_t clock_wall(void);
/* Since nobody knows when, but never back: for how long something takes. */
uint64_t clock_run(void);

#endif
