#include "conf/keys.h"

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

static bool
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

static bool
get_count(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return buf_put_u64(out, *MEMBER_CONST(uint32_t, conf, row));
}

static bool
set_size(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	uint64_t value;

	if (!size_parse(text, &value, why) || !in_range(row, value, size_format, why))
		return false;
	*MEMBER(uint64_t, conf, row) = value;
	return true;
}

static bool
get_size(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return size_format(*MEMBER_CONST(uint64_t, conf, row), out);
}

static bool
set_duration(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	uint32_t value;

	if (!duration_parse(text, &value, why) || !in_range(row, value, seconds_format, why))
		return false;
	*MEMBER(uint32_t, conf, row) = value;
	return true;
}

static bool
get_duration(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return duration_format(*MEMBER_CONST(uint32_t, conf, row), out);
}

static bool
set_boolean(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	return boolean_parse(text, MEMBER(bool, conf, row), why);
}

static bool
get_boolean(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return buf_put_text(out, *MEMBER_CONST(bool, conf, row) ? "yes" : "no");
}

/* -9 to 9 (RFC 6710 3). */
static bool
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

static bool
get_priority(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	int32_t value = *MEMBER_CONST(int32_t, conf, row);

	(void)item;
	return (value >= 0 || buf_put_byte(out, '-')) && buf_put_u64(out, (uint64_t)(value < 0 ? -value : value));
}

/* ---- texts ---- */

static bool
get_text(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)item;
	return buf_put_text(out, MEMBER_CONST(struct conf_text, conf, row)->p);
}

static bool
set_path(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	if (text.len == 0 || text.p[0] != '/') {
		buf_put_text(why, "does not begin with /");
		return false;
	}
	return text_set(MEMBER(struct conf_text, conf, row), text, why);
}

static bool
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

static bool
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
static bool
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

static bool
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

static bool
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

static bool
get_down_conversion(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, conversions[conf->down_conversion]);
}

static bool
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

static bool
get_log_format(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, conf->log_format == CONF_LOG_JSON ? "json" : "logfmt");
}

static bool
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

static bool
get_log_target(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, conf->log_target == CONF_LOG_SYSLOG ? "syslog" : "stderr");
}

static const char *const sandboxes[] = {
	[CONF_SANDBOX_AUTO] = "", [CONF_SANDBOX_REQUIRED] = "required", [CONF_SANDBOX_BEST] = "best", [CONF_SANDBOX_OFF] = "off",
};

static bool
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

static bool
get_sandbox(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, sandboxes[conf->sandbox]);
}

static bool
set_relay(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	return relay_parse(text, &conf->relay, why);
}

static bool
get_relay(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return relay_format(&conf->relay, out);
}

static bool
set_webhook(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	struct webhook_url url;

	(void)row;
	return webhook_url_parse(text, &url, why) && text_set(&conf->webhook, text, why);
}

static bool
set_webhook_events(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	return webhook_events_parse(text, &conf->webhook_events, why);
}

static bool
get_webhook_events(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return webhook_events_format(conf->webhook_events, out);
}

/* ---- lists ---- */

/* least holds the service: both listener keys share the one list. */
static bool
set_listen(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	struct conf_listen l = { .service = row->least };

	if (!listen_parse(text, &l, why))
		return false;
	for (size_t i = 0; i < conf->listens; i++) {
		if (conf->listen[i].port != l.port || !span_eq(span_of(conf->listen[i].address), span_of(l.address)))
			continue;
		buf_put_text(why, "is listened on twice");
		return false;
	}
	if (conf->listens == CONF_LISTEN_MAX) {
		buf_put_text(why, "is one too many; at most 16 listeners");
		return false;
	}
	conf->listen[conf->listens++] = l;
	return true;
}

static bool
get_listen(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	for (size_t i = 0; i < conf->listens; i++) {
		if (conf->listen[i].service == row->least && item-- == 0)
			return listen_format(&conf->listen[i], out);
	}
	return false;
}

static bool
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

static bool
get_certificate(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->certificates && certificate_format(&conf->certificate[item], out);
}

static bool
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

static bool
get_proxy(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->proxies && buf_put_text(out, conf->proxy[item].text);
}

static bool
set_dkim(struct conf *conf, const struct conf_row *row, struct span text, struct buf *why)
{
	(void)row;
	return dkim_parse(text, &conf->dkim, why);
}

static bool
get_dkim(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row, (void)item;
	return buf_put_text(out, dkim_name(conf->dkim));
}

/* Both lists are alike; least says which. */
enum { DKIM_RULES_DOMAIN, DKIM_RULES_HOP };

