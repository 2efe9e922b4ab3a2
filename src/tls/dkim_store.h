/*
 * tls/dkim_store.h - the directory of DKIM keys, and how one key follows another.
 *
 *	DIR/DOMAIN/selectors        "SELECTOR ALGORITHM PHASE SINCE" on each line; what is not listed there does not count
 *	DIR/DOMAIN/SELECTOR.pem     the key, mode 0600
 *	DIR/changed                 replaced with every change, so that one look tells
 *	DIR/lock
 *
 * A key waits until its record is published, then signs (active), then is old: it signs nothing more, but its record stays while mail
 * that it signed is under way. A change is one rename of `selectors`; keys are written before it and removed behind it.
 *
 * Owner     the caller, from dkim_store_read() until dkim_store_free(). Keys themselves are read one at a time.
 * Blocks    on the disk, changes on the lock of another change.
 * Fails     false with words in why, NUL-terminated, that name the file; a change that failed has changed nothing that counts.
 */
#ifndef POSTERN_TLS_DKIM_STORE_H
#define POSTERN_TLS_DKIM_STORE_H

#include "mail/dkim.h"
#include "tls/dkim_key.h"

enum {
	DKIM_DOMAINS_MAX = 2048,
	DKIM_DOMAIN_KEYS_MAX = 16,      /* of one domain, old ones among them */
	DKIM_KEEP_DAYS = 7,             /* an old key's record: next hops keep mail for five days (RFC 5321 4.5.4.1) */
};

enum dkim_phase { DKIM_WAITING, DKIM_ACTIVE, DKIM_OLD, DKIM_PHASES };

struct dkim_entry {
	char domain[DKIM_SDID_MAX + 1];         /* lower case, A-labels */
	char selector[DKIM_SELECTOR_MAX + 1];
	enum dkim_algorithm algorithm;
	enum dkim_phase phase;
	uint64_t since;                         /* seconds since 1970: in this phase */
};

struct dkim_store {
	struct dkim_entry *entry;               /* by domain, in ascending order of octets; by selector within one */
	size_t count;
};

struct dkim_pem {
	uint8_t p[DKIM_PEM_MAX];
	size_t len;
};

/* "waiting", "active", "old". */
const char *dkim_phase_name(enum dkim_phase);
/* A domain that may sign: two labels or more, lower case, no octet above 127. */
bool dkim_domain_valid(struct span);

/* Without a directory it is empty. */
bool dkim_store_read(const char *dir, struct dkim_store *, struct buf *why);
void dkim_store_free(struct dkim_store *);
/* The first entry of the domain and how many there are; 0: none. */
size_t dkim_store_find(const struct dkim_store *, struct span domain, size_t *first);
/* The key's text: the caller wipes it. Refused when others may read the file. */
bool dkim_store_pem(const char *dir, const struct dkim_entry *, struct dkim_pem *, struct buf *why);
/* That it parses and may be used; record: what the domain publishes for it, NUL-terminated, or NULL. */
bool dkim_store_check(const char *dir, const struct dkim_entry *, struct buf *record, struct buf *why);

/* Two fresh keys, one of each algorithm. A domain's first ones are active at once, later ones wait. */
bool dkim_store_add(const char *dir, const char *domain, uint64_t now, bool wait, struct buf *why);
bool dkim_store_rotate(const char *dir, const char *domain, uint64_t now, struct buf *why);
/* A key that was made elsewhere, from a PEM file: active when no key of its algorithm is, else it waits. */
bool dkim_store_import(const char *dir, const char *domain, const char *selector, const char *file, uint64_t now, struct buf *why);
/* What waits is active, and what was active of the same algorithm is old. */
bool dkim_store_activate(const char *dir, const char *domain, uint64_t now, struct buf *why);
/* All keys of the domain, or the one of this selector if it is not active. */
bool dkim_store_remove(const char *dir, const char *domain, const char *selector, struct buf *why);

#endif
