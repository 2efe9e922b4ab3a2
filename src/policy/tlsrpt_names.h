/*
 * policy/tlsrpt_names.h - what a report is called (RFC 8460 4.4, 5.1): the same every time it is made, so that a receiver can tell a
 * repetition from another report. Pure.
 *
 * Owner     the caller. Blocks never. Fails never: the buffers are big enough for names of conf/ and of the table.
 */
#ifndef POSTERN_POLICY_TLSRPT_NAMES_H
#define POSTERN_POLICY_TLSRPT_NAMES_H

#include "base/span.h"

enum {
	TLSRPT_NAMES_ROOM = 900,        /* with NUL, of either */
	TLSRPT_TIME = 20,               /* "2026-11-22T00:00:00Z" */
	TLSRPT_DAY_SECONDS = 86400,
};

struct tlsrpt_names {
	uint32_t day;                   /* since 1970, UTC */
	struct span domain;             /* whom it is about */
	struct span host;               /* our name: several servers may report for one organization */
	struct span contact;            /* mailbox; its domain is the submitter */
};

/* The domain of contact: TLS-Report-Submitter. */
struct span tlsrpt_submitter(const struct tlsrpt_names *);
/* "2026-11-22.example.net.mail.example.org@example.org": report-id, and Report-ID without its <>. */
void tlsrpt_report_id(const struct tlsrpt_names *, char out[TLSRPT_NAMES_ROOM]);
/* "example.org!example.net!1795305600!1795391999!5bd1e995.json.gz" */
void tlsrpt_filename(const struct tlsrpt_names *, char out[TLSRPT_NAMES_ROOM]);
/* The first second of the day, or its last one. */
void tlsrpt_time(uint32_t day, bool last, char out[TLSRPT_TIME + 1]);

#endif
