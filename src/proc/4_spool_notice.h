/*
 * proc/4_spool_notice.h - private to 4_spool*.c: notifications of ours about a message (RFC 3464), written into the spool like any other.
 */
#ifndef POSTERN_PROC_4_SPOOL_NOTICE_H
#define POSTERN_PROC_4_SPOOL_NOTICE_H

#include "proc/4_spool.h"

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

#endif
