/*
 * 2_signer - signs what a TLS server must sign, for fronts that never see the key; and mail, for 5_relay (2_signer_dkim.c).
 *
 * Reads from strangers  nothing; from fronts, questions of fixed ceilings whose octets it takes apart before it signs; from
 *                       5_relay, digests.
 * Secrets it holds      the TLS private keys, the DKIM keys; neither ever signs for the other's purpose.
 * May                   read and write its channels. It opens no file and no connection.
 *
 * A question that no sane front asks (another form, another order) ends that front; too many are answered with "busy".
 */
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "conf/conf.h"
#include "os/log.h"
#include "policy/sign_form.h"
#include "proc/2_signer.h"
#include "proc/2_signer_dkim.h"
#include "proc/cage.h"
#include "proc/child.h"
#include "tls/sign.h"

/* The promise: no file, no socket, no thread. */
const struct cage signer_cage = { .user = "postern-signer", .calls = PROMISE_LOCK };

enum { WHOLE = 1000 };          /* of an allowance: one signature */

struct signed_for {
	struct channel *channel;        /* NULL: the place is free */
	uint32_t slot;
	uint32_t asked;                 /* number of the last question */
	uint64_t allowance;             /* thousandths of a signature */
	uint64_t counted;               /* uv_now() of that */
	uint64_t turn;                  /* of the loop, when it last asked */
	unsigned asked_now;             /* in that turn */
	bool resting;                   /* it is not read before the next */
};

struct keys {
	struct tls_key *key[CONF_CERTIFICATES_MAX];
	size_t count;
};

static struct {
	struct child child;
	struct signed_for front[SIGNER_FRONTS_MAX];
	struct keys now, before;
	uv_timer_t forget;              /* of the keys before */
	uv_prepare_t count;             /* of the loop's turns */
	uv_idle_t wake;                 /* active while somebody rests */
	uint64_t turn;
	bool counting;
	bool draining;
} me;

/* ---- keys ---- */

static void
keys_free(struct keys *all)
{
	for (size_t i = 0; i < all->count; i++)
		tls_key_free(all->key[i]);
	all->count = 0;
}

static struct tls_key *
key_find(const struct keys *all, struct span name)
{
	for (size_t i = 0; i < all->count; i++)
		if (span_eq(tls_key_name(all->key[i]), name))
			return all->key[i];
	return NULL;
}

/* A key counts as soon as it is here: fronts hear of its certificate later than we do. */
static void
on_certificate(void *arg, const struct master_certificate *m)
{
	char text[400];
	struct buf why = BUF_OVER(text);
	struct tls_key *key;

	(void)arg;
	if (m->index == 0) {
		keys_free(&me.before);
		me.before = me.now;
		me.now.count = 0;
	}
	key = me.now.count < CONF_CERTIFICATES_MAX ? tls_key_new(m->chain, m->key, &why) : NULL;
	if (key != NULL)
		me.now.key[me.now.count++] = key;
	else
		log_say(LOG_WARN, "key-refused", me.now.count < CONF_CERTIFICATES_MAX ? text : "too many");
}

static void
on_forget(uv_timer_t *timer)
{
	(void)timer;
	keys_free(&me.before);
	signer_dkim_forget();
}

/* What was new is kept as what was old would be: handshakes have begun with it. */
static void
on_back(void *arg)
{
	struct keys taken = me.now;

	(void)arg;
	if (me.before.count == 0)
		return;
	me.now = me.before;
	me.before = taken;
}

/* ---- questions ---- */

static bool
is_allowed(struct signed_for *f)
{
	uint64_t now = uv_now(&me.child.loop);
	uint64_t most = (uint64_t)SIGNER_BURST * WHOLE, gained = (now - f->counted) * SIGNER_PER_SECOND * WHOLE / 1000;

	f->allowance = gained < most - f->allowance ? f->allowance + gained : most;
	f->counted = now;
	if (f->allowance < WHOLE)
		return false;
	f->allowance -= WHOLE;
	return true;
}

static void
drain_when_alone(void)
{
	for (size_t i = 0; i < SIGNER_FRONTS_MAX; i++)
		if (me.front[i].channel != NULL)
			return;
	if (me.draining && signer_dkim_alone())
		child_drained(&me.child);
}

/* The sign of a front that was taken over, or is broken: it loses us at once, and 0_master ends it. */
static void
accuse(struct signed_for *f, const char *why)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, "front-broken");
	log_u64(&l, "slot", f->slot);
	log_text(&l, "why", why);
	log_end(&l);
	channel_close(f->channel);
	f->channel = NULL;
	child_accuse(&me.child, ROLE_FRONT, f->slot);
	drain_when_alone();
}

static enum fail
sign(struct signed_for *f, const struct sign_ask *q, struct buf *signature)
{
	struct tls_key *key = key_find(&me.now, q->key);

	if (key == NULL)
		key = key_find(&me.before, q->key);
	if (!is_allowed(f))
		return FAIL_BUSY;
	return key != NULL && tls_key_sign(key, q->scheme, q->to_be_signed, signature) ? OK : FAIL_LOCAL;
}

/* ---- turns ---- */

static void
on_count(uv_prepare_t *count)
{
	(void)count;
	me.turn++;
}

