/*
 * proc/0_master.h - what the files of 0_master share; nobody else includes it.
 */
#ifndef POSTERN_PROC_0_MASTER_H
#define POSTERN_PROC_0_MASTER_H

#include <stdatomic.h>

#include <uv.h>

#include "base/siphash.h"
#include "proc/master.h"
#include "proc/peers.h"
#include "tls/dkim_store.h"
#include "tls/served.h"
#include "tls/server.h"

enum {
	FRONTS_MAX = 64,
	WORKERS_MAX = 7 + FRONTS_MAX,
	SOCKETS_MAX = 2 * CONF_LISTEN_MAX,      /* "*" takes two */
	CHAIN_MAX = 256 * 1024,
	KEY_MAX = 64 * 1024,
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 10000,
	BACKOFF_HOPELESS_MS = 1600,             /* a child that was never ready and has failed this often will not be */
	BACKOFF_FORGIVEN_MS = 30000,            /* a child that lived this long starts again at once */
	WATCH_MS = 5000,                        /* between two looks at the certificate files */
	DAY_MS = 24 * 3600 * 1000,
	HOUR_MS = 3600 * 1000,
	CERTIFICATE_NAME_MAX = 256,
	TICKETS_MS = DAY_MS / 2,
	PULSE_MS = 2000,
	ALARM_MS = 60000,                       /* alarm-command may run so long */
	ALARMS_WAITING = 16,                    /* for the one that runs */
	ALARMS_HOUR = 120,
	ALARMS_PERIOD_MS = 3600 * 1000,
};

/* 0 to 3, in the order of the start; the drain goes the other way round. */
enum stage { STAGE_SPOOL, STAGE_AUTH, STAGE_RELAY, STAGE_FRONTS, STAGE_MAX };

/* One child process, whether it lives just now or not. */
struct worker {
	struct master *master;
	enum role role;
	uint32_t slot;
	enum stage stage;
	struct channel *channel;        /* NULL: not running, or broken */
	uv_process_t process;
	uv_timer_t timer;               /* until the next start */
	uint64_t started;               /* ms of the loop's clock */
	int64_t exit_status;            /* of the last one */
	int exit_signal;
	unsigned backoff;               /* ms, of the last wait; 0: none yet */
	bool running;                   /* the process exists */
	bool ending;                    /* we have killed it, with words in the log */
	bool ready;                     /* this one has said so */
	bool was_ready;                 /* one of them has */
	uint32_t life;                  /* how many there have been */
	unsigned unconfirmed;           /* 2_signer: RELOADs that it has not yet said READY to */
	unsigned unanswered;            /* pulses since the ping that it has not answered; 0: none is out */
	bool listens;                   /* 1_front: it has been given every socket, those that are fresh too */
};

struct socket_bound {
	struct conf_listen conf;        /* as configured: both sockets of "*" say "*" */
	char address[64];               /* as bound */
	int fd;
	bool fresh;                     /* the fronts do not have it yet */
};

/* Which version of a file it is. */
struct file_mark { uint64_t seconds, nanoseconds, size, inode; };

/* What names are looked up by: /etc/resolv.conf, /etc/hosts. The sum is of its words. */
enum { NAME_FILES = 2 };
struct name_file { struct file_mark mark; uint64_t sum; };

struct certificate {
	struct conf_certificate files;
	struct span chain, key;         /* PEM; malloc'ed; the key only until 2_signer has been sent it */
	struct tls_certificate_facts facts;
};

/* How near a certificate's end we have warned of. */
struct certificate_warned { uint8_t fingerprint[TLS_FINGERPRINT]; unsigned steps; };

struct certificates {
	struct certificate list[CONF_CERTIFICATES_MAX];
	size_t count;
};

/* NUL-terminated, without control characters. */
struct alarm { char event[33], login[256], words[401]; };

struct alarms {
	uv_process_t process;
	uv_timer_t limit;
	struct alarm waiting[ALARMS_WAITING];   /* a ring */
	size_t first, count;
	uint64_t begun;                         /* of the one that runs; ms of the loop's clock, as all here */
	uint64_t hour_begun;
	unsigned hour_count, limit_ms;
	bool running;                           /* or its handle is not closed yet */
	bool overdue, dropped;
};

enum master_phase { MASTER_STARTING, MASTER_RUNNING, MASTER_DRAINING, MASTER_ENDED };

struct proof;

struct master {
	const struct master_setup *setup;
	struct conf conf;
	uv_loop_t loop;
	uv_signal_t hup, term, interrupt;
	uv_timer_t watch, hour, day, tickets, patience, pulse;
	enum master_phase phase;
	enum stage stage;               /* being started, or being drained */
	int status;                     /* that master_run() will return */
	int lock_fd, spool_fd, control_fd, ledger_fd, history_fd;
	struct worker worker[WORKERS_MAX];
	size_t workers;
	struct socket_bound socket[SOCKETS_MAX];
	size_t sockets;
	struct certificates certificates;
	struct certificates before;     /* proved ones, while those that follow them are being proved */
	struct file_mark seen[2 * CONF_CERTIFICATES_MAX];       /* chain and key of each, as they were when we last read them */
	uint64_t look_again;            /* uv_now(), though nothing changes; 0: not */
	struct dkim_store dkim;         /* keys that sign; read from the files each time they are handed on */
	struct file_mark dkim_seen;     /* DKIM-DIR/changed, when we last read them */
	struct name_file names[NAME_FILES];     /* as 5_relay and 8_hook have found them */
	struct certificate_warned warned[2 * CONF_CERTIFICATES_MAX];
	size_t warned_next;
	struct alarms alarms;
	uint8_t ticket_keys[TLS_TICKET_KEYS];
	uint8_t warrant_key[SIPHASH_KEY];       /* by which 4_spool knows 3_auth's word: policy/warrant.h */
	bool reload_wanted;             /* SIGHUP came while starting, or while something was being proved */
	int64_t signer;                 /* pid of the 2_signer that has the keys of certificates and of before; 0: none */
	bool untold;                    /* 2_signer takes what is new; then it is everybody else's turn */
	struct proof *proving;          /* a worker thread is looking at what we serve; an older one may be, too, and counts no more */
	atomic_bool hurry;              /* it should come to an end */
};

