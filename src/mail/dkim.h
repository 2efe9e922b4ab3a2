/*
 * mail/dkim.h - DKIM signatures: what of a message is digested in which form, and the field that says so (RFC 6376, 8301, 8463).
 *
 * Always relaxed/relaxed (3.4.2, 3.4.4), never l=, never i=. Digesting is the caller's: canonical octets go to his sink as they
 * come about. One message is signed like this:
 *
 *	dkim_header_find()      where the header section ends
 *	dkim_header_init()      one walk over it: which fields are signed
 *	dkim_names_format()     h=
 *	dkim_header_put()       those fields, canonical, into the digest; the same for every signature
 *	dkim_body_*()           the body, canonical, into another digest: bh=
 *	dkim_field_format()     the field without its signature; dkim_field_put() it behind the header's fields; sign that digest
 *	dkim_field_format()     the field with its signature: goes in front of the message (5.6)
 *
 * Owner     the caller, of everything; spans of a dkim_header point into the section it was made of.
 * Blocks    never. Any split of the body's octets gives the same canonical octets; a bare CR or LF is an octet like others.
 */
#ifndef POSTERN_MAIL_DKIM_H
#define POSTERN_MAIL_DKIM_H

#include "base/buf.h"
#include "mail/path.h"

/* Bits, so that a set of them is a number. */
enum dkim_algorithm { DKIM_RSA_SHA256 = 1, DKIM_ED25519_SHA256 = 2 };

enum {
	DKIM_ALGORITHMS = 2,
	DKIM_DIGEST = 32,               /* SHA-256, the only one (8301 3.1) */
	DKIM_SIGNATURE_MAX = 512,       /* RSA of 4096 bits (8301 3.2) */
	DKIM_SELECTOR_MAX = 63,         /* one label of ours */
	DKIM_SDID_MAX = 253,
	DKIM_KNOWN = 33,                /* names that are signed */
	DKIM_INSTANCES_MAX = 4,         /* fields of one name; of more, the last ones are signed */
	DKIM_NAMES_MAX = 2560,          /* h=: every name DKIM_INSTANCES_MAX times and folds fit */
	DKIM_FIELD_MAX = 4096,          /* one DKIM-Signature field */
};

struct dkim_sink {
	void (*put)(void *arg, struct span octets);
	void *arg;
};

/* "rsa-sha256"; and back, 0 for what is none of ours. */
const char *dkim_algorithm_name(enum dkim_algorithm);
unsigned dkim_algorithm_find(struct span name);

/* ---- body ---- */

struct dkim_body {
	uint64_t empty;                 /* empty lines that count only when something follows */
	bool line;                      /* something stands in this line */
	bool space;                     /* white space that counts only when something follows in this line */
	bool cr;
};

void dkim_body_init(struct dkim_body *);
void dkim_body_put(struct dkim_body *, struct span octets, const struct dkim_sink *);
void dkim_body_end(struct dkim_body *, const struct dkim_sink *);

/* ---- header ---- */

/* Octets of the header section (its last line's CRLF included) and where the body begins. False: no empty line in it. */
bool dkim_header_find(struct span octets, size_t *section, size_t *body);

struct dkim_header {
	struct span field[DKIM_KNOWN][DKIM_INSTANCES_MAX];      /* the last ones of each name; a ring */
	uint32_t count[DKIM_KNOWN];                             /* all of them */
};

void dkim_header_init(struct dkim_header *, struct span section);
/* The first author of the From field (bottom one): whose domain vouches. False: there is none. */
bool dkim_header_author(const struct dkim_header *, struct mailbox *);
/* h= without folds: what is there, and names once more than present so that nobody can add one (5.4.2). */
bool dkim_names_format(const struct dkim_header *, struct buf *out);
/* The fields that names lists, the bottom one first (5.4.2). False: names has one that we do not know. */
bool dkim_header_put(const struct dkim_header *, struct span names, const struct dkim_sink *);

/* ---- the field ---- */

struct dkim_signature {
	enum dkim_algorithm algorithm;
	struct span domain;             /* A-labels (3.5: d=) */
	struct span selector;
	struct span names;
	uint64_t when;                  /* seconds since 1970 (t=) */
	struct span body_digest;
	struct span signature;          /* octets; empty while it is to be made */
};

/* With its CRLF, folded. False when out has no room, out untouched. */
bool dkim_field_format(const struct dkim_signature *, struct buf *out);
/* One field in relaxed form (3.4.2), without its CRLF, as DKIM-Signature itself is digested (3.7). */
void dkim_field_put(struct span field, const struct dkim_sink *);

#endif
