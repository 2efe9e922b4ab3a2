/*
 * proc/5_relay.h - private to 5_relay*.c: what carries a message to its next hop.
 *
 *	4_spool ──try──▶ attempt ──▶ domain ──▶ destination ──▶ connection ──▶ next hop
 *	                                              └────────▶ maildir job
 *
 * An attempt waits at its domain until that is looked up, and at its destination until a connection (or a Maildir job) takes it; whoever has it reports each of its
 * recipients once and finishes it. Everything lives in one thread but the Maildir jobs' disk work.
 */
#ifndef POSTERN_PROC_5_RELAY_H
#define POSTERN_PROC_5_RELAY_H

#include "base/secret.h"
#include "dns/lookup.h"
#include "os/log.h"
#include "proc/5_relay_convert.h"
#include "proc/5_relay_destination.h"
#include "proc/child.h"
#include "sasl/client.h"
#include "smtp/client.h"
#include "tls/client.h"

enum {
	RELAY_OUT = 64 * 1024,          /* what a talking connection gathers before it writes */
	RELAY_IN = SMTP_REPLY_LINE_MAX + 512,
	RELAY_OUTS_FREE_MAX = 32,
	RELAY_CONTENT_LEAST = 4096,     /* read from the spool at a time */
	RELAY_SEGMENT_BUCKETS = 64,
	RELAY_DESTINATION_BUCKETS = 1024,
	RELAY_STALE_MAX = 2,            /* how often an attempt may find that its kept connection had died */
	RELAY_APART_MAX = 3,            /* how often it goes again at once without the one at whom the next hop hung up */
	RELAY_CONNECT_MS = 30 * 1000,
	RELAY_IDLE_MS = 8 * 1000,
	RELAY_LEAVE_MS = 10 * 1000,     /* for the answer to QUIT */
	RELAY_LEAVE_DRAINING_MS = 2 * 1000,
	RELAY_AGE_MS = 300 * 1000,      /* a connection older than this takes no further message */
	RELAY_DRAIN_MS = 8 * 1000,      /* less than the master's patience */
	RELAY_ALONE_MS = 5 * 1000,      /* without a channel to 4_spool */
	RELAY_MAILDIR_JOBS = 4,
	RELAY_MAILDIR_BATCH = 16,
	RELAY_STS_CHECK_MS = 300 * 1000,        /* how long a TXT record is believed, and how long a failed fetch is not repeated */
	RELAY_STS_REFRESH_MS = 24 * 3600 * 1000,        /* a policy is fetched anew when it is older, or half of its time is over (8461 3.3, 10.2) */
	RELAY_STS_FETCH_MS = 60 * 1000,
	RELAY_STS_FETCHES_MAX = 64,             /* at a time */
	RELAY_STS_DOMAINS_MAX = 20000,          /* remembered in memory; the others lie in files */
	RELAY_STS_KEEP_MS = 2 * RELAY_STS_CHECK_MS,     /* so long if nobody asks; when half of the places are taken */
	RELAY_STS_CROWDED_MS = 1000,
	RELAY_STS_BUCKETS = 1024,
	RELAY_COUNTED_MAX = 64,                 /* domains that one session is counted for, in turn, without counting twice */
	RELAY_COUNTED_LOOK = 256,               /* waiting messages that are asked whose session has failed */
};

#define RELAY_NO_REPLY UINT32_MAX

/* A buffer of RELAY_OUT octets while nobody has it. */
struct relay_out { struct relay_out *next; };

struct relay_trust {
	uint32_t refs;
	struct tls_client *client;
};

/* What a hop must fulfil: the verdict of policy/transport.h, and what follows from it. */
struct relay_policy {
	struct transport_verdict verdict;
	enum smtp_client_tls tls;
	enum tls_verify verify;
	bool auth;
	uint16_t port;
	const struct mx_host *host;     /* lives as long as the hosts, as name does */
	const char *name;               /* that the certificate must have */
};

enum relay_connection_state {
	RELAY_CONNECTING, RELAY_SHAKING,
	RELAY_SIGNING,          /* its attempt waits for 2_signer; nothing is said */
	RELAY_TALKING,          /* before the greeting up to READY, and whenever an attempt is being carried */
	RELAY_IDLE,
	RELAY_LEAVING,          /* QUIT is said */
};

