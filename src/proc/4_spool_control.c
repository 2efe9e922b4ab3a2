/* `postern queue` asks over a local socket. Who may connect is a matter of the socket's mode; what it may ask is the table below. */
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/log.h"
#include "policy/reply_class.h"
#include "proc/4_spool_terms.h"

/* ---- describing a message ---- */
/* When its next job is due; 0 while one of them runs. */
static uint64_t
next_try(const struct spool *s, const struct entry *e)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t j = e->job; j != SCHEDULE_NONE; j = s->schedule.job[j].sibling) {
		const struct job *job = &s->schedule.job[j];
		uint64_t held = s->schedule.destination[schedule_job_destination(&s->schedule, j)].held;
		uint64_t due = job->state == JOB_RUNNING ? 0 : job->due > held ? job->due : held;

		next = due < next ? due : next;
	}
	return next == UINT64_MAX ? 0 : next;
}

/* The newest outcome of those who wait, or of all when nobody does; text holds it. */
static void
newest(struct spool *s, uint32_t slot, const struct message_record *m, uint8_t text[OUTCOME_TEXT], struct outcome *o)
{
	struct span rest = m->recipients;
	struct recipient r, best;
	struct entry *e = &s->index.entry[slot];
	uint64_t place = 0;
	uint32_t number = 0;
	bool any = false;

	memset(&best, 0, sizeof best);
	for (uint32_t i = 0; i < m->rcpts && recipient_take(&rest, &r); i++) {
		uint64_t last = *entry_last(e, i) & ~(uint64_t)LAST_FLAGS;

		if (e->waiting > 0 && entry_final(e, i))
			continue;
		if (!any || last > place || (last == 0 && place == 0 && r.last.when > best.last.when)) {
			any = true;
			best = r;
			place = last;
			number = i;
		}
	}
	spool_outcome(s, slot, number, &best, text, o);
}

static void
send_entry(struct keeper *k, struct channel *c, uint32_t session, uint32_t slot, const struct message_record *m)
{
	const struct entry *e = &k->spool.index.entry[slot];
	struct outcome o;
	uint8_t text[OUTCOME_TEXT];
	struct queue_entry out = { .id = m->id, .arrival = m->arrival, .size = m->size, .next_try = next_try(&k->spool, e),
		.rcpts = e->rcpts, .waiting = e->waiting, .attempts = e->attempts, .reverse_path = m->reverse_path,
		.login = m->login, .peer = m->peer, .tls = m->tls, .deadline = e->deadline, .by = m->by, .priority = m->priority };
	struct held_record held;
	uint8_t why[HELD_TEXT];

	newest(&k->spool, slot, m, text, &o);
	out.last = o.text;
	if (spool_unreleased(&k->spool, slot, clock_wall()))
		out.release = e->release;
	if (spool_is_held(&k->spool, slot)) {
		spool_held_why(&k->spool, slot, m, why, &held);
		out.held = held.when > 0 ? held.when : 1;
		out.why = held.words;
		out.next_try = 0;
	}
	(void)channel_send(c, QUEUE_ENTRY, session, queue_entry_layout, &out);
}

static void
send_recipients(struct keeper *k, struct channel *c, uint32_t session, uint32_t slot, const struct message_record *m)
{
	struct span rest = m->recipients;
	struct recipient r;
	struct outcome o;
	uint8_t text[OUTCOME_TEXT];

	for (uint32_t i = 0; i < m->rcpts && recipient_take(&rest, &r); i++) {
		struct queue_recipient out = { .path = r.path };

		spool_outcome(&k->spool, slot, i, &r, text, &o);
		out.class = o.class;
		out.code = o.code;
		out.when = o.when;
		out.host = o.host;
		out.tls = o.tls;
		out.text = o.text;
		out.kind = reply_class(&(struct reply_facts){ o.code, o.enhanced, o.text });
		(void)channel_send(c, QUEUE_RECIPIENT, session, queue_recipient_layout, &out);
	}
}

static void
send_end(struct channel *c, uint32_t session, enum fail fail, uint32_t count, uint64_t next, struct span words)
{
	struct queue_end out = { (uint32_t)fail, count, next, words };

	(void)channel_send(c, QUEUE_END, session, queue_end_layout, &out);
}

/* ---- what may be asked; false: the asker is broken ---- */
static bool
mentions(const struct message_record *m, struct span address)
{
	struct span rest = m->recipients;
	struct recipient r;

	if (address.len == 0 || span_same(m->reverse_path, address))
		return true;
	for (uint32_t i = 0; i < m->rcpts && recipient_take(&rest, &r); i++)
		if (span_same(r.path, address) || span_same(recipient_domain(r.path), address))
			return true;
	return false;
}

