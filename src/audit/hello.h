/*
 * audit/hello.h - a ClientHello made to ask one question, and what the first flight of the answer says: so that versions and
 * suites can be examined that no library speaks any more (RFC 6101, 2246, 4346, 5246, 8446).
 *
 * Owner     the caller, of everything. Blocks never.
 * Fails     hello_parse() is meant for hostile input: a length that does not fit is HELLO_OTHER.
 */
#ifndef POSTERN_AUDIT_HELLO_H
#define POSTERN_AUDIT_HELLO_H

#include "base/buf.h"

enum {
	HELLO_INAPPROPRIATE_FALLBACK = 86,      /* the alert of RFC 7507 */
	HELLO_GROUPS_MAX = 32,
	HELLO_SSL3 = 0x0300, HELLO_TLS10 = 0x0301, HELLO_TLS11 = 0x0302, HELLO_TLS12 = 0x0303, HELLO_TLS13 = 0x0304,
	HELLO_RANDOM = 32,
	HELLO_SUITES_MAX = 128,
	HELLO_MAX = 1024,               /* octets that hello_format() may want */
	HELLO_REPLY_MAX = 16 * 1024,    /* octets of an answer that need to be looked at */
};

struct hello_question {
	uint16_t version;               /* the only one offered */
	const uint16_t *suite;          /* in our order of preference */
	size_t suites;
	struct span name;               /* for SNI; empty: none */
	const uint8_t *random;          /* HELLO_RANDOM octets, which are also the key share */
	const uint16_t *group;          /* offered, in our order of preference; NULL: all that the version has, but for weak curves */
	size_t groups;
	bool compress;                  /* offer DEFLATE too */
	bool fallback;                  /* say that this is a second try with a lower version (RFC 7507) */
	bool shareless;                 /* TLS 1.3 without a key share: the answer names the group that the server would have */
};

bool hello_format(const struct hello_question *, struct buf *out);

enum hello_step { HELLO_MORE, HELLO_SERVER, HELLO_ALERT, HELLO_OTHER };

struct hello_reply {
	uint16_t version, suite;        /* HELLO_SERVER: what was chosen */
	uint16_t group;                 /* TLS 1.3: too; else 0 */
	uint8_t alert;                  /* HELLO_ALERT: its description */
	bool compressed, extended_master_secret, secure_renegotiation;
	bool downgraded;                /* the random's end says that a newer version could have been had (RFC 8446 4.1.3) */
};

/* in is what came so far, from the first octet on. */
enum hello_step hello_parse(struct span in, struct hello_reply *);

/* "TLSv1.2" */
const char *hello_version_name(uint16_t version);
/* IANA's name of a suite, "TLS_AES_128_GCM_SHA256"; NULL when it is none that is offered. */
const char *hello_suite_name(uint16_t suite);
/* The letter of a suite, by its name: 'A' authenticated encryption with forward secrecy, 'B' CBC with it, 'C' without forward secrecy or with
 * blocks of 64 bits, 'D' RC4, 'F' no encryption, no certificate, or a key that is found within hours. */
char hello_suite_grade(struct span name);
/* Every suite that is asked about in this version, strongest first; how many. */
size_t hello_suites(uint16_t version, uint16_t suite[HELLO_SUITES_MAX]);

/* Groups that a server may take under TLS 1.3 (RFC 8446 4.2.7); how many. */
size_t hello_groups(uint16_t group[HELLO_GROUPS_MAX]);
/* The same for TLS 1.2 and older: no prime groups, which would be asked of suites with Diffie-Hellman too (RFC 7919 4). */
size_t hello_curves(uint16_t group[HELLO_GROUPS_MAX]);
/* Curves of less than 224 bits, which only TLS 1.2 and older have (RFC 8422 5.1.1). */
size_t hello_weak_groups(uint16_t group[HELLO_GROUPS_MAX]);
/* IANA's name of a group; NULL when it is none that is offered. */
const char *hello_group_name(uint16_t group);

#endif
