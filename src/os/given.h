/*
 * os/given.h - the numbers of descriptors that a process was given before its cage closed, which stay taken for its life.
 *
 * Owner     one process-wide number, set once; the descriptors stay the caller's.
 * Order     given_seal() with everything given and nothing opened beside it, before the filter, where that tells descriptors by their
 *           numbers; then given_close() in place of close(2) for what may have been given. Without given_seal() it is close(2).
 * Blocks    never.
 * Fails     without a number for a filler (EMFILE) a gap stays.
 */
#ifndef POSTERN_OS_GIVEN_H
#define POSTERN_OS_GIVEN_H

enum { GIVEN_MAX = 1024 };      /* a higher number is not looked at */

/* The highest number that is taken; all below it are from here on. Standard input fills gaps: /dev/null, in what the master starts. */
int given_seal(void);
/* From any thread; no other ever finds the number free. */
void given_close(int fd);

#endif
