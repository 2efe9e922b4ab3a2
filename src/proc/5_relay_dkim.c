/* Signatures of messages: made once for all who want them at about the same time, remembered for a while. */
#include <stdio.h>
#include <stdlib.h>

#include "os/log.h"
#include "policy/signing.h"
#include "proc/5_relay_signed.h"

static struct {
	struct relay *relay;
	uv_idle_t turn;                 /* runs while there is something to read, or to tell */
	bool turning;
	struct relay_signed *bucket[RELAY_DKIM_BUCKETS];
	struct relay_signed *busy;
	struct relay_signed *newest, *oldest;
	size_t ready;
} me;

static void on_turn(uv_idle_t *);

/* ---- one signed message ---- */

void
relay_signed_enter(struct relay_signed *s, enum signed_state state)
{
	s->state = state;
}

static struct relay_signed **
bucket_of(uint64_t queue_id)
{
	return &me.bucket[(queue_id ^ queue_id >> 18) % RELAY_DKIM_BUCKETS];
}

static void
unbusy(struct relay_signed *s)
{
	struct relay_signed **at = &me.busy;

	while (*at != NULL && *at != s)
		at = &(*at)->next;
	if (*at == s)
		*at = s->next;
}

/* Nobody finds it any more. */
static void
hide(struct relay_signed *s)
{
	struct relay_signed **at = bucket_of(s->queue_id);

	if (!s->known)
		return;
	s->known = false;
	while (*at != s)
		at = &(*at)->bucket_next;
	*at = s->bucket_next;
	if (s->state != SIGNED_READY)
		return;
	*(s->newer != NULL ? &s->newer->older : &me.newest) = s->older;
	*(s->older != NULL ? &s->older->newer : &me.oldest) = s->newer;
	me.ready--;
}

static void
signed_free(struct relay_signed *s)
{
	hide(s);
	unbusy(s);
	relay_work_free(s);
	free(s->text.p);
	free(s);
}

/* One that is ready stays for others; one that nobody waits for any more need not be finished. */
static void
release(struct relay_signed *s)
{
	if (--s->refs == 0 && (s->state != SIGNED_READY || !s->known))
		signed_free(s);
}

static void
keep_turning(void)
{
	if (!me.turning) {
		me.turning = true;
		(void)uv_idle_init(&me.relay->child.loop, &me.turn);
	}
	(void)uv_idle_start(&me.turn, on_turn);
}

void
relay_signed_fail(struct relay_signed *s, const char *why)
{
	struct log_line l;

	hide(s);
	relay_signed_enter(s, SIGNED_FAILED);
	s->why = why;
	log_begin(&l, LOG_WARN, "not-signed");
	log_id(&l, "id", s->queue_id);
	if (s->work->keys > 0)
		log_text(&l, "domain", s->work->key[0].domain);
	log_text(&l, "why", why);
	log_text(&l, "then", "the mail waits");
	log_end(&l);
	keep_turning();
}

/* The oldest make room; whoever holds them keeps them. */
static void
keep_ready(struct relay_signed *s)
{
	s->newer = NULL;
	s->older = me.newest;
	if (me.newest != NULL)
		me.newest->newer = s;
	else
		me.oldest = s;
	me.newest = s;
	me.ready++;
	while (me.ready > RELAY_DKIM_KEPT) {
		struct relay_signed *old = me.oldest;

		hide(old);
		if (old->refs == 0)
			signed_free(old);
	}
}

void
relay_signed_ready(struct relay_signed *s)
{
	relay_signed_enter(s, SIGNED_READY);
	s->made = relay_now(me.relay);
	unbusy(s);
	relay_work_free(s);
	keep_ready(s);
}

/* ---- those that wait ---- */

static struct relay_connection *
next_waiting(struct relay_signed *s)
{
	struct relay_attempt *a = s->waiting;
	struct relay_connection *k = a->seal.waiting;

	s->waiting = a->seal.next;
	a->seal.next = NULL;
	a->seal.waiting = NULL;
	return k;
}

/* This message waits; the connection is for the others. */
static void
unsigned_goes_on(struct relay_connection *k, const char *why)
{
	struct relay_attempt *a = k->attempt;
	struct relay_reason reason = k->reason;
	char text[sizeof reason.text];

	relay_talk_load(k, NULL);
	reason.stage = SMTP_STAGE_MAIL;
	(void)snprintf(text, sizeof text, "not sent, since it could not be signed (DKIM): %s", why);
	relay_reason_set(&reason, SMTP_CLASS_LATER, 0, "4.3.0", text);
	relay_attempt_fail(a, &reason);
	relay_talk_next(k);
}

/* Each may begin its next message and end this one. */
void
relay_signed_tell(struct relay_signed *s)
{
	s->refs++;
	while (s->waiting != NULL) {
		struct relay_connection *k = next_waiting(s);

		relay_connection_enter(k, RELAY_TALKING);
		if (s->state == SIGNED_READY)
			relay_talk_mail(k);
		else
			unsigned_goes_on(k, s->why);
	}
	release(s);
}