static bool
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

static bool
get_dkim_rule(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	bool hop = row->least == DKIM_RULES_HOP;

	return item < (hop ? conf->dkim_hops : conf->dkim_domains) &&
	    dkim_rule_format(hop ? &conf->dkim_hop[item] : &conf->dkim_domain[item], out);
}

static bool
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

static bool
get_source(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->sources && source_format(&conf->source[item], out);
}

static bool
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

static bool
get_limit(const struct conf *conf, const struct conf_row *row, size_t item, struct buf *out)
{
	(void)row;
	return item < conf->limits && limit_format(&conf->limit[item], out);
}

/* ---- the table ---- */

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define AT(member) offsetof(struct conf, member)
#define DAYS (86400u)

const struct conf_row conf_rows[] = {
	{ { "hostname", "Our name in the greeting, in Received and in the certificate we make.", "mail.example.org", false },
	    set_hostname, get_text, AT(hostname), 0, 0, NULL },
	{ { "listen-submissions", "Where implicit TLS is awaited (RFC 8314).", "[::]:465", true },
	    set_listen, get_listen, 0, CONF_SUBMISSIONS, 0, NULL },
	{ { "listen-submission", "Where STARTTLS is awaited (RFC 6409, RFC 3207).", "[::]:587", true },
	    set_listen, get_listen, 0, CONF_SUBMISSION, 0, NULL },
	{ { "certificate", "A certificate chain and its key, PEM files; SNI chooses, the first one answers without.",
	      "chain=/etc/postern/chain.pem key=/etc/postern/key.pem", true },
	    set_certificate, get_certificate, 0, 0, 0, NULL },
	{ { "proxy", "Proxies whose connections begin with a PROXY header, version 2; nobody else's is believed.", "10.0.0.0/8", true },
	    set_proxy, get_proxy, 0, 0, 0, NULL },
	{ { "auth-login", "Offer AUTH LOGIN beside PLAIN and SCRAM, for old clients.", "yes", false },
	    set_boolean, get_boolean, AT(auth_login), 0, 0, "yes" },
	{ { "size-max", "The biggest message (RFC 1870).", "50 MiB", false },
	    set_size, get_size, AT(size_max), 64 * KIB, 64 * GIB, "50 MiB" },
	{ { "rcpt-max", "Recipients of one message at most (RFC 5321 4.5.3.1.8).", "1000", false },
	    set_count, get_count, AT(rcpt_max), 100, 1000000, "1000" },
	{ { "relay", "Where accepted mail goes: mx, a smart host, or a Maildir.", "submissions://user@smtp.example.net", false },
	    set_relay, get_relay, AT(relay), 0, 0, "mx" },
	{ { "relay-credentials", "File with the smart host's password on its first line; nobody else may read it.",
	      "/etc/postern/relay-password", false },
	    set_path, get_text, AT(relay_credentials), 0, 0, NULL },
	{ { "relay-ca-file", "The CAs that next hops and MTA-STS policy hosts are trusted by; without it the system's.",
	      "/etc/ssl/certs/ca.pem", false },
	    set_path, get_text, AT(relay_ca_file), 0, 0, NULL },
	{ { "relay-port", "The port of MX delivery.", "25", false },
	    set_count, get_count, AT(relay_port), 1, 65535, "25" },
	{ { "mta-sts", "Ask receiving domains for their MTA-STS policies, and keep to them (RFC 8461).", "no", false },
	    set_boolean, get_boolean, AT(mta_sts), 0, 0, "yes" },
	{ { "mta-sts-port", "The port at which policy hosts are asked.", "443", false },
	    set_count, get_count, AT(mta_sts_port), 1, 65535, "443" },
	{ { "tls-reports", "Report each day to domains that ask for it how TLS with their mail servers went (RFC 8460).", "no", false },
	    set_boolean, get_boolean, AT(tls_reports), 0, 0, "yes" },
	{ { "tls-report-contact", "Who answers questions about reports, and their From; its domain must be signed by DKIM; without it postmaster.",
	      "tls-reports@example.org", false },
	    set_mailbox, get_text, AT(tls_report_contact), 0, 0, NULL },
	{ { "tls-report-organization", "Who the reports say they are from; without it HOSTNAME.", "Example Ltd", false },
	    set_words, get_text, AT(tls_report_organization), 0, 0, NULL },
	{ { "tls-report-extra-contact", "A further way to reach you, for people who read a mailed report.", "https://example.org/postmaster", false },
	    set_words, get_text, AT(tls_report_extra_contact), 0, 0, NULL },
	{ { "tls-report-private", "Post reports to HTTPS servers at loopback, private and link-local addresses too.", "yes", false },
	    set_boolean, get_boolean, AT(tls_report_private), 0, 0, "no" },
	{ { "relay-concurrency", "Connections to one destination at most.", "20", false },
	    set_count, get_count, AT(relay_concurrency), 1, 10000, "20" },
	{ { "relay-connections", "Connections to all destinations at most.", "500", false },
	    set_count, get_count, AT(relay_connections), 1, 100000, "500" },
	{ { "down-conversion", "Mail with octets that the next hop cannot take is encoded for it (RFC 6152 3): unless-signed (by DKIM), always, "
	    "or never; else it is bounced.", "always", false },
	    set_down_conversion, get_down_conversion, 0, 0, 0, "unless-signed" },
	{ { "never-without-sender", "Send recipients with NOTIFY=NEVER to next hops without DSN apart, with MAIL FROM:<> (RFC 3461 5.2.2).", "yes",
	      false },
	    set_boolean, get_boolean, AT(never_without_sender), 0, 0, "no" },
	{ { "relay-limit", "What one destination gets at most: a domain, a mail exchanger or everything below .NAME, * for each; with messages "
	    "a minute, connections, or both.", "example.net rate=60 connections=4", true },
	    set_limit, get_limit, 0, 0, 0, NULL },
	{ { "relay-source", "Addresses to send from: for a sender's domain, login:NAME, or * for everybody; without it the kernel chooses.",
	      "example.org 192.0.2.7 2001:db8::7", true },
	    set_source, get_source, 0, 0, 0, NULL },
	{ { "retry-first", "How long after a failure the second try comes; the wait doubles from there.", "60 s", false },
	    set_duration, get_duration, AT(retry_first), 1, DAYS, "1 min" },
	{ { "retry-max", "The longest wait between two tries (RFC 5321 4.5.4.1).", "3 h", false },
	    set_duration, get_duration, AT(retry_max), 1, 7 * DAYS, "3 h" },
	{ { "expire", "When mail that could not be handed on goes back to its sender (RFC 5321 4.5.4.1).", "5 d", false },
	    set_duration, get_duration, AT(expire), 1, 365 * DAYS, "5 d" },
	{ { "delay-notice", "When the sender is told that his mail is late; 0 for never (RFC 3461).", "4 h", false },
	    set_duration, get_duration, AT(delay_notice), 0, 365 * DAYS, "0" },
	{ { "postmaster", "The From of delivery status notifications; without it postmaster@HOSTNAME.", "postmaster@example.org",
	      false },
	    set_mailbox, get_text, AT(postmaster), 0, 0, NULL },
	{ { "postmaster-notices", "Tell the postmaster when mail without a sender, a notification itself as a rule, is lost (RFC 3461 5.2).", "yes",
	      false },
	    set_boolean, get_boolean, AT(postmaster_notices), 0, 0, "no" },
	{ { "dkim", "Which keys of a domain sign its mail (RFC 6376): both, rsa, ed25519 or off. `postern user domain add` makes them.", "both",
	      false },
	    set_dkim, get_dkim, 0, 0, 0, "both" },
	{ { "dkim-domain", "The same for mail of one domain.", "example.org rsa", true },
	    set_dkim_rule, get_dkim_rule, 0, DKIM_RULES_DOMAIN, 0, NULL },
	{ { "dkim-next-hop", "The same for mail to one domain or one host; with a dot in front for all below it.", ".example.net rsa", true },
	    set_dkim_rule, get_dkim_rule, 0, DKIM_RULES_HOP, 0, NULL },
	{ { "dkim-dir", "The keys of domains, written by `postern user domain`; without it STATE-DIR/dkim.", "/etc/postern/dkim", false },
	    set_path, get_text, AT(dkim_dir), 0, 0, NULL },
	{ { "dns-server", "The resolver to ask; without it those of /etc/resolv.conf.", "192.0.2.53@5353", false },
	    set_dns_server, get_text, AT(dns_server), 0, 0, NULL },
	{ { "dns-trust-anchor", "The root of DNSSEC; without it answers count as unsigned, and DANE (RFC 7672) is not looked at.",
	      "/usr/share/dns/root.key", false },
	    set_path, get_text, AT(dns_trust_anchor), 0, 0, NULL },
	{ { "state-dir", "Everything that Postern keeps lives below it unless said otherwise.", "/var/lib/postern", false },
	    set_path, get_text, AT(state_dir), 0, 0, "/var/lib/postern" },
	{ { "spool-dir", "The waiting mail; without it STATE-DIR/spool.", "/var/spool/postern", false },
	    set_path, get_text, AT(spool_dir), 0, 0, NULL },
	{ { "users-file", "Accounts and sender keys, written by `postern user`; without it STATE-DIR/auth/users.", "/etc/postern/users",
	      false },
	    set_path, get_text, AT(users_file), 0, 0, NULL },
	{ { "passwd-file", "Imported crypt(3) hashes as Dovecot's passwd-file has them; without it none.", "/etc/dovecot/users",
	      false },
	    set_path, get_text, AT(passwd_file), 0, 0, NULL },
	{ { "control-socket", "Where `postern queue` asks; without it STATE-DIR/control.", "/run/postern/control", false },
	    set_path, get_text, AT(control_socket), 0, 0, NULL },
	{ { "alarm-command", "Program that is run when a principal is slowed, held or locked, with POSTERN_EVENT, _LOGIN, _WORDS and _HOST.",
	      "/etc/postern/alarm", false },
	    set_path, get_text, AT(alarm_command), 0, 0, NULL },
	{ { "ledger-socket", "Where `postern user attempts` asks; without it STATE-DIR/ledger.", "/run/postern/ledger", false },
	    set_path, get_text, AT(ledger_socket), 0, 0, NULL },
	{ { "history", "Keep what became of each message, in SQLite, for `postern queue where`.", "yes", false },
	    set_boolean, get_boolean, AT(history), 0, 0, "yes" },
	{ { "history-age", "How long; older messages are forgotten.", "90 d", false },
	    set_duration, get_duration, AT(history_age), 3600, 3650 * DAYS, "30 d" },
	{ { "history-size", "Octets that its file may take; the oldest messages make room.", "4 GiB", false },
	    set_size, get_size, AT(history_size), 1 * MIB, 1024 * GIB, "1 GiB" },
	{ { "history-backlog", "Octets of the spool's log that are kept until they are in the history; what is more is missing there, and said so.",
	      "1 GiB", false },
	    set_size, get_size, AT(history_backlog), 0, 1024 * GIB, "256 MiB" },
	{ { "history-socket", "Where `postern queue where` asks; without it STATE-DIR/where.", "/run/postern/where", false },
	    set_path, get_text, AT(history_socket), 0, 0, NULL },
	{ { "webhook", "Where what happens to messages is posted, signed, as JSON.", "https://hooks.example.org/postern", false },
	    set_webhook, get_text, AT(webhook), 0, 0, NULL },
	{ { "webhook-secret", "File with the key of the signatures on its first line; nobody else may read it.", "/etc/postern/webhook-secret",
	      false },
	    set_path, get_text, AT(webhook_secret), 0, 0, NULL },
	{ { "webhook-events", "Which: some of delivered, deferred, bounced, held.", "delivered bounced", false },
	    set_webhook_events, get_webhook_events, 0, 0, 0, "delivered deferred bounced held" },
	{ { "webhook-age", "How long an event is tried to be posted.", "3 d", false },
	    set_duration, get_duration, AT(webhook_age), 60, 365 * DAYS, "1 d" },
	{ { "webhook-most", "How many events may wait; beyond it the oldest go.", "100000", false },
	    set_count, get_count, AT(webhook_most), 1, 10000000, "100000" },
	{ { "segment-size", "Octets of one spool segment.", "64 MiB", false },
	    set_size, get_size, AT(segment_size), 64 * KIB, 2 * GIB, "64 MiB" },
	{ { "spool-free-min", "What stays free on the spool's disk; below it mail is refused with 452.", "128 MiB", false },
	    set_size, get_size, AT(spool_free_min), 0, 1024 * GIB, "128 MiB" },
	{ { "duplicate-window", "How long the same message from the same login (sender, recipients, Message-ID and content) is taken for the same "
	      "submission, answered with the first one's queue id and not queued again; 0 for never.", "1 h", false },
	    set_duration, get_duration, AT(duplicate_window), 0, 7 * DAYS, "10 min" },
	{ { "fronts", "Processes that talk to clients; 0 for one on each core.", "0", false },
	    set_count, get_count, AT(fronts), 0, 64, "0" },
	{ { "sessions-max", "Sessions of one front at most.", "10000", false },
	    set_count, get_count, AT(sessions_max), 1, 1000000, "10000" },
	{ { "sessions-per-address", "Sessions of one front from one IPv4 address or one IPv6 /64 at most.", "100", false },
	    set_count, get_count, AT(sessions_per_address), 1, 1000000, "100" },
	{ { "unauthenticated-max", "Sessions of one front that have not authenticated, handshakes in progress among them; 0 for a quarter of "
	    "sessions-max, but at least 100. Beyond it the most crowded network makes room.", "2500", false },
	    set_count, get_count, AT(unauthenticated_max), 0, 1000000, "0" },
	{ { "unauthenticated-per-address", "The same from one IPv4 address or one IPv6 /64.", "50", false },
	    set_count, get_count, AT(unauthenticated_per_address), 1, 1000000, "50" },
	{ { "auth-deadline", "From the connection to the AUTH that succeeds; then 421.", "5 min", false },
	    set_duration, get_duration, AT(auth_deadline), 5, 86400, "5 min" },
	{ { "command-timeout", "How long a client may be silent (RFC 5321 4.5.3.2.7 wants 5 minutes or more); then 421.", "5 min", false },
	    set_duration, get_duration, AT(command_timeout), 5, 86400, "5 min" },
	{ { "content-rate-min", "Octets of a message that must come a minute, looked at each command-timeout; 0 for any number; else 421.",
	      "16 KiB", false },
	    set_size, get_size, AT(content_rate_min), 0, 1 * MIB, "16 KiB" },
	{ { "future-release", "For how long a message may be held for later (FUTURERELEASE, RFC 4865); 0 does not offer it.", "30 d", false },
	    set_duration, get_duration, AT(hold_max), 0, 365 * DAYS, "30 d" },
	{ { "future-release-messages", "Messages of one login that wait for their release at most.", "1000", false },
	    set_count, get_count, AT(hold_messages), 1, 1000000, "1000" },
	{ { "mt-priority", "Offer MT-PRIORITY (RFC 6710): what is more urgent is handed on first.", "yes", false },
	    set_boolean, get_boolean, AT(mt_priority), 0, 0, "yes" },
	{ { "mt-priority-max", "The highest priority, -9 to 9, of a login for which `postern user set --priority` says nothing else.", "0", false },
	    set_priority, get_priority, AT(priority_most), 0, 0, "0" },
	{ { "mt-priority-min", "A message with a lower priority is refused with 450.", "-9", false },
	    set_priority, get_priority, AT(priority_least), 0, 0, "-9" },
	{ { "mt-priority-size-max", "Octets of a message with a priority above 0; 0 for as many as any other.", "1 MiB", false },
	    set_size, get_size, AT(priority_size_max), 0, 1024 * GIB, "0" },
	{ { "deliver-by", "Offer DELIVERBY (RFC 2852): what is not delivered in time comes back, or its sender is told.", "yes", false },
	    set_boolean, get_boolean, AT(deliver_by), 0, 0, "yes" },
	{ { "deliver-by-min", "The least time that BY=n;R must leave us.", "30 s", false },
	    set_duration, get_duration, AT(deliver_by_least), 0, 7 * DAYS, "0" },
	{ { "habit-watch", "Slow, hold and lock logins that send as they never did: their passwords may be stolen.", "yes", false },
	    set_boolean, get_boolean, AT(habit_watch), 0, 0, "yes" },
	{ { "country-database", "File in MaxMind's format with the country of each network, for habit-watch; without it none is known.",
	      "/var/lib/GeoIP/GeoLite2-Country.mmdb", false },
	    set_path, get_text, AT(country_database), 0, 0, NULL },
	{ { "habit-recipients-per-hour", "Recipients of one login in an hour at most, whatever it has sent before.", "20000", false },
	    set_count, get_count, AT(habit_hour), 1, 100000000, "20000" },
	{ { "habit-recipients-per-day", "Recipients of one login in a day at most, whatever it has sent before.", "100000", false },
	    set_count, get_count, AT(habit_day), 1, 100000000, "100000" },
	{ { "milter", "Content filters that see every message before it is acknowledged, in this order (libmilter's protocol).",
	      "inet:127.0.0.1:8891", true },
	    milter_set, milter_get, 0, 0, 0, NULL },
	{ { "milter-deadline", "Time that all milters together have for one message; then it is as if the one that is busy had failed.",
	      "100 s", false },
	    set_duration, get_duration, AT(milter_deadline), 5, 300, "100 s" },
	{ { "log-format", "logfmt or json.", "logfmt", false },
	    set_log_format, get_log_format, 0, 0, 0, "logfmt" },
	{ { "log-target", "stderr or syslog.", "stderr", false },
	    set_log_target, get_log_target, 0, 0, 0, "stderr" },
	{ { "sandbox", "What a part of the cages that cannot be kept means: required (no start), best, or off, for debugging.", "required",
	      false },
	    set_sandbox, get_sandbox, 0, 0, 0, NULL },
	{ .key = { .name = NULL } },
};
