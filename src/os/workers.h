/*
 * os/workers.h - the threads of uv_queue_work(), made before they are needed.
 *
 * libuv makes them at the first work of a process, and abort()s without a word when the system has none to give.
 *
 * Owner     libuv, of the threads, until the process ends. The loop is the process's own and runs on.
 * Blocks    for as long as making and ending a few threads takes; call it once, before the process says that it is ready.
 * Fails     false: there are not enough threads to be had, the log says why, and none is kept.
 */
#ifndef POSTERN_OS_WORKERS_H
#define POSTERN_OS_WORKERS_H

#include <uv.h>

#include <stdbool.h>

bool workers_start(uv_loop_t *);

#endif
