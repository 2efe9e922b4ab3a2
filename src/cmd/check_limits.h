/*
 * cmd/check_limits.h - the page of ceilings in print, and what they mean in memory.
 */
#ifndef POSTERN_CMD_CHECK_LIMITS_H
#define POSTERN_CMD_CHECK_LIMITS_H

#include "conf/conf.h"

/* docs/limits.md, with the defaults. */
void limits_print(void);
/* What this configuration means in memory, on this machine; before stands at the begin of each line. */
void limits_print_memory(const struct conf *, const char *before);

#endif
