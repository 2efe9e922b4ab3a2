/*
 * proc/5_relay_sts.h - private to 5_relay*.c: the MTA-STS policies of receiving domains (RFC 8461), asked for, kept, filled in.
 *
 * Owner     struct relay_policies belongs to the relay; what is filled into hosts belongs to them.
 * Blocks    on the disk, for one small file.
 */
#ifndef POSTERN_PROC_5_RELAY_STS_H
#define POSTERN_PROC_5_RELAY_STS_H

#include "proc/5_relay.h"

/* ---- 5_relay_sts.c: the MTA-STS policies of domains (RFC 8461) ---- */
/* Nothing is asked any more, neither by what r has now: resolver and trust may go. What is in force and has no file is kept. */
void relay_sts_pause(struct relay *);
/* Go on as the configuration in force says. False: out of memory. */
bool relay_sts_configure(struct relay *);
/* Write what has no file: this process may end. */
void relay_sts_save(struct relay *);
/* Fill d->hosts->sts with what is in force. False: not known yet, d is pumped when it is. */
bool relay_sts_ask(struct relay_domain *d);
/* What is in force for a domain (A-labels, lower case) as far as it is known just now; NULL: nothing. Good until the loop turns. */
const struct mta_sts_policy *relay_sts_in_force(struct relay_policies *, const char *domain);
void relay_sts_forget(struct relay_domain *d);                  /* d does not wait any longer */
void relay_sts_doubt(struct relay_domain *d);                   /* its policy stopped mail: look for a newer one (8461 5.1) */
void relay_sts_sweep(struct relay *);                           /* every second */

/* ---- 5_relay_sts_file.c: policies that outlive us, one file for each domain in STATE/relay/mta-sts ---- */
struct relay_sts_kept {
	char id[MTA_STS_ID_MAX + 1];
	uint64_t fetched;                       /* ms since 1970 */
	struct mta_sts_policy policy;
};
/* False: there is none, or none that is still in force at now. */
bool relay_sts_read(const struct conf *, const char *domain, uint64_t now, struct relay_sts_kept *);
/* False: it could not be written, and the log says so. */
bool relay_sts_write(const struct conf *, const char *domain, const struct relay_sts_kept *);

#endif
