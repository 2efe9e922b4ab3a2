/*
 * conf/webhook.h - where events are posted to, and which. Pure.
 *
 * Owner     the caller; nothing is kept. Fails with a clause in why.
 */
#ifndef POSTERN_CONF_WEBHOOK_H
#define POSTERN_CONF_WEBHOOK_H

#include "base/buf.h"

enum webhook_event { WEBHOOK_DELIVERED = 1, WEBHOOK_DEFERRED = 2, WEBHOOK_BOUNCED = 4, WEBHOOK_HELD = 8, WEBHOOK_DROPPED = 16 };
enum { WEBHOOK_EVENTS_ALL = 31 };

struct webhook_url {
	bool clear;             /* http:, to this machine only */
	char host[256];         /* name or address, without brackets; NUL-terminated, as path is */
	char path[256];         /* "/hooks?x=y" */
	uint16_t port;
};

/* "https://hooks.example.org[:8443][/path]", or "http://127.0.0.1[:8080][/path]": localhost, 127.0.0.0/8 and [::1] may be without TLS. */
bool webhook_url_parse(struct span text, struct webhook_url *, struct buf *why);
/* What of such a text is no secret: its path is one to receivers that know who posts by it. */
struct span webhook_url_public(struct span text);

/* "delivered deferred bounced held dropped", some of them, in any order. */
bool webhook_events_parse(struct span text, uint32_t *events, struct buf *why);
bool webhook_events_format(uint32_t events, struct buf *out);
/* One of them; NULL: it is none. */
const char *webhook_event_name(uint32_t event);

#endif
