/*
 * proc/1_front_terms.h - private to 1_front*.c: a later release, an urgency, a deadline (RFC 4865, RFC 6710, RFC 2852).
 */
#ifndef POSTERN_PROC_1_FRONT_TERMS_H
#define POSTERN_PROC_1_FRONT_TERMS_H

#include "proc/1_front.h"

/* What 3_auth may say of a login's priority, and what it means for the session. */
bool terms_priority_valid(uint32_t priority);
void terms_learn(struct front_session *, uint32_t priority);
/* Into the SPOOL_MAIL of this session's draft. */
void terms_put(const struct front_session *, struct spool_mail *);
/* The draft is open: which priority it has got. False: 4_spool has yet to say whether it may be held. */
bool terms_admitted(struct front_session *, struct smtp_answer *);
/* SPOOL_ADMITTED; s may be NULL. False: malformed. */
bool terms_on_admitted(struct front_session *, struct span body);

#endif
