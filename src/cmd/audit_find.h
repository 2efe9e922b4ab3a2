/*
 * cmd/audit_find.h - how the parts of the search for a domain's service work together: DNS in audit_find.c, files over HTTPS in
 * audit_autoconfig_fetch.c. Private to `postern audit`.
 *
 * Owner     the caller. Blocks: for as long as the resolver and the web servers may take, which is bounded.
 * Fails     nothing: what is not known is said so in the transcript.
 */
#ifndef POSTERN_CMD_AUDIT_FIND_H
#define POSTERN_CMD_AUDIT_FIND_H

#include "cmd/audit.h"

/* One more place to look at, unless it is known or there are AUDIT_PLACES_MAX; by: who says so, for the transcript. */
void audit_place_add(struct audit_places *, const struct audit_place *, const char *by, struct buf *out);
struct audit_place audit_place_of(const char *host, uint16_t port, enum audit_service, bool vouched);
/* Has the resolver not answered? Then that a name has no address says nothing. */
bool audit_dns_away(const struct audit_dns *);
/* Fetches and reads the domain's autoconfig files (domain: A-labels). */
void audit_autoconfig(struct audit_dns *, const struct audit_web *, const char *domain, struct audit_places *, struct buf *out);

#endif
