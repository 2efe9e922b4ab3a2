#include <stdlib.h>

#include "proc/1_front_away.h"
#include "proc/1_front_spend.h"

/* Only the 3_auth that saw the proof knows whose habit it is. */
static bool
can_ask(const struct front_session *s)
{
	return front.auth != NULL && s->auth_epoch == front.auth_epoch;
}

static void
send_spend(struct front_session *s)
{
	struct auth_spend m = { s->draft->mail.rcpts, s->draft->queue_id };

	(void)channel_send(front.auth, AUTH_SPEND, s->id, auth_spend_layout, &m);
	s->spending = s->draft->asked = true;
}

bool
spend_ask(struct front_session *s, struct smtp_answer *a)
{
	if (!spool_has_draft(s))
		a->verdict = away(AWAY_DRAFT);
	a->queue_id = s->draft->queue_id;
	a->digest_key = front.spool_compares ? front.spool_key : NULL;
	if (a->verdict.fail != OK)
		return true;
	if (s->unwatched) {
		s->draft->decided = true;
		s->draft->spent = OK;
		s->draft->warrant = s->draft->warrant_when = 0;
		return true;
	}
	if (!can_ask(s)) {
		a->verdict = away(AWAY_AUTH);
		return true;
	}
	if (s->spending) {
		/* That of a draft which was given up is not answered yet: one after the other. */
		s->waiting = WAIT_TURN;
		return false;
	}
	send_spend(s);
	return true;
}

bool
spend_join(struct front_session *s, struct smtp_answer *a)
{
	struct front_draft *d = s->draft;

	if (!d->decided && can_ask(s)) {
		s->waiting = WAIT_SPENT;
		return false;
	}
	if (d->decided)
		a->verdict.fail = d->spent;
	else
		a->verdict = away(AWAY_AUTH);
	if (a->verdict.fail == OK)
		return spool_ask_commit(s, a);
	/* What was allowed a moment ago is asked about again. */
	free(s->allowed);
	s->allowed = NULL;
	spool_abort(s);
	return true;
}

static void
go_on(struct front_session *s, bool (*step)(struct front_session *, struct smtp_answer *))
{
	struct smtp_answer a = { .verdict = { OK, { NULL, 0 } } };

	if (step(s, &a))
		talk_answer(s, &a);
}

bool
spend_answered(struct front_session *s, struct span body)
{
	struct auth_spent m;

	if (!fields_parse(auth_spent_layout, body, &m) || m.fail >= FAIL_MAX || m.hold > 1 || !s->spending)
		return false;
	s->spending = false;
	if (s->draft != NULL && s->draft->asked) {
		s->draft->decided = true;
		s->draft->spent = (enum fail)m.fail;
		s->draft->held = m.hold != 0;
		s->draft->warrant = m.warrant;
		s->draft->warrant_when = m.when;
	}
	if (s->waiting == WAIT_SPENT)
		go_on(s, spend_join);
	else if (s->waiting == WAIT_TURN)
		go_on(s, spend_ask);
	return true;
}

void
spend_lost(struct front_session *s)
{
	s->spending = false;
	if (s->waiting == WAIT_SPENT)
		go_on(s, spend_join);
	else if (s->waiting == WAIT_TURN)
		go_on(s, spend_ask);
}