static void
on_wake(uv_idle_t *wake)
{
	(void)uv_idle_stop(wake);
	for (size_t i = 0; i < SIGNER_FRONTS_MAX; i++) {
		struct signed_for *f = &me.front[i];

		if (f->channel != NULL && f->resting)
			channel_pause(f->channel, false);
		f->resting = false;
	}
}

/* Whoever asks without waiting for the answer waits for himself: the others stand still until theirs is there. */
static void
take_turn(struct signed_for *f)
{
	if (f->turn != me.turn)
		f->asked_now = 0;
	f->turn = me.turn;
	if (++f->asked_now < SIGNER_A_TURN)
		return;
	f->resting = true;
	channel_pause(f->channel, true);
	(void)uv_idle_start(&me.wake, on_wake);
}

/* ---- what fronts say ---- */

static void
on_message(void *arg, struct channel *c, const struct frame *frame)
{
	uint8_t room[SIGN_SIGNATURE_MAX];
	struct buf signature = BUF_OVER(room);
	struct signed_for *f = arg;
	struct sign_answer answer;
	struct sign_ask q;

	if (frame->type != SIGN_ASK || frame->session != f->asked + 1) {
		accuse(f, "out of order");
	} else if (!fields_parse(sign_ask_layout, frame->body, &q)) {
		accuse(f, "malformed question");
	} else if (!sign_scheme_allowed(sign_form(q.to_be_signed), q.scheme)) {
		accuse(f, "wants a signature under something that is no handshake of a TLS server");
	} else {
		f->asked++;
		answer.fail = sign(f, &q, &signature);
		answer.signature = buf_span(&signature);
		(void)channel_send(c, SIGN_ANSWER, frame->session, sign_answer_layout, &answer);
		channel_flush(c);       /* somebody stands still until it comes */
		take_turn(f);
	}
}

/* ---- 5_relay ---- */

static void
on_dkim(void *arg, const struct master_dkim *m)
{
	(void)arg;
	signer_dkim_key(m);
}

static void
on_relay_broken(uint32_t slot, const char *why)
{
	log_say(LOG_FAULT, "relay-broken", why);
	child_accuse(&me.child, ROLE_RELAY, slot);
	drain_when_alone();
}

static const struct signer_dkim_handler relay_handler = { .broken = on_relay_broken, .gone = drain_when_alone };

/* ---- fronts ---- */

static void
on_closed(void *arg, struct channel *c)
{
	struct signed_for *f = arg;

	if (channel_spoke_nonsense(c)) {
		accuse(f, "no frame");
		return;
	}
	f->channel = NULL;
	drain_when_alone();
}

/* The place of this slot's front before it, or a free one. */
static struct signed_for *
place_of(uint32_t slot)
{
	struct signed_for *free_place = NULL;

	for (size_t i = 0; i < SIGNER_FRONTS_MAX; i++) {
		struct signed_for *f = &me.front[i];

		if (f->channel != NULL && f->slot == slot)
			return f;
		if (f->channel == NULL && free_place == NULL)
			free_place = f;
	}
	return free_place;
}

/* Fronts may ask before GO. */
static void
count_turns(void)
{
	if (me.counting)
		return;
	me.counting = true;
	(void)uv_prepare_init(&me.child.loop, &me.count);
	(void)uv_prepare_start(&me.count, on_count);
	(void)uv_idle_init(&me.child.loop, &me.wake);
}

static void
on_peer(void *arg, enum role role, uint32_t slot, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };
	struct signed_for *f = role == ROLE_FRONT ? place_of(slot) : NULL;

	(void)arg;
	if (role == ROLE_RELAY) {
		signer_dkim_peer(&me.child.loop, &relay_handler, slot, fd);
		return;
	}
	if (f == NULL) {
		log_say(LOG_FAULT, "peer", "a peer that 2_signer has no business with");
		(void)close(fd);
		return;
	}
	count_turns();
	channel_close(f->channel);
	*f = (struct signed_for){ .slot = slot, .allowance = (uint64_t)SIGNER_BURST * WHOLE, .counted = uv_now(&me.child.loop) };
	f->channel = channel_open(&me.child.loop, fd, &handler, f);
	if (f->channel == NULL)
		log_say(LOG_FAULT, "peer", "no memory for a front's channel");
}

/* ---- life ---- */

static void
on_go(void *arg)
{
	(void)arg;
	(void)uv_timer_init(&me.child.loop, &me.forget);
	child_ready(&me.child);
}

static void
on_reload(void *arg)
{
	(void)arg;
	(void)uv_timer_start(&me.forget, on_forget, SIGNER_KEPT_MS, 0);
	child_ready(&me.child);
}

/* The fronts finish first: a client may be in the middle of a handshake. */
static void
on_drain(void *arg)
{
	(void)arg;
	me.draining = true;
	drain_when_alone();
}

int
signer_main(uint32_t slot)
{
	static const struct child_handler handler = {
		.peer = on_peer,
		.certificate = on_certificate,
		.dkim = on_dkim,
		.go = on_go,
		.reload = on_reload,
		.back = on_back,
		.drain = on_drain,
	};
	int status = child_run(&me.child, ROLE_SIGNER, slot, &handler, NULL);

	keys_free(&me.now);
	keys_free(&me.before);
	signer_dkim_end();
	return status;
}