/* ---- 0_master.c ---- */
/* Somebody said CHILD_READY for the first time, or ended. */
void master_on_ready(struct master *, struct worker *);
void master_on_end(struct master *, struct worker *);

/* ---- 0_master_children.c ---- */
void master_children_init(struct master *, unsigned fronts);
/* False: the system denies a process; said in the log. */
bool master_child_begin(struct worker *);
/* 6_milter begins, begins anew or ends, as the configuration in force has milters; anew: they are others than before. */
void master_milter(struct master *, bool anew);
/* Is it for nobody any more? */
bool master_is_spare(const struct worker *);
/* Start it again, after a back-off. */
void master_child_again(struct worker *);
void master_send_conf(struct worker *);
void master_send_certificates(struct worker *);
void master_kill_stage(struct master *, int stage /* -1: all */);
void master_send_listeners(struct worker *, bool fresh_only);
/* MASTER_DRAIN to who runs in this stage. */
void master_drain_stage(struct master *, enum stage);
/* Every PULSE_MS: ask all that work whether they still do, and end those that have not answered for long. */
void master_pulse(struct master *);
/* The last of what a reload sends: take it. */
void master_send_reload(struct worker *);
/* To all fronts at once. */
void master_send_tickets(struct master *);

/* ---- 0_master_alarm.c ---- */
void master_alarms_init(struct master *);
/* CHILD_ALARM from 3_auth: log it, and run alarm-command. */
void master_alarm(struct master *, struct span body);
/* The server ends, and with it what runs. */
void master_alarms_end(struct master *);

/* ---- 0_master_listen.c ---- */
/* Bind all of conf's listeners that m->socket has not (they are fresh); what is bound already is kept, what is no longer
 * wanted is closed. All or nothing: false with words in why and the exit status in *status. */
bool master_listen(struct master *, const struct conf *, struct buf *why, int *status);
/* Those of `postern queue`, of `postern user attempts` and of `postern queue where`. */
bool master_control_open(struct master *, struct buf *why, int *status);
/* One server for one state directory, and for one spool. */
bool master_lock(struct master *, struct buf *why, int *status);
void master_listeners_close(struct master *);
/* Control socket and lock too. */
void master_sockets_close(struct master *);

/* ---- 0_master_certificates.c ---- */
bool certificates_read(const struct conf *, struct certificates *, struct buf *why);
void certificates_free(struct certificates *);
/* Read the keys again for a 2_signer that begins anew; one that cannot be read is left out, with words in the log. */
void certificates_read_keys(struct certificates *);
/* Wipe and forget the keys; chains and facts stay. */
void certificates_forget_keys(struct certificates *);
/* How the files are now; and whether one that is there has changed since. */
void certificates_look(const struct conf *, struct file_mark seen[2 * CONF_CERTIFICATES_MAX]);
bool certificates_changed(const struct conf *, const struct file_mark seen[2 * CONF_CERTIFICATES_MAX]);
bool certificates_same(const struct certificates *, const struct certificates *);
/* Has none of them ended? */
bool certificates_are_in_force(const struct certificates *);
/* A name for which fronts serve this one and no other, for SNI; "" for none. False: there is no way to be served it. */
bool certificates_name(const struct certificates *, size_t which, char name[CERTIFICATE_NAME_MAX]);
/* What clients will not like about them. */
void certificates_inspect(const struct conf *, const struct certificates *,
    void (*say)(void *arg, const char *file, const char *words), void *arg);

/* How a file is now; false: it is not there. */
bool file_look(const char *path, struct file_mark *);
bool file_differs(const struct file_mark *, const struct file_mark *);

/* ---- 0_master_dkim.c ---- */
/* The keys that are active, each looked at; false with words that name the file. expected: there have been some. */
bool dkim_read(const struct conf *, bool expected, struct dkim_store *, struct buf *why);
void dkim_look(const struct conf *, struct file_mark *seen);
bool dkim_changed(const struct conf *, const struct file_mark *seen);
/* To 2_signer with the keys, to 5_relay without; to others nothing. */
void master_send_dkim(struct worker *);

/* ---- 0_master_names.c ---- */
void names_look(struct name_file seen[NAME_FILES]);     /* and is one of them another file now, or gone? */
bool names_replaced(const struct name_file seen[NAME_FILES]);
/* When one says something else now, 5_relay and 8_hook begin anew. */
void master_watch_names(struct master *);

/* ---- 0_master_proof.c ---- */
/* Connect to each of our listeners for each certificate until all are served, PROOF_MS at most; then master_on_proof(). */
void master_prove(struct master *);

/* ---- 0_master_reload.c ---- */
void master_reload(struct master *);
void master_watch(struct master *);
/* 2_signer may have taken what it was sent. */
void master_on_signer(struct master *, const struct worker *);
/* What we have is served, or not: words. */
void master_on_proof(struct master *, bool served, const char *words);
/* 2_signer begins anew and can have no other keys than the files have: if these belong to other chains, those are taken. */
void master_keys_anew(struct master *);
/* Warn of certificates that end soon, each step once. */
void master_log_endings(struct master *);
/* What clients will not like about our certificates. */
void master_log_doubts(struct master *);
/* The log line that says what is in force. */
void master_log_state(struct master *, const char *event);

#endif
