/*
 * mail/tls_report.h - the mail that brings a TLS report to who asked for it (RFC 8460 5.3, RFC 6522): words for people, gzip for programs.
 *
 *	tls_report_begin(&r, out)
 *	tls_report_octets(&r, &rest, out)       while octets are left; send out and empty it after each
 *	tls_report_end(&r, out)
 *
 * "TLS-Required: No" stands in it (RFC 8689 5): a report about broken TLS must not wait for that TLS.
 *
 * Owner     the caller, of everything; spans live as long as struct tls_report is used.
 * Blocks    never.
 * Fails     begin and end say false, out untouched: out has no room. TLS_REPORT_ROOM is always enough for an empty out.
 */
#ifndef POSTERN_MAIL_TLS_REPORT_H
#define POSTERN_MAIL_TLS_REPORT_H

#include "base/buf.h"

enum { TLS_REPORT_ROOM = 16 * 1024 };

struct tls_report {
	struct span host;               /* our name */
	struct span organization;       /* printable ASCII */
	struct span contact;            /* From: a mailbox, whose domain is submitter */
	struct span extra_contact;      /* printable ASCII; may be empty */
	struct span to;                 /* address, without <>, already checked */
	struct span domain;             /* whom it is about, A-labels */
	struct span submitter;
	struct span report_id;          /* dot-atoms on both sides of its '@' */
	struct span filename;           /* no '"' in it */
	struct span date;               /* "2026-11-22" */
	struct span id;                 /* queue id, for Message-ID */
	uint64_t successful, failed;    /* sessions */
	uint64_t missed;                /* what is not in the report for want of room */
	uint64_t random;                /* unguessable */
	uint64_t now;                   /* ms since 1970 */
};

bool tls_report_begin(const struct tls_report *, struct buf *out);
/* Encode from the front of *rest as many octets as out has room for, whole lines but for the last one. */
void tls_report_octets(const struct tls_report *, struct span *rest, struct buf *out);
bool tls_report_end(const struct tls_report *, struct buf *out);

#endif
