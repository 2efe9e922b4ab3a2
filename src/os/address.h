/*
 * os/address.h - is it an address of the network, or a name?
 *
 * Blocks    never.
 */
#ifndef POSTERN_OS_ADDRESS_H
#define POSTERN_OS_ADDRESS_H

#include <stdbool.h>

/* "192.0.2.1" or "2001:db8::1", NUL-terminated, with nothing around it. */
bool address_is_numeric(const char *text);

#endif