static bool
on_list(struct keeper *k, struct channel *c, const struct frame *f)
{
	const struct index *x = &k->spool.index;
	struct queue_list q;
	struct message_record m;
	uint64_t content_at;
	uint64_t end = uv_hrtime() + KEEPER_LOOK_NS;
	uint32_t sent = 0, slot;

	if (!fields_parse(queue_list_layout, f->body, &q))
		return false;
	if (q.most == 0 || q.most > KEEPER_LIST_MOST)
		q.most = KEEPER_LIST_MOST;
	/* Whoever waits for his 250 waits for this too; the asker goes on where it ends. */
	for (slot = q.after < x->used ? (uint32_t)q.after : x->used; slot < x->used && sent < q.most
	    && (slot % KEEPER_LOOK != 0 || uv_hrtime() < end); slot++) {
		if (!spool_ready(&k->spool, slot) || (q.held != 0 && !spool_is_held(&k->spool, slot)))
			continue;
		if (!spool_envelope(&k->spool, slot, &m, &content_at) || !mentions(&m, q.address))
			continue;
		send_entry(k, c, f->session, slot, &m);
		sent++;
	}
	send_end(c, f->session, OK, sent, slot < x->used ? slot : 0, (struct span){ NULL, 0 });
	return true;
}

static uint32_t
find(struct keeper *k, struct channel *c, uint32_t session, uint64_t id)
{
	uint32_t slot = index_find(&k->spool.index, id);

	if (slot != INDEX_NONE && spool_ready(&k->spool, slot))
		return slot;
	send_end(c, session, FAIL_ARGUMENT, 0, 0, SPAN("no such message is waiting"));
	return INDEX_NONE;
}

/* Nothing can be written any more, and the asker hears it. */
static bool
in_doubt(const struct keeper *k, struct channel *c, uint32_t session)
{
	if (k->spool.journal.state != FAIL_DOUBT)
		return false;
	send_end(c, session, FAIL_DOUBT, 0, 0, span_of(fail_row(FAIL_DOUBT)->text));
	return true;
}

static bool
on_show(struct keeper *k, struct channel *c, const struct frame *f)
{
	struct queue_which q;
	struct message_record m;
	uint64_t content_at;
	uint32_t slot;

	if (!fields_parse(queue_which_layout, f->body, &q))
		return false;
	slot = find(k, c, f->session, q.id);
	if (slot == INDEX_NONE)
		return true;
	if (!spool_envelope(&k->spool, slot, &m, &content_at)) {
		send_end(c, f->session, FAIL_LOCAL, 0, 0, SPAN("its record cannot be read; see the log"));
		return true;
	}
	send_entry(k, c, f->session, slot, &m);
	send_recipients(k, c, f->session, slot, &m);
	send_end(c, f->session, OK, 1, 0, (struct span){ NULL, 0 });
	return true;
}

static bool
on_retry(struct keeper *k, struct channel *c, const struct frame *f)
{
	struct queue_which q;
	uint32_t slot;

	if (!fields_parse(queue_which_layout, f->body, &q))
		return false;
	/* Nothing is tried any more either. */
	if (in_doubt(k, c, f->session))
		return true;
	if (q.id == 0) {
		struct hold_order all = { .verb = QUEUE_RETRY, .channel = c, .session = f->session };

		/* There may be a million. */
		if (!hold_begin(k, &all))
			send_end(c, f->session, FAIL_BUSY, 0, 0, SPAN("too much is under way; ask again"));
		return true;
	}
	slot = find(k, c, f->session, q.id);
	if (slot == INDEX_NONE)
		return true;
	if (spool_is_held(&k->spool, slot)) {
		send_end(c, f->session, FAIL_ARGUMENT, 0, 0, SPAN("that message is held; release it first"));
		return true;
	}
	if (spool_unreleased(&k->spool, slot, clock_wall())) {
		send_end(c, f->session, FAIL_ARGUMENT, 0, 0,
		    SPAN("that message waits for its release; `postern queue reschedule` gives it another time"));
		return true;
	}
	spool_hurry(&k->spool, slot, clock_wall());
	send_end(c, f->session, OK, 1, 0, (struct span){ NULL, 0 });
	return true;
}

