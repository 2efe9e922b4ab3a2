/*
 * proc/1_front_spend.h - may this principal send to so many now: the question goes to 3_auth at DATA, content is asked for at once, and the
 * answer is joined at the commit. So it costs no time unless 3_auth wants it to; a refusal (450, 550) is said at the final dot.
 */
#ifndef POSTERN_PROC_1_FRONT_SPEND_H
#define POSTERN_PROC_1_FRONT_SPEND_H

#include "proc/1_front.h"

/* DATA, and COMMIT. False: the answer comes later. */
bool spend_ask(struct front_session *, struct smtp_answer *);
bool spend_join(struct front_session *, struct smtp_answer *);
/* AUTH_SPENT. False: 3_auth may not say that. */
bool spend_answered(struct front_session *, struct span body);
/* 3_auth is gone. */
void spend_lost(struct front_session *);

#endif
