/*
 * proc/4_spool.h - private to 4_spool*.c: who talks to the spool, and what of it is where.
 *
 *	4_spool.c           the process: its peers, its timers, its worker
 *	4_spool_front.c     fronts bring drafts and wait for commits
 *	4_spool_repeat.c    what was submitted twice is kept once; _filter*.c, _asked.c: milters first; _refused.c: the log of what is not taken
 *	4_spool_relay.c     messages go to 5_relay as tries; _result.c: what happened to them; _show.c: where content lies
 *	4_spool_notice.c    notifications to senders; _gather.c: of several destinations together; _lost.c: of what the disk has lost
 *	4_spool_warrant.c   what a front says of principals, 3_auth must have said
 *	4_spool_terms.c     later releases, urgencies, deadlines; _letter.c: TLS reports by mail
 *	4_spool_guard.c     3_auth hears what became of recipients, and has mail held; _hold.c: what waits for the operator
 *	4_spool_control.c   `postern queue`; _history.c: 7_history follows the log
 *
 * Everything lives in one thread but the batch that is being written.
 */
#ifndef POSTERN_PROC_4_SPOOL_H
#define POSTERN_PROC_4_SPOOL_H

#include "base/queue_id.h"
#include "mail/dsn.h"
#include "mail/path.h"
#include "proc/4_spool_filter.h"
#include "proc/4_spool_history.h"
#include "proc/4_spool_letter.h"
#include "proc/4_spool_limits.h"
#include "proc/child.h"
#include "proc/door.h"
#include "smtp/client.h"
#include "spool/draft.h"

enum {
	KEEPER_FRONTS = 256,            /* slots */
	KEEPER_SESSION_BUCKETS = 1024,  /* of each front */
	KEEPER_CONTROLS = 16,           /* connections of `postern queue` at once */
	KEEPER_TRY_KEPT = 4096,         /* octets of a finished try that are kept for the next one */
	KEEPER_LIST_MOST = 500,         /* entries of one answer */
	KEEPER_LOOK_NS = 10 * 1000 * 1000,      /* that one answer or one step of a walk may take: the disk may be slow */
	KEEPER_LOOK = 16,               /* messages between two looks at the clock */
	KEEPER_QUICK_NS = 1000000, KEEPER_QUICK_OCTETS = 512 * 1024,    /* a disk that writes a batch in less is waited for in the loop */
	KEEPER_BATCHES = 4,             /* of these in one turn of the loop */
	KEEPER_LAZY_MS = 5,             /* a result is written within: what kills us then does not make us forget it */
	KEEPER_LAZY_WRITES = 10,        /* and synced after so many times that: what kills the machine does */
	KEEPER_TICK_MS = 1000,
	KEEPER_RUNNING = 8,             /* tries under way for each connection that 5_relay may have: most wait for one */
	KEEPER_WINDOW_FIRST = 4,        /* tries of one principal for a destination that nothing is known of */
	KEEPER_CLOCK_MS = 5000,         /* by which the clock must have been set to be noticed */
	KEEPER_OVERDUE_MOST = 256,      /* messages of dead destinations ended in one tick */
	KEEPER_DRAIN_MS = 2000,         /* what runs gets so long when we are told to finish; less than the master's patience */
	KEEPER_WALKS = KEEPER_CONTROLS + 16,    /* holds, releases, purges under way; the first for operators, the rest for 3_auth */
	KEEPER_OUTCOMES = 64,           /* principals whose outcomes gather for one tick */
	KEEPER_NOTICES_HOUR = 120,      /* mails of ours to owners */
	KEEPER_ORPHANS_HOUR = 60,       /* notices to the postmaster about mail that has no sender */
	KEEPER_ID_SLOT = 255,           /* of the ids we make; fronts count from 0 */
};

struct keeper;
struct front;

struct front_session;
/* A recipient of a running try. Offsets are into try.text; 0: none yet. */
struct try_rcpt {
	uint32_t number;
	uint32_t rcpt_at;               /* struct spool_rcpt */
	uint32_t result_at;             /* struct relay_result */
	bool recorded;                  /* its RESULT is in the log already */
};

