/*
 * proc/5_relay_destination.h - private to 5_relay*.c: whom an attempt is for, and who carries it there.
 *
 *	attempt ──▶ domain ──hosts, policy──▶ destination ──▶ connection
 *
 * A domain is what recipients share; what is known of it is asked for when an attempt comes, and kept no longer than the DNS says. A
 * destination is a set of hosts under one policy: domains that have the same share its connections, its limits and what was learnt
 * of it. Attempts wait at the domain until its destination is known, then there, each principal's in a line of its own.
 *
 * Owner     5_relay has them all; a domain goes when it is idle, a destination when neither domain nor connection has it.
 */
#ifndef POSTERN_PROC_5_RELAY_DESTINATION_H
#define POSTERN_PROC_5_RELAY_DESTINATION_H

#include "conf/conf.h"
#include "dns/lookup.h"
#include "policy/mta_sts.h"
#include "proc/5_relay_attempt.h"

struct relay_connection;
struct relay_sts;

enum {
	RELAY_DOMAIN_BUCKETS = 4096,
	RELAY_LINE_BUCKETS = 4096,
	RELAY_OPENERS = 1024,           /* two principals of one remainder share what one may have */
	RELAY_LIMIT_FIRST = 5,          /* connections at once to where somebody has just answered; one until then */
	RELAY_ENOUGH_MS = 60 * 1000,    /* how long no more connections are asked for than were open when one was refused */
	RELAY_SLOW_MS = 1000,           /* answers that ask for less within this are one */
	RELAY_RATE_SLACK_US = 1000000,  /* what a rate allows ahead of its time: waiting ones are looked at once a second */
	RELAY_TURN_MS = 2000,           /* a connection of this age makes room when others have none */
	RELAY_DOWN_MAX_MS = 300 * 1000,
	RELAY_HOSTS_MS = 300 * 1000,    /* a DNS answer is kept at most this long */
	RELAY_KEY_MAX = 1024 + MX_HOSTS_MAX * (MX_NAME_MAX + 16),
};

/* The hosts of a destination, shared by its connections. */
struct relay_hosts {
	uint32_t refs;
	uint64_t no_tls;                /* bit for each address whose TLS handshake failed */
	struct mx_list list;
	struct mta_sts_policy *sts;     /* of the domain, when there is one in force; ours */
	bool sts_unknown;               /* there is none in force, and it could not be found out whether the domain has one */
	enum transport_result sts_result;       /* why there is none, or no newer one, although the domain has a record */
};

struct relay_domain {
	struct relay_domain *bucket_next, *next;
	struct relay *relay;
	struct relay_attempt *first, **last;
	uint32_t waiting;
	struct relay_destination *to;   /* where its mail last went; NULL: not known */
	struct relay_hosts *hosts;      /* found, while the policy is not known yet */
	uint64_t until;                 /* to is right so long */
	struct mx_lookup *lookup;
	bool sts_known;                 /* hosts->sts is what there is */
	struct relay_sts *sts;          /* that we wait for; NULL: none */
	struct relay_domain *sts_next;
	enum transport_need need;       /* messages of one kind share connections, others have a destination of their own */
	struct conf_addresses source;      /* the same of addresses to send from */
	char domain[MX_NAME_MAX];       /* lower case; "" for smart host and Maildir */
};

/* One principal's attempts at a destination, in the order in which they came. */
struct relay_line {
	struct relay_line *bucket_next, *next, *prev;   /* next, prev: ring of the destination's */
	struct relay_destination *to;
	uint32_t principal;
	bool ranked;                    /* one of them has had a priority */
	struct relay_attempt *first, **last;
};

struct relay_destination {
	struct relay_destination *bucket_next, *next;
	struct relay_destination *hungry_next;
	struct relay *relay;
	struct relay_line *turn;        /* whose turn it is */
	struct relay_connection *connections;
	uint32_t domains;               /* that point here */
	uint32_t waiting, open, opening;        /* open: not LEAVING; opening: not yet ready */
	uint32_t limit, credit;         /* connections; successes since it was raised after a slowing */
	uint32_t enough;                /* connections that were open when a further one was refused; counts */
	uint64_t enough_until;          /* so long */
	uint32_t rate;                  /* messages a minute; 0: any */
	uint32_t most;                  /* connections, by configuration */
	uint32_t good;                  /* index of the address that worked last, UINT32_MAX: none */
	uint64_t rate_due;              /* us, uv_hrtime(): when the next one would be due at an even pace */
	uint64_t slowed;                /* uv_now() when it last asked for less; 0: never */
	struct relay_hosts *hosts;
	uint64_t hosts_until;
	uint64_t down_until;            /* 5321-70 */
	uint32_t down_times;
	struct relay_reason down;
	bool proven;                    /* somebody has answered since it was down */
	bool stale;                     /* the hosts are not to be used any more */
	bool hungry;                    /* waits for a place for a connection */
	enum transport_need need;
	struct conf_addresses source;
	size_t key_len;
	uint8_t *key;                   /* what makes it this one and no other */
	char domain[MX_NAME_MAX];       /* the first that led here */
};

