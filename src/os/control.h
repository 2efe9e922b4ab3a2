/*
 * os/control.h - the near end of a control socket: where `postern queue` and `postern user` ask a server that runs.
 *
 * Owner     the descriptor is the caller's. Blocks until it is connected; nothing waits there for long.
 */
#ifndef POSTERN_OS_CONTROL_H
#define POSTERN_OS_CONTROL_H

/* Close-on-exec; -1 with errno. */
int control_connect(const char *path);

#endif
