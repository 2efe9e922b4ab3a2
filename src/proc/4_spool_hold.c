/*
 * Held mail: walks the queue for what an operator or 3_auth wants held, released or purged, or all of it tried at once. A walk goes on
 * in steps, and nobody is told that it is done before all of it is synced.
 */
#include <assert.h>
#include <string.h>

#include "os/clock.h"
#include "os/log.h"
#include "proc/4_spool.h"

enum { HOLD_LOOK = 4 * SPOOL_LOOK_STEP, HOLD_STEP = 1000 };

/*
 * FREE      nobody asks for anything
 * WALKING   from slot `cursor` on it is still to be done; no try is begun meanwhile
 * SYNCING   done; the answer waits for the record `sequence`
 */
static void
walk_enter(struct keeper *k, struct hold_walk *w, enum walk_phase next)
{
	assert(w->state != next);
	k->walking += (next == WALK_WALKING) - (w->state == WALK_WALKING);
	w->state = (uint8_t)next;
}

static struct span
login_of(const struct hold_walk *w)
{
	return (struct span){ w->login, w->login_len };
}

static struct span
words_of(const struct hold_walk *w)
{
	return (struct span){ w->words, w->words_len };
}

/* ---- the end ---- */
static void
log_walk(const struct hold_walk *w)
{
	const char *event = w->verb == QUEUE_HOLD ? "held" : w->verb == QUEUE_RELEASE ? "released" : "purged";
	struct log_line l;

	log_begin(&l, w->guard ? LOG_WARN : LOG_NOTE, event);
	if (w->id != 0)
		log_id(&l, "id", w->id);
	else
		log_span(&l, "login", login_of(w));
	log_u64(&l, "messages", w->count);
	log_text(&l, "by", w->guard ? "guard" : "operator");
	if (w->verb == QUEUE_HOLD)
		log_span(&l, "why", words_of(w));
	log_end(&l);
}

static void
answer(struct keeper *k, struct hold_walk *w, enum fail fail, struct span words)
{
	struct queue_end end = { (uint32_t)fail, w->count, 0, words };
	struct log_line l;

	/* An operator reads it; 3_auth cannot do more about it than he. */
	if (w->guard && fail != OK) {
		log_begin(&l, LOG_FAULT, "hold-in-doubt");
		log_span(&l, "login", login_of(w));
		log_span(&l, "why", words);
		log_end(&l);
	}
	if (w->channel != NULL)
		(void)channel_send(w->channel, QUEUE_END, w->session, queue_end_layout, &end);
	w->channel = NULL;
	walk_enter(k, w, WALK_FREE);
	guard_pause(k);
}

/* Who names a message, or a principal, means something that is there. */
static bool
found_nothing(const struct hold_walk *w)
{
	return w->count == 0 && w->already == 0 && (w->verb == QUEUE_HOLD || w->verb == QUEUE_RELEASE || w->verb == QUEUE_PURGE);
}

static void
answer_done(struct keeper *k, struct hold_walk *w)
{
	uint8_t text[64];
	struct buf words = BUF_OVER(text);

	if (!w->guard && found_nothing(w)) {
		answer(k, w, FAIL_ARGUMENT, w->verb == QUEUE_HOLD ? SPAN("nothing of that login waits") : SPAN("nothing of that login is held"));
		return;
	}
	if (w->already > 0)
		(void)(buf_put_u64(&words, w->already) && buf_put_text(&words, " held already"));
	answer(k, w, OK, buf_span(&words));
}

static void
answer_in_trouble(struct keeper *k, struct hold_walk *w)
{
	enum fail state = k->spool.journal.state;

	if (state == FAIL_DISK_FULL)
		answer(k, w, state, SPAN("done, but the disk is full: a restart before there is room forgets it"));
	else
		answer(k, w, FAIL_DOUBT, span_of(fail_row(FAIL_DOUBT)->text));
}

/* It could not all be written down; what was is in force. */
static void
answer_refused(struct keeper *k, struct hold_walk *w)
{
	if (k->spool.journal.state == FAIL_DOUBT)
		answer_in_trouble(k, w);
	else
		answer(k, w, FAIL_BUSY, SPAN("too much waits to be written; ask again for the rest"));
}

static void
await_sync(struct keeper *k, struct hold_walk *w)
{
	w->sequence = k->spool.journal.sequence - 1;
	walk_enter(k, w, WALK_SYNCING);
	journal_want_sync(&k->spool.journal);
	hold_settled(k);
}

static void
walked(struct keeper *k, struct hold_walk *w)
{
	if (w->verb == QUEUE_RETRY) {
		/* Nothing of it is written down. */
		answer_done(k, w);
		return;
	}
	log_walk(w);
	await_sync(k, w);
}

void
hold_settled(struct keeper *k)
{
	const struct journal *j = &k->spool.journal;

	for (size_t i = 0; i < KEEPER_WALKS; i++) {
		struct hold_walk *w = &k->walk[i];

		if (w->state == WALK_SYNCING && (w->count == 0 || j->durable >= w->sequence))
			answer_done(k, w);
		else if (w->state == WALK_SYNCING && j->state != OK)
			answer_in_trouble(k, w);
	}
}

/* ---- one message ---- */
/* By what is in memory; what may be concerned costs a look at the disk. */
static bool
may_be_concerned(const struct keeper *k, const struct hold_walk *w, uint32_t slot)
{
	const struct entry *e = &k->spool.index.entry[slot];

	if (!e->used || w->verb == QUEUE_RETRY)
		return e->used;
	return w->id != 0 ? e->id == w->id : e->account == w->account;
}

enum concern { CONCERN_NONE, CONCERN_ALREADY, CONCERN_DO };

