/*
 * policy/mta_sts.h - what a domain says in its _mta-sts record and in its policy file (RFC 8461 3). Pure.
 *
 * Owner     the caller; a policy holds its text itself. Blocks never.
 * Fails     false; words (static) say what is wrong with a policy.
 */
#ifndef POSTERN_POLICY_MTA_STS_H
#define POSTERN_POLICY_MTA_STS_H

#include "base/buf.h"

enum {
	MTA_STS_ID_MAX = 32,            /* 3.1 */
	MTA_STS_FILE_MAX = 64 * 1024,   /* octets of a policy file that are fetched (3.3 leaves the limit to us) */
	MTA_STS_MX_MAX = 64,            /* patterns of one policy; more is an invalid one */
	MTA_STS_TEXT_MAX = 4096,        /* octets of all its patterns, each with NUL */
	MTA_STS_FORMAT_MAX = 5120,      /* of a whole policy as mta_sts_policy_format() says it */
	MTA_STS_AGE_MAX = 31557600,     /* 3.2: about a year */
};

enum mta_sts_mode { MTA_STS_NONE, MTA_STS_TESTING, MTA_STS_ENFORCE };

struct mta_sts_policy {
	enum mta_sts_mode mode;
	uint32_t max_age;               /* seconds */
	uint32_t mxs;
	uint16_t mx[MTA_STS_MX_MAX];    /* where in text */
	char text[MTA_STS_TEXT_MAX];    /* patterns in lower case, NUL-terminated: "mx1.example.net", "*.example.net" */
};

/* Does a TXT record (its strings joined) claim to be one? Two of those mean none (3.1). */
bool mta_sts_record_claims(struct span txt);
/* Its id, NUL-terminated. False: it is malformed, and the domain has no policy. */
bool mta_sts_record_parse(struct span txt, char id[MTA_STS_ID_MAX + 1]);

/* The policy file; lines end in LF or CRLF, unknown keys and further ones of a kind are passed over (3.2). */
bool mta_sts_policy_parse(struct span file, struct mta_sts_policy *, const char **words);

/* Its fields as a policy file has them, with separator between them: "version: STSv1", "mode: enforce", "mx: ...", "max_age: ...". */
void mta_sts_policy_format(const struct mta_sts_policy *, char separator, struct buf *out);

/* Is host named by one of the patterns? "*." stands for exactly one label (4.1); letter case does not count. */
bool mta_sts_matches(const struct mta_sts_policy *, struct span host);

const char *mta_sts_mode_name(enum mta_sts_mode);

#endif