enum try_phase { TRY_FREE, TRY_OUT, TRY_OVER /* 5_relay has done; it is told of together with others */ };

struct try {
	uint64_t id;
	uint32_t slot, job;
	uint32_t rcpts, rcpts_max, cursor;
	uint32_t next;                  /* free ones; those that are OVER */
	uint16_t generation;
	uint8_t state;                  /* enum try_phase */
	uint64_t until;                 /* OVER: it waits no longer for others */
	bool alone;                     /* its message asks for another way than others do (RFC 8689) */
	bool untried;                   /* it ends without having been handed to the relay */
	bool dropped;                   /* the operator dropped the message meanwhile */
	struct try_rcpt *rcpt;
	struct buf text;
	uint32_t login_at, login_len;   /* in text */
	uint64_t due;                   /* untried: when its job was due, and will be */
	uint64_t segment;               /* that the relay reads, or 0: many, in hold. They stay until it is done */
	struct hold *hold;
	uint32_t holds, asked;          /* asked: of outcome.flags, what the replies say of when to come again */
	uint64_t counted;               /* of keeper.tries_octets */
	uint64_t begun;                 /* ms since 1970 */
};

struct control { struct channel *channel; };
enum walk_phase { WALK_FREE, WALK_WALKING, WALK_SYNCING };

/* A hold, release or purge under way: 4_spool_hold.c. */
struct hold_walk {
	uint64_t id;                    /* 0: all of login's */
	uint64_t sequence;              /* of the last record it wrote */
	struct channel *channel;        /* who waits for the answer, or NULL */
	size_t login_len, words_len;
	uint32_t session, account, cursor, count;
	uint32_t already;               /* were held when they were to be held */
	uint16_t verb;                  /* QUEUE_HOLD, QUEUE_RELEASE, QUEUE_PURGE; QUEUE_RETRY of everything */
	uint8_t state;                  /* enum walk_phase */
	bool guard;                     /* 3_auth wants it */
	uint8_t login[255], words[HELD_WORDS_MAX];
};

struct hold_order {
	uint16_t verb;
	struct channel *channel;        /* NULL: 3_auth wants it */
	uint32_t session;
	uint64_t id;                    /* or 0 and a login; RETRY: 0, and nobody's */
	struct span login, words;
};

/* Recipients of a principal that have become final since the last tick. */
struct outcome_sum {
	uint8_t login[255];
	size_t login_len;
	uint32_t delivered, bounced;
};

struct keeper {
	struct child child;
	struct spool spool;
	bool opened, draining, paused;
	enum fail told;                 /* newest state that fronts were told */
	struct front *front[KEEPER_FRONTS];
	struct front_session *spare;
	uint8_t warrant_key[SIPHASH_KEY];       /* 3_auth has it too: policy/warrant.h */
	bool has_warrant_key;
	uint64_t began;                 /* clock_run(), before any front could hear of us */
	uint8_t table_key[SIPHASH_KEY]; /* of the fronts' buckets: who numbers his sessions does not choose where they are looked for */
	uint32_t commits;               /* waiting for their answer */
	struct front_session *waiting;  /* those of them that wait for another's */
	uint64_t repeats;               /* submissions that had been taken already, since the start */
	struct channel *relay, *guard;  /* guard: 3_auth */
	struct filters filters;
	struct outcome_sum outcome[KEEPER_OUTCOMES];
	size_t outcomes;
	struct hourly notices;          /* to owners */
	struct letters letters;
	struct follower follower;
	struct hold_walk walk[KEEPER_WALKS];
	uint32_t walking;               /* of them that are WALKING */
	bool guard_paused;
	struct try *try;
	uint32_t tries, tries_max, tries_free, tries_out;
	uint32_t gathered, gathering;   /* first try that is OVER; how many */
	struct hourly orphans;          /* notices to the postmaster */
	uint64_t tries_octets;          /* of recipients and results that are under way */
	struct control control[KEEPER_CONTROLS];
	struct door door;               /* `postern queue` comes through it */
	uv_prepare_t before;            /* a turn: its log lines are gathered */
	uv_check_t turn;
	uv_idle_t walk_on;              /* active while a walk has more to do */
	uv_timer_t tick, lazy, due;
	uv_work_t work;
	struct batch *batch;            /* being written by the worker */
	uint64_t written_at, write_ns;  /* begin of the newest batch; how long one takes, in the mean */
	uint64_t drain_by;              /* uv_now() */
	int64_t clock;                  /* ms between 1970 and the boot, as the clock has it */
	uint32_t overdue;               /* next slot to look at */
	struct queue_id_maker ids;
	uint32_t lazy_writes;           /* since the last sync that nobody asked for */
	bool resting;                   /* memory was given back since anything happened */
};

