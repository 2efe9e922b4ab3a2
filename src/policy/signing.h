/*
 * policy/signing.h - with which of its keys a domain signs a message to this next hop. Pure: facts to verdict.
 *
 * Whoever switches signing off has the last word; else the next hop's rule goes before the domain's, and that before what counts for
 * all. A domain that lacks the key which is asked for signs with the one that it has: one signature is better than none.
 *
 * Sets are bits of enum dkim_algorithm. Owner: nothing. Blocks never.
 */
#ifndef POSTERN_POLICY_SIGNING_H
#define POSTERN_POLICY_SIGNING_H

#include "base/span.h"

enum { SIGNING_UNSAID = -1 };

struct signing_facts {
	unsigned keys;                  /* algorithms of which the domain has an active key */
	unsigned standard;              /* what counts for all */
	int domain, hop;                /* sets, or SIGNING_UNSAID */
};

/* 0: not signed. */
unsigned signing_decide(const struct signing_facts *);

/* Is name the rule's host, or below it when the rule begins with a dot? */
bool signing_rule_fits(struct span rule, struct span name);

#endif
