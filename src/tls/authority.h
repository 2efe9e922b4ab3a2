/*
 * tls/authority.h - a certification authority of our own, for those who have no certificate yet.
 *
 * In one directory: ca.pem (what clients must be told to trust), ca-key.pem, chain.pem and key.pem (what we serve). Keys are
 * P-256, mode 0600, and written by rename, so a reader never sees half a file. The CA lasts ten years, the certificate 397
 * days; it is made anew when fewer than 30 are left, or when the names asked for are not those in it (RFC 8314 4.4).
 *
 * Owner     nothing is kept between calls. Blocks on the disk.
 * Fails     false with words in why, NUL-terminated: which file, and why.
 */
#ifndef POSTERN_TLS_AUTHORITY_H
#define POSTERN_TLS_AUTHORITY_H

#include "base/buf.h"

/* names: host names and addresses parted by single spaces, the first one for people. *made: a certificate was written. */
bool authority_ensure(const char *directory, const char *names, bool *made, struct buf *why);

#endif
