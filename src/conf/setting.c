/* One pair of functions for each kind of setting: text to value, and back. Which setting is of which kind says the table in conf/keys.c. */
#include "conf/setting.h"

#include "conf/milter.h"
#include "conf/network.h"
#include "conf/route.h"
#include "conf/value.h"
#include "conf/webhook.h"

#define MEMBER(type, conf, row) ((type *)(void *)((uint8_t *)(conf) + (row)->offset))
#define MEMBER_CONST(type, conf, row) ((const type *)(const void *)((const uint8_t *)(conf) + (row)->offset))

/* ---- numbers ---- */

static bool
in_range(const struct conf_row *row, uint64_t value, bool (*format)(uint64_t, struct buf *), struct buf *why)
{
	bool small = value < row->least;

	if (!small && value <= row->most)
		return true;
	buf_put_text(why, small ? "is too small, at least " : "is too big, at most ");
	format(small ? row->least : row->most, why);
	return false;
}

static bool
number_format(uint64_t value, struct buf *out)
{
	return buf_put_u64(out, value);
}

static bool
seconds_format(uint64_t value, struct buf *out)
{
	return duration_format((uint32_t)value, out);
}

bool
set_count(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	uint64_t value;

	if (!span_take_u64(&text, &value) || !span_done(text)) {
		buf_put_text(why, "is not a number");
		return false;
	}
	if (!in_range(row, value, number_format, why))
		return false;
	*MEMBER(uint32_t, conf, row) = (uint32_t)value;
	return true;
}

bool
get_count(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return buf_put_u64(out, *MEMBER_CONST(uint32_t, conf, row));
}

bool
set_size(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	uint64_t value;

	if (!size_parse(text, &value, why) || !in_range(row, value, size_format, why))
		return false;
	*MEMBER(uint64_t, conf, row) = value;
	return true;
}

bool
get_size(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return size_format(*MEMBER_CONST(uint64_t, conf, row), out);
}

/* Was it one that is only too big? Then why that is, too. */
static bool
too_big(const struct conf_row *row, uint64_t value, const char *reason, struct buf *why)
{
	if (value > row->most)
		buf_put_text(why, reason);
	return false;
}

/* RECORD_EXTENTS_MAX pieces of SPOOL_INLINE_MAX octets are 819 MiB; header fields of ours and what milters add need room beside them. */
bool
set_size_max(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	uint8_t words[160];
	struct buf unsaid = BUF_OVER(words);
	uint64_t value = 0;

	return set_size(conf, row, text, why)
	    || too_big(row, size_parse(text, &value, &unsaid) ? value : 0, ": the spool's log has no room for more of one message", why);
}

/* Of each recipient the record has a path, an ORCPT and what was last said of it, 2 KiB together: RECORD_PAYLOAD_MAX ends it. */
bool
set_rcpt_max(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	uint64_t value = 0;

	return set_count(conf, row, text, why)
	    || too_big(row, span_take_u64(&text, &value) && span_done(text) ? value : 0,
	    ": more may not fit into one record of the spool's log, with what is said of each", why);
}

bool
set_duration(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	uint32_t value;

	if (!duration_parse(text, &value, why) || !in_range(row, value, seconds_format, why))
		return false;
	*MEMBER(uint32_t, conf, row) = value;
	return true;
}

bool
get_duration(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return duration_format(*MEMBER_CONST(uint32_t, conf, row), out);
}

bool
set_boolean(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	return boolean_parse(text, MEMBER(bool, conf, row), why);
}

bool
get_boolean(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return buf_put_text(out, *MEMBER_CONST(bool, conf, row) ? "yes" : "no");
}

/* -9 to 9 (RFC 6710 3). */
bool
set_priority(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	bool minus = span_take_byte(&text, '-');

	if (text.len != 1 || !ascii_is_digit(text.p[0])) {
		buf_put_text(why, "is no priority, -9 to 9");
		return false;
	}
	*MEMBER(int32_t, conf, row) = minus ? '0' - text.p[0] : text.p[0] - '0';
	return true;
}

bool
get_priority(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	int32_t value = *MEMBER_CONST(int32_t, conf, row);

	(void)item;
	return (value >= 0 || buf_put_byte(out, '-')) && buf_put_u64(out, (uint64_t)(value < 0 ? -value : value));
}

/* ---- texts ---- */

bool
get_text(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return buf_put_text(out, MEMBER_CONST(struct conf_text, conf, row)->p);
}