/* ---- 5_relay_domain.c ---- */
void relay_domain_add(struct relay *, struct relay_attempt *);
void relay_domain_pump(struct relay_domain *);          /* do what can be done now for the waiting ones */
void relay_domains_sweep(struct relay *);
void relay_domains_forget(struct relay *);              /* the waiting attempts */
void relay_domains_renew(struct relay *);               /* what was learnt under the old configuration */
void relay_domains_doubt(struct relay_destination *);   /* an MTA-STS policy stopped mail: look for newer ones (8461 5.1) */
void relay_hosts_release(struct relay_hosts *);

/* ---- 5_relay_key.c ---- */
/* All that must be the same for two domains to share connections and limits; hosts NULL: a Maildir. */
void relay_key_make(const struct relay_domain *, const struct relay_hosts *, struct buf *key);
/* The most particular row: of the domain, of its hosts, of everybody; NULL: none. */
const struct conf_limit *relay_limit_of(const struct relay_domain *, const struct relay_hosts *);

/* ---- 5_relay_line.c: fairness at one destination ---- */
bool relay_line_add(struct relay_destination *, struct relay_attempt *);        /* false: out of memory */
bool relay_line_put_back(struct relay_destination *, struct relay_attempt *);   /* before all others */
struct relay_attempt *relay_line_take(struct relay_destination *);              /* NULL: none waits */
/* Whose mail waits, domains of the first so many attempts; each as often as it has one. */
void relay_line_walk(const struct relay_destination *, uint32_t most, void (*each)(void *arg, struct span destination), void *arg);

/* ---- 5_relay_destination.c ---- */
/* Whom these hosts are, for this need and from this source; new if need be. Takes a reference to hosts. NULL: out of memory. */
struct relay_destination *relay_destination_of(struct relay_domain *, struct relay_hosts *, uint64_t until);
void relay_destination_add(struct relay_destination *, struct relay_attempt *);
/* The next one that may go now; NULL: none, or its rate forbids. */
struct relay_attempt *relay_destination_take(struct relay_destination *);
void relay_destination_put_back(struct relay_destination *, struct relay_attempt *);
void relay_destination_pump(struct relay_destination *);        /* do what can be done now for the waiting ones */
void relay_destination_ready(struct relay_destination *, const struct relay_connection *);
void relay_destination_success(struct relay_destination *);
void relay_destination_slow(struct relay_destination *);        /* an answer asked for less */
void relay_destination_refused(struct relay_destination *, const struct relay_reason *);        /* no address left */
/* For whom a connection would be opened now: into relay.opening_of. */
uint32_t relay_destination_opener(const struct relay_destination *);
/* Should this connection make room, now that it has nothing under way? */
bool relay_destination_yields(const struct relay_destination *, const struct relay_connection *);
bool relay_destination_down(const struct relay_destination *);
void relay_destination_hurry(struct relay_destination *);       /* somebody wants to know whether it still is */
void relay_destinations_pump(struct relay *);           /* those that wait for a place, in turn */
void relay_destinations_sweep(struct relay *);          /* deadlines */
void relay_destinations_forget(struct relay *);
void relay_destinations_renew(struct relay *);
void relay_connections_drop(struct relay *, bool busy_only);
void relay_connections_leave(struct relay *);

/* ---- 5_relay_source.c: the address that a message is sent from ---- */
/* Of its principal, of its sender's domain, of everybody, or all zero: whichever the kernel takes. */
struct conf_addresses relay_source(const struct conf *, struct span login, struct span reverse_path);
/* Bind before connect. False with errno. */
bool relay_source_bind(const struct conf_addresses *, int fd, bool v6);
/* May this family be used, when a source is given for one only? */
bool relay_source_has(const struct conf_addresses *, bool v6);

#endif
