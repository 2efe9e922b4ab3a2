/*
 * spool/spool.h - the mail that is ours: taken in as drafts, kept in the journal, named by the index, planned by the schedule.
 *
 * Owner     one thread. Slots name messages, jobs name a message's destinations; both stay the same while they live.
 * Blocks    spool_open() reads the whole log. Reading an envelope may wait for the disk. Writing waits only in batch_run(), which
 *           the caller runs where it likes:
 *
 *	b = journal_begin(&s->journal);
 *	batch_run(b);                           in a worker
 *	spool_settle(s);                        back in the loop: calls the handler
 *
 * Fails     see spool_state(). After FAIL_DOUBT nothing is written, taken or tried any more.
 */
#ifndef POSTERN_SPOOL_SPOOL_H
#define POSTERN_SPOOL_SPOOL_H

#include "queue/record.h"
#include "queue/schedule.h"
#include "spool/index.h"
#include "spool/journal.h"
#include "spool/once.h"

enum {
	SPOOL_INLINE_MAX = 64 * 1024,           /* content that lies in the MESSAGE record; what a draft buffers */
	SPOOL_NOTICE_MAX = 4 * 1024 * 1024,     /* of a DSN, all in its record */
	SPOOL_MESSAGES_MAX = 16 * 1024 * 1024,  /* waiting; a start takes more, should there be more */
	SPOOL_RCPTS_MAX = 32 * 1024 * 1024,     /* of all of them; the same. Each may have a destination of its own, see index.h */
	SPOOL_DRAFTS_MAX = 65536,               /* open at once */
	SPOOL_DRAFT_STRUCT = 2304,              /* octets of a draft beside its buffers, at most */
	SPOOL_DRAFT_RCPTS_MAX = 16 * 1024 * 1024,       /* octets of one draft's recipients */
	SPOOL_DRAFTS_OCTETS = 256 * 1024 * 1024,        /* buffered by all drafts together */
	SPOOL_DRAFTS_CONTENT = SPOOL_DRAFTS_OCTETS / 2, /* from so many on no more content is: the rest is for recipients, which must be */
	SPOOL_DRAFTS_SHARE = SPOOL_DRAFTS_OCTETS / 4,   /* of one principal's recipients */
	SPOOL_DRAFT_PROMISED = 1024,                    /* of recipients, for each draft, whatever others have */
	SPOOL_SHARES = 256,                             /* principals are told apart so far */
	SPOOL_DRAFTS_KEPT = 256,                /* closed drafts whose memory is kept for the next */
	SPOOL_SEGMENTS_FEW = 4,                 /* a log of so few segments is not worth copying */
	SPOOL_COPY_STEP = 1024 * 1024,          /* octets copied forward in one step */
	SPOOL_LOOK_STEP = 16384,                /* messages looked at in one step */
	SPOOL_CHUNK_HEAD = 12,                  /* octets of a CHUNK's payload in front of its content */
	SPOOL_UNREADABLE = 64,                  /* messages that the disk does not have any more, until they are set aside */
};

struct spool_conf {
	const char *directory;
	const struct disk *disk;
	uint64_t segment_size, free_min;
	uint64_t content_max;                   /* octets of one message, whatever is said; 0: no such ceiling */
	struct schedule_conf schedule;
	bool single;                            /* one next hop for everything: smart host, Maildir */
	uint64_t duplicate_window;              /* ms; 0: what comes twice is queued twice */
	bool history;                           /* somebody follows the log: write what only he wants, keep it until he has read it */
};

struct spool_handler {
	/* A draft's message is durable (OK) or will never be. arg is what draft_commit() was given; slot is its slot when OK. */
	void (*committed)(void *arg, void *who, uint64_t id, uint32_t slot, enum fail);
	/* A segment is about to be removed. */
	void (*gone)(void *arg, uint64_t segment);
};

struct draft;

/* A message on its way from the oldest segment to the newest. */
struct copy {
	uint64_t segment;               /* being emptied; 0: none */
	uint32_t cursor;                /* next slot to look at */
	uint32_t slot;                  /* of a big one half copied, or INDEX_NONE */
	uint64_t id;
	struct buf extents;             /* of its copy so far */
	struct buf rcpts;               /* scratch */
	uint64_t rested;                /* segment of the last round: not again before the next spool_look() */
};

/* Messages of one principal that wait for their release. */
struct release_count { uint32_t account, count; };
struct releases { struct release_count *table; uint32_t size, used; };

/* A message whose record could not be read. said: nor set aside, which is in the log. */
struct unreadable { uint64_t id; bool said; };
/* A waiting message whose content is damaged, behind so many octets that are whole. kept: there is a copy of what is left. met: not by a start
 * but while we run; it is looked at once more before it is lost. said: that there is no copy yet, which is in the log. */
