#include "rig.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/scratch.h"
#include "os/log.h"

static void
on_committed(void *arg, void *who, uint64_t id, uint32_t slot, enum fail f)
{
	struct rig *r = arg;

	(void)slot;
	assert_ptr_equal(who, &r->message[id - 1]);
	assert_false(r->message[id - 1].answered);
	r->message[id - 1].answered = true;
	r->message[id - 1].answer = f;
	r->committed += f == OK;
}

static void
on_gone(void *arg, uint64_t segment)
{
	struct rig *r = arg;

	(void)segment;
	r->gone++;
}

static const struct spool_handler handler = { on_committed, on_gone };

void
rig_begin(struct rig *r)
{
	static bool quiet;

	if (!quiet) {
		struct log_conf lc = { .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .most = LOG_NOTE };

		log_open(&lc, "test");
		quiet = true;
	}
	memset(r, 0, sizeof *r);
	disk_fault_reset();
	disk_fault_forget();
	r->segment_size = 256 * 1024;
	r->durable = UINT64_MAX;
	(void)snprintf(r->directory, sizeof r->directory, "crash-XXXXXX");
	assert_non_null(mkdtemp(r->directory));
}

void
rig_end(struct rig *r)
{
	(void)scratch_remove(r->directory);
}

/* Nobody reads notices here. */
static bool
told(void *arg, uint32_t slot, uint64_t whole)
{
	(void)arg, (void)slot, (void)whole;
	return true;
}

bool
rig_open(struct rig *r)
{
	struct spool_conf conf = { .directory = r->directory, .disk = &disk_faulty, .segment_size = r->segment_size,
		.free_min = 1024 * 1024, .duplicate_window = r->window, .history = r->history,
		.schedule = { .retry_first = 60000, .retry_max = 3600000, .hold_max = 300000, .window = 100, .running = 1000 } };

	if (!spool_open(&r->spool, &conf, &handler, r, 1))
		return false;
	spool_lose(&r->spool, told, NULL);
	return true;
}

void
rig_crash(struct rig *r)
{
	if (r->spool.journal.running)
		r->spool.journal.running = false;
	r->durable = r->spool.journal.durable;
	spool_close(&r->spool);
	/* Whoever was not answered when it died never will be. */
	disk_fault_reset();
}

/* Content that is different for each message and each place in it. */
static void
fill(uint8_t *p, uint32_t id, size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = from + i;

		p[i] = (uint8_t)("0123456789abcdefghijklmnopqrstuvwxyz"[(at * 7 + at / 997 + id * 13) % 36]);
	}
}

static uint64_t
release_of(uint32_t id)
{
	return id % 5 == 3 ? RIG_RELEASE + id : 0;
}

static struct draft *
envelope(struct rig *r, uint32_t id, uint32_t rcpts)
{
	struct message_record mail = { .id = id, .arrival = id, .reverse_path = SPAN_INIT("alice@example.org"),
		.login = SPAN_INIT("alice"), .peer = SPAN_INIT("192.0.2.1"), .tls = SPAN_INIT("TLSv1.3") };
	struct draft *d;
	enum fail f;

	if (release_of(id) != 0) {
		/* Not from the future, or its deadline would move with the clock. */
		mail.arrival = 1;
		mail.release = release_of(id);
		mail.hold = SPAN("until;then");
		mail.deadline = 2 * RIG_RELEASE;
		mail.by = RECORD_BY_TRACE;
		mail.priority = (uint32_t)-(int32_t)(id % 9);
	}
	f = draft_begin(&r->spool, &mail, false, &d);
	assert_int_equal(f, OK);
	for (uint32_t i = 0; i < rcpts; i++) {
		char path[64];
		int n = snprintf(path, sizeof path, "r%u@d%u.example", i, i % 7);

		draft_rcpt(&r->spool, d, (struct span){ (uint8_t *)path, (size_t)n }, 0, (struct span){ NULL, 0 });
	}
	return d;
}

/* The content's digest is all that tells one message of the rig from another with as many recipients. */
static bool
repeats(struct rig *r, struct draft *d, uint32_t id, uint64_t *first)
{
	uint8_t digest[SIPHASH_WIDE] = { 0 };

	u32_put(digest, id);
	return draft_repeats(&r->spool, d, digest, 1, first);
}

