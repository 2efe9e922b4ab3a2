/* What a front says of its principals is believed as far as 3_auth has said it too: policy/warrant.h. */
#include "policy/warrant.h"
#include "proc/4_spool_session.h"

bool
warrant_for_mail(struct keeper *k, struct front *f, const struct spool_mail *m, enum fail *fail)
{
	struct warrant_sender w = { { f->slot, f->life }, m->login, m->reverse_path, m->when, m->unwatched != 0 };
	uint64_t now = uv_now(&k->child.loop);

	if (m->unwatched > 1 || m->warrant != warrant_sender(k->warrant_key, &w))
		return false;
	/* What it was allowed for one message does not do for the next of the same name. */
	if (!w.unwatched && m->queue_id <= f->newest)
		return false;
	if (!w.unwatched)
		f->newest = m->queue_id;
	/* We were behind, or it has kept it; who asks again gets another. */
	*fail = now > m->when && now - m->when > WARRANT_MS ? FAIL_BEHIND : OK;
	return true;
}

bool
warrant_for_commit(const struct keeper *k, const struct front *f, const struct front_session *s, const struct spool_commit *m)
{
	struct warrant_spent w = { { f->slot, f->life }, draft_envelope(s->draft)->id, m->rcpts, (m->flags & MAIL_HOLD) != 0, m->when };

	/* Which ids were used before we began, nobody knows any more. A front that brings a message has heard of us, and asks after that. */
	return !s->watched || (m->when >= k->began && m->warrant == warrant_spent(k->warrant_key, &w));
}
