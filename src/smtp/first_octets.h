/*
 * smtp/first_octets.h - what does somebody speak who has just connected? Told from the first octets, before anything answers.
 *
 * Pure. What is told once stays told whatever follows, and any split of the octets gives the same answer: FIRST_UNDECIDED means
 * that more octets can tell, and is never the answer to FIRST_OCTETS_MAX of them, nor when over says that none will follow.
 */
#ifndef POSTERN_SMTP_FIRST_OCTETS_H
#define POSTERN_SMTP_FIRST_OCTETS_H

#include "base/span.h"

enum { FIRST_OCTETS_MAX = 512 };        /* ceiling of what is kept to look at */

enum first_octets {
	FIRST_UNDECIDED,
	FIRST_NOTHING,          /* over before an octet came */
	FIRST_TLS,              /* a handshake record: SSL 3.0 and everything since (RFC 8446 5.1); the first octet tells */
	FIRST_SSL2,             /* a ClientHello as SSL 2.0 wrote it (RFC 6176) */
	FIRST_SMTP,             /* a command of SMTP */
	FIRST_HTTP,             /* a request line, or the preface of HTTP/2 (RFC 9113 3.4) */
	FIRST_URD,              /* GET /...?group=...&source=...: URL Rendezvous Directory, the other service of 465/tcp */
	FIRST_PROXY,            /* a PROXY protocol header, version 1 or 2 */
	FIRST_OTHER,
	FIRST_MAX
};

enum first_octets first_octets_tell(struct span seen, bool over);

/* Is this the beginning of an HTTP request: a registered method and a space? No command of SMTP is, and no response to AUTH. */
bool http_begins(struct span);
/* Is this line, without its CRLF, a request of whatever method: does it end in a version of HTTP (RFC 9112 3)? */
bool http_is_request(struct span line);

#endif
