/*
 * tests/unit/scratch.h - directories that a test has made for itself.
 */
#ifndef POSTERN_TESTS_SCRATCH_H
#define POSTERN_TESTS_SCRATCH_H

#include <stdbool.h>

/* Remove it and all that is in it, following no link. False when something stays. */
bool scratch_remove(const char *directory);

#endif
