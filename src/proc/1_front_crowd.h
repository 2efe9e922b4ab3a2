/*
 * proc/1_front_crowd.h - how many may come, from where, and how long they may stay without authentication.
 *
 * policy/crowd.h counts and judges; here its answers become 421, a closed connection and a line in the log.
 */
#ifndef POSTERN_PROC_1_FRONT_CROWD_H
#define POSTERN_PROC_1_FRONT_CROWD_H

#include <stdbool.h>
#include <stdint.h>

struct front_session;

/* Room for as many as the configuration allows; call again when that has changed. False when memory is short: then all is as before. */
bool crowd_configure(void);

/*
 * Count the session by the address in s->peer; by itself when that is a proxy that has said that it comes for nobody else; with the
 * others of that proxy while it has not said for whom. What it was counted as before is forgotten. May end another session, which makes
 * room. False: there is no room, the session was told (in clear text only) and is gone.
 * Call it between turns only, with the session in PHASE_NEW.
 */
bool crowd_enter(struct front_session *);
/* The same for who comes from a proxy and has not said for whom: where there is no room it may wait for its header uncounted, as long as
 * there are few of those; then it is judged. */
bool crowd_wait(struct front_session *);
/* It has authenticated. */
void crowd_proved(struct front_session *);
/* It is going; harmless when it never came in. */
void crowd_leave(struct front_session *);

/* End those whose time to authenticate is over. */
void crowd_sweep(uint64_t now);

#endif