bool
set_path(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	if (text.len == 0 || text.p[0] != '/') {
		buf_put_text(why, "does not begin with /");
		return false;
	}
	return text_set(MEMBER(struct conf_text, conf, row), text, why);
}

bool
set_words(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == ' ' || ascii_is_graph(text.p[i]))
			continue;
		buf_put_text(why, "has something in it that is no printable US-ASCII");
		return false;
	}
	return text_set(MEMBER(struct conf_text, conf, row), text, why);
}

bool
set_hostname(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	if (!host_is_qualified(text)) {
		buf_put_text(why, "is not a fully qualified host name (RFC 5321 2.3.5: at least two labels of letters, digits "
		                  "and hyphens)");
		return false;
	}
	return text_set(MEMBER(struct conf_text, conf, row), text, why);
}

/* "192.0.2.53", "2001:db8::53", either with "@5353" behind it. */
bool
set_dns_server(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	struct span rest = text, address = span_take_until(&rest, '@');
	uint16_t port;

	if ((!address_is_v4(address) && !address_is_v6(address)) ||
	    (span_take_byte(&rest, '@') && (!port_take(&rest, &port) || !span_done(rest)))) {
		buf_put_text(why, "is not the address of a name server, with or without @PORT");
		return false;
	}
	return text_set(MEMBER(struct conf_text, conf, row), text, why);
}

bool
set_mailbox(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	struct span domain = text, local = span_take_until(&domain, '@');

	for (size_t i = 0; i < local.len; i++) {
		if (!ascii_is_graph(local.p[i]) || span_find(SPAN("()<>[]:;,\\\""), local.p[i]) < 11)
			local.len = 0;
	}
	if (local.len == 0 || local.len > 64 || !span_take_byte(&domain, '@') || !host_is_qualified(domain)) {
		buf_put_text(why, "is not a mailbox, local-part@domain");
		return false;
	}
	return text_set(MEMBER(struct conf_text, conf, row), text, why);
}

/* ---- choices ---- */

static const char *const conversions[] = {
	[CONF_CONVERT_UNSIGNED] = "unless-signed", [CONF_CONVERT_ALWAYS] = "always", [CONF_CONVERT_NEVER] = "never",
};

bool
set_down_conversion(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	for (size_t i = 0; i < sizeof conversions / sizeof conversions[0]; i++)
		if (span_same(text, span_of(conversions[i]))) {
			conf->down_conversion = (enum conf_conversion)i;
			return true;
		}
	buf_put_text(why, "is none of unless-signed, always, never");
	return false;
}

bool
get_down_conversion(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, conversions[conf->down_conversion]);
}

bool
set_log_format(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	bool json = span_same(text, SPAN("json"));

	(void)row;
	if (!json && !span_same(text, SPAN("logfmt"))) {
		buf_put_text(why, "is neither logfmt nor json");
		return false;
	}
	conf->log_format = json ? CONF_LOG_JSON : CONF_LOG_LOGFMT;
	return true;
}

bool
get_log_format(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, conf->log_format == CONF_LOG_JSON ? "json" : "logfmt");
}

bool
set_log_target(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	bool syslog = span_same(text, SPAN("syslog"));

	(void)row;
	if (!syslog && !span_same(text, SPAN("stderr"))) {
		buf_put_text(why, "is neither stderr nor syslog");
		return false;
	}
	conf->log_target = syslog ? CONF_LOG_SYSLOG : CONF_LOG_STDERR;
	return true;
}

bool
get_log_target(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, conf->log_target == CONF_LOG_SYSLOG ? "syslog" : "stderr");
}

static const char *const sandboxes[] = {
	[CONF_SANDBOX_AUTO] = "", [CONF_SANDBOX_REQUIRED] = "required", [CONF_SANDBOX_BEST] = "best", [CONF_SANDBOX_OFF] = "off",
};

bool
set_sandbox(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	for (unsigned i = CONF_SANDBOX_REQUIRED; i <= CONF_SANDBOX_OFF; i++) {
		if (span_same(text, span_of(sandboxes[i]))) {
			conf->sandbox = (enum conf_sandbox)i;
			return true;
		}
	}
	buf_put_text(why, "is neither required, best nor off");
	return false;
}

bool
get_sandbox(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, sandboxes[conf->sandbox]);
}

bool
set_relay(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	return relay_parse(text, &conf->relay, why);
}

bool
get_relay(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return relay_format(&conf->relay, out);
}

bool
set_webhook(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	struct webhook_url url;

	(void)row;
	return webhook_url_parse(text, &url, why) && text_set(&conf->webhook, text, why);
}

