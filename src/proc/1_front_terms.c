/* What MAIL asks for beside the transport: a later release, an urgency, a deadline. RFC 4865, RFC 6710, RFC 2852. */
#include "proc/1_front_terms.h"
#include "queue/record.h"

void
terms_learn(struct front_session *s, uint32_t priority)
{
	int32_t most = (int32_t)priority;

	s->priority_most = priority == AUTH_PRIORITY_UNSAID ? (int8_t)front.child.conf.priority_most : (int8_t)most;
}

bool
terms_priority_valid(uint32_t priority)
{
	int32_t most = (int32_t)priority;

	return priority == AUTH_PRIORITY_UNSAID || (most >= SMTP_PRIORITY_LEAST && most <= SMTP_PRIORITY_MOST);
}

/* 6710-2: no more than its login may have, also of what it has not asked for. */
static int8_t
rank(const struct front_session *s)
{
	int8_t asked = s->draft->mail.terms.priority;

	return s->conf->plain.mt_priority && asked > s->priority_most ? s->priority_most : asked;
}

void
terms_put(const struct front_session *s, struct spool_mail *m)
{
	const struct smtp_terms *t = &s->draft->mail.terms;

	m->release = t->release;
	m->hold = (struct span){ t->hold, t->hold_len };
	m->deadline = t->deadline;
	m->by = (t->by_return ? RECORD_BY_RETURN : 0u) | (t->by_trace ? RECORD_BY_TRACE : 0u);
	m->priority = (uint32_t)(int32_t)rank(s);
}

bool
terms_admitted(struct front_session *s, struct smtp_answer *a)
{
	a->priority = rank(s);
	a->lowered = a->priority != s->draft->mail.terms.priority;
	if (s->draft->mail.terms.release == 0)
		return true;
	s->waiting = WAIT_ADMITTED;
	return false;
}

bool
terms_on_admitted(struct front_session *s, struct span body)
{
	struct spool_admitted m;
	struct smtp_answer a = { .verdict = { OK, { NULL, 0 } } };

	if (!fields_parse(spool_admitted_layout, body, &m) || m.fail >= FAIL_MAX)
		return false;
	if (s == NULL || s->waiting != WAIT_ADMITTED)
		return true;
	(void)terms_admitted(s, &a);
	a.verdict.fail = (enum fail)m.fail;
	/* The engine knows of a draft only from OK on. */
	if (a.verdict.fail != OK)
		spool_abort(s);
	talk_answer(s, &a);
	return true;
}
