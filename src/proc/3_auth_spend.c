/* What policy/habit.h is asked, and what is done about its answers: fronts wait, 4_spool holds, operator and owner are told. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "os/clock.h"
#include "os/log.h"
#include "proc/3_auth.h"

/* ---- who is told ---- */

static const char *
event_of(const struct habit *h)
{
	return h->step == HABIT_LOCKED ? "locked" : h->step == HABIT_HELD ? "held" : "slowed";
}

static void
say_step(const struct habit_entry *e)
{
	const struct habit *h = &e->habit;
	struct log_line l;

	log_begin(&l, LOG_WARN, event_of(h));
	log_text(&l, "login", e->login);
	log_span(&l, "reason", (struct span){ h->words, h->words_len });
	if (h->step >= HABIT_HELD) {
		log_text(&l, "for", h->all ? "everywhere" : "all but its own networks");
		log_text(&l, "remedy", "postern user locks shows it; then postern queue release or purge, and postern user unlock");
	}
	log_end(&l);
}

static void
tell_operator(struct auth *a, const struct habit_entry *e)
{
	struct child_alarm alarm = { span_of(event_of(&e->habit)), span_of(e->login), { e->habit.words, e->habit.words_len } };

	say_step(e);
	if (a->alarm != NULL)
		a->alarm(a->arg, &alarm);
}

enum { LINE_OCTETS = 76 };

/* Lines of a mail have 78 octets at most. */
static void
put_wrapped(struct buf *b, struct span text)
{
	struct span word;
	size_t column = 0;

	while ((word = span_take_word(&text)).len > 0) {
		if (column > 0 && column + 1 + word.len > LINE_OCTETS) {
			(void)buf_put_byte(b, '\n');
			column = 0;
		} else if (column > 0) {
			(void)buf_put_byte(b, ' ');
			column++;
		}
		(void)buf_put(b, word);
		column += word.len;
	}
	(void)buf_put_byte(b, '\n');
}

/* A name may be long, and in any script: a piece of a letter is nothing that 4_spool takes. */
static struct span
head_of(struct span name, size_t most)
{
	struct span head = { name.p, 0 };
	size_t width;

	while ((width = utf8_width(name)) > 0 && head.len + width <= most) {
		head.len += width;
		span_skip(&name, width);
	}
	return head;
}

static const char *
done_of(const struct habit *h)
{
	if (h->step == HABIT_LOCKED)
		return "The login is locked: it is refused until the operator of the mail server unlocks it.";
	if (h->step == HABIT_HELD)
		return "Mail that is sent with it is kept and not delivered until the operator of the mail server has looked at it.";
	return "It is made to wait; mail that is refused for now can be sent later.";
}

static void
put_notice(struct buf *b, const struct habit_entry *e)
{
	const struct habit *h = &e->habit;

	(void)(buf_put_text(b, "Mail is being sent with the login\n") && buf_put(b, head_of(span_of(e->login), LINE_OCTETS)));
	(void)buf_put_text(b, "\nin a way that it never was:\n\n");
	put_wrapped(b, (struct span){ h->words, h->words_len });
	(void)buf_put_byte(b, '\n');
	put_wrapped(b, span_of(done_of(h)));
	if (h->step >= HABIT_HELD && !h->all)
		put_wrapped(b, SPAN("From the networks that you usually send from it works as before."));
	(void)buf_put_byte(b, '\n');
	put_wrapped(b, SPAN("If this was you, tell the operator so. If it was not, somebody has the password or the sender key: "
	    "have it replaced now, and look for where it was taken."));
}

static void
tell_owner(struct auth *a, const struct habit_entry *e)
{
	const struct user *user;
	const struct user_key *key;
	uint8_t octets[2048], head[200];
	struct buf text = BUF_OVER(octets), subject = BUF_OVER(head);

	(void)accounts_standing(&a->accounts, span_of(e->login), &user, &key);
	if (user == NULL || user->recovery.len == 0)
		return;
	put_notice(&text, e);
	(void)(buf_put_text(&subject, "Your login ") && buf_put(&subject, head_of(span_of(e->login), 120))
	    && buf_put_text(&subject, " is ") && buf_put_text(&subject, event_of(&e->habit)));
	(void)channel_send(a->spool, GUARD_NOTICE, 0, guard_notice_layout,
	    &(struct guard_notice){ user->recovery, buf_span(&subject), buf_span(&text) });
}

/* What is already queued waits too, unless it is only slow. */
static void
send_hold(struct auth *a, const struct habit_entry *e)
{
	const struct guard_hold m = { span_of(e->login), { e->habit.words, e->habit.words_len } };

	if (e->habit.step >= HABIT_HELD)
		(void)channel_send(a->spool, GUARD_HOLD, 0, guard_hold_layout, &m);
}

