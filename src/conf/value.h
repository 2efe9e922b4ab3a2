/*
 * conf/value.h - the kinds of value that a setting can have: text to value, value to text, inverse of each other. Pure.
 *
 * Owner     the caller, of everything.
 * Fails     false, with what is wrong in why: a clause that follows the quoted value, `is not a size`.
 */
#ifndef POSTERN_CONF_VALUE_H
#define POSTERN_CONF_VALUE_H

#include "conf/conf.h"

/* "50 MiB", "50M", "4096": octets, by powers of 1024. */
bool size_parse(struct span text, uint64_t *octets, struct buf *why);
bool size_format(uint64_t octets, struct buf *out);

/* "60 s", "5 min", "3 h", "5 d", "1 w", "0": seconds. Only 0 may go without its unit. */
bool duration_parse(struct span text, uint32_t *seconds, struct buf *why);
bool duration_format(uint32_t seconds, struct buf *out);

/* "yes" and "no", and the words other programs use for them. */
bool boolean_parse(struct span text, bool *value, struct buf *why);

/* NUL-terminated text without control octets that fits; may be empty. */
bool text_set(struct conf_text *out, struct span text, struct buf *why);
static inline struct span
text_span(const struct conf_text *t)
{
	return span_of(t->p);
}

/* A fully qualified host name of letters, digits and hyphens (RFC 1123 2.1, RFC 5321 2.3.5), at most 253 octets. */
bool host_is_qualified(struct span name);
/* The same, but one label ("localhost") will do. */
bool host_is_name(struct span name);
bool address_is_v4(struct span text);
bool address_is_v6(struct span text);

/* "192.0.2.7:465", "[2001:db8::1]:465", "*:465". */
bool listen_parse(struct span text, struct conf_listen *out, struct buf *why);
bool listen_format(const struct conf_listen *, struct buf *out);

/* "maildir:DIR", "mx", "submissions://user@host", "submission://user@host:2587", "smtp://host:25". */
bool relay_parse(struct span text, struct conf_relay *out, struct buf *why);
bool relay_format(const struct conf_relay *, struct buf *out);

/* "chain=FILE key=FILE". */
bool certificate_parse(struct span text, struct conf_certificate *out, struct buf *why);
bool certificate_format(const struct conf_certificate *, struct buf *out);

/* "both", "rsa", "ed25519", "off"; and "example.org off", the name of a host or, when below is, ".example.org". */
bool dkim_parse(struct span text, enum conf_dkim *out, struct buf *why);
const char *dkim_name(enum conf_dkim);
bool dkim_rule_parse(struct span text, bool below, struct conf_dkim_rule *out, struct buf *why);
bool dkim_rule_format(const struct conf_dkim_rule *, struct buf *out);

/* 1 to 65535 off the front. */
bool port_take(struct span *text, uint16_t *port);

#endif
