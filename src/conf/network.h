/*
 * conf/network.h - an address or a network of addresses: "192.0.2.1", "10.0.0.0/8", "2001:db8::/32". Pure.
 *
 * IPv4 lies in IPv6 as RFC 4291 2.5.5.2 maps it, so that a listener for both families needs one comparison.
 *
 * Owner     the caller, of everything.
 * Fails     false, with what is wrong in why: a clause that follows the quoted value.
 */
#ifndef POSTERN_CONF_NETWORK_H
#define POSTERN_CONF_NETWORK_H

#include "conf/conf.h"

bool network_parse(struct span text, struct conf_network *out, struct buf *why);
/* address: 16 octets in network order, IPv4 mapped. */
bool network_has(const struct conf_network *, const uint8_t address[16]);
/* Is it one of those that `proxy` names? */
bool conf_is_proxy(const struct conf *, const uint8_t address[16]);
/* The same of an address in text; false when it is none. */
bool conf_is_proxy_text(const struct conf *, struct span address);

#endif
