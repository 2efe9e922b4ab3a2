#include "proc/2_signer_dkim.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "os/log.h"
#include "tls/dkim_store.h"

/* What a turn of the loop may cost, in Ed25519 signatures; one of RSA-2048 takes as long as eight of them. */
enum { WHOLE = 1000, A_TURN = 16, RSA_COSTS = 8, KEYS_MAX = DKIM_DOMAINS_MAX * DKIM_DOMAIN_KEYS_MAX };

struct named_key {
	char domain[DKIM_SDID_MAX + 1], selector[DKIM_SELECTOR_MAX + 1];
	enum dkim_algorithm algorithm;
	struct dkim_key *key;
};

/* In the master's order, so that it can be searched. */
struct key_list {
	struct named_key *one;
	size_t count, room;
};

struct question {
	uint32_t session;
	char domain[DKIM_SDID_MAX + 1], selector[DKIM_SELECTOR_MAX + 1];
	enum dkim_algorithm algorithm;
	uint8_t digest[DKIM_DIGEST];
};

static struct {
	const struct signer_dkim_handler *handler;
	uv_loop_t *loop;
	uv_prepare_t turn;              /* of the loop: what is signed in one is bounded */
	uv_idle_t more;                 /* runs while somebody waits */
	unsigned spent;                 /* in this turn */
	struct key_list now, before;
	struct channel *relay;          /* NULL: none */
	uint32_t slot;
	uint32_t asked;                 /* number of the last question */
	struct question waiting[SIGN_DKIM_WINDOW];      /* a ring */
	size_t first, count;
	uint64_t allowance, counted;    /* thousandths of a signature, and uv_now() of that */
} me;

/* ---- keys ---- */

static void
list_free(struct key_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		dkim_key_free(l->one[i].key);
	free(l->one);
	*l = (struct key_list){ NULL, 0, 0 };
}

static int
order(const struct named_key *k, const char *domain, const char *selector)
{
	int by_domain = strcmp(k->domain, domain);

	return by_domain != 0 ? by_domain : strcmp(k->selector, selector);
}

static struct dkim_key *
find(const struct key_list *l, const struct question *q)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int way = order(&l->one[middle], q->domain, q->selector);

		if (way == 0)
			return l->one[middle].algorithm == q->algorithm ? l->one[middle].key : NULL;
		if (way < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool
room_for_one(struct key_list *l)
{
	size_t room = l->room > 0 ? 2 * l->room : 16;
	struct named_key *bigger;

	if (l->count < l->room)
		return true;
	bigger = l->count < KEYS_MAX ? realloc(l->one, room * sizeof *bigger) : NULL;
	if (bigger == NULL)
		return false;
	l->one = bigger;
	l->room = room;
	return true;
}

static void
refuse(const struct master_dkim *m, const char *why)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, "dkim-key-refused");
	log_span(&l, "domain", m->domain);
	log_span(&l, "selector", m->selector);
	log_text(&l, "why", why);
	log_end(&l);
}

void
signer_dkim_key(const struct master_dkim *m)
{
	char text[400] = "out of memory, or too many";
	struct buf why = BUF_OVER(text);
	struct named_key k = { .algorithm = (enum dkim_algorithm)m->algorithm };

	if (m->index == 0) {
		list_free(&me.before);
		me.before = me.now;
		me.now = (struct key_list){ NULL, 0, 0 };
	}
	if (m->count == 0)
		return;
	span_text(m->domain, k.domain, sizeof k.domain);
	span_text(m->selector, k.selector, sizeof k.selector);
	if (me.now.count > 0 && order(&me.now.one[me.now.count - 1], k.domain, k.selector) >= 0)
		refuse(m, "out of order");
	else if (!room_for_one(&me.now) || (k.key = dkim_key_new(m->key, k.algorithm, &why)) == NULL)
		refuse(m, text);
	else
		me.now.one[me.now.count++] = k;
}

void
signer_dkim_forget(void)
{
	list_free(&me.before);
}

/* ---- questions ---- */

static bool
is_allowed(void)
{
	uint64_t now = uv_now(me.loop), most = (uint64_t)SIGNER_DKIM_BURST * WHOLE;
	uint64_t gained = (now - me.counted) * SIGNER_DKIM_PER_SECOND * WHOLE / 1000;

	me.allowance = gained < most - me.allowance ? me.allowance + gained : most;
	me.counted = now;
	if (me.allowance < WHOLE)
		return false;
	me.allowance -= WHOLE;
	return true;
}

