/*
 * policy/sender.h - who may send as whom: a principal's grants against an address (RFC 6409 6.1; requirements 6409-4, 6409-13).
 *
 * Grants    patterns with spaces between them:
 *             alice@example.org    this address, and its tags: alice+shop@example.org
 *             @example.org         every address of the domain; *@example.org says the same
 *             *                    every address there is
 * Case      of ASCII letters does not matter, in the local part neither. For a mailbox it would (RFC 5321 2.4), but a grant is
 *           an operator's sentence about his own addresses, and nobody means Alice@ and alice@ to be two people.
 *           International domains match as they are written: grant both forms when both are used.
 * Empty     the reverse-path <> is everybody's: notifications need it.
 * Owner     the caller. Blocks never.
 */
#ifndef POSTERN_POLICY_SENDER_H
#define POSTERN_POLICY_SENDER_H

#include "base/buf.h"
#include "base/fail.h"
#include "mail/path.h"

enum {
	SENDER_WORDS_MAX = 400,         /* room that sender_check() may want for words */
	SENDER_NAMED_MAX = 5,           /* grants that the words name at most */
};

enum sender_use {
	SENDER_REVERSE_PATH,            /* MAIL FROM */
	SENDER_AUTHOR,                  /* one address of the From field, as address_next() found it (mailbox.whole) */
};

/* Would the pattern ever match anything? For what writes grants. */
bool grant_valid(struct span pattern);

/* Does one of the grants cover this address? */
bool sender_granted(struct span grants, const struct mailbox *address);

/*
 * OK; or FAIL_SENDER_DENIED / FAIL_AUTHOR_DENIED, with words that name what is allowed; or FAIL_SENDER_SYNTAX when address is
 * none (it comes from another process, which is not believed). Words are ASCII without control characters, put onto words,
 * at most SENDER_WORDS_MAX of them; only when the answer is not OK.
 */
enum fail sender_check(struct span grants, struct span address, enum sender_use use, struct buf *words);

#endif