void
rig_submit(struct rig *r, uint32_t id, size_t size, uint32_t rcpts)
{
	static uint8_t piece[20000];
	struct rig_message *m = &r->message[id - 1];
	struct draft *d = envelope(r, id, rcpts);
	uint64_t first;
	enum fail f;

	*m = (struct rig_message){ .sent = true, .rcpts = rcpts, .size = size, .held = r->hold_next,
		.release = release_of(id), .before = release_of(id) };
	for (size_t at = 0; at < size; at += sizeof piece) {
		size_t n = size - at < sizeof piece ? size - at : sizeof piece;

		fill(piece, id, at, n);
		draft_body(&r->spool, d, (struct span){ piece, n });
		if (r->eager ? journal_pressing(&r->spool.journal) : r->spool.journal.gather->mem.len >= JOURNAL_KEPT)
			(void)rig_batch(r);
	}
	assert_false(repeats(r, d, id, &first));
	f = draft_commit(&r->spool, d, r->hold_next ? RECORD_FLAG_HELD : 0, m);
	if (f != OK) {
		m->answered = true;
		m->answer = f;
	}
}

enum fail
rig_batch(struct rig *r)
{
	struct batch *b = journal_begin(&r->spool.journal);

	if (b == NULL)
		return spool_state(&r->spool);
	batch_run(b);
	if (disk_fault.stopped)
		return FAIL_DOUBT;
	return spool_settle(&r->spool);
}

void
rig_sync(struct rig *r)
{
	for (unsigned i = 0; i < 200 && !disk_fault.stopped && r->spool.journal.state == OK; i++) {
		spool_tidy(&r->spool);
		if (journal_idle(&r->spool.journal))
			return;
		journal_want_sync(&r->spool.journal);
		if (rig_batch(r) != OK)
			return;
	}
}

void
rig_done(struct rig *r, uint32_t id)
{
	uint32_t slot = index_find(&r->spool.index, id);

	assert_int_not_equal(slot, INDEX_NONE);
	r->message[id - 1].done = true;
	spool_finish(&r->spool, slot);
}

void
rig_withhold(struct rig *r, uint32_t id)
{
	uint32_t slot = index_find(&r->spool.index, id);
	char words[32];

	assert_int_not_equal(slot, INDEX_NONE);
	(void)snprintf(words, sizeof words, "number %u", id);
	assert_true(spool_withhold(&r->spool, slot, span_of(words), 1));
	assert_true(spool_is_held(&r->spool, slot));
	r->message[id - 1].held = r->message[id - 1].worded = true;
	r->message[id - 1].said = r->spool.journal.sequence - 1;
	journal_want_sync(&r->spool.journal);
}

void
rig_release(struct rig *r, uint32_t id)
{
	uint32_t slot = index_find(&r->spool.index, id);

	assert_int_not_equal(slot, INDEX_NONE);
	assert_true(spool_release(&r->spool, slot, 1));
	assert_false(spool_is_held(&r->spool, slot));
	r->message[id - 1].held = r->message[id - 1].worded = false;
	r->message[id - 1].said = r->spool.journal.sequence - 1;
	journal_want_sync(&r->spool.journal);
}

void
rig_reschedule(struct rig *r, uint32_t id, uint64_t release)
{
	uint32_t slot = index_find(&r->spool.index, id);
	struct rig_message *m = &r->message[id - 1];

	assert_int_not_equal(slot, INDEX_NONE);
	assert_true(spool_reschedule(&r->spool, slot, release));
	m->before = m->release;
	m->release = release;
	m->moved = r->spool.journal.sequence - 1;
}

/* Its terms are those that it came with, and its release the last one that was synced; one that was not may be either. */
static void
verify_terms(struct rig *r, uint32_t id)
{
	struct rig_message *known = &r->message[id - 1];
	uint32_t slot = index_find(&r->spool.index, id);
	const struct entry *e = &r->spool.index.entry[slot];

	if (e->release != known->release && (known->moved <= r->durable || e->release != known->before))
		fail_msg("message %u has another release than was synced", id);
	known->release = known->before = e->release;
	known->moved = 0;
	assert_int_equal(e->deadline, id % 5 == 3 ? 2 * RIG_RELEASE : 0);
	assert_int_equal(e->priority, id % 5 == 3 ? -(int)(id % 9) : 0);
	assert_int_equal(e->by, id % 5 == 3 ? RECORD_BY_TRACE : 0);
	for (uint32_t j = e->job; j != SCHEDULE_NONE; j = r->spool.schedule.job[j].sibling)
		assert_true(r->spool.schedule.job[j].due >= e->release);
}

