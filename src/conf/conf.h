/*
 * conf/conf.h - every setting, its default, and what it means. Pure: text in, struct conf out.
 *
 * The file is read once by 0_master (os/config_file.h, with libconfuse); the values in force travel to the other processes
 * as "key = value" lines (conf_format, conf_set: inverse of each other). An unknown key is an error.
 *
 * Owner     struct conf holds all its text itself: copy it by assignment, free nothing.
 * Blocks    never.
 * Fails     conf_set() says in words what is wrong and what would be right.
 */
#ifndef POSTERN_CONF_CONF_H
#define POSTERN_CONF_CONF_H

#include "base/buf.h"

enum {
	CONF_TEXT_MAX = 256,
	CONF_LISTEN_MAX = 16,
	CONF_CERTIFICATES_MAX = 32,
	CONF_PROXIES_MAX = 32,
	CONF_MILTERS_MAX = 8,
	CONF_DKIM_RULES_MAX = 32,
	CONF_SOURCES_MAX = 64,
	CONF_LIMITS_MAX = 64,
};

struct conf_text {
	char p[CONF_TEXT_MAX];          /* NUL-terminated */
};

enum conf_service { CONF_SUBMISSIONS, CONF_SUBMISSION };

struct conf_listen {
	enum conf_service service;      /* implicit TLS, or STARTTLS */
	char address[64];               /* "192.0.2.7", "::", "*" (both families); never a name */
	uint16_t port;
};

struct conf_certificate {
	struct conf_text chain, key;    /* PEM files */
};

struct conf_network {
	char text[52];                  /* as it was given; NUL-terminated */
	uint8_t address[16];            /* IPv4 mapped into IPv6 */
	uint8_t bits;                   /* of address that count */
};

/* Both zero: none is given. */
struct conf_addresses {
	bool v4, v6;
	uint8_t address4[4], address6[16];
};

/* From where mail is sent: conf/route.h. */
struct conf_source {
	struct conf_text who;           /* "example.org", "login:alice", "*" */
	struct conf_addresses address;
	char text4[16], text6[46];      /* as given; NUL-terminated */
};

/* How much goes to one destination: conf/route.h. */
struct conf_limit {
	struct conf_text who;           /* "example.net", ".mail.example", "*"; lower case */
	uint32_t rate;                  /* messages a minute; 0: any number */
	uint32_t connections;           /* 0: relay-concurrency */
};

enum conf_relay_kind { CONF_RELAY_MAILDIR, CONF_RELAY_MX, CONF_RELAY_SMART_HOST };
enum conf_relay_tls { CONF_RELAY_IMPLICIT, CONF_RELAY_STARTTLS, CONF_RELAY_OPPORTUNISTIC };

struct conf_relay {
	enum conf_relay_kind kind;
	enum conf_relay_tls tls;        /* submissions://, submission://, smtp:// */
	struct conf_text host;          /* smart host: name or address literal */
	struct conf_text user;          /* empty: no AUTH */
	struct conf_text directory;     /* Maildir */
	uint16_t port;
};

/* What a milter that does not answer means for the message. */
enum conf_milter_failure { CONF_MILTER_TEMPFAIL, CONF_MILTER_ACCEPT, CONF_MILTER_REJECT };

struct conf_milter {
	bool local;                     /* a path */
	char place[108];                /* path of a socket, or an address without brackets; NUL-terminated */
	uint16_t port;
	uint32_t timeout;               /* seconds of silence; default 30 */
	uint32_t connections;           /* to it at once; default 32 */
	enum conf_milter_failure failure;
};

/* Bits of enum dkim_algorithm (mail/dkim.h). */
enum conf_dkim { CONF_DKIM_OFF, CONF_DKIM_RSA, CONF_DKIM_ED25519, CONF_DKIM_BOTH };

struct conf_dkim_rule {
	char name[CONF_TEXT_MAX];       /* of a domain or of a next hop; ".example.org" for all below it; NUL-terminated */
	enum conf_dkim algorithms;
};

enum conf_log_format { CONF_LOG_LOGFMT, CONF_LOG_JSON };
enum conf_log_target { CONF_LOG_STDERR, CONF_LOG_SYSLOG };
/* AUTO: as REQUIRED when started as root, but for users that are not there; else as BEST. */
enum conf_sandbox { CONF_SANDBOX_AUTO, CONF_SANDBOX_REQUIRED, CONF_SANDBOX_BEST, CONF_SANDBOX_OFF };

