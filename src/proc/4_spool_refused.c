/*
 * Why a message was not taken: what its client hears and can do nothing about, the operator should know of, and whose doing it is.
 * Many hear it at once, so there is a line of each reason in a while, with how many were not said.
 */
#include "os/log.h"
#include "proc/4_spool_session.h"

void
refused_say(const struct keeper *k, uint32_t front, enum fail f)
{
	static struct log_pause said[FAIL_MAX];
	enum blame blame = fail_row(f)->blame;
	struct log_line l;
	uint64_t unsaid;

	if (blame != BLAME_WORLD && blame != BLAME_SELF)
		return;
	if (!log_may(&said[f], uv_now(&k->child.loop), KEEPER_REFUSED_MS, &unsaid))
		return;
	log_begin(&l, LOG_WARN, "message-refused");
	log_text(&l, "process", "4_spool");
	log_text(&l, "why", fail_row(f)->text);
	log_u64(&l, "front", front);
	log_u64(&l, "drafts", k->spool.drafts);
	log_u64(&l, "drafts-octets", k->spool.drafts_octets);
	log_u64(&l, "unwritten-octets", k->spool.journal.gather->mem.len);
	log_u64(&l, "room", k->spool.room);
	if (unsaid > 0)
		log_u64(&l, "unsaid", unsaid);
	log_end(&l);
}