/* ---- the turn of the loop ---- */

/* True: there is more to do. One step for each, and it may end here: the list is walked anew. */
static bool
step(struct relay_signed *s)
{
	if (s->state == SIGNED_DIGESTING)
		relay_work_go_on(s);
	if (s->state != SIGNED_FAILED)
		return s->state == SIGNED_DIGESTING;
	unbusy(s);
	relay_signed_tell(s);
	return false;
}

static void
on_turn(uv_idle_t *turn)
{
	struct relay_signed *s = me.busy, **end = &me.busy;

	while (s != NULL && s->state == SIGNED_ASKING)
		s = s->next;
	if (s == NULL) {
		(void)uv_idle_stop(turn);
		return;
	}
	if (!step(s))
		return;
	/* The next turn is another's. */
	unbusy(s);
	while (*end != NULL)
		end = &(*end)->next;
	s->next = NULL;
	*end = s;
}

void
relay_dkim_sweep(struct relay *relay)
{
	uint64_t now = relay_now(relay);

	for (struct relay_signed *s = me.busy; s != NULL; s = s->next)
		if (s->state == SIGNED_ASKING && now >= s->work->deadline && now >= relay_dkim_heard() + RELAY_DKIM_MS)
			relay_signed_fail(s, "2_signer does not answer");
	while (me.oldest != NULL && now - me.oldest->made > RELAY_DKIM_KEPT_MS) {
		struct relay_signed *old = me.oldest;

		hide(old);
		if (old->refs == 0)
			signed_free(old);
	}
}

/* ---- from outside ---- */

static struct relay_signed *
find(const struct relay_attempt *a, int hop_rule)
{
	struct relay_signed *s = *bucket_of(a->facts.queue_id);
	uint32_t form = relay_conversion_form(a);

	while (s != NULL && (s->queue_id != a->facts.queue_id || s->hop_rule != hop_rule || s->form != form ||
	                        s->generation != relay_dkim_keys_generation()))
		s = s->bucket_next;
	return s;
}

static struct relay_signed *
signed_begin(const struct relay_attempt *a, int hop_rule)
{
	struct relay_signed *s = calloc(1, sizeof *s), **bucket = bucket_of(a->facts.queue_id);

	if (s == NULL)
		return NULL;
	s->queue_id = a->facts.queue_id;
	s->hop_rule = hop_rule;
	s->form = relay_conversion_form(a);
	s->generation = relay_dkim_keys_generation();
	s->bucket_next = *bucket;
	*bucket = s;
	s->known = true;
	if (relay_work_begin(me.relay, s, a)) {
		s->next = me.busy;
		me.busy = s;
		/* To the end, for mail of common size. */
		relay_work_go_on(s);
		if (s->state == SIGNED_DIGESTING)
			keep_turning();
		return s;
	}
	signed_free(s);
	return NULL;
}

enum relay_dkim { RELAY_DKIM_READY, RELAY_DKIM_WAIT, RELAY_DKIM_NO_MEMORY };

static enum relay_dkim
begin(struct relay_connection *k)
{
	struct relay_attempt *a = k->attempt;
	int hop_rule = SIGNING_UNSAID;
	struct relay_signed *s;

	relay_dkim_forget(a);
	if (relay_dkim_keys_none() || (hop_rule = relay_dkim_hop_rule(k)) == 0)
		return RELAY_DKIM_READY;
	me.relay = k->relay;
	s = find(a, hop_rule);
	if (s == NULL)
		s = signed_begin(a, hop_rule);
	if (s == NULL)
		return RELAY_DKIM_NO_MEMORY;
	s->refs++;
	a->seal.front = s;
	if (s->state == SIGNED_READY)
		return RELAY_DKIM_READY;
	a->seal.waiting = k;
	a->seal.next = s->waiting;
	s->waiting = a;
	return RELAY_DKIM_WAIT;
}

struct span
relay_dkim_front(const struct relay_attempt *a)
{
	return a->seal.front != NULL ? buf_span(&a->seal.front->text) : (struct span){ NULL, 0 };
}

void
relay_dkim_forget(struct relay_attempt *a)
{
	struct relay_signed *s = a->seal.front;

	if (s == NULL)
		return;
	for (struct relay_attempt **at = &s->waiting; *at != NULL; at = &(*at)->seal.next) {
		if (*at == a) {
			*at = a->seal.next;
			break;
		}
	}
	a->seal = (struct relay_seal){ .front = NULL };
	release(s);
}

/* ---- a connection and its message ---- */

bool
relay_seal_begin(struct relay_connection *k)
{
	enum relay_dkim what;

	k->left_before = k->attempt->left;
	what = begin(k);
	if (what == RELAY_DKIM_READY)
		return true;
	if (what == RELAY_DKIM_NO_MEMORY) {
		relay_talk_lost(k, "out of memory");
		return false;
	}
	relay_connection_enter(k, RELAY_SIGNING);
	k->deadline = UINT64_MAX;
	return false;
}