/* The domains that a session was counted for: hashes, the newest RELAY_COUNTED_MAX of them. */
struct relay_counted {
	uint32_t count;                 /* in all */
	uint64_t domain[RELAY_COUNTED_MAX];
};

struct relay_connection {
	struct relay_connection *next, **link;  /* of its destination */
	struct relay_connection *idle_next, **idle_link;        /* of all that are IDLE, the oldest first */
	struct relay *relay;
	struct relay_destination *to;
	enum relay_connection_state state;
	uv_poll_t *poll;
	int fd, events;
	uint64_t deadline, born;        /* uv_now() */
	uint32_t awaited;               /* smtp.replies when the deadline was set for the next one; RELAY_NO_REPLY: for something else */
	struct relay_hosts *hosts;
	uint32_t opener;                /* for whom it was opened: into relay.opening_of */
	uint32_t first_address;         /* the one to begin with; UINT32_MAX: as they stand */
	uint32_t step;                  /* addresses begun */
	uint32_t at;                    /* index of the address in use */
	struct relay_policy policy;
	struct relay_trust *trust;
	struct tls_session *tls;
	struct sasl_client *sasl;
	struct relay_attempt *attempt;  /* NULL: none */
	struct relay_cursor cursor;
	uint64_t given;                 /* octets of content */
	uint32_t left_before;           /* the attempt's, when its transaction began */
	bool ready;                     /* has been READY: its address is good */
	bool reused;                    /* has carried something before this attempt */
	bool heard;                     /* something came since this attempt was taken */
	bool in_content;                /* the envelope is over */
	bool delivered;                 /* somebody in this transaction */
	bool requeue;                   /* this attempt goes to another connection */
	bool hopeless;                  /* no other address is worth trying */
	bool last;                      /* takes nothing more */
	bool elsewhere;                 /* of this transaction somebody is left to another session */
	bool apart;                     /* it ended at one recipient, and the others go again without him */
	bool doubted;                   /* an address said "later", so the whole is "later" */
	uint16_t refusing, unreached;   /* bits of hosts: said "never" at an address; has one that could not be reached */
	enum smtp_client_want want;
	struct smtp_client smtp;
	struct smtp_client_conf conf;
	struct smtp_io io;
	struct relay_reason reason;     /* host and tls of the address in use; the rest of the last failure */
	struct relay_reason refusal;    /* the last "never" */
	struct relay_counted counted;   /* for TLS reports */
	size_t in_len;
	uint8_t in[RELAY_IN];
	char helo[CONF_TEXT_MAX];
};

struct relay {
	struct child child;
	struct channel *spool;
	struct relay_attempt *receiving;        /* its recipients are still coming */
	uint32_t given_back;                    /* session of a try whose recipients are still coming, and that there was no memory for; 0: none */
	struct relay_file *file[RELAY_SEGMENT_BUCKETS];
	struct relay_domain *domain_bucket[RELAY_DOMAIN_BUCKETS];
	struct relay_domain *domains;
	struct relay_destination *bucket[RELAY_DESTINATION_BUCKETS];
	struct relay_destination *destinations;
	struct relay_line *line[RELAY_LINE_BUCKETS];
	struct relay_connection *idle, **idle_last;
	struct relay_destination *hungry, **hungry_last;        /* wait for a place for a connection, in turn */
	uint32_t hungries;
	uint32_t connections, opening, leaving; /* all; not yet ready; QUIT is said */
	uint32_t busy;                          /* destinations that have connections */
	uint16_t opening_of[RELAY_OPENERS];     /* the same as opening, of the principals with this remainder */
	uint32_t carrying_of[RELAY_OPENERS];    /* connections that carry mail of theirs */
	uint32_t maildir_jobs;
	struct relay_out *out_free;
	uint32_t outs_free;
	struct resolver *resolver;
	struct relay_trust *trust;
	struct relay_policies *policies;        /* NULL: none are asked for */
	struct relay_reports *reports;          /* NULL: no session is counted */
	struct secret password;
	uv_timer_t clock, soon, alone;
	struct relay_converter converter;
	uint64_t drain_until;
	bool going, draining, drained;
	uint32_t epoch;                         /* of the spool's channel: a job begun for an older one reports to nobody */
	uint8_t content[RELAY_OUT];             /* shared: filled and given away in one go */
};

