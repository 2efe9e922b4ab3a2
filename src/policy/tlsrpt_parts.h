/*
 * policy/tlsrpt_parts.h - rows of the table of policy/tlsrpt.h, found or made. Private to tlsrpt*.c.
 *
 * Owner     the table. NULL: there is no room.
 */
#ifndef POSTERN_POLICY_TLSRPT_PARTS_H
#define POSTERN_POLICY_TLSRPT_PARTS_H

#include "policy/tlsrpt.h"

struct tlsrpt_domain *tlsrpt_domain_of(struct tlsrpt *, struct span name);
/* Of the session's type, policy domain and strings. */
struct tlsrpt_policy *tlsrpt_policy_of(struct tlsrpt *, struct tlsrpt_domain *, const struct tlsrpt_session *);
/* Of the session's result and addresses. */
struct tlsrpt_failure *tlsrpt_failure_of(struct tlsrpt *, struct tlsrpt_policy *, const struct tlsrpt_session *);

#endif
