/*
 * tests/unit/spool/spool_bed.h - a whole 4_spool process between a fake master, a fake front and a fake relay, all of them us.
 */
#ifndef POSTERN_TESTS_SPOOL_BED_H
#define POSTERN_TESTS_SPOOL_BED_H

#include <sys/types.h>

#include "policy/warrant.h"
#include "proc/child.h"

struct bed_end {
	int fd;
	uint8_t *in;
	size_t len, max;
	int fds[16];
	size_t fd_count;
};

struct bed {
	pid_t pid;
	struct bed_end master, front, relay, auth, history;
	bool listening;
	struct conf conf;
	char directory[64];
};

struct bed_frame {
	uint16_t type;
	uint32_t session;
	struct span body;       /* good until the next bed_take() on this end */
	int fd;
	uint8_t *whole;
};

/* A fresh directory and a configuration for it; change it, then start. */
void bed_init(struct bed *);
void bed_start(struct bed *);
/* New ends for the relay or the front, as the master does when one was restarted. */
void bed_new_relay(struct bed *);
void bed_new_front(struct bed *);
void bed_new_auth(struct bed *);
/* There is none before. */
void bed_new_history(struct bed *);
/* A connection as `postern queue` makes it. */
void bed_control(struct bed *, struct bed_end *);
/* Another life of 4_spool after it has ended, and such a connection to it. */
void bed_start_again(struct bed *, struct bed_end *);
void bed_end_close(struct bed_end *);
void bed_kill(struct bed *);
/* DRAIN and wait; the exit status. */
int bed_drain(struct bed *);
void bed_fini(struct bed *);
/* Drained, with status 0, and all of it gone. */
void bed_close(struct bed *);

/* What 3_auth would give: for this login and reverse-path, watched or not, now or when->when; and for a message of so many recipients. */
void bed_warrant(struct spool_mail *);
uint64_t bed_warrant_spent(uint64_t queue_id, uint32_t rcpts, bool hold, uint64_t when);
/* A SPOOL_MAIL without a warrant gets one, unwatched. */
void bed_send(struct bed_end *, uint16_t type, uint32_t session, struct layout, const void *message);
void bed_send_octets(struct bed_end *, uint16_t type, uint32_t session, struct span);
/* The next frame within ms; false: none came. With fail set in tests that want one use bed_want(). */
bool bed_take(struct bed_end *, struct bed_frame *, int ms);
/* The next frame of this type, skipping SPOOL_STATE and RELAY_SEGMENT; fails the test when it does not come. */
void bed_want(struct bed_end *, uint16_t type, struct bed_frame *);
/* The other side has hung up. */
bool bed_is_closed(struct bed_end *, int ms);

#endif
