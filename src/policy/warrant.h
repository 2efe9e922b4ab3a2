/*
 * policy/warrant.h - 3_auth's word about a principal, in a form that a front carries to 4_spool and cannot make by itself. Pure.
 *
 * A front is what strangers talk to. Were 4_spool to take a login, or "3_auth lets so many recipients pass", from a
 * front's mouth, whoever takes a front over could send as everybody, and lock out whom he likes by the bounces. So 3_auth
 * gives a warrant with each yes, 4_spool looks at it, and the key is known to these two alone (0_master makes it, and
 * gives it to them when they begin).
 *
 *	sender   this login has proved itself at this front, and may use this reverse-path: good for WARRANT_MS
 *	spent    this message may have so many recipients, held or not; good once, since the spool takes a queue id of a front once, and
 *	         nothing that was said before it began itself
 *
 * What a warrant does not stop: a front that was taken over sees the passwords of those who log in there meanwhile, may
 * send in their names what 3_auth lets them send, and changes what they send.
 *
 * SipHash-2-4, 64 bits: no proof that stands for years, but a wrong one ends the front, so there is one try.
 *
 * Owner     the caller, of everything. Blocks never. No function fails: what is longer than a login or a path may be is
 *           cut, for both alike.
 */
#ifndef POSTERN_POLICY_WARRANT_H
#define POSTERN_POLICY_WARRANT_H

#include "base/siphash.h"

enum {
	WARRANT_MS = 10 * 60 * 1000,    /* longer than 4_spool may leave a front unread */
	WARRANT_LOGIN_MAX = 255, WARRANT_PATH_MAX = 320,
};

/* One life of one front: the next one in its place knows nothing of the warrants before. */
struct warrant_front { uint32_t slot, life; };

struct warrant_sender {
	struct warrant_front front;
	struct span login, reverse_path;
	uint64_t when;                  /* ms of the monotonic clock */
	bool unwatched;                 /* its messages need no warrant of the other kind */
};

struct warrant_spent {
	struct warrant_front front;
	uint64_t queue_id;
	uint32_t rcpts;
	bool hold;
	uint64_t when;                  /* as above */
};

uint64_t warrant_sender(const uint8_t key[SIPHASH_KEY], const struct warrant_sender *);
uint64_t warrant_spent(const uint8_t key[SIPHASH_KEY], const struct warrant_spent *);

#endif
