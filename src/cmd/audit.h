/*
 * cmd/audit.h - what the files of `postern audit` share.
 *
 * Each host is examined in a process of its own, which only writes a transcript: what a hostile server may do to it, it does to
 * nobody else. The parent judges and reports.
 */
#ifndef POSTERN_CMD_AUDIT_H
#define POSTERN_CMD_AUDIT_H

#include <stdio.h>
#include <sys/types.h>

#include "audit/judge.h"
#include "audit/policy.h"
#include "dns/mx.h"
#include "smtp/probe.h"
#include "tls/examine.h"

enum {
	AUDIT_HOSTS_MAX = 1000,
	AUDIT_ADDRESSES_MAX = 16,       /* of one host */
	AUDIT_PARALLEL_MAX = 64,
	AUDIT_OCTETS_MAX = 256 * 1024,  /* of one connection; more is hostile */
	AUDIT_OUT_ROOM = 4096,          /* AUTH with its response */
	AUDIT_TRIES = 3,                /* connections that look for STARTTLS */
	AUDIT_PLACES_MAX = 16,          /* of one domain */
};

/* ---- one connection (audit_link.c) ---- */
struct link {
	int fd;                         /* -1: none */
	struct tls_session *tls;        /* NULL: in clear */
	bool old;                       /* TLS 1.2 at most */
	bool prime;                     /* with Diffie-Hellman over a prime only */
	uint64_t deadline;              /* ms of the monotonic clock: when the connection is given up, whatever comes */
	unsigned patience;              /* ms for one step */
	uint64_t asked;                 /* when something was sent, or the connection began */
	size_t octets;                  /* received so far */
	bool ended, cut;                /* the peer closed; without close_notify under TLS */
	const char *hostile;            /* what it did that no honest server does; NULL: nothing */
	struct buf in;
	uint8_t room[SMTP_REPLY_LINE_MAX];
};

/* NULL: connected. Else "refused", "timed-out" or "unreachable". */
const char *link_open(struct link *, const char *address, uint16_t port, unsigned patience);
void link_close(struct link *);
/* TLS on this connection; false with words. */
bool link_secure(struct link *, struct tls_examiner *, const char *name, char words[600]);
/* Does it let us shake hands again? */
bool link_secure_again(struct link *);
bool link_send(struct link *, struct span);
/* Wait for octets and put them behind in; false: none came within ms. */
bool link_wait(struct link *, unsigned ms);

/* ---- one endpoint (audit_probe.c, audit_hello.c) ---- */
struct audit_dns;

enum audit_service { AUDIT_SUBMISSIONS, AUDIT_SUBMISSION, AUDIT_SMTP, AUDIT_IMAPS, AUDIT_POP3S };

struct endpoint {
	const char *host;               /* the name wanted */
	char address[64];
	uint16_t port;
	enum audit_service service;
	unsigned patience;              /* ms for one step */
	struct tls_examiner *examiner;
	struct audit_dns *dns;          /* NULL: nothing is asked */
	const struct audit_login *login;        /* NULL: none */
	bool vouched;                   /* credentials may go there: see audit_place */
	bool active;                    /* messages are begun, and broken off */
	bool heard, greeted, secured;   /* octets came in the last whole conversation; it said 220 in clear; TLS came about */
	struct buf *out;                /* the transcript, as far as it has not been written */
	int fd;                         /* where it is written, piece by piece; -1: that is not for audit_probe() to do */
	struct smtp_probe probe;        /* the conversation that is under way, or was the last one */
	struct smtp_io io;
	uint8_t out_octets[AUDIT_OUT_ROOM];
};

const char *audit_service_name(enum audit_service);
void audit_probe(struct endpoint *);
bool audit_is_implicit(const struct endpoint *);
void audit_put_hostile(struct endpoint *, const struct link *);
/* Which versions and suites, in whose order. */
void audit_hellos(struct endpoint *);

/* ---- one conversation (audit_talk.c): the driver of smtp/probe ---- */
/* A fact into the endpoint's transcript: for engines that say what they see. */
void audit_say(void *endpoint, const char *key, struct span value);
/* Connects and talks until the plan is through or TLS is wanted; false: no connection. The link is the caller's to close, either way. */
bool audit_talk(struct endpoint *, struct link *, enum smtp_probe_plan);
/* The handshake, if the plan wants one; false, with words when it was tried (then link.tls is there). */
bool audit_talk_secure(struct endpoint *, struct link *, char words[600]);
/* What the plan has for after it. */
void audit_talk_on(struct endpoint *, struct link *);
/* All of this on a connection of its own. ending: smtp_probe_conf.ending. */
void audit_talk_whole(struct endpoint *, enum smtp_probe_plan, uint8_t ending);
/* Connects, and says STARTTLS where the service wants that; false: no TLS to be had. */
bool audit_reach(struct endpoint *, struct link *);

/* ---- with a login, and with --active (audit_login.c) ---- */
struct audit_login {
	const char *name;
	const char *sender;             /* a reverse-path that is the login's own */
	char password[256];             /* wiped at the end */
};

void audit_inside(struct endpoint *);

/* ---- what the DNS says (audit_find.c) ---- */
struct audit_place {
	char host[256];
	uint16_t port;
	enum audit_service service;
	bool vouched;                   /* not made up by who forges DNS answers: it was named to us, is the domain's own, or it was signed */
};

