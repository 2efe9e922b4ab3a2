/*
 * policy/origin.h - where a session comes from, in numbers that fit into a table.
 *
 * Network   IPv4 /24, IPv6 /48: what one household, office or hosting customer has, and what an address change of its provider
 *           often stays within. ORIGIN_UNKNOWN when the text is no address. An IPv4-mapped IPv6 address is its IPv4 address.
 * Client    hash of the mechanism and of the name in EHLO. An address literal counts as "a literal", whatever it says: programs
 *           that give one give another at each place. It tells programs apart, it proves nothing: anybody can say any name.
 * Owner     the caller. Blocks never.
 */
#ifndef POSTERN_POLICY_ORIGIN_H
#define POSTERN_POLICY_ORIGIN_H

#include "base/buf.h"

enum { ORIGIN_UNKNOWN = 0, ORIGIN_TEXT_MAX = 48 };

struct origin {
	uint64_t network;
	uint32_t client;
	uint16_t country;       /* two letters, the first in the high octet; 0: not known */
};

/* address: "192.0.2.7" or "2001:db8::1", without brackets. */
uint64_t origin_network(struct span address);
/* The provider's block around it: IPv4 /16, IPv6 /32. */
uint64_t origin_region(uint64_t network);
/* "198.51.100.0/24", "2001:db8:17::/48", "an unknown network". */
bool origin_format(uint64_t network, struct buf *out);
/* 127.0.0.0/24 or ::1: a program on this very machine. */
bool origin_is_here(uint64_t network);
/* Never 0. */
uint32_t origin_client(struct span helo, uint32_t mechanism);

#endif
