/*
 * base/env.h - what a pure engine may not fetch for itself: the clock and randomness.
 *
 * Owner     the driver; lives as long as every engine that was given it.
 * Blocks    never.
 */
#ifndef POSTERN_BASE_ENV_H
#define POSTERN_BASE_ENV_H

#include <stddef.h>
#include <stdint.h>

struct env {
	uint64_t (*now)(void *arg);                             /* milliseconds since 1970, UTC */
	void (*random)(void *arg, uint8_t *p, size_t n);        /* unguessable */
	void *arg;
};

#endif
