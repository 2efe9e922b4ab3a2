/*
 * proc/4_spool_terms.h - private to 4_spool*.c: releases, urgencies and deadlines of messages (RFC 4865, RFC 6710, RFC 2852).
 *
 * Owner     nothing here keeps anything. Blocks never.
 */
#ifndef POSTERN_PROC_4_SPOOL_TERMS_H
#define POSTERN_PROC_4_SPOOL_TERMS_H

#include "mail/timestamp.h"
#include "os/log.h"
#include "proc/4_spool.h"

/* What a front says of them, into the record; false: no sane front says so. */
bool terms_take(const struct spool_mail *, struct message_record *);
/* OK, or FAIL_HELD_MANY: its principal has as many waiting for their release as it may (4865-5). */
enum fail terms_admit(const struct keeper *, const struct message_record *);
void terms_log(struct log_line *, const struct message_record *);

/* The deadline is over, and what is left goes back to its sender: nothing may be tried any more. */
bool terms_returned(const struct entry *, uint64_t now);
/* The deadline is over, and the sender has not been told so of this job. */
bool terms_late(const struct keeper *, uint32_t job, uint64_t now);
/* Either of them, of a job that waits. */
bool terms_overdue(const struct keeper *, uint32_t job, uint64_t now);
/* Does the sender want to hear that this recipient's mail was handed on, for the sake of its deadline? */
bool terms_relayed_wanted(const struct entry *, const struct spool_rcpt *, const struct relay_result *);

/* Another release, or 0: drop it. NULL: done, durable with the next sync; else why not, in words, and which way: FAIL_ARGUMENT it does not
 * wait for one, FAIL_SYNTAX not that one, FAIL_BUSY not now. */
const char *terms_reschedule(struct keeper *, uint32_t slot, uint64_t release, enum fail *);

#endif
