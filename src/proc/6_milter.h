/*
 * proc/6_milter.h - private to 6_milter*.c: what carries a draft to one milter after the other.
 *
 *	4_spool ──ask──▶ job ──▶ service ──▶ link ──▶ milter
 *
 * A service is one milter of the configuration. A job waits at its service until a link takes it; it ends with one verdict to
 * 4_spool, whatever becomes of the link. Everything lives in one thread.
 */
#ifndef POSTERN_PROC_6_MILTER_H
#define POSTERN_PROC_6_MILTER_H

#include "mail/path.h"
#include "milter/header.h"
#include "milter/lines.h"
#include "milter/milter.h"
#include "proc/4_spool_limits.h"
#include "proc/child.h"

enum {
	MILTER_IDLE_MS = 60 * 1000,
	MILTER_SWEEP_MS = 250,
	MILTER_ALONE_MS = 5 * 1000,     /* without a channel to 4_spool */
	MILTER_SEGMENT_BUCKETS = 64,
	MILTER_IN_FIRST = 4096,
	MILTER_HEADER_READ = 64 * 1024, /* of content, to look for the end of its header */
	MILTER_HEADER_MOST = 1024 * 1024,
	MILTER_BODY_PIECE = 64 * 1024,  /* of one FILTER_BODY */
	MILTER_BODY_MORE = 1024 * 1024, /* octets that a new body may be longer than size-max */
	MILTER_RCPTS_MAX = 1 << 20,
	MILTER_ADDED_OCTETS = 64 * 1024,        /* of recipients that one milter adds; FILTER_ADDED_MAX says how many */
};

struct milter_file {
	struct milter_file *next;
	uint64_t number;
	int fd;
};

struct milter_rcpt { uint32_t at; uint16_t len; };

struct milter_service;

/* One FILTER_ASK, or (probe) FILTER_ASK_RCPT, whose recipient is facts.text. Owner: job[] of the process; a service's list while it waits, then the link's. */
struct milter_job {
	struct milter_job *next;        /* of those that wait */
	struct milter_service *service;
	struct milter_link *link;       /* that has it, or NULL */
	struct filter_ask facts;        /* spans point behind the struct */
	struct milter_mail mail;
	uint32_t session;
	uint32_t arrived;               /* recipients that have come */
	uint64_t deadline;              /* uv_now() */
	struct milter_rcpt *rcpt;
	struct buf paths;
	uint8_t *header;                /* ours, when it had to be read */
	uint64_t body_at, show_at, read_at;     /* in the content: end of the header section, begin of the body, next octet to show */
	bool probe;
	bool stale;                     /* a link that was kept had died: not a second time */
	bool unshowable;                /* no milter can be shown it, now or later */
	/* What the milter wants changed. */
	uint32_t changes;               /* enum filter_change */
	bool new_sender;
	uint8_t *dropped;               /* a bit for each recipient, as FILTER_DROP has them; NULL: none */
	struct buf edited;              /* header; p NULL: as it was */
	struct buf added;               /* paths, each with a NUL behind it */
	uint32_t adds;                  /* how many */
	struct milter_lines lines;
	uint64_t body_octets;
	uint8_t sender[PATH_MAX_OCTETS], why[400];
	size_t sender_len, why_len;
	uint8_t id[16];
};

enum milter_link_state { LINK_CONNECTING, LINK_TALKING, LINK_IDLE };

/* One connection. */
struct milter_link {
	struct milter_link *next;       /* of its service */
	struct milter_service *service;
	struct milter_job *job;         /* NULL: none */
	uv_poll_t *poll;
	int fd, events;
	uint8_t state;                  /* enum milter_link_state */
	bool heard;                     /* something came since it took the job */
	bool reused;                    /* it has had another before */
	bool stalled;                   /* 4_spool is behind: what the milter says waits */
	uint64_t about;                 /* IDLE: the transaction (filter_ask.talk) in whose middle it is, 0: in none */
	uint32_t accepted;              /* recipients of it that it has let pass */
	uint64_t deadline;              /* uv_now() */
	size_t sent;                    /* octets of talk.out that are out */
	size_t used;                    /* octets of in that the talk still points to */
	struct buf in;
	struct milter_talk talk;
};

struct milter_service {
	struct conf_milter conf;
	char name[160];
	struct milter_link *links;
	uint32_t open;
	struct milter_job *first, **last;
};

struct milters {
	struct child child;
	struct channel *spool;
	struct milter_service service[CONF_MILTERS_MAX];
	uint32_t services;
	struct milter_job *job[KEEPER_FILTERS];         /* by session */
	struct milter_job *receiving;                   /* its recipients are still coming */
	struct milter_file *file[MILTER_SEGMENT_BUCKETS];
	struct milter_conf conf;
	uv_timer_t sweep, alone;
	bool going, draining;
};

extern struct milters milters;

uint64_t milters_now(void);             /* uv_now() */
void milters_busy(void);                /* there are deadlines to look at */

/* ---- 6_milter_job.c ---- */
/* False: 4_spool broke the order, or memory is short. */
bool milter_job_begin(uint32_t session, struct span body);
bool milter_job_rcpt(uint32_t session, struct span path);
bool milter_job_cancel(uint32_t session);
bool milter_probe_begin(uint32_t session, struct span body);
/* Its content is shown from the beginning on, perhaps again. */
void milter_job_rewind(struct milter_job *);
/* NULL, or why it cannot be done. */
const char *milter_job_edit(struct milter_job *, const struct milter_edit *, bool spaced);
/* Say what came of it, and free it. */
void milter_job_end(struct milter_job *, const struct milter_verdict *);
void milter_job_fail(struct milter_job *, const char *why);
void milter_jobs_forget(void);

/* ---- 6_milter_edit.c ---- */
void milter_job_send_changes(struct milter_job *);
/* NULL, or why the message as the milter leaves it cannot be. */
const char *milter_job_finish_changes(struct milter_job *);

/* ---- 6_milter_content.c ---- */
void milter_file_add(uint64_t number, int fd);         /* fd becomes ours */
void milter_file_gone(uint64_t number);
void milter_files_gone(void);
bool milter_extents_valid(const struct filter_ask *);
/* Up to max octets from offset on; 0: none, or they cannot be read. */
size_t milter_content_read(const struct filter_ask *, uint64_t offset, uint8_t *out, size_t max);

/* ---- 6_milter_service.c ---- */
void milter_services_begin(const struct conf *);
struct milter_service *milter_service_find(struct span text);
void milter_service_add(struct milter_service *, struct milter_job *);
void milter_service_remove(struct milter_service *, struct milter_job *);
/* As many of those that wait as there are links for. */
void milter_service_pump(struct milter_service *);
bool milter_links_sweep(void);                         /* false: nothing is left to look after */
void milter_links_leave(uint64_t talk);                /* nobody goes on with that transaction */
void milter_links_go_on(void);                         /* 4_spool takes more */
void milter_links_drop(void);

/* ---- 6_milter_link.c ---- */
/* A new one, for this job; when it cannot be had the job fails. False: not just now, the job waits. */
bool milter_link_open(struct milter_service *, struct milter_job *);
/* One that is idle takes the job. False: out of memory. */
bool milter_link_take(struct milter_link *, struct milter_job *);
void milter_link_expire(struct milter_link *, uint64_t now);
void milter_link_go_on(struct milter_link *);
void milter_link_drop(struct milter_link *);
void milter_link_leave(struct milter_link *);          /* one that is idle: it is told, and gone */

#endif
