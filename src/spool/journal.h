/*
 * spool/journal.h - the log on disk: segments, the buffer that gathers, the batch that is being written. docs/spool.md.
 *
 *	journal_reserve, journal_commit         a record joins the gathering batch
 *	journal_begin                           the gathering batch becomes the one to write
 *	batch_run                               writes and syncs it; the only call for another thread
 *	journal_end                             settles every ticket of the batch
 *
 * Owner     struct journal belongs to one thread. Between journal_begin() and journal_end() the batch belongs to whoever runs it.
 * Blocks    batch_run() on the disk, journal_read() on reading it, nothing else.
 * Fails     FAIL_DISK_FULL: the batch is taken back and kept; what may be refused in it is refused (its ticket is settled so,
 *           its record becomes VOID), the rest is written by a later journal_begin(). FAIL_DOUBT: for ever.
 */
#ifndef POSTERN_SPOOL_JOURNAL_H
#define POSTERN_SPOOL_JOURNAL_H

#include "base/buf.h"
#include "base/fail.h"
#include "queue/record.h"
#include "spool/disk.h"

enum {
	JOURNAL_PARTS = 64,                     /* pieces of one batch, one for each segment it touches */
	JOURNAL_UNLINKS = 16,                   /* of one batch */
	JOURNAL_KEPT = 1024 * 1024,             /* octets of a batch's buffer that are kept for the next one */
	JOURNAL_CROWDED = 8 * 1024 * 1024,      /* gathered octets from which the caller should hold its peers back */
	JOURNAL_REFUSE = 48 * 1024 * 1024,      /* from which what may be refused is refused */
	JOURNAL_MOST = 128 * 1024 * 1024,       /* from which everything is */
	SEGMENT_MOST = 1 << 30,                 /* octets; an offset must fit 32 bits, with a big record behind it */
	SEGMENT_NAME = 21,                      /* "NNNNNNNNNNNNNNNN.log" and NUL */
};

struct segment {
	uint64_t number, salt;
	uint64_t size;          /* octets, with those that are not written yet */
	uint64_t filled;        /* octets the file has on the disk, zeros ahead of the records among them: the running batch's */
	uint64_t live;          /* of them still needed */
	uint64_t freed;         /* sequence of the last record when refs became 0 */
	uint32_t refs;          /* messages and drafts that need it */
	int fd;                 /* for writing; -1 for segments of before this start. While a batch runs it is the batch's */
	int reader;             /* read-only; -1 until asked for */
	uint8_t shown;          /* the owner's: a bit for each process that has the descriptor */
};

/* Where a record begins: segment number << 32 | offset; 0 is nowhere. */
#define PLACE(segment, offset) ((uint64_t)(segment) << 32 | (uint32_t)(offset))
#define PLACE_SEGMENT(place) ((place) >> 32)
#define PLACE_OFFSET(place) ((place) & UINT32_MAX)

/* Somebody who waits for a record to be durable. */
struct ticket {
	uint32_t kind;          /* the owner's */
	uint32_t index;         /* the owner's */
	uint64_t id;            /* the owner's */
	void *arg;              /* the owner's */
	bool refusable;         /* when the disk is full, rather refuse it than keep it */
	uint64_t place;         /* set by journal_commit() */
	size_t at;              /* of the record in the buffer, journal's own */
};

struct part {
	struct segment *segment, *before;       /* before: the one to sync first, when segment is new */
	uint64_t offset;        /* in the file */
	size_t from, len;       /* in the buffer */
};

struct batch {
	struct journal *journal;
	struct buf mem;
	struct part part[JOURNAL_PARTS];
	size_t parts;
	struct ticket *ticket;
	size_t tickets, tickets_max;
	uint64_t unlink[JOURNAL_UNLINKS];
	size_t unlinks;
	struct segment *sync_also;      /* to sync when the batch itself writes nothing */
	uint64_t last;                  /* sequence of its last record */
	bool sync;
	bool stuck;                     /* ran once and was taken back */
	enum fail fail;
	int error;                      /* errno of it */
	const char *call;               /* which call it was */
};

