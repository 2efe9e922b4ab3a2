/*
 * A submission that comes again: the client did not hear our 250. It hears it now, with the queue id of the first, and nothing is
 * queued. While the first is not durable the second waits for it, and shares its fate: RFC 5321 4.2.5, 4.5.3.2.6.
 */
#include "os/log.h"
#include "proc/4_spool_session.h"

static void
log_repeat(const struct keeper *k, const struct front_session *s, uint64_t first)
{
	const struct message_record *m = draft_envelope(s->draft);
	struct log_line l;

	log_begin(&l, LOG_NOTE, "duplicate");
	log_id(&l, "id", first);
	log_span(&l, "login", m->login);
	log_span(&l, "from", m->reverse_path);
	log_u64(&l, "rcpts", draft_rcpts(s->draft));
	log_u64(&l, "size", draft_size(s->draft));
	log_span(&l, "peer", m->peer);
	log_id(&l, "instead", m->id);
	log_u64(&l, "count", k->repeats);
	log_end(&l);
}

/* The draft goes with the session. */
static void
settle(struct keeper *k, struct front_session *s, enum fail f, uint64_t first)
{
	if (f == OK) {
		k->repeats++;
		log_repeat(k, s, first);
	}
	front_settle(k, s, f, first);
}

void
repeat_join(struct keeper *k, struct front_session *s, uint64_t first)
{
	uint32_t slot = index_find(&k->spool.index, first);

	k->commits++;
	/* Not there: it was durable, and has been delivered or dropped since. */
	if (slot == INDEX_NONE || spool_ready(&k->spool, slot)) {
		settle(k, s, OK, first);
		return;
	}
	s->first = first;
	s->waiting = k->waiting;
	k->waiting = s;
}

void
repeat_settled(struct keeper *k, uint64_t id, enum fail f)
{
	struct front_session **at = &k->waiting;

	while (*at != NULL) {
		struct front_session *s = *at;

		if (s->first != id) {
			at = &s->waiting;
			continue;
		}
		*at = s->waiting;
		settle(k, s, f, id);
	}
}
