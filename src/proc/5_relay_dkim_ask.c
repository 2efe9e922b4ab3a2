/* Questions to 2_signer: a few at a time, answered in their order, asked again when another 2_signer takes its place. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "proc/5_relay.h"

static struct {
	struct channel *signer;         /* NULL: there is none just now */
	struct relay_dkim_question *first, **last;      /* not asked yet */
	struct relay_dkim_question *out[SIGN_DKIM_WINDOW];      /* asked; a ring */
	size_t oldest, count;
	uint32_t session;               /* of the last one asked */
	uv_loop_t *loop;
	uint64_t heard;                 /* uv_now() of the last answer */
} me = { .last = &me.first };

static void
enqueue(struct relay_dkim_question *q)
{
	q->next = NULL;
	*me.last = q;
	me.last = &q->next;
}

static struct relay_dkim_question *
dequeue(void)
{
	struct relay_dkim_question *q = me.first;

	if (q == NULL)
		return NULL;
	me.first = q->next;
	if (me.first == NULL)
		me.last = &me.first;
	return q;
}

static void
pump(void)
{
	struct relay_dkim_question *q;

	while (me.signer != NULL && me.count < SIGN_DKIM_WINDOW && (q = dequeue()) != NULL) {
		struct sign_dkim_ask ask = { q->key.algorithm, span_of(q->key.domain), span_of(q->key.selector),
			{ q->digest, sizeof q->digest } };

		if (q->forgotten) {
			free(q);
			continue;
		}
		me.out[(me.oldest + me.count++) % SIGN_DKIM_WINDOW] = q;
		(void)channel_send(me.signer, SIGN_DKIM_ASK, ++me.session, sign_dkim_ask_layout, &ask);
	}
}

/* What was asked waits in front of all others for the next 2_signer. */
static void
take_back(void)
{
	while (me.count > 0) {
		struct relay_dkim_question *q = me.out[(me.oldest + --me.count) % SIGN_DKIM_WINDOW];

		q->next = me.first;
		me.first = q;
		if (q->next == NULL)
			me.last = &q->next;
	}
	me.oldest = 0;
	me.session = 0;
}

static const char *
reason(const struct sign_answer *a)
{
	if (a->fail == OK)
		return NULL;
	return a->fail == FAIL_BUSY ? "2_signer has too much to do" : "2_signer does not have the key";
}

static bool
on_answer(const struct frame *f)
{
	struct relay_dkim_question *q;
	struct sign_answer a;

	if (f->type != SIGN_DKIM_ANSWER || me.count == 0 || f->session != (uint32_t)(me.session - me.count + 1) ||
	    !fields_parse(sign_answer_layout, f->body, &a) || a.signature.len > DKIM_SIGNATURE_MAX ||
	    (a.fail == OK) != (a.signature.len > 0))
		return false;
	me.heard = uv_now(me.loop);
	q = me.out[me.oldest++ % SIGN_DKIM_WINDOW];
	me.count--;
	if (a.signature.len > 0)
		memcpy(q->signature, a.signature.p, a.signature.len);
	q->len = a.signature.len;
	if (q->forgotten)
		free(q);
	else
		q->done(q, reason(&a));
	return true;
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	(void)arg;
	if (!on_answer(f)) {
		log_say(LOG_FAULT, "signer-broken", "it sent what the order does not allow");
		channel_close(c);
		me.signer = NULL;
		take_back();
	}
	pump();
}

static void
on_closed(void *arg, struct channel *c)
{
	(void)arg, (void)c;
	me.signer = NULL;
	take_back();
}

void
relay_dkim_peer(struct relay *relay, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };

	channel_close(me.signer);
	take_back();
	me.loop = &relay->child.loop;
	me.signer = channel_open(&relay->child.loop, fd, &handler, NULL);
	pump();
}

void
relay_dkim_ask(struct relay_dkim_question *q)
{
	enqueue(q);
	pump();
}

uint64_t
relay_dkim_heard(void)
{
	return me.heard;
}
