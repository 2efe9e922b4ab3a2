/*
 * os/env.h - what base/env.h asks for, from the kernel. Blocks only until the kernel has gathered its first randomness after a boot.
 */
#ifndef POSTERN_OS_ENV_H
#define POSTERN_OS_ENV_H

#include "base/env.h"

extern const struct env os_env;

#endif