struct journal_handler {
	/* A ticket is settled: OK means durable. Called from journal_end() only; until the next journal_begin()
	 * the record can still be had by journal_view(). */
	void (*settled)(void *arg, const struct ticket *, enum fail);
	/* A segment leaves the table. */
	void (*gone)(void *arg, uint64_t number);
};

struct journal {
	const struct disk *disk;
	const struct journal_handler *handler;
	void *arg;
	int dirfd;
	bool dir_dirty;                 /* owned by the running batch: a name was made that is not synced */
	bool running;                   /* between begin and end */
	bool unsynced;                  /* something was written and not synced */
	bool sync_wanted;
	enum fail state;                /* OK, FAIL_DISK_FULL, FAIL_DOUBT */
	uint64_t segment_size;
	uint64_t next_number, sequence; /* to be given next */
	uint64_t written;               /* sequence of the last record that is written */
	uint64_t durable;               /* sequence of the last record that is synced */
	uint64_t octets, live;          /* sums over all segments */
	uint64_t follower;              /* number of the segment that who follows the log reads; UINT64_MAX: nobody does */
	uint64_t follower_most;         /* octets of segments that are kept for nobody but him */
	struct segment **segment;       /* by number */
	size_t segments, segments_max;
	struct segment *active;         /* the one being appended to; NULL at start */
	struct batch *gather, *write;
	struct batch batch[2];
};

void journal_init(struct journal *, const struct disk *, int dirfd, uint64_t segment_size, const struct journal_handler *,
    void *arg);
/* Closes every descriptor, frees everything; nothing may be running. */
void journal_fini(struct journal *);

void segment_name(uint64_t number, char name[SEGMENT_NAME]);
/* Put a segment found at start into the table; numbers must grow. */
struct segment *journal_adopt(struct journal *, uint64_t number, uint64_t size, uint64_t salt);
/* The segment of this number or NULL. */
struct segment *journal_segment(const struct journal *, uint64_t number);
/* Its read-only descriptor, or -1. */
int journal_reader(struct journal *, struct segment *);

/* Room for a payload of up to max octets at the end of the gathering batch. False: full, or in doubt. kept: the record must
 * not be refused just because much is waiting. */
bool journal_reserve(struct journal *, size_t max, bool kept, struct buf *payload);
/* Makes it a record; place of the record. sync: the batch must be synced as soon as it can be. ticket may be NULL. */
uint64_t journal_commit(struct journal *, enum record_kind, struct buf payload, bool sync, const struct ticket *);

/* Both for a record of fields that nobody waits for: its place, or 0. */
uint64_t journal_append(struct journal *, enum record_kind, struct layout, const void *record, bool kept);

/* Octets of a segment begin or cease to be needed by a message; again: the message needs others of it already. */
void segment_hold(struct journal *, uint64_t number, uint64_t octets, bool again);
void segment_release(struct journal *, uint64_t number, uint64_t octets);
/* Segments from this number on are kept for somebody who follows the log, as far as they are most octets. */
void journal_follow(struct journal *, uint64_t from, uint64_t most);
/* Order the removal of the oldest segments that nobody needs and for whose death everything is synced. */
void journal_reap(struct journal *);

/* Is somebody waiting for a sync, or much gathered? Then begin as soon as nothing runs. */
bool journal_pressing(const struct journal *);
/* Is there anything at all to write, sync or remove? */
bool journal_idle(const struct journal *);
/* Ask for what is gathered or written to be synced with the next batch. */
void journal_want_sync(struct journal *);
bool journal_crowded(const struct journal *);

/* The batch to run now; NULL: nothing to do, or one runs, or in doubt. */
struct batch *journal_begin(struct journal *);
void batch_run(struct batch *);
enum fail journal_end(struct journal *);
/* Nothing goes on: give the buffers' memory back. */
void journal_rest(struct journal *);

/* Octets of a record from memory when they are there, NULL when not. */
const uint8_t *journal_view(const struct journal *, uint64_t place, size_t n);
/* The same from memory or disk into p. False with what is wrong in errno (0: the segment is shorter). */
bool journal_read(struct journal *, uint64_t place, uint8_t *p, size_t n);
/* A whole record of this kind, of most octets with its header at most, into p; its payload lies there. False: there is none. */
bool journal_read_record(struct journal *, uint64_t place, enum record_kind, uint8_t *p, size_t most, struct span *payload);

#endif
