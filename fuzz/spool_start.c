/*
 * fuzz/spool_start.c - what a start makes of a spool: records whose sums are right, in any order and with any payload, damage between
 * them, several segments.
 *
 * Input     one octet of settings; then items: what (0: the next segment; a record's kind; beyond them: octets that are no record), marks
 *           (below), u16 octets, the octets.
 *
 * Whatever the disk holds: the start comes through unless a segment is newer than we are, a message whose record is whole and of which
 * nothing else is said is there, and the next start finds what this one has found.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"
#include "os/log.h"
#include "spool/spool.h"

enum { SPOILT = 1, JUMP = 2, AGAIN = 4 };
enum { SINGLE = 1, HISTORY = 2, WINDOW = 4 };
enum { AT_SUM = 8, ITEM = 4, SEGMENTS = 4, KNOWN = 64, OCTETS_MAX = 1 << 20 };

/* What of the spool is known from outside. */
static struct known { uint64_t id; bool sure; } known[KNOWN];
static unsigned knowns;
static bool newer;

static const uint64_t now = UINT64_C(1800000000000);

struct writer {
	const char *directory;
	uint64_t number, sequence;
	int fd;
};

static void
put(struct writer *w, uint32_t kind, struct span payload, unsigned marks)
{
	static _Alignas(8) uint8_t record[RECORD_HEADER + 65536 + RECORD_ALIGN];
	struct record_header h = { .kind = kind, .length = (uint32_t)payload.len, .salt = w->number, .sequence = w->sequence };
	size_t n = (size_t)record_octets(payload.len);

	memcpy(record + RECORD_HEADER, payload.p, payload.len);
	record_seal(record, &h);
	if (marks & SPOILT)
		record[AT_SUM] ^= 1;
	w->sequence += marks & AGAIN ? 0 : marks & JUMP ? 5 : 1;
	frames_insist(write(w->fd, record, n) == (ssize_t)n);
}

static void
next_segment(struct writer *w)
{
	uint8_t octets[20];
	char path[80];

	if (w->number == SEGMENTS)
		return;
	if (w->fd != -1)
		(void)close(w->fd);
	(void)snprintf(path, sizeof path, "%s/%016llx.log", w->directory, (unsigned long long)++w->number);
	w->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	frames_insist(w->fd != -1);
	u32_put(octets, RECORD_VERSION);
	u64_put(octets + 4, w->number);
	u64_put(octets + 12, now);
	put(w, RECORD_SEGMENT, (struct span){ octets, sizeof octets }, 0);
}

static struct known *
known_of(uint64_t id)
{
	for (unsigned i = 0; i < knowns; i++)
		if (known[i].id == id)
			return &known[i];
	if (knowns == KNOWN)
		return NULL;
	known[knowns] = (struct known){ id, false };
	return &known[knowns++];
}

static bool
somebody_waits(const struct message_record *m)
{
	struct span rest = m->recipients;
	struct recipient r;

	while (recipient_take(&rest, &r))
		if (r.last.class == OUTCOME_NONE || r.last.class == OUTCOME_LATER)
			return true;
	return false;
}

/* What must be there when nothing else is said of it; what is said may take it away. */
static void
note(uint32_t kind, struct span payload)
{
	struct message_record m;
	struct segment_record s;
	struct result_record r;
	struct done_record d;
	struct known *k = NULL;

	if (kind == RECORD_SEGMENT)
		newer = newer || !fields_parse(segment_record_layout, payload, &s) || s.version < RECORD_VERSION_LEAST ||
		    s.version > RECORD_VERSION;
	if (kind == RECORD_MESSAGE && message_parse(payload, &m) && (k = known_of(m.id)) != NULL)
		k->sure = (m.flags & RECORD_FLAG_DISCARDED) == 0 && m.extents.len == 0 && somebody_waits(&m);
	if (kind == RECORD_DONE && fields_parse(done_record_layout, payload, &d) && (k = known_of(d.id)) != NULL)
		k->sure = false;
	if (kind == RECORD_RESULT && result_parse(payload, &r) && (k = known_of(r.id)) != NULL)
		k->sure = false;
}

