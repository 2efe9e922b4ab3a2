/*
 * spool/draft.h - a message that is not yet ours: envelope and content come in pieces, then it is committed or forgotten.
 *
 * Owner     the caller, from draft_begin() until draft_commit() or draft_abort(), whatever they say.
 * Memory    at most SPOOL_INLINE_MAX of content; what is more goes to the log as it comes.
 * Blocks    never.
 * Fails     FAIL_BUSY       too many drafts or too much memory
 *           FAIL_DISK_FULL  spool_state()
 *           FAIL_DOUBT
 *           FAIL_TOO_BIG    more content or recipients than a record may name
 *           A failure is remembered: everything after it is swallowed and draft_commit() says it.
 */
#ifndef POSTERN_SPOOL_DRAFT_H
#define POSTERN_SPOOL_DRAFT_H

#include "spool/spool.h"

/* Of mail everything counts but size, rcpts, recipients, extents and content; the spans are copied. kept: it is our own
 * (a DSN): not refused because the disk is full, and never bigger than SPOOL_NOTICE_MAX. */
enum fail draft_begin(struct spool *, const struct message_record *mail, bool kept, struct draft **);
/* Recipients are numbered from 0 as they come. */
void draft_rcpt(struct spool *, struct draft *, struct span path, uint32_t notify, struct span orcpt);
void draft_body(struct spool *, struct draft *, struct span octets);
uint64_t draft_size(const struct draft *);
uint32_t draft_rcpts(const struct draft *);
/* The envelope so far; for log lines. */
const struct message_record *draft_envelope(const struct draft *);
/*
 * Was the same submitted lately, and taken or about to be (spool_ready())? The queue id it has. content: a hash of what the client
 * sent, under the spool's key. Compared are login, reverse-path, parameters of MAIL, and recipients with theirs in any order.
 * Call it before draft_commit(), which remembers the answer for those that come after.
 */
bool draft_repeats(struct spool *, struct draft *, const uint8_t content[SIPHASH_WIDE], uint64_t now, uint64_t *id);
/*
 * OK: handler.committed() will say whether it became durable. Else it is refused now, and nobody will say more.
 * flags are added. A queue id that is known already is refused with FAIL_LOCAL.
 */
enum fail draft_commit(struct spool *, struct draft *, uint32_t flags, void *who);
void draft_abort(struct spool *, struct draft *);
/* The memory of spare drafts. */
void draft_spares_free(struct spool *);

#endif
