/*
 * smtp/terms.h - when, how soon and by when: what MAIL may ask for beside the transport (RFC 4865, RFC 6710, RFC 2852).
 */
#ifndef POSTERN_SMTP_TERMS_H
#define POSTERN_SMTP_TERMS_H

#include <stdbool.h>
#include <stdint.h>

enum { SMTP_HOLD_TEXT = 48, SMTP_PRIORITY_LEAST = -9, SMTP_PRIORITY_MOST = 9 };

/* All zero: nothing of it is asked for. */
struct smtp_terms {
	uint64_t release;               /* ms since 1970: not before (RFC 4865); 0: at once */
	uint64_t deadline;              /* ms since 1970: deliver by (RFC 2852); 0: none */
	bool by_return;                 /* what is not delivered by then comes back; else its sender is told */
	bool by_trace;                  /* each relaying is told (RFC 2852 4.1.2) */
	int8_t priority;                /* RFC 6710 */
	uint8_t hold_len;
	uint8_t hold[SMTP_HOLD_TEXT];   /* "for;3600", "until;2026-11-22T10:00:00Z": as a notification says it (RFC 4865 5.1.2) */
};

#endif
