/*
 * conf/dkim.h - which keys sign: the rows of dkim, dkim-domain and dkim-next-hop. Pure, and private to the room.
 *
 * Owner     the caller, of everything.
 * Fails     false, with what is wrong in why: a clause that follows the quoted value.
 */
#ifndef POSTERN_CONF_DKIM_H
#define POSTERN_CONF_DKIM_H

#include "conf/keys.h"

bool dkim_set(struct conf *, const struct conf_row *, struct span text, struct buf *why);
bool dkim_get(const struct conf *, const struct conf_row *, size_t item, struct buf *out);

/* Both lists are alike; the row's least says which. */
enum { DKIM_RULES_DOMAIN, DKIM_RULES_HOP };
bool dkim_rule_set(struct conf *, const struct conf_row *, struct span text, struct buf *why);
bool dkim_rule_get(const struct conf *, const struct conf_row *, size_t item, struct buf *out);

#endif