struct lost { uint64_t id, whole; bool kept, met, said; };
/* Damaged octets of which there is no copy yet: their segment is held until there is. */
struct unkept { uint64_t segment, from, to; };

struct spool {
	struct spool_conf conf;
	const struct spool_handler *handler;
	void *arg;
	int dirfd;
	struct journal journal;
	struct index index;
	struct schedule schedule;
	struct releases releases;
	struct copy copy;
	struct once once;
	struct draft *spare;            /* closed ones, for their memory */
	uint32_t drafts, spares;        /* open ones, spare ones */
	uint64_t drafts_octets;
	uint64_t rcpts_octets[SPOOL_SHARES];            /* of them, of the recipients of one principal */
	struct buf scratch;             /* of spool_envelope() */
	struct unreadable unreadable[SPOOL_UNREADABLE];
	uint32_t unreadables;
	struct lost *lost;
	uint32_t losts, losts_max;
	struct unkept *unkept;
	uint32_t unkepts, unkepts_max;
	uint64_t keep_next;             /* clock_run(): copies that could not be made are not tried again before */
	uint64_t room;                  /* octets above free_min, as last seen */
	uint32_t refusals;              /* how often the disk was full */
	uint32_t chance;                /* state of a small generator, for jitter only */
	uint32_t sweep;                 /* next destination to look at for retirement */
	bool low;                       /* less than free_min is free */
};

/* Open or make the spool, read all of it. False, with words in the log, when that cannot be done. */
bool spool_open(struct spool *, const struct spool_conf *, const struct spool_handler *, void *arg, uint64_t now);
/* Nothing may be running; drafts must have been aborted. */
void spool_close(struct spool *);
/* New retry and concurrency settings, and the window of duplicates. */
void spool_configure(struct spool *, const struct schedule_conf *, uint64_t duplicate_window);

/* Look at the disk's free octets; true when spool_state() may have changed. */
bool spool_look(struct spool *);
/* What a front should tell its clients: OK, FAIL_DISK_FULL, FAIL_DOUBT. */
enum fail spool_state(const struct spool *);
/* After batch_run(). */
enum fail spool_settle(struct spool *);
/* Remove dead segments and copy survivors forward, a step at a time; call it now and then, and after spool_settle(). */
void spool_tidy(struct spool *);

/* ---- a message that is known ---- */
/*
 * Its envelope, from memory or disk; content_at is the place of its content when that is inline. Spans are good until the
 * next call or the next record. False: memory is short, or the disk does not have it, which is in the log; see spool_set_aside().
 */
bool spool_envelope(struct spool *, uint32_t slot, struct message_record *, uint64_t *content_at);
/* Octets of content from offset on into p, fewer at the end. False when the disk does not have them. */
bool spool_content(struct spool *, const struct message_record *, uint64_t content_at, uint64_t offset, uint8_t *p, size_t n);
/* The newest outcome of a recipient: from its RESULT, else from the record. text holds the spans, OUTCOME_TEXT octets. */
enum { OUTCOME_TEXT = 2048 };
void spool_outcome(struct spool *, uint32_t slot, uint32_t number, const struct recipient *, uint8_t *text, struct outcome *);
/* Does the recipient belong to the destination of this job, and is it waiting? */
bool spool_concerns(struct spool *, uint32_t job, uint32_t number, struct span path);
/* Record what happened to a recipient. */
void spool_result(struct spool *, uint32_t slot, uint32_t number, const struct outcome *);
/* A recipient has it, whether that is recorded or not. */
void spool_served(struct spool *, uint32_t slot);
/* It has failed for the last of them, or was taken back: if nobody has it, the sender means it when he submits the same again. */
void spool_fruitless(struct spool *, uint32_t slot);
/* Record what only the history wants to know; without one, nothing. False: not written, and nothing waits for it. */
bool spool_fact(struct spool *, const struct fact_record *);
/* Nothing is left to do: record it, forget the message and its jobs. */
void spool_finish(struct spool *, uint32_t slot);
/* Set aside, and finish, the messages that spool_envelope() could not read and still cannot. lose() is told of each while it is still
 * there. Waits for the disk when there are any. */
void spool_set_aside(struct spool *, uint64_t now, void (*lose)(void *arg, uint32_t slot), void *arg);
/* Finish the messages whose content is damaged; what a start has found so has no jobs. tell() is asked for each to tell its sender of those
 * who wait, and to record their ends; so many octets of content are whole. False: not now, it is asked again. May wait for the disk. */
void spool_lose(struct spool *, bool (*tell)(void *arg, uint32_t slot, uint64_t whole), void *arg);
/* The slot is a message that may be tried, shown and dropped. */
bool spool_ready(const struct spool *, uint32_t slot);