/* ---- 5_relay.c ---- */
uint64_t relay_now(struct relay *);                     /* uv_now() */
void relay_clock_start(struct relay *);                 /* sweep every second from now on */
void relay_work_over(struct relay *);                   /* a place is free: soon, see who waits for it */
void relay_trust_release(struct relay_trust *);

/* ---- 5_relay_policy.c ---- */
enum transport_need relay_need(const struct relay_try *);
enum transport_hop relay_hop(const struct conf *);
/* What is decided for one host. */
struct transport_verdict relay_verdict(const struct conf *, enum transport_need, const struct relay_hosts *, const struct mx_host *);
struct relay_policy relay_policy(const struct relay_destination *, const struct relay_hosts *, uint32_t address);
/* The session that the policy wants; NULL: there is none to be had. */
struct tls_session *relay_policy_session(struct relay_connection *);
/* May mail go through this session? What it is that cannot be had: blamed. */
bool relay_policy_ready(struct relay_connection *);
/* The receiver's policy demands TLS, and there is none yet: whatever this host says, it is said in clear and by anybody, so nothing of it is
 * for good (7672 2.2, 8461 5). */
bool relay_policy_unproved(const struct relay_connection *);
/* STARTTLS was refused, or EHLO is not known where TLS must be, so that it cannot be offered (8460 4.3.1). */
bool relay_policy_stripped(const struct relay_connection *, const struct smtp_outcome *);
void relay_policy_failed(struct relay_connection *);    /* what the failed handshake is called (RFC 8460 4.3) */
void relay_policy_say(struct relay_connection *);       /* "TLSv1.3 ... dane 3 1 1 verified" */

/* ---- 5_relay_connection.c ---- */
bool relay_connection_open(struct relay_destination *);         /* false: out of memory */
void relay_connection_enter(struct relay_connection *, enum relay_connection_state);
void relay_connection_ready(struct relay_connection *);         /* its address is good */
void relay_connection_watch(struct relay_connection *, int events);
void relay_connection_blame(struct relay_connection *, enum smtp_class, uint16_t code, const char *enhanced, const char *text);
void relay_connection_log(const struct relay_connection *, enum log_level, const char *event, const char *why);
void relay_connection_shake(struct relay_connection *);
/* The session broke before anything was said in it: TLS has failed after all, and that is seen to. False: it is something else. */
bool relay_connection_taken_back(struct relay_connection *);
void relay_connection_retry(struct relay_connection *);         /* the next address, or the end */
void relay_connection_leave(struct relay_connection *);         /* QUIT now, or after what runs */
void relay_connection_drop(struct relay_connection *);          /* without a word */
void relay_connection_expire(struct relay_connection *);        /* its deadline is over */

/* ---- 5_relay_talk.c ---- */
/* The only function that sets what it carries; NULL: nothing. Before the old one is finished. */
void relay_talk_load(struct relay_connection *, struct relay_attempt *);
void relay_talk_begin(struct relay_connection *);
void relay_talk_secured(struct relay_connection *);
void relay_talk_carry(struct relay_connection *, struct relay_attempt *);
void relay_talk_quit(struct relay_connection *);
void relay_talk_event(struct relay_connection *, int events);
void relay_talk_lost(struct relay_connection *, const char *why);

/* ---- 5_relay_talk_octets.c ---- */
void relay_talk_end(struct relay_connection *);         /* give the buffers back */
bool relay_out_take(struct relay_connection *);         /* the buffer for what we say; false: out of memory */
void relay_out_give(struct relay_connection *);
bool relay_flush(struct relay_connection *);            /* send what is gathered, as far as it goes; false: broken */
/* 1: something came, 0: nothing just now, -1: the end, which without close_notify may be an attacker's (tls-16). */
int relay_receive(struct relay_connection *);

/* ---- 5_relay_auth.c: proving to a smart host who we are ---- */
bool relay_auth_start(struct relay_connection *, enum smtp_client_want *);
bool relay_auth_next(struct relay_connection *, enum smtp_client_want *);

/* ---- 5_relay_maildir.c ---- */
void relay_maildir_pump(struct relay_destination *);

#endif
