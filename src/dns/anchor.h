/*
 * dns/anchor.h - what a file of trust anchors is worth, before anybody relies on it (RFC 4033 2, RFC 5011, RFC 7958).
 *
 * Blocks    on the disk; nothing is asked of the network.
 * Fails     false with words in why, NUL-terminated, without the file's name.
 */
#ifndef POSTERN_DNS_ANCHOR_H
#define POSTERN_DNS_ANCHOR_H

#include "base/buf.h"

enum dns_anchor {
	DNS_ANCHOR_NONE,                /* no DS or DNSKEY record: with it nothing is ever validated */
	DNS_ANCHOR_RETIRED,             /* of the root's keys only such as have gone: with it every answer is bogus */
	DNS_ANCHOR_GOOD,
};

/* Pure. Is lenient: what libunbound refuses may be good here. */
enum dns_anchor dns_anchor_judge(struct span text);

/* Does libunbound take it, and is a record in it? */
bool dns_anchor_usable(const char *file, struct buf *why);
/* Is a key in it that signs? True also of a file that is not usable. */
bool dns_anchor_current(const char *file, struct buf *why);

#endif
