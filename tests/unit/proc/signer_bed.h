/*
 * A bed for 2_signer: the real process, forked, with a master of ours at the other end of its channel.
 */
#ifndef POSTERN_TESTS_SIGNER_BED_H
#define POSTERN_TESTS_SIGNER_BED_H

#include <sys/types.h>

#include "../tls/certificates.h"
#include "proc/peers.h"

struct signer_bed {
	pid_t pid;
	int master;                     /* our end of its descriptor 3 */
};

/* Forked, configured, ready. log: a file for its log, NULL for ours. */
void signer_bed_make(struct signer_bed *, const char *log);
/* Drain it; its status must be 0. */
void signer_bed_drop(struct signer_bed *);
void signer_bed_tell(struct signer_bed *, uint16_t type, struct span body, int fd);
/* Wait for a message of this type; its body goes to out (may be NULL). False after ms or at its end. */
bool signer_bed_hear(struct signer_bed *, uint16_t type, struct buf *out, int ms);
/* Replace its keys by this one and wait until it has taken it. */
void signer_bed_key(struct signer_bed *, const struct identity *);
/* A new peer's end of a channel to it. */
int signer_bed_peer(struct signer_bed *, enum role, uint32_t slot);
int signer_bed_front(struct signer_bed *, uint32_t slot);

#endif
