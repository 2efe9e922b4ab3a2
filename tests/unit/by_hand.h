/*
 * tests/unit/by_hand.h - what 0_master and its channels do for a process, by hand: start it, send it frames, introduce its peers.
 *
 * Blocks  until a frame is sent, or hand_hear()'s time is over.
 * Fails   the test, where nothing else is said.
 */
#ifndef POSTERN_TESTS_BY_HAND_H
#define POSTERN_TESTS_BY_HAND_H

#include <sys/types.h>

#include "proc/child.h"

/* Forked, with nothing open but its end of *master and, for a log, this file (NULL: ours). */
pid_t hand_start(int (*process)(uint32_t slot), const char *log, int *master);
/* carried: a descriptor to go with it, or -1. False: nobody is there any more. */
bool hand_send(int fd, uint16_t type, uint32_t session, struct span body, int carried);
/* MASTER_PEER with this end of a channel, which is closed then. */
void hand_introduce(int master, enum role, uint32_t slot, uint32_t life, int end);
void hand_configure(int master, const struct conf *);
/* Wait for a frame of this type; its body goes to out (may be NULL). False after ms without any, or at its end. */
bool hand_hear(int master, uint16_t type, struct buf *out, int ms);

#endif
