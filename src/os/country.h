/*
 * os/country.h - in which country an address is, by a database in MaxMind's format with country.iso_code in it.
 *
 * Owner     the caller has what country_open() returns until country_close(). It keeps no descriptor.
 * Blocks    country_open() on the disk: the file is copied whole. country_of() on memory alone.
 * Copy      The database is mapped. A file that its owner truncates while it is mapped would end the process, so what is mapped is a copy
 *           that nobody else has: made at the path that is given, and without a name again before country_open() returns.
 * Fails     NULL with words in why, NUL-terminated, that do not repeat the path.
 */
#ifndef POSTERN_OS_COUNTRY_H
#define POSTERN_OS_COUNTRY_H

#include "base/buf.h"

enum {
	COUNTRY_FILE_MAX = 256 * 1024 * 1024,   /* octets; those of countries have 10 MiB, of cities 70 */
};

struct country;

/* copy NULL: the file itself is mapped, for a look of a moment. */
struct country *country_open(const char *path, const char *copy, struct buf *why);
void country_close(struct country *);
/* Is it the file that lies at path now? */
bool country_is_current(const struct country *, const char *path);
/* When it was made; seconds since 1970. */
uint64_t country_built(const struct country *);
/* "192.0.2.7", "2001:db8::1": two letters, the first in the high octet; 0: not known, or no address. Of NULL everything is. */
uint16_t country_of(const struct country *, const char *address);

#endif
