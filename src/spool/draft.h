/*
 * spool/draft.h - a message that is not yet ours: envelope and content come in pieces, then it is committed or forgotten.
 *
 * Owner     the caller, from draft_begin() until draft_commit() or draft_abort(), whatever they say.
 * Memory    at most SPOOL_INLINE_MAX of content; what is more goes to the log as it comes.
 * Blocks    never.
 * Fails     FAIL_MEMORY     malloc() has none
 *           FAIL_DRAFTS_MANY too many drafts, or recipients of all of them or of this principal's
 *           FAIL_BEHIND     too much waits to be written
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
/* The clock was set by so many ms, and it is now that time: its arrival is not later, and what was meant from then on moves along. */
void draft_clock(struct draft *, int64_t ms, uint64_t now);
/* Recipients are numbered from 0 as they come. */
void draft_rcpt(struct spool *, struct draft *, struct span path, uint32_t notify, struct span orcpt);
void draft_body(struct spool *, struct draft *, struct span octets);
uint64_t draft_size(const struct draft *);
/* With those for whom there was no room: draft_commit() says so then. */
uint32_t draft_rcpts(const struct draft *);
/* The envelope so far; for log lines. */
const struct message_record *draft_envelope(const struct draft *);
/*
 * Was the same submitted lately, and taken or about to be (spool_ready())? The queue id it has. content: SIPHASH_WIDE octets, a hash of what the client
 * sent, under the spool's key. Compared are login, reverse-path, parameters of MAIL, and recipients with theirs in any order.
 * Call it before draft_commit(), which remembers the answer for those that come after. content NULL: look again, for what was asked
 * about before, whatever has become of the draft.
 */
bool draft_repeats(struct spool *, struct draft *, const uint8_t *content, uint64_t now, uint64_t *id);
/* OK, or why it can no more be committed. */
enum fail draft_health(const struct spool *, const struct draft *);
/*
 * OK: handler.committed() will say whether it became durable. Else it is refused now, and nobody will say more.
 * flags are added. A queue id that is known already is refused with FAIL_LOCAL.
 */
enum fail draft_commit(struct spool *, struct draft *, uint32_t flags, void *who);
void draft_abort(struct spool *, struct draft *);

/* ---- while milters look at it, between the last draft_body() and draft_commit(): spool/draft_rewrite.c ---- */
/* What a draft has in the log is whole there, and can be read by others when journal.written has come to this; 0: it has nothing
 * there, draft_text() is its content. */
uint64_t draft_settle(struct spool *, struct draft *);
/* Its content, of which one is empty; good until the draft is changed. */
struct span draft_text(const struct draft *);
struct span draft_extents(const struct draft *);
/* Its recipients: walk with recipient_take(). */
struct span draft_recipients(const struct draft *);
/* The next octets of a new body; they count when draft_rewrite() says so. */
void draft_fresh(struct spool *, struct draft *, struct span octets);
void draft_fresh_drop(struct spool *, struct draft *);
/* Up to body_at the content is header (when not NULL) from now on, from there on the new body (when fresh). Only what is new is
 * written. False: the content is shorter than that. */
bool draft_rewrite(struct spool *, struct draft *, const struct span *header, uint64_t body_at, bool fresh);
/* False: there is no room for it. */
bool draft_sender(struct draft *, struct span path);
/* A bit for each recipient, the first is the lowest of the first octet; 1: away with it. The others are numbered anew. */
void draft_rcpts_drop(struct draft *, struct span bits);
/* Away with all of them: others follow. */
void draft_rcpts_clear(struct draft *);
/* The memory of spare drafts. */
void draft_spares_free(struct spool *);

#endif