static enum concern
concern_of(struct keeper *k, const struct hold_walk *w, uint32_t slot)
{
	bool held = spool_is_held(&k->spool, slot), theirs;
	const struct entry *e = &k->spool.index.entry[slot];
	struct message_record m;
	uint64_t content_at;

	if (!may_be_concerned(k, w, slot))
		return CONCERN_NONE;
	if (w->verb == QUEUE_RETRY)
		return held || spool_unreleased(&k->spool, slot, clock_wall()) ? CONCERN_NONE : CONCERN_DO;
	if ((!held && w->verb != QUEUE_HOLD) || (w->verb == QUEUE_PURGE && (e->flags & ENTRY_PENDING)))
		return CONCERN_NONE;
	theirs = w->id != 0 || (spool_envelope(&k->spool, slot, &m, &content_at) && login_belongs(m.login, login_of(w)));
	return !theirs ? CONCERN_NONE : held && w->verb == QUEUE_HOLD ? CONCERN_ALREADY : CONCERN_DO;
}

/* False: the journal takes no more. */
static bool
walk_one(struct keeper *k, struct hold_walk *w, uint32_t slot, uint32_t *done)
{
	enum concern concern = concern_of(k, w, slot);
	bool good = true;

	w->already += concern == CONCERN_ALREADY;
	if (concern != CONCERN_DO)
		return true;
	++*done;
	switch (w->verb) {
	case QUEUE_HOLD:
		good = spool_withhold(&k->spool, slot, words_of(w), clock_wall());
		break;
	case QUEUE_RELEASE:
		good = spool_release(&k->spool, slot, clock_wall());
		break;
	case QUEUE_RETRY:
		spool_hurry(&k->spool, slot, clock_wall());
		break;
	default:
		/* Its jobs are those whose tries run: they end without a word. */
		if (k->spool.index.entry[slot].job != SCHEDULE_NONE)
			relay_forget(k, slot);
		(void)spool_fact(&k->spool, &(struct fact_record){ .id = k->spool.index.entry[slot].id, .kind = FACT_PURGED,
			.when = clock_wall() });
		spool_finish(&k->spool, slot);
	}
	w->count += good;
	return good;
}

/* ---- the walk ---- */
static void
walk_on(struct keeper *k, struct hold_walk *w)
{
	const struct index *x = &k->spool.index;
	uint64_t end = uv_hrtime() + KEEPER_LOOK_NS;
	uint32_t looked = 0, read = 0, done = 0;

	for (; w->cursor < x->used && looked < HOLD_LOOK && done < HOLD_STEP; looked++, w->cursor++) {
		if (!may_be_concerned(k, w, w->cursor))
			continue;
		if (++read % KEEPER_LOOK == 0 && uv_hrtime() > end)
			break;
		if (!walk_one(k, w, w->cursor, &done)) {
			answer_refused(k, w);
			return;
		}
	}
	if (w->cursor >= x->used)
		walked(k, w);
}

bool
hold_waits(const struct keeper *k)
{
	return k->spool.journal.gather->mem.len >= JOURNAL_KEPT;
}

void
hold_step(struct keeper *k)
{
	struct hold_walk *w = k->walk;

	if (k->walking == 0)
		return;
	/* One step a turn: somebody else may be waiting for his 250. */
	while (w->state != WALK_WALKING)
		w++;
	if (w->verb == QUEUE_RETRY)
		walk_on(k, w);
	else if (k->spool.journal.state == FAIL_DOUBT)
		answer_refused(k, w);
	else if (!hold_waits(k))
		walk_on(k, w);
}

static struct hold_walk *
walk_take(struct keeper *k, bool guard)
{
	size_t first = guard ? KEEPER_CONTROLS : 0, end = guard ? KEEPER_WALKS : KEEPER_CONTROLS;

	for (size_t i = first; i < end; i++)
		if (k->walk[i].state == WALK_FREE)
			return &k->walk[i];
	return NULL;
}

bool
hold_room(struct keeper *k, bool guard)
{
	return walk_take(k, guard) != NULL;
}

bool
hold_begin(struct keeper *k, const struct hold_order *o)
{
	struct hold_walk *w = walk_take(k, o->channel == NULL);
	uint32_t done = 0;
	struct span words = span_head(o->words, sizeof w->words);

	if (w == NULL || o->login.len > sizeof w->login)
		return false;
	*w = (struct hold_walk){ .verb = o->verb, .guard = o->channel == NULL, .channel = o->channel, .session = o->session,
		.id = o->id, .account = account_hash(o->login), .login_len = o->login.len, .words_len = words.len };
	if (o->login.len > 0)
		memcpy(w->login, o->login.p, o->login.len);
	if (words.len > 0)
		memcpy(w->words, words.p, words.len);
	if (o->id != 0)
		w->cursor = index_find(&k->spool.index, o->id);
	walk_enter(k, w, WALK_WALKING);
	if (o->id == 0)
		return true;
	/* One message is no walk. */
	if (w->cursor != INDEX_NONE && !walk_one(k, w, w->cursor, &done))
		answer_refused(k, w);
	else
		walked(k, w);
	return true;
}

void
hold_await_sync(struct keeper *k, struct channel *c, uint32_t session)
{
	struct hold_walk *w = walk_take(k, false);

	*w = (struct hold_walk){ .verb = QUEUE_RESCHEDULE, .channel = c, .session = session, .count = 1 };
	await_sync(k, w);
}

void
hold_forget(struct keeper *k, const struct channel *c)
{
	for (size_t i = 0; i < KEEPER_WALKS; i++)
		if (k->walk[i].channel == c)
			k->walk[i].channel = NULL;
}