static void
answer(const struct question *q)
{
	uint8_t room[DKIM_SIGNATURE_MAX];
	struct buf signature = BUF_OVER(room);
	struct dkim_key *key = find(&me.now, q);
	struct sign_answer a = { .fail = FAIL_LOCAL };

	if (key == NULL)
		key = find(&me.before, q);
	if (!is_allowed())
		a.fail = FAIL_BUSY;
	else if (key != NULL && dkim_key_sign(key, (struct span){ q->digest, sizeof q->digest }, &signature))
		a.fail = OK;
	a.signature = buf_span(&signature);
	(void)channel_send(me.relay, SIGN_DKIM_ANSWER, q->session, sign_answer_layout, &a);
}

/* What fronts have asked meanwhile is looked at before the next. */
static void
answer_some(void)
{
	while (me.relay != NULL && me.count > 0 && me.spent < A_TURN) {
		const struct question *q = &me.waiting[me.first % SIGN_DKIM_WINDOW];

		me.spent += q->algorithm == DKIM_RSA_SHA256 ? RSA_COSTS : 1;
		answer(q);
		me.first++;
		me.count--;
	}
}

static void
on_more(uv_idle_t *more)
{
	answer_some();
	if (me.count == 0)
		(void)uv_idle_stop(more);
}

static void
on_turn(uv_prepare_t *turn)
{
	(void)turn;
	me.spent = 0;
}

static void
close_relay(void)
{
	channel_close(me.relay);
	me.relay = NULL;
	me.first = me.count = 0;
}

static bool
keep(uint32_t session, struct span body)
{
	struct question *q = &me.waiting[(me.first + me.count) % SIGN_DKIM_WINDOW];
	struct sign_dkim_ask ask;

	if (!fields_parse(sign_dkim_ask_layout, body, &ask) || ask.digest.len != DKIM_DIGEST ||
	    dkim_algorithm_name((enum dkim_algorithm)ask.algorithm)[0] == '\0')
		return false;
	q->session = session;
	q->algorithm = (enum dkim_algorithm)ask.algorithm;
	span_text(ask.domain, q->domain, sizeof q->domain);
	span_text(ask.selector, q->selector, sizeof q->selector);
	memcpy(q->digest, ask.digest.p, DKIM_DIGEST);
	me.count++;
	return true;
}

static void
on_message(void *arg, struct channel *c, const struct frame *frame)
{
	const char *why = NULL;

	(void)arg, (void)c;
	if (frame->type != SIGN_DKIM_ASK || frame->session != me.asked + 1)
		why = "out of order";
	else if (me.count == SIGN_DKIM_WINDOW)
		why = "more questions than may wait";
	else if (!keep(frame->session, frame->body))
		why = "malformed question";
	if (why != NULL) {
		close_relay();
		me.handler->broken(me.slot, why);
		return;
	}
	me.asked++;
	answer_some();
	if (me.count > 0)
		(void)uv_idle_start(&me.more, on_more);
}

static void
on_closed(void *arg, struct channel *c)
{
	bool nonsense = channel_spoke_nonsense(c);

	(void)arg;
	me.relay = NULL;
	me.first = me.count = 0;
	if (nonsense)
		me.handler->broken(me.slot, "no frame");
	else
		me.handler->gone();
}

/* ---- from outside ---- */

void
signer_dkim_peer(uv_loop_t *loop, const struct signer_dkim_handler *handler, uint32_t slot, int fd)
{
	static const struct channel_handler channel = { .message = on_message, .closed = on_closed };

	close_relay();
	if (me.loop == NULL) {
		(void)uv_idle_init(loop, &me.more);
		(void)uv_prepare_init(loop, &me.turn);
		(void)uv_prepare_start(&me.turn, on_turn);
	}
	me.loop = loop;
	me.handler = handler;
	me.slot = slot;
	me.asked = 0;
	me.allowance = (uint64_t)SIGNER_DKIM_BURST * WHOLE;
	me.counted = uv_now(me.loop);
	me.relay = channel_open(me.loop, fd, &channel, NULL);
	if (me.relay == NULL)
		log_say(LOG_FAULT, "peer", "no memory for 5_relay's channel");
}

bool
signer_dkim_alone(void)
{
	return me.relay == NULL;
}

void
signer_dkim_end(void)
{
	list_free(&me.now);
	list_free(&me.before);
}