static bool
on_drop(struct keeper *k, struct channel *c, const struct frame *f)
{
	struct queue_which q;
	struct log_line l;
	uint32_t slot;

	if (!fields_parse(queue_which_layout, f->body, &q))
		return false;
	slot = find(k, c, f->session, q.id);
	if (slot == INDEX_NONE || in_doubt(k, c, f->session))
		return true;
	if (!hold_room(k, false)) {
		send_end(c, f->session, FAIL_BUSY, 0, 0, SPAN("too much is under way; ask again"));
		return true;
	}
	relay_forget(k, slot);
	(void)spool_fact(&k->spool, &(struct fact_record){ .id = q.id, .kind = FACT_DROPPED, .when = clock_wall() });
	spool_finish(&k->spool, slot);
	log_begin(&l, LOG_NOTE, "dropped");
	log_id(&l, "id", q.id);
	log_end(&l);
	hold_await_sync(k, c, f->session);
	return true;
}

static bool
on_reschedule(struct keeper *k, struct channel *c, const struct frame *f)
{
	struct queue_reschedule q;
	enum fail fail = FAIL_BUSY;
	const char *why;
	uint32_t slot;

	if (!fields_parse(queue_reschedule_layout, f->body, &q))
		return false;
	slot = find(k, c, f->session, q.id);
	if (slot == INDEX_NONE || in_doubt(k, c, f->session))
		return true;
	why = hold_room(k, false) ? terms_reschedule(k, slot, q.release, &fail) : "too much is under way; ask again";
	if (why != NULL)
		send_end(c, f->session, fail, 0, 0, span_of(why));
	else
		hold_await_sync(k, c, f->session);
	return true;
}

/* Refused at once, with words, or begun. */
static void
begin_hold(struct keeper *k, const struct hold_order *o)
{
	uint32_t slot = INDEX_NONE;

	if (o->id != 0) {
		slot = find(k, o->channel, o->session, o->id);
		if (slot == INDEX_NONE)
			return;
	}
	if (slot != INDEX_NONE && o->verb != QUEUE_HOLD && !spool_is_held(&k->spool, slot))
		send_end(o->channel, o->session, FAIL_ARGUMENT, 0, 0, SPAN("that message is not held"));
	else if (!in_doubt(k, o->channel, o->session) && !hold_begin(k, o))
		send_end(o->channel, o->session, FAIL_BUSY, 0, 0, SPAN("too many holds are under way; try again"));
}

static bool
on_held(struct keeper *k, struct channel *c, const struct frame *f)
{
	struct hold_order o = { .verb = f->type, .channel = c, .session = f->session, .words = SPAN_INIT("an operator wants it held") };
	struct queue_held q;

	if (!fields_parse(queue_held_layout, f->body, &q) || (q.id == 0) == (q.login.len == 0))
		return false;
	o.id = q.id;
	o.login = q.login;
	begin_hold(k, &o);
	return true;
}

static const struct control_call {
	uint16_t type;
	bool (*run)(struct keeper *, struct channel *, const struct frame *);
} calls[] = {
	{ QUEUE_LIST, on_list },
	{ QUEUE_SHOW, on_show },
	{ QUEUE_RETRY, on_retry },
	{ QUEUE_DROP, on_drop },
	{ QUEUE_HOLD, on_held },
	{ QUEUE_RELEASE, on_held },
	{ QUEUE_PURGE, on_held },
	{ QUEUE_RESCHEDULE, on_reschedule },
};

/* ---- connections ---- */
static void
control_forget(struct keeper *k, const struct channel *c)
{
	for (size_t i = 0; i < KEEPER_CONTROLS; i++)
		if (k->control[i].channel == c)
			k->control[i].channel = NULL;
	hold_forget(k, c);
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct keeper *k = arg;
	bool good = false;

	if (k->opened)
		keeper_look_at_clock(k);
	for (size_t i = 0; k->opened && i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].type == f->type)
			good = calls[i].run(k, c, f);
	if (good)
		return;
	channel_close(c);
	control_forget(k, c);
}

static void
on_closed(void *arg, struct channel *c)
{
	control_forget(arg, c);
}

static void
control_accept(void *arg, int fd)
{
	struct keeper *k = arg;
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };

	for (size_t i = 0; i < KEEPER_CONTROLS; i++)
		if (k->control[i].channel == NULL) {
			k->control[i].channel = channel_open(&k->child.loop, fd, &handler, k);
			return;
		}
	/* Sixteen at once are all busy: this one sees its connection end. */
	(void)close(fd);
}

void
control_listen(struct keeper *k, int fd)
{
	(void)door_open(&k->door, &k->child.loop, fd, "control", control_accept, k);
}

void
control_close(struct keeper *k)
{
	for (size_t i = 0; i < KEEPER_CONTROLS; i++) {
		if (k->control[i].channel == NULL)
			continue;
		hold_forget(k, k->control[i].channel);
		channel_flush(k->control[i].channel);
		channel_close(k->control[i].channel);
		k->control[i].channel = NULL;
	}
	(void)door_close(&k->door);
}