/* Has somebody set the clock? What is planned moves along; before more is planned, and once a second. */
void keeper_look_at_clock(struct keeper *);
/* Start what can be started: a batch, tries, timers. After anything that may have changed something. */
void keeper_turn(struct keeper *);

/* 4_spool_front.c */
void front_open(struct keeper *, uint32_t slot, int fd);
/* The spool is open: those who were there before may speak. */
void front_go_all(struct keeper *);
/* Tell a state that has changed. */
void front_tell_all(struct keeper *);
/* Answer everybody who waits for this commit. */
void front_committed(struct keeper *, void *session, uint64_t id, uint32_t slot, enum fail);
/* Tell the state, changed or not. */
void front_tell_anew(struct keeper *);
/* Send what is gathered for them now. */
void front_flush_all(struct keeper *);
/* Let fronts go on, or hold them back while too much is gathered. */
void front_pause_all(struct keeper *, bool paused);
void front_close_all(struct keeper *);
/* What fronts are bringing just now for this login will be held. */
void front_hold(struct keeper *, struct span login);
/* The milters have said all about this session's draft. */
void front_filtered(struct keeper *, struct front_session *, const struct filter_result *);

/* 4_spool_relay.c */
void relay_open(struct keeper *, int fd);
void relay_close(struct keeper *);
/* Hand out whatever is due. */
void relay_pump(struct keeper *);
/* What waits for a dead destination hears of its delay and its end in time, though it is not its turn to be tried. */
void relay_overdue(struct keeper *);
/* The message is being dropped: its tries end without a word. */
void relay_forget(struct keeper *, uint32_t slot);
void try_free(struct keeper *, struct try *);
void try_enter(struct try *, enum try_phase);

/* 4_spool_result.c */
void try_result(struct keeper *, struct try *, struct try_rcpt *, const struct relay_result *);
/* 5_relay has done with it, or would have. */
void try_over(struct keeper *, struct try *);
/* Is the time of the job's message over, or its sender to be told of the delay at this destination? */
bool try_overdue(const struct keeper *, uint32_t job, uint64_t now);
/* One of the try's recipients as it was sent, and its result; false: it has none. */
void try_rcpt_read(const struct try *, const struct try_rcpt *, struct spool_rcpt *);

/* 4_spool_guard.c */
void guard_open(struct keeper *, int fd);
void guard_close(struct keeper *);
/* Listen to it or not, as things stand. */
void guard_pause(struct keeper *);
/* A recipient of this principal's became final; an empty login is nobody's. Told with the next tick. */
void guard_outcome(struct keeper *, struct span login, bool delivered);
void guard_flush(struct keeper *);

/* 4_spool_hold.c */
/* Is there room for one more? */
bool hold_room(struct keeper *, bool guard);
/* Begin; the answer goes to order->channel when everything is synced. False: no room. */
bool hold_begin(struct keeper *, const struct hold_order *);
/* Enough is gathered: it is written before more comes. */
bool hold_waits(const struct keeper *);
/* When what is written so far is synced, tell this one that its one message is done; there must be room. */
void hold_await_sync(struct keeper *, struct channel *, uint32_t session);
/* Go on with what is under way; while k->walking > 0 nothing is tried. */
void hold_step(struct keeper *);
/* After a batch: answer what is durable. */
void hold_settled(struct keeper *);
/* This channel is gone. */
void hold_forget(struct keeper *, const struct channel *);

/* 4_spool_control.c */
void control_listen(struct keeper *, int fd);
void control_close(struct keeper *);

#endif
