/*
 * sasl/passwd.h - one line of a passwd-file as Dovecot writes it: user:{SCHEME}hash:uid:gid:gecos:home:shell:extra.
 *
 * Hashes of crypt(3) serve PLAIN and LOGIN; {SCRAM-SHA-256} as Dovecot has it serves all mechanisms.
 *
 * Owner     spans point into the line. Blocks: never.
 */
#ifndef POSTERN_SASL_PASSWD_H
#define POSTERN_SASL_PASSWD_H

#include "sasl/verifier.h"

struct passwd_entry {
	struct span name;               /* empty: the line is empty or a comment */
	struct span crypt;              /* empty: the verifier is what counts */
	struct verifier verifier;
};

/* False with why (static words): no account that we can check. */
bool passwd_parse(struct span line, struct passwd_entry *, const char **why);
/* What a login may send as, parted by sep: itself when it has an @, else login@hostname and login@ the hostname's parent domain
 * when that has two labels at least. */
bool passwd_grants(struct span name, struct span hostname, uint8_t sep, struct buf *out);

#endif