/* ---- held mail: it waits for the operator, is not tried, and does not grow old ---- */
/* From now on the message is held, or no more; durable with the next sync. What runs goes on, but is not begun again. A release
 * begins the message's time anew. words: why, for people. The slot may be pending. False: it cannot be written; as before. */
bool spool_withhold(struct spool *, uint32_t slot, struct span words, uint64_t now);
bool spool_release(struct spool *, uint32_t slot, uint64_t now);
bool spool_is_held(const struct spool *, uint32_t slot);
/* Since when and why; text holds the words. */
enum { HELD_TEXT = 512 };
void spool_held_why(struct spool *, uint32_t slot, const struct message_record *, uint8_t text[HELD_TEXT], struct held_record *);
/* Of entry.account: the same for "alice" and "alice/laptop". */
uint32_t account_hash(struct span login);
/* Does a message of this login belong to whose? "alice" has what "alice/laptop" sent. */
bool login_belongs(struct span login, struct span whose);

/* ---- mail for later (RFC 4865): not tried before its release ---- */
bool spool_unreleased(const struct spool *, uint32_t slot, uint64_t now);
/* Of a message that waits for its release: another time for it, durable with the next sync. False: it cannot be written. */
bool spool_reschedule(struct spool *, uint32_t slot, uint64_t release);
/* How many of this account's (account_hash()) wait; it is not one of them any more. */
uint32_t release_waiting(const struct spool *, uint32_t account);
void release_over(struct spool *, uint32_t slot);
/* The clock was set by so many ms, and no message is older for it; after schedule_shift(). */
void release_clock(struct spool *, int64_t ms);

/* ---- jobs ---- */
/* Take the job off its message's list and out of the schedule; see schedule_finish() for the rest. */
void spool_job_done(struct spool *, uint32_t job, enum try_end, uint64_t now);
/* A running job waits until due; when its message is held it ends instead. */
void spool_job_again(struct spool *, uint32_t job, uint64_t due, enum try_end, uint64_t now);
/* When a job may come again: at its expiry at the latest, not before `wait` ms are over, and exact: then, instead of when the usual
 * back-off says. */
struct retry { uint64_t expiry, wait; bool exact; };
/* It is tried again later; when. */
uint64_t spool_job_later(struct spool *, uint32_t job, enum try_end, const struct retry *, uint64_t now);
/* Jobs for a message that there was no memory for. */
void spool_plan_again(struct spool *, uint32_t slot, uint64_t now);
/* Try everything of this message at once, unless it waits for its release. */
void spool_hurry(struct spool *, uint32_t slot, uint64_t now);
/* The clock was set: nothing has arrived later than now. */
void spool_no_later(struct spool *, uint64_t now);

/* ---- inside the room ---- */
enum ticket_kind { TICKET_MESSAGE = 1, TICKET_COPY };
bool lost_add(struct spool *, const struct lost *);
bool unkept_add(struct spool *, const struct unkept *);
/* What there is of it is held, or no more. */
void lost_hold(struct spool *, const struct message_record *, bool hold);
const struct lost *lost_find(const struct spool *, uint64_t id);
/* Its content could not be read just now. */
void lost_meet(struct spool *, uint64_t id);
/* What is known of a recipient now, into the entry; place: of its RESULT, 0: it has none of its own. */
void outcome_note(struct entry *, uint32_t number, const struct outcome *, uint64_t place);
/* The terms of the record, into the entry, whose arrival is known; and its release back. */
void terms_note(struct entry *, const struct message_record *);
uint64_t release_of_record(const struct entry *, const struct message_record *);
void release_count(struct spool *, uint32_t slot);
void release_fini(struct spool *);
/* Append its newest HELD record anew, behind a copy of the message. */
void held_copy(struct spool *, uint32_t slot);
/* Retire a few destinations that have nothing to do any more. */
void plan_sweep(struct spool *, uint64_t now);
/* Take a message out of the index without a word to the log. */
void spool_forget(struct spool *, uint32_t slot);
/* Hold what the extents name; NULL and 0 for none. False when memory is short or a segment is missing. */
bool holds_take(struct spool *, struct span extents, struct hold **, uint32_t *holds);
void holds_give(struct spool *, struct hold *, uint32_t holds);
/* One more chunk to a list that begins as NULL, 0. */
bool holds_add(struct spool *, uint64_t segment, uint64_t octets, struct hold **, uint32_t *holds);
void copy_settled(struct spool *, const struct ticket *, enum fail);
void copy_step(struct spool *);
void copy_stop(struct spool *);
/* Append a CHUNK; its extent goes onto extents. */
bool chunk_append(struct spool *, uint64_t id, struct span first, struct span second, struct buf *extents);
/* Make room for n more octets. */
bool buf_grow(struct buf *, size_t n, size_t most);
bool recover(struct spool *, uint64_t now);

#endif