bool
set_webhook_events(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	return webhook_events_parse(text, &conf->webhook_events, why);
}

bool
get_webhook_events(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return webhook_events_format(conf->webhook_events, out);
}

/* ---- lists ---- */

/* Does a listen wherever b does? "*" is both families, and IPv6 is never IPv4 as well. */
static bool
listens_everywhere(const struct conf_listen *a, const struct conf_listen *b)
{
	struct span wide = span_of(a->address), other = span_of(b->address);
	bool both = span_eq(other, SPAN("*")), six = span_find(other, ':') < other.len;

	return span_eq(wide, SPAN("*")) || (span_eq(wide, SPAN("::")) && (both || six)) ||
	    (span_eq(wide, SPAN("0.0.0.0")) && (both || !six));
}

/* least holds the service: both listener keys share the one list. */
bool
set_listen(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	struct conf_listen l = { .service = row->least };

	if (!listen_parse(text, &l, why))
		return false;
	for (size_t i = 0; i < conf->listens; i++) {
		const struct conf_listen *other = &conf->listen[i];

		if (other->port != l.port)
			continue;
		if (span_eq(span_of(other->address), span_of(l.address)))
			return buf_refuse(why, "is listened on twice", NULL);
		if (!listens_everywhere(other, &l) && !listens_everywhere(&l, other))
			continue;
		buf_put_text(why, "contains, or is contained in, the listener ");
		(void)listen_format(other, why);
		return false;
	}
	if (conf->listens == CONF_LISTEN_MAX) {
		buf_put_text(why, "is one too many; at most 16 listeners");
		return false;
	}
	conf->listen[conf->listens++] = l;
	return true;
}

bool
get_listen(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	for (size_t i = 0; i < conf->listens; i++) {
		if (conf->listen[i].service == row->least && item-- == 0)
			return listen_format(&conf->listen[i], out);
	}
	return false;
}

bool
set_certificate(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	if (conf->certificates == CONF_CERTIFICATES_MAX) {
		buf_put_text(why, "is one too many; at most 32 certificates");
		return false;
	}
	if (!certificate_parse(text, &conf->certificate[conf->certificates], why))
		return false;
	conf->certificates++;
	return true;
}

bool
get_certificate(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->certificates && certificate_format(&conf->certificate[item], out);
}

bool
set_proxy(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	if (conf->proxies == CONF_PROXIES_MAX) {
		buf_put_text(why, "is one too many; at most 32 proxies, or networks of them");
		return false;
	}
	if (!network_parse(text, &conf->proxy[conf->proxies], why))
		return false;
	conf->proxies++;
	return true;
}

bool
get_proxy(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->proxies && buf_put_text(out, conf->proxy[item].text);
}

bool
set_dkim(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	return dkim_parse(text, &conf->dkim, why);
}

bool
get_dkim(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, dkim_name(conf->dkim));
}

bool
set_dkim_rule(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	bool hop = row->least == DKIM_RULES_HOP;
	struct conf_dkim_rule *list = hop ? conf->dkim_hop : conf->dkim_domain;
	uint32_t *count = hop ? &conf->dkim_hops : &conf->dkim_domains;

	if (*count == CONF_DKIM_RULES_MAX) {
		buf_put_text(why, "is one too many; at most 32");
		return false;
	}
	if (!dkim_rule_parse(text, hop, &list[*count], why))
		return false;
	++*count;
	return true;
}

bool
get_dkim_rule(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	bool hop = row->least == DKIM_RULES_HOP;

	return item < (hop ? conf->dkim_hops : conf->dkim_domains) &&
	    dkim_rule_format(hop ? &conf->dkim_hop[item] : &conf->dkim_domain[item], out);
}

bool
set_source(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	if (conf->sources == CONF_SOURCES_MAX) {
		buf_put_text(why, "is one too many; at most 64 sources");
		return false;
	}
	if (!source_parse(text, &conf->source[conf->sources], why))
		return false;
	conf->sources++;
	return true;
}

bool
get_source(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->sources && source_format(&conf->source[item], out);
}

bool
set_limit(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	if (conf->limits == CONF_LIMITS_MAX) {
		buf_put_text(why, "is one too many; at most 64 destinations with limits of their own");
		return false;
	}
	if (!limit_parse(text, &conf->limit[conf->limits], why))
		return false;
	conf->limits++;
	return true;
}

bool
get_limit(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->limits && limit_format(&conf->limit[item], out);
}
