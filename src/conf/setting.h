/*
 * conf/setting.h - the kinds of settings, for the table in conf/keys.c. Private to the room.
 *
 * A setter turns text into the value that its row names, or puts a clause about it onto why; a getter puts the value's text onto out.
 */
#ifndef POSTERN_CONF_SETTING_H
#define POSTERN_CONF_SETTING_H

#include "conf/keys.h"

/* Both lists are alike; least says which. */
enum { DKIM_RULES_DOMAIN, DKIM_RULES_HOP };

typedef bool conf_setter(struct conf *, const struct conf_row *, struct span text, struct buf *why);
typedef bool conf_getter(const struct conf *, const struct conf_row *, size_t item, struct buf *out);

conf_setter
    set_boolean, set_certificate, set_count, set_dkim, set_dkim_rule, set_dns_server, set_down_conversion,
    set_duration, set_hostname, set_limit, set_listen, set_log_format, set_log_target, set_mailbox, set_path,
    set_priority, set_proxy, set_rcpt_max, set_relay, set_sandbox, set_size, set_size_max, set_source, set_webhook, set_webhook_events, set_words;
conf_getter
    get_boolean, get_certificate, get_count, get_dkim, get_dkim_rule, get_down_conversion, get_duration, get_limit,
    get_listen, get_log_format, get_log_target, get_priority, get_proxy, get_relay, get_sandbox, get_size, get_source,
    get_text, get_webhook_events;

#endif