static void
tell_spool(struct auth *a, struct habit_entry *e)
{
	e->untold = a->spool == NULL;
	if (e->untold)
		return;         /* told when it is there again */
	e->told = uv_now(a->loop);
	send_hold(a, e);
	tell_owner(a, e);
}

static void
take_news(struct auth *a, struct habit_entry *e, const struct habit_verdict *v)
{
	habits_touch(a);
	if (!v->news)
		return;
	tell_operator(a, e);
	tell_spool(a, e);
}

/* ---- what is asked ---- */

/* The limit of a key goes before its principal's. */
static uint32_t
own_limit(const struct auth *a, struct span login)
{
	const struct user *user;
	const struct user_key *key;

	(void)accounts_standing(&a->accounts, login, &user, &key);
	if (key != NULL && key->limit > 0)
		return (uint32_t)key->limit;
	return user != NULL ? (uint32_t)user->limit : 0;
}

bool
habits_unwatched(const struct auth *a, const struct origin *o)
{
	return !a->habits.watch || origin_is_here(o->network);
}

enum fail
habits_login(struct auth *a, struct span login, const struct origin *o)
{
	struct habit_entry *e = habits_unwatched(a, o) ? NULL : habits_make(&a->habits, login);
	struct habit_verdict v;

	if (e == NULL)
		return OK;
	v = habit_login(&e->habit, o, clock_wall());
	take_news(a, e, &v);
	return v.answer == HABIT_LOCK ? FAIL_DISABLED : OK;
}

bool
habits_locked(const struct auth *a, struct span login, const struct origin *o)
{
	const struct habit_entry *e = habits_unwatched(a, o) ? NULL : habits_find(&a->habits, login);

	return e != NULL && e->habit.step == HABIT_LOCKED && (e->habit.all || !habit_is_home(&e->habit, o->network));
}

static struct habit_verdict
judge(struct auth *a, const struct session *s, uint32_t rcpts)
{
	struct habit_entry *e = habits_unwatched(a, &s->origin) ? NULL : habits_make(&a->habits, span_of(s->login));
	struct habit_limits limits = { a->habits.hour, a->habits.day, 0 };
	struct habit_verdict v = { .answer = HABIT_OK };

	if (e == NULL)
		return v;
	limits.own = own_limit(a, span_of(s->login));
	v = habit_spend(&e->habit, &s->origin, &limits, rcpts, clock_wall());
	take_news(a, e, &v);
	return v;
}

/* ---- the answer, now or later ---- */

struct late {
	uv_timer_t timer;
	struct front *front;
	struct session *session;        /* NULL: it is over */
	struct auth_spend asked;
};

static void
send_spent(struct front *f, uint32_t session, const struct auth_spend *asked, enum fail fail, bool hold)
{
	/* Not the loop's idea of now, which may be older than the question. */
	struct warrant_spent w = { front_warranted(f), asked->queue_id, asked->rcpts, hold, clock_run() };
	struct auth_spent m = { .fail = (uint32_t)fail, .hold = hold, .when = w.when };

	if (fail == OK)
		m.warrant = warrant_spent(f->auth->warrant_key, &w);
	(void)channel_send(f->channel, AUTH_SPENT, session, auth_spent_layout, &m);
}

static void
late_closed(uv_handle_t *timer)
{
	struct late *l = timer->data;
	struct auth *a = l->front->auth;

	a->attempts--;
	free(l);
	auth_rest(a);
}

void
spend_abandon(struct session *s)
{
	struct late *l = s->spending;

	if (l == NULL)
		return;
	s->spending = NULL;
	l->session = NULL;
	uv_close((uv_handle_t *)&l->timer, late_closed);
}

static void
on_late(uv_timer_t *timer)
{
	struct late *l = timer->data;

	send_spent(l->front, l->session->id, &l->asked, OK, false);
	spend_abandon(l->session);
}

static bool
answer_late(struct front *f, struct session *s, const struct auth_spend *asked, uint32_t ms)
{
	struct late *l = calloc(1, sizeof *l);

	if (l == NULL)
		return false;
	(void)uv_timer_init(f->auth->loop, &l->timer);
	l->timer.data = l;
	l->front = f;
	l->session = s;
	l->asked = *asked;
	f->auth->attempts++;    /* auth_close() and auth_rest() wait for it */
	s->spending = l;
	(void)uv_timer_start(&l->timer, on_late, ms, 0);
	return true;
}

