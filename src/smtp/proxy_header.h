/*
 * smtp/proxy_header.h - version 2 of the PROXY protocol: for whom a proxy has made this connection. Pure.
 *
 * https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, section 2.2. Version 1 is recognised and refused. It is never
 * looked at unless the address that the connection comes from is one of a proxy of ours: anybody can say who he is.
 *
 * Fed in any split; nothing behind the header is used, so that whoever reads at most proxy_header_wants() octets at a time
 * leaves TLS its own. The block of addresses and TLVs is walked within its length, with at most PROXY_HEADER_MAX octets in all;
 * of the TLVs only CRC32c means something here, and is verified.
 *
 * Owner     the caller's struct; nothing else is kept, so there is nothing to release.
 * Blocks    never.
 * Fails     PROXY_BAD, with why in words.
 */
#ifndef POSTERN_SMTP_PROXY_HEADER_H
#define POSTERN_SMTP_PROXY_HEADER_H

#include "base/span.h"

enum {
	PROXY_SIGNATURE = 12,
	PROXY_FIXED = 16,               /* signature, version and command, family and transport, length */
	PROXY_HEADER_MAX = 4096,        /* ceiling, with the fixed part; a header fits in one segment as a rule */
};
extern const uint8_t proxy_signature[PROXY_SIGNATURE];
/* What somebody sends who speaks for himself from an address that must send a header. */
extern const struct span proxy_local_header;

enum proxy_step { PROXY_MORE, PROXY_DONE, PROXY_BAD };
/* PROXY_OWN: the proxy speaks for itself (LOCAL, a health check), or cannot say for whom (UNSPEC, a local socket). */
enum proxy_client { PROXY_OWN, PROXY_IPV4, PROXY_IPV6 };
enum proxy_part { PROXY_PART_FIXED, PROXY_PART_ADDRESSES, PROXY_PART_TLV, PROXY_PART_CRC, PROXY_PART_SKIP, PROXY_PART_OVER };

struct proxy_header {
	/* At PROXY_DONE. */
	enum proxy_client client;
	uint8_t address[16];            /* the client's, network order; IPv4: the first four octets */
	/* At PROXY_BAD. */
	const char *why;                /* static */
	bool absent;                    /* there is no header of any version */
	bool version_1;

	/* Private. */
	enum proxy_part part;
	uint8_t kept[36];               /* of this part, if it is worth keeping */
	uint16_t have, need;            /* octets of this part */
	uint16_t left;                  /* of the block behind the fixed part */
	bool tolerant;                  /* what the block says counts for nothing, so it need not make sense */
	bool summed;                    /* a CRC32c was given */
	uint32_t sum, given;
};

void proxy_header_init(struct proxy_header *);
/* Has an octet of it come? */
bool proxy_header_begun(const struct proxy_header *);
/* Octets that may be read without reading behind the header; 0 when it is over. */
size_t proxy_header_wants(const struct proxy_header *);
/* *used: how many octets of in are the header's. */
enum proxy_step proxy_header_feed(struct proxy_header *, struct span in, size_t *used);

#endif
