/*
 * policy/public_address.h - is this an address that anybody in the Internet may mean? Where strangers name hosts for us to talk to, a
 * name that leads to one of our own networks is a trap (RFC 6890, RFC 4291). Pure.
 */
#ifndef POSTERN_POLICY_PUBLIC_ADDRESS_H
#define POSTERN_POLICY_PUBLIC_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/* octets: 16 of them with v6, else 4; network order. */
bool address_is_public(bool v6, const uint8_t *octets);

#endif