bool
answer_spend(struct front *f, struct session *s, struct span body)
{
	struct auth_spend m;
	struct habit_verdict v;

	if (!fields_parse(auth_spend_layout, body, &m) || m.rcpts == 0 || s->spending != NULL)
		return false;
	accounts_refresh(&f->auth->accounts, uv_now(f->auth->loop));
	v = judge(f->auth, s, m.rcpts);
	if (v.answer == HABIT_SLOW && v.delay > 0 && answer_late(f, s, &m, v.delay))
		return true;
	send_spent(f, s->id, &m, v.answer == HABIT_LOCK ? FAIL_LOCKED : v.answer == HABIT_SLOW ? FAIL_SLOW_DOWN : OK, v.answer == HABIT_HOLD);
	return true;
}

/* ---- 4_spool ---- */

void
habits_outcome(struct auth *a, const struct guard_outcome *m)
{
	struct habit_entry *e = habits_find(&a->habits, m->login);

	if (e == NULL)
		return;
	habit_outcome(&e->habit, m->delivered, m->bounced, clock_wall());
	habits_touch(a);
}

void
habits_tell(struct auth *a)
{
	for (size_t i = 0; i < a->habits.slots; i++) {
		struct habit_entry *e = a->habits.slot[i];

		if (e != NULL && e->untold) {
			tell_spool(a, e);
			habits_touch(a);
		} else if (e != NULL && e->told != 0 && uv_now(a->loop) - e->told < HABITS_DOUBT_MS) {
			send_hold(a, e);
		}
	}
}

/* ---- `postern user locks` and `unlock` ---- */

static bool
lock_wanted(const struct habit_entry *e, struct span login)
{
	return e->habit.step != HABIT_FREE && (login.len == 0 || span_same(span_of(e->login), login));
}

bool
ledger_locks(struct auth *a, struct channel *c, const struct frame *f)
{
	struct ledger_which which;
	uint32_t count = 0;

	if (!fields_parse(ledger_which_layout, f->body, &which))
		return false;
	for (size_t i = 0; i < a->habits.slots; i++) {
		const struct habit_entry *e = a->habits.slot[i];
		struct ledger_lock m;

		if (e == NULL || !lock_wanted(e, which.login))
			continue;
		m = (struct ledger_lock){ span_of(e->login), { e->habit.words, e->habit.words_len }, e->habit.step, e->habit.since };
		(void)channel_send(c, LEDGER_LOCK, f->session, ledger_lock_layout, &m);
		count++;
	}
	ledger_end(c, f->session, OK, count, SPAN(""));
	return true;
}

static void
say_unlocked(struct span login, struct span network)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "unlocked");
	log_span(&l, "login", login);
	if (network.len > 0)
		log_span(&l, "network", network);
	log_end(&l);
}

/* The login as the users file has it: who asks may spell it otherwise. */
static struct span
as_written(const struct user *user, const struct user_key *key, struct buf *out)
{
	(void)buf_put(out, user->name);
	if (key != NULL)
		(void)(buf_put_byte(out, '/') && buf_put(out, key->device));
	return buf_span(out);
}

/* With a network: that one is the login's own from now on. Then the login need not have sent before. */
bool
ledger_unlock(struct auth *a, struct channel *c, const struct frame *f)
{
	struct ledger_which which;
	const struct user *user;
	const struct user_key *key;
	uint8_t octets[SASL_LOGIN_MAX];
	struct buf login = BUF_OVER(octets);
	struct guess_network network;
	struct habit_entry *e;
	struct span address;

	if (!fields_parse(ledger_which_layout, f->body, &which) || which.login.len == 0)
		return false;
	accounts_look(&a->accounts, uv_now(a->loop));
	address = span_head(which.network, span_find(which.network, '/'));
	if (which.network.len > 0 && !ledger_network(which.network, &network)) {
		ledger_end(c, f->session, FAIL_SYNTAX, 0, SPAN(LEDGER_NO_NETWORK));
	} else if (accounts_standing(&a->accounts, which.login, &user, &key) == STANDING_UNKNOWN) {
		ledger_end(c, f->session, FAIL_CREDENTIALS, 0, SPAN("there is no such login; a sender key's is NAME/DEVICE"));
	} else if ((e = habits_make(&a->habits, as_written(user, key, &login))) == NULL) {
		ledger_end(c, f->session, FAIL_LOCAL, 0, SPAN("out of memory"));
	} else {
		habit_unlock(&e->habit, origin_network(address), clock_wall());
		e->untold = false;
		habits_touch(a);
		say_unlocked(span_of(e->login), which.network);
		ledger_end(c, f->session, OK, 1, SPAN(""));
	}
	return true;
}
