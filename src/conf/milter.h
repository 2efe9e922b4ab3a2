/*
 * conf/milter.h - where a milter listens, how long it may be silent, what its silence means, and how much it is asked at once. Pure.
 *
 * "inet:127.0.0.1:8891", "inet:[::1]:8891", "unix:/run/opendkim/opendkim.sock", with "timeout=30s", "on-failure=tempfail" and
 * "connections=32" behind it when they are other than these.
 *
 * Owner     the caller, of everything.
 * Fails     false, with what is wrong in why: a clause that follows the quoted value.
 */
#ifndef POSTERN_CONF_MILTER_H
#define POSTERN_CONF_MILTER_H

#include "conf/keys.h"

/* Room for the text of one: a path or an address, and what stands behind it. */
enum { MILTER_TEXT_ROOM = 192, MILTER_CONNECTIONS_MOST = 512 };

bool conf_milter_parse(struct span text, struct conf_milter *out, struct buf *why);
bool conf_milter_format(const struct conf_milter *, struct buf *out);
/* Only where it listens: its name for people. */
bool conf_milter_name(const struct conf_milter *, struct buf *out);
bool conf_milters_same(const struct conf_milter *a, uint32_t as, const struct conf_milter *b, uint32_t bs);

/* The row's functions. */
bool milter_set(struct conf *, const struct conf_row *, struct span text, struct buf *why);
bool milter_get(const struct conf *, const struct conf_row *, size_t item, struct buf *out);

#endif