static void
lay(struct writer *w, struct span in)
{
	static const uint8_t zeros[RECORD_ALIGN];

	knowns = 0;
	newer = false;
	next_segment(w);
	while (in.len >= ITEM) {
		uint32_t what = in.p[0], marks = in.p[1];
		struct span octets = { in.p + ITEM, (size_t)in.p[2] | (size_t)in.p[3] << 8 };
		size_t odd;

		octets.len = octets.len < in.len - ITEM ? octets.len : in.len - ITEM;
		span_skip(&in, ITEM + octets.len);
		odd = octets.len % RECORD_ALIGN;
		if (what == 0) {
			next_segment(w);
		} else if (what <= RECORD_KINDS) {
			put(w, what, octets, marks);
			if (!(marks & SPOILT))
				note(what, octets);
		} else {
			frames_insist(write(w->fd, octets.p, octets.len) == (ssize_t)octets.len);
			frames_insist(odd == 0 || write(w->fd, zeros, RECORD_ALIGN - odd) == (ssize_t)(RECORD_ALIGN - odd));
		}
	}
	(void)close(w->fd);
}

/* ---- the starts ---- */
static void
on_committed(void *arg, void *who, uint64_t id, uint32_t slot, enum fail f)
{
	(void)arg, (void)who, (void)id, (void)slot, (void)f;
}

static void
on_gone(void *arg, uint64_t segment)
{
	(void)arg, (void)segment;
}

static bool
start(struct spool *s, const char *directory, unsigned settings)
{
	static const struct spool_handler handler = { on_committed, on_gone };
	struct spool_conf conf = { .directory = directory, .disk = &disk_linux, .segment_size = 1 << 20, .single = (settings & SINGLE) != 0,
		.history = (settings & HISTORY) != 0, .duplicate_window = settings & WINDOW ? 3600000 : 0,
		.schedule = { .retry_first = 1000, .retry_max = 1000, .running = 16, .window = 16, .hold_max = 1000 } };

	return spool_open(s, &conf, &handler, NULL, now);
}

/* As the process looks at it: each message and what is known of its recipients. */
static void
read_all(struct spool *s)
{
	for (uint32_t slot = 0; slot < s->index.used; slot++) {
		uint8_t text[OUTCOME_TEXT], why[HELD_TEXT], content[64];
		struct message_record m;
		struct held_record held;
		struct recipient r;
		struct outcome last;
		uint64_t content_at;

		if (!s->index.entry[slot].used)
			continue;
		frames_insist(spool_envelope(s, slot, &m, &content_at));
		if (m.size > 0)
			(void)spool_content(s, &m, content_at, 0, content, m.size < sizeof content ? (size_t)m.size : sizeof content);
		for (uint32_t i = 0; i < m.rcpts && recipient_take(&m.recipients, &r); i++)
			spool_outcome(s, slot, i, &r, text, &last);
		if (spool_is_held(s, slot))
			spool_held_why(s, slot, &m, why, &held);
	}
}

static void
write_all(struct spool *s)
{
	struct batch *batch;

	for (unsigned i = 0; i < 8; i++) {
		spool_tidy(s);
		while ((batch = journal_begin(&s->journal)) != NULL) {
			batch_run(batch);
			frames_insist(spool_settle(s) == OK);
		}
	}
}

static void
insist_known(const struct spool *s)
{
	for (unsigned i = 0; i < knowns; i++)
		frames_insist(!known[i].sure || index_find(&s->index, known[i].id) != INDEX_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct spool s;
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct writer w = { .fd = -1, .sequence = 1 };
	uint32_t count;

	if (n == 0 || n > OCTETS_MAX)
		return 0;
	log_open(&quiet, "fuzz");
	w.directory = frames_directory();
	lay(&w, (struct span){ p + 1, n - 1 });
	if (start(&s, w.directory, p[0])) {
		frames_insist(!newer);
		insist_known(&s);
		read_all(&s);
		write_all(&s);
		count = s.index.count;
		spool_close(&s);
		frames_insist(start(&s, w.directory, p[0]) && s.index.count == count);
		insist_known(&s);
		read_all(&s);
		spool_close(&s);
	} else {
		frames_insist(newer);
	}
	frames_directory_remove();
	return 0;
}
