/*
 * os/control.h - the near end of a control socket: where `postern queue` and `postern user` ask a server that runs.
 *
 * Owner     the descriptor is the caller's. Blocks until it is connected; nothing waits there for long.
 */
#ifndef POSTERN_OS_CONTROL_H
#define POSTERN_OS_CONTROL_H

#include "base/buf.h"

/* Close-on-exec; -1 with errno. */
int control_connect(const char *path);
/* Behind -1, with errno still as it was: "the server is not running (no answer at PATH)", NUL-terminated. */
void control_why(const char *path, struct buf *why);

#endif