struct audit_places {
	struct audit_place place[AUDIT_PLACES_MAX];
	size_t count;
};

/* resolver "192.0.2.53" or "192.0.2.53@5353"; NULL: the system's. trust_anchor: a file; NULL: nothing is validated. NULL when memory is short. */
struct audit_dns *audit_dns_open(const char *resolver, const char *trust_anchor, unsigned patience);
void audit_dns_close(struct audit_dns *);
/* How a domain's web servers are asked for its autoconfig file. */
struct audit_web {
	const char *ca_file;            /* whom to trust; NULL: whom the system trusts */
	uint16_t port;                  /* where they listen for HTTPS */
	unsigned patience;              /* ms for one answer */
};
/* Where the domain has its submission service: by SRV and autoconfig, else guessed from its MX. What was seen goes to out. */
void audit_find(struct audit_dns *, const struct audit_web *, const char *domain, struct audit_places *, struct buf *out);
/* The host's addresses, as the resolver has them, or an address as it stands; how many. */
size_t audit_addresses(struct audit_dns *, const char *host, char address[AUDIT_ADDRESSES_MAX][64], struct buf *out);
/* The TLSA records of an endpoint, and whether its chain is what they say. */
void audit_tlsa(struct audit_dns *, const struct endpoint *, const struct tls_session *);

/* ---- the report (audit_report.c); one file for each format ---- */
struct audit_endpoint {
	const struct section *section;
	char grade;
	bool graded;                    /* there was something to grade */
	bool details;                   /* are asked for */
};

/* How a report is written. Called in this order; at is the transcript's time. Each prints to stdout. */
struct audit_format {
	const char *option;             /* "--json" */
	void (*begin)(void);
	void (*target)(struct span name, struct span at);
	void (*endpoint)(const struct audit_endpoint *);
	void (*finding)(const struct audit_endpoint *, const struct finding *, bool fails, bool details);
	void (*endpoint_end)(void);
	void (*target_end)(bool examined);
	void (*end)(void);
};

/* The last one prints nothing: for those who want to know whether anything fails. */
extern const struct audit_format audit_as_text, audit_as_json, audit_as_sarif, audit_as_html, audit_as_nothing;

struct audit_report {
	const struct audit_format *format;
	bool details;
	struct audit_policy policy;
};

enum audit_outcome { AUDIT_MET, AUDIT_NOT_MET, AUDIT_NOT_EXAMINED };

/* What is found is printed. */
enum audit_outcome audit_report(const struct audit_report *, struct span transcript);

/* ---- what was kept (audit_judge.c) ---- */
enum { AUDIT_JUDGE_MAX = 64 * 1024 * 1024 /* octets of a file */ };

/* Calls judge() for each transcript of the file. False with errno when it cannot be read; EFBIG: there is more behind AUDIT_JUDGE_MAX, and
 * what stands whole before was judged; ENODATA: there is nothing in it. */
bool audit_judge_file(const char *file, void (*judge)(void *arg, struct span transcript), void *arg);

/* ---- only what has changed (audit_watch.c) ---- */
enum { AUDIT_WATCH_MAX = 64 * 1024 * 1024 };

struct audit_watch {
	const char *file;
	char *text;                     /* of the last time */
	struct span before;
	struct buf now;
	bool full;                      /* there was no room for all of it */
};

/* Reads what was seen the last time, if there was one. False with errno: that failed, or the file cannot be written later. */
bool audit_watch_open(struct audit_watch *, const char *file);
/* Prints what is different at this target. */
void audit_watch_take(struct audit_watch *, struct span transcript);
/* Keeps what was seen, for the next time. False with errno: the file is as it was. */
bool audit_watch_close(struct audit_watch *);

/* ---- what is asked (audit_options.c) ---- */
#define AUDIT_TRUST_ANCHOR "/usr/share/dns/root.key"   /* Debian's dns-root-data */

struct audit_host {
	char name[MX_NAME_MAX];
	bool domain;                    /* a mail domain: its service is to be found */
	uint16_t port;                  /* 0: the usual ones */
	enum audit_service service;
	pid_t pid;
	int fd;                         /* its transcript, being written; -1 */
	uint64_t began;
	uint8_t *text;                  /* TRANSCRIPT_MAX octets */
	size_t len;
	bool done;
};

struct audit {
	struct audit_report report;
	struct audit_host host[AUDIT_HOSTS_MAX];
	size_t hosts;
	const char *ca_file, *save, *judge, *resolver, *trust_anchor, *watch_file;
	FILE *saved;                    /* --save, open to be written behind what is there */
	struct audit_watch watch;
	struct audit_login login;       /* name NULL: none */
	bool active;
	unsigned parallel, patience;    /* ms */
	unsigned pace;                  /* ms between two connections to one host, or AUDIT_PACE_USUAL */
	unsigned slow;                  /* seconds that --slow waits at most; 0: it was not asked for */
	unsigned autoconfig_port;
	struct tls_examiner *examiner;
	int status;
};

enum { AUDIT_HELPED = -1 };

/* 0; else it has been answered: AUDIT_HELPED, or the exit status of a mistake. */
int audit_arguments(struct audit *, int argc, char **argv);
/* A mistake of the caller's, in words; the exit status for it. */
int audit_misused(const char *what, const char *why);

#endif