/* Mail that the next hop cannot take as it is: converted unless a DKIM signature would be broken, always, or bounced. */
enum conf_conversion { CONF_CONVERT_UNSIGNED, CONF_CONVERT_ALWAYS, CONF_CONVERT_NEVER };

/* Where a value came from, for `postern check --explain`: line 0 and an empty file mean the default. */
struct conf_origin {
	struct conf_text file;
	uint32_t line;
};

struct conf {
	struct conf_text hostname;
	struct conf_text state_dir;             /* everything below lives in it unless said otherwise; default /var/lib/postern */
	struct conf_text spool_dir;             /* default STATE/spool */
	struct conf_text users_file;            /* default STATE/auth/users; written by `postern user` */
	struct conf_text passwd_file;           /* imported crypt(3) hashes; empty: none */
	struct conf_text country_database;      /* in MaxMind's format; empty: none */
	struct conf_text control_socket;        /* for `postern queue`; default STATE/control */
	struct conf_text alarm_command;         /* program that tells the operator; empty: none */
	bool history;                           /* keep what became of each message in SQLite; default true */
	struct conf_text webhook;               /* events are posted to this URL; empty: nowhere */
	struct conf_text webhook_secret;        /* file with the key that signs them, mode 0600 */
	uint32_t webhook_events;                /* bits of enum webhook_event; default all */
	uint32_t webhook_age;                   /* seconds that an event is tried; default 1 d */
	uint32_t webhook_most;                  /* events that wait at most; default 100000 */
	struct conf_text history_socket;        /* for `postern queue where`; default STATE/where */
	uint32_t history_age;                   /* seconds; default 30 d */
	uint64_t history_size;                  /* octets of its file at most; default 1 GiB */
	uint64_t history_backlog;               /* octets of the log that are kept until it has read them; default 256 MiB */
	struct conf_text ledger_socket;         /* for `postern user attempts` and its kin; default STATE/ledger */
	struct conf_listen listen[CONF_LISTEN_MAX];
	uint32_t listens;
	struct conf_certificate certificate[CONF_CERTIFICATES_MAX];     /* the first one answers without SNI */
	uint32_t certificates;                  /* 0: a CA of our own makes one in STATE/tls */
	struct conf_network proxy[CONF_PROXIES_MAX];    /* who must, and alone may, say for whom by the PROXY protocol */
	uint32_t proxies;
	struct conf_relay relay;
	struct conf_text relay_credentials;     /* file with the smart host's password on its first line, mode 0600 */
	struct conf_text relay_ca_file;         /* trust for next hops and MTA-STS; empty: the system's */
	struct conf_text dns_server;            /* "192.0.2.53" or "192.0.2.53@5353"; empty: /etc/resolv.conf */
	struct conf_text dns_trust_anchor;      /* file; for DNSSEC */
	struct conf_text postmaster;            /* From of DSNs; default postmaster@HOSTNAME */
	bool postmaster_notices;                /* he hears of undeliverable mail that has no sender; default false */
	uint64_t size_max;                      /* octets; default 50 MiB */
	uint32_t rcpt_max;                      /* default 1000 */
	uint32_t fronts;                        /* 0: one per core */
	uint32_t sessions_max;                  /* per front; default 10000 */
	uint32_t sessions_per_address;          /* the same from one IPv4 address or IPv6 /64; default 100 */
	uint32_t unauthenticated_max;           /* per front; 0: see conf_unauthenticated_max() */
	uint32_t unauthenticated_per_address;   /* default 50 */
	uint32_t auth_deadline;                 /* seconds from the connection to the AUTH that succeeds; default 5 min */
	uint32_t command_timeout;               /* seconds of silence; default 5 min */
	uint64_t content_rate_min;              /* octets of a message in a minute; default 16 KiB */
	uint32_t relay_concurrency;             /* connections to one destination at most; default 20 */
	uint32_t relay_connections;             /* connections in all; default 500 */
	struct conf_source source[CONF_SOURCES_MAX];    /* where connections come from; the kernel's choice without */
	uint32_t sources;
	struct conf_limit limit[CONF_LIMITS_MAX];       /* of single destinations */
	uint32_t limits;
	uint32_t retry_first;                   /* seconds; default 60 */
	uint32_t retry_max;                     /* seconds; default 3 h */
	uint32_t expire;                        /* seconds; default 5 d */
	uint32_t delay_notice;                  /* seconds; 0: none (default) */
	uint64_t segment_size;                  /* octets of a spool segment; default 64 MiB */
	uint64_t spool_free_min;                /* octets that stay free on the disk; default 128 MiB */
	uint32_t duplicate_window;              /* seconds in which a submission that comes twice is queued once; 0: never; default 10 min */
	bool mta_sts;                           /* ask for the receivers' MTA-STS policies; default true */
	uint32_t mta_sts_port;                  /* of policy hosts; default 443, another one in tests */
	uint32_t relay_port;                    /* for MX delivery; default 25, another one in tests */
	uint32_t hold_max;                      /* seconds until a release (RFC 4865) at most; 0: not offered; default 30 d */
	uint32_t hold_messages;                 /* of one principal that wait for their release; default 1000 */
	bool mt_priority;                       /* offer MT-PRIORITY (RFC 6710); default true */
	int32_t priority_most;                  /* of a principal of whom nothing else is said; default 0 */
	int32_t priority_least;                 /* less is refused for now; default -9 */
	uint64_t priority_size_max;             /* octets of a message with a priority above 0; 0: as any (default) */
	bool deliver_by;                        /* offer DELIVERBY (RFC 2852); default true */
	uint32_t deliver_by_least;              /* seconds that BY=n;R must leave; default 0: any */
	enum conf_conversion down_conversion;   /* default CONF_CONVERT_UNSIGNED */
	bool never_without_sender;              /* NOTIFY=NEVER goes to hops without DSN with MAIL FROM:<>; default false */
	bool tls_reports;                       /* report to receivers how TLS with them went (RFC 8460); default true */
	bool tls_report_private;                /* also to HTTPS servers at private addresses; default false */
	struct conf_text tls_report_contact;    /* From and contact-info of reports; default postmaster */
	struct conf_text tls_report_organization;       /* default HOSTNAME */
	struct conf_text tls_report_extra_contact;      /* a further word for people; empty: none */
	enum conf_dkim dkim;                    /* which of a domain's keys sign; default both */
	struct conf_dkim_rule dkim_domain[CONF_DKIM_RULES_MAX];         /* for mail of these domains */
	uint32_t dkim_domains;
	struct conf_dkim_rule dkim_hop[CONF_DKIM_RULES_MAX];            /* to these next hops */
	uint32_t dkim_hops;
	struct conf_text dkim_dir;              /* default STATE/dkim */
	bool auth_login;                        /* offer LOGIN; default true on submission for old clients' sake */
	bool habit_watch;                       /* slow, hold and lock principals that look stolen; default true */
	uint32_t habit_hour, habit_day;         /* recipients of a principal at most, whatever its past; default 20000, 100000 */
	struct conf_milter milter[CONF_MILTERS_MAX];    /* asked in this order about every message */
	uint32_t milters;
	uint32_t milter_deadline;               /* seconds for all of them; default 100 */
	enum conf_log_format log_format;
	enum conf_log_target log_target;
	enum conf_sandbox sandbox;
};

