/*
 * proc/4_spool_gather.h - private to 4_spool*.c: recipients of one message at several destinations, told of together.
 *
 * Each destination has a try of its own. One that is over and has something to tell waits a little, as TRY_OVER, for the others of
 * its message that run; the last one takes all of them along, or the time does.
 */
#ifndef POSTERN_PROC_4_SPOOL_GATHER_H
#define POSTERN_PROC_4_SPOOL_GATHER_H

#include "policy/reply_class.h"
#include "proc/4_spool.h"

enum {
	KEEPER_GATHER_MS = 2000,        /* a try with something to tell waits so long, and up to a tick more */
	KEEPER_GATHER_MOST = 1000,      /* tries that do; the next one does not wait */
};

/* What a try whose end has come does: wait, end by itself as it has nothing to tell, or end with those that wait. */
enum gather { GATHER_WAIT, GATHER_ALONE, GATHER_ALL };
enum gather gather_look(struct keeper *, const struct try *);
void gather_add(struct keeper *, struct try *);
/* Those of this message that wait, linked by next to first; they wait no longer. */
uint32_t gather_take(struct keeper *, uint32_t slot, uint32_t first);
/* End those that have waited long enough, or all. */
void gather_flush(struct keeper *, bool all);

/* ---- 4_spool_notice.c ---- */
/* What a notice says of one recipient of a try. */
struct notice_row {
	struct spool_rcpt rcpt;
	struct relay_result result;
	enum dsn_action action;
	struct span status;             /* empty: as in result */
	uint64_t retry_until;
};
/* Write a notice about rows (1 to DSN_RECIPIENTS_MAX of one action) of the message in slot to its sender; when it has none, to the
 * postmaster, if he wants that and is not the one who cannot be reached. False: it could not be. */
bool notice_write(struct keeper *, uint32_t slot, const struct notice_row *, size_t rows);
/* The same of a message of which so many octets of content can be read, and no more. */
bool notice_write_lost(struct keeper *, uint32_t slot, const struct notice_row *, size_t rows, uint64_t whole);

/* ---- 4_spool_lost.c ---- */
/* Tell the senders of what the disk has lost, as far as that can be done now. */
void lost_tell(struct keeper *);

/* ---- 4_spool_result.c ---- */
/* Tell of tries of one message, linked by next, and settle them: they are gone then. */
void try_end(struct keeper *, uint32_t first);
/* Has this one something to tell its message's sender? */
bool try_tells(struct keeper *, const struct try *);
/* It is over, and tells nobody of this delivery: what is known is recorded at once. */
void try_record_quiet(struct keeper *, struct try *);

/* 4_spool_result_log.c: what the next hop meant, and the log's lines of one recipient, and of those who are served without their notice. */
enum reply_class try_class_of(const struct relay_result *);
void try_log_result(const struct keeper *, const struct try *, const struct try_rcpt *, const struct relay_result *);
void try_log_expired(const struct try *, const struct try_rcpt *);
void try_log_untold(const struct try *, uint32_t served);

#endif
