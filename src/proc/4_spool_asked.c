/* Sessions that wait for milters: about a recipient, about the whole message. And what becomes of a message that one of them throws away. */
#include <assert.h>
#include <string.h>

#include "os/clock.h"
#include "proc/4_spool_session.h"

/* ---- asking ---- */
/* CONF_MILTERS_MAX bits. */
static_assert(CONF_MILTERS_MAX <= 8, "front_session.spoiled");

bool
session_ask_milters(struct keeper *k, struct front_session *s, const struct spool_commit *m)
{
	s->filter = filter_begin(k, s, m);
	if (s->filter == NULL)
		return false;
	k->commits++;
	session_enter(s, SESSION_FILTERING);
	filter_pump(k);
	return true;
}

static void
heard(const struct front_session *s, const struct spool_heard *m)
{
	if (s->front != NULL)
		(void)channel_send(s->front->channel, SPOOL_HEARD, s->number, spool_heard_layout, m);
}

static void
take_rcpt(struct keeper *k, struct front_session *s, const struct spool_ask_rcpt *r)
{
	struct spool_heard m = { .fail = OK };

	if (s->draft != NULL)
		draft_rcpt(&k->spool, s->draft, r->path, r->notify, r->orcpt);
	session_enter(s, SESSION_RCPT);
	heard(s, &m);
}

void
session_ask_rcpt(struct keeper *k, struct front_session *s, const struct spool_ask_rcpt *r)
{
	struct spool_heard busy = { .fail = FAIL_MEMORY };

	/* Without a draft nobody gets it: that is said at COMMIT. */
	if (s->draft == NULL || !filter_wanted(k)) {
		take_rcpt(k, s, r);
		return;
	}
	s->filter = filter_begin_rcpt(k, s, r);
	if (s->filter == NULL) {
		heard(s, &busy);
		return;
	}
	k->commits++;
	session_enter(s, SESSION_ASKING);
	filter_pump(k);
}

/* ---- what they have said ---- */
void
front_rcpt_filtered(struct keeper *k, struct front_session *s, const struct spool_ask_rcpt *rcpt, const struct filter_result *r)
{
	struct spool_heard m = { .fail = (uint32_t)r->fail };

	s->filter = NULL;
	k->commits--;
	if (r->kind == FILTER_PASS) {
		take_rcpt(k, s, rcpt);
		return;
	}
	if (r->code != 0)
		m = (struct spool_heard){ r->code < 500 ? FAIL_FILTER_LATER : FAIL_FILTERED, r->code, span_of(r->enhanced), r->text };
	session_enter(s, draft_rcpts(s->draft) > 0 ? SESSION_RCPT : SESSION_MAIL);
	heard(s, &m);
}

static void
refuse(const struct front_session *s, const struct filter_result *r)
{
	struct spool_refused m = { r->code, span_of(r->enhanced), r->text };

	if (s->front != NULL)
		(void)channel_send(s->front->channel, SPOOL_REFUSED, s->number, spool_refused_layout, &m);
}

/* What it was goes into the log and is finished there, so the history knows of everything that was acknowledged. */
static void
discard(struct keeper *k, struct front_session *s, const struct filter_result *r)
{
	if (!k->spool.conf.history) {
		session_answer(k, s, OK, 0);
		session_give(k, s);
		return;
	}
	s->discarded = true;
	/* By this time the history joins it to its MESSAGE. */
	(void)spool_fact(&k->spool, &(struct fact_record){ .id = draft_envelope(s->draft)->id, .kind = FACT_DISCARDED,
		.when = draft_envelope(s->draft)->arrival, .words = r->why });
	session_commit(k, s, r->flags | MAIL_HOLD | MAIL_DISCARDED, r->message_id);
}

void
front_filtered(struct keeper *k, struct front_session *s, const struct filter_result *r)
{
	s->filter = NULL;
	k->commits--;
	/* Milters take their time, and a client that has lost patience may have brought it again and been quicker. */
	if (r->kind != FILTER_REFUSE && session_joined(k, s, NULL))
		return;
	switch (r->kind) {
	case FILTER_PASS:
		/* Without memory for the words it is held all the same. */
		s->why = r->why.len > 0 ? strndup((const char *)r->why.p, r->why.len) : NULL;
		session_commit(k, s, r->flags, r->message_id);
		return;
	case FILTER_DISCARD:
		discard(k, s, r);
		return;
	case FILTER_REFUSE:
		break;
	}
	if (r->code != 0)
		refuse(s, r);
	else
		session_answer(k, s, r->fail, 0);
	session_give(k, s);
}
