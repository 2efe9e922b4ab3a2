/*
 * tls/wiped.h - have OpenSSL overwrite whatever it frees, for a process that reads keys only to hand them on.
 *
 * OpenSSL clears the numbers of a key, but not the decoded text that it took them from.
 */
#ifndef POSTERN_TLS_WIPED_H
#define POSTERN_TLS_WIPED_H

#include <stdbool.h>

/* Before the first use of OpenSSL in this process; false when it comes too late. Costs a little with each free. */
bool tls_wipe_what_is_freed(void);

#endif