/* As it was said, if it was synced; what was not may be either way, and is from now on as it is. */
static void
verify_held(struct rig *r, uint32_t id)
{
	struct rig_message *known = &r->message[id - 1];
	uint32_t slot = index_find(&r->spool.index, id);
	struct message_record m;
	struct held_record why;
	uint8_t text[HELD_TEXT];
	char words[32];
	uint64_t content_at;

	if (known->said <= r->durable && spool_is_held(&r->spool, slot) != known->held)
		fail_msg("message %u is%s held, against what was synced", id, known->held ? " not" : "");
	if (spool_is_held(&r->spool, slot) != known->held) {
		known->held = !known->held;
		known->worded = false;
	}
	known->said = 0;
	/* Held and not running means: no job. */
	assert_true(!known->held || r->spool.index.entry[slot].job == SCHEDULE_NONE);
	assert_true(known->held || r->spool.index.entry[slot].flags & ENTRY_PENDING
	    || r->spool.index.entry[slot].job != SCHEDULE_NONE);
	if (!known->held || !known->worded)
		return;
	(void)snprintf(words, sizeof words, "number %u", id);
	assert_true(spool_envelope(&r->spool, slot, &m, &content_at));
	spool_held_why(&r->spool, slot, &m, text, &why);
	assert_true(why.held == 1 && span_eq(why.words, span_of(words)));
}

/* Who hears the first one's 250 again must not be told so of a message that is lost. */
static void
verify_repeat(struct rig *r, uint32_t id, bool has)
{
	const struct rig_message *known = &r->message[id - 1];
	struct draft *d = envelope(r, id, known->rcpts);
	uint64_t first = 0;
	bool repeated = repeats(r, d, id, &first);

	draft_abort(&r->spool, d);
	if (repeated && (first != id || !(has || known->done)))
		fail_msg("message %u is said to be here already, as %llu", id, (unsigned long long)first);
	if (!repeated && known->answered && known->answer == OK)
		fail_msg("message %u was acknowledged, and would be taken again", id);
}

bool
rig_has(struct rig *r, uint32_t id)
{
	static uint8_t want[16 * 1024 * 1024], have[16 * 1024 * 1024];
	const struct rig_message *known = &r->message[id - 1];
	uint32_t slot = index_find(&r->spool.index, id);
	struct message_record m;
	uint64_t content_at;

	if (slot == INDEX_NONE)
		return false;
	assert_true(known->sent);
	assert_true(spool_envelope(&r->spool, slot, &m, &content_at));
	assert_int_equal(m.size, known->size);
	assert_int_equal(m.rcpts, known->rcpts);
	assert_true(span_eq(m.login, SPAN("alice")));
	assert_true(spool_content(&r->spool, &m, content_at, 0, have, known->size));
	fill(want, id, 0, known->size);
	assert_memory_equal(have, want, known->size);
	return true;
}

void
rig_verify(struct rig *r)
{
	uint32_t there = 0;

	for (uint32_t id = 1; id <= RIG_MESSAGES; id++) {
		const struct rig_message *m = &r->message[id - 1];
		bool has = rig_has(r, id);

		there += has;
		if (has) {
			verify_held(r, id);
			verify_terms(r, id);
		}
		if (m->sent && r->window > 0)
			verify_repeat(r, id, has);
		if (m->answered && m->answer == OK && !m->done && !has)
			fail_msg("message %u was acknowledged and is missing", id);
	}
	r->durable = UINT64_MAX;
	assert_int_equal(there, r->spool.index.count);
	schedule_check(&r->spool.schedule);
}

long
rig_segment(const struct rig *r, uint64_t number)
{
	char name[SEGMENT_NAME], path[128];
	struct stat st;

	segment_name(number, name);
	(void)snprintf(path, sizeof path, "%s/%s", r->directory, name);
	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

void
rig_newest(const struct rig *r, char path[128])
{
	char name[SEGMENT_NAME];

	for (uint64_t n = 10000; n > 0; n--)
		if (rig_segment(r, n) > 0) {
			segment_name(n, name);
			(void)snprintf(path, 128, "%s/%s", r->directory, name);
			return;
		}
	fail_msg("there is no segment");
}

unsigned
rig_damaged_files(const struct rig *r)
{
	char path[128];
	unsigned n = 0;
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof path, "%s/damaged", r->directory);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d != NULL)
		(void)closedir(d);
	return n;
}