/* One row for each key; the order is the order of --explain. */
struct conf_key {
	const char *name;
	const char *meaning;            /* one sentence for --explain and the manual */
	const char *example;
	bool repeatable;                /* listen, certificate, proxy, dkim-domain, dkim-next-hop, relay-source, relay-limit */
};

size_t conf_keys(void);
const struct conf_key *conf_key(size_t index);
/* Index of the key of this name, or conf_keys(). */
size_t conf_find(struct span name);

/* Every value as documented; hostname empty, no listeners, no certificate. */
void conf_defaults(struct conf *);

/* Set a key from its text. Repeatable keys add one. False with what is wrong, in words, in why (which it terminates with NUL). */
bool conf_set(struct conf *, size_t index, struct span value, struct buf *why);

/* The value in force as text that conf_set() would take; item < conf_count() for repeatable keys, else 0. */
size_t conf_count(const struct conf *, size_t index);
bool conf_value(const struct conf *, size_t index, size_t item, struct buf *out);

/* What no single key can know: listeners missing are made (465 and 587 on all addresses), paths below state_dir filled in,
 * contradictions refused in words. Call once after the last conf_set(). */
bool conf_finish(struct conf *, struct buf *why);

/* unauthenticated-max, or what it is when nobody has said: a quarter of sessions-max, but not less than 100. */
uint32_t conf_unauthenticated_max(const struct conf *);

/* The whole as lines for the other processes, and back. */
bool conf_format(const struct conf *, struct buf *out);
bool conf_parse(struct conf *, struct span text, struct buf *why);

#endif
