/*
 * audit/transcript.h - what an examination saw, as lines of text: the only thing that audit/judge.h looks at, so that a saved
 * transcript can be judged again, by another version or with another policy.
 *
 *	postern-audit 1                         first line: the version of the format
 *	target mail.example.org                 what was asked for
 *	at 2026-11-22T13:20:00Z
 *	endpoint 192.0.2.1 465 submissions      then the facts of that endpoint, up to the next one
 *	connect ok 12
 *	greeting 220 mail.example.org ESMTP
 *
 * A fact is a key, a space, and a value up to the line's end. Control octets, the backslash and octets above 126 in a value are
 * written \xHH. The keys:
 *
 *	connect          ok MS | refused | timed-out | unreachable WORDS | throttled
 *	first            tls | smtp | http | urd | nothing | other, then what was seen
 *	greeting, vrfy, expn, mail-clear, mail-tls, rcpt-clear, rcpt-tls, starttls      a reply: CODE TEXT
 *	ehlo-clear, ehlo-tls                    one line of the EHLO reply, without its code
 *	starttls-tries   HOW-MANY OFFERED
 *	auth-clear       MECHANISM CODE TEXT    what AUTH brought before TLS; no credentials were sent
 *	injection        answered | clean       a command sent in one piece with STARTTLS
 *	stripped         EHLO | HELO, AUTH | MAIL, CODE TEXT    how far it goes without STARTTLS
 *	tls              VERSION CIPHER GROUP   as a client of today gets it
 *	tls-failed       WORDS
 *	tls-version      VERSION yes | no
 *	tls-cipher       VERSION NAME
 *	tls-preference   server | client
 *	tls-compression, tls-ems, tls-secure-renegotiation, tls-renegotiates, tls-asks-certificate, close-notify       yes | no
 *	tls-ticket       SECONDS
 *	tls-fallback     refused | taken | other-alert          a second try with the newest version but one
 *	tls-downgrade-mark                      yes | no        at the end of that version's random, when TLSv1.3 is spoken
 *	tls-group        NAME                   of the key exchange under TLSv1.3
 *	tls-groups-unknown                      yes             whether there are more: it could not be asked for them
 *	tls-prime        BITS                   of Diffie-Hellman's prime in TLSv1.2 or older
 *	tls-weak-groups  yes | no               a curve of less than 224 bits in TLSv1.2
 *	sni              none | unknown, same | other yes|no NAMES | refused WORDS      the certificate for those who name no host or an
 *	                                        unknown one; yes: it is good for this host all the same
 *	cert-subject, cert-issuer, cert-name TEXT
 *	cert-from, cert-until                   DATE DAYS-FROM-THEN-OR-TO-THEN
 *	cert-key         RSA | EC | ED25519 | ..., BITS
 *	cert-signature   NAME
 *	cert-trust       ok | CODE WORDS        of OpenSSL's verification; which of the chain, where it is not the leaf
 *	cert-match       yes | no               NAME
 *	cert-chain       HOW-MANY ordered | unordered, root | no-root       as they were sent
 *	cert-sct, cert-must-staple              yes | no
 *	ocsp             good | revoked | unknown | none
 *	domain           NAME, at the target: its DNS was asked, and what follows are the answers
 *	srv              SERVICE none | SERVICE PRIORITY WEIGHT PORT HOST secure|insecure
 *	mx               none | PREFERENCE HOST secure|insecure
 *	mta-sts, tlsrpt  none | the TXT record
 *	autoconfig       URL ok|partly|empty|none|bad|untrusted|failed WORDS      what became of the file
 *	autoconfig-server       HOST PORT plain|STARTTLS|SSL METHOD,...|- autoconfig|well-known   one of a file's, in its order
 *	found            HOST PORT SERVICE srv|autoconfig|well-known|mx     what is examined therefore; a line for each who says so
 *	dns-failed       WORDS
 *	unknown-host     HOST: WORDS            it has no address
 *	host             the name under which an endpoint was reached
 *	tlsa             USAGE SELECTOR MATCHING secure|insecure fits|differs|unusable
 *	login            CODE TEXT | unsent WORDS       what AUTH brought, with --login
 *	sender-foreign   CODE TEXT              what MAIL with somebody else's address brought, after the login
 *	smuggling        ENDING CODE TEXT | waits | refused | closed | not-begun CODE TEXT        what ended a message that should not, with --active
 *	hostile          WORDS                  it sent what no honest server does
 *	throttled        WORDS                  a sign that the server had enough of being examined
 *	unexamined       WORDS                  what is not known, because of that or of a ceiling
 *	paced            WORDS                  how many connections were made, and how far apart
 *	slow             WAY closed MS WORDS | WAY held MS | WAY unknown WORDS    how long a silent or slow client was waited for
 *
 * Owner     the caller of the text; facts point into it. Blocks never.
 * Fails     a line that is none of these is skipped; a text without the first line is no transcript.
 */
#ifndef POSTERN_AUDIT_TRANSCRIPT_H
#define POSTERN_AUDIT_TRANSCRIPT_H

#include "base/buf.h"

enum { TRANSCRIPT_VERSION = 1, TRANSCRIPT_VALUE_MAX = 1000, TRANSCRIPT_MAX = 1024 * 1024 };

struct fact {
	struct span key, value;
};

/* A section: all that is said before the first endpoint, or of one endpoint. */
struct section {
	struct span address, service;   /* empty for the target's own */
	uint16_t port;
	struct span lines;
};

/* ---- reading ---- */
struct transcript {
	struct span rest;
	struct section target;
	struct span name, at;
};

/* False: no transcript, or of a version that is not known. */
bool transcript_open(struct transcript *, struct span text);
/* The next of several that stand one behind the other, off the front of all; false at the end. */
bool transcript_take(struct span *all, struct span *one);
/* The next endpoint; false at the end. */
bool transcript_next(struct transcript *, struct section *);

/* The next fact of these lines. */
bool fact_take(struct span *lines, struct fact *);
/* The first fact with this key; its value, or an empty span and false. */
bool section_find(const struct section *, const char *key, struct span *value);
/* Is there a fact with this key whose value begins with the words? Case of ASCII letters does not matter. */
bool section_has(const struct section *, const char *key, const char *words);
/* How many facts have this key. */
size_t section_count(const struct section *, const char *key);

/* ---- writing ---- */
/* One line, cut at TRANSCRIPT_VALUE_MAX; false when out has no room. */
bool transcript_put(struct buf *out, const char *key, struct span value);
bool transcript_put_text(struct buf *out, const char *key, const char *value);

#endif
