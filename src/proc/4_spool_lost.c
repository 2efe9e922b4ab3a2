/*
 * Mail that the disk has lost. Its sender was told that we have it, so he is told that nobody will (RFC 5321 6.1), as of any failure:
 * not against his NOTIFY, and not when there is no sender. A recipient of whom he was told is recorded as failed behind the notice, in
 * the same batch, so that he is told once.
 */
#include <string.h>

#include "os/clock.h"
#include "proc/4_spool_gather.h"

enum { PATH_MOST = 320, ORCPT_MOST = 507 };     /* of queue/record.h */

#define STATUS SPAN("5.3.0")
#define WORDS SPAN("part of it was damaged on this server's disk, so it cannot be delivered")

/* Those of up to DSN_RECIPIENTS_MAX recipients who wait, from `next` on, whose sender wants to hear of them. */
struct lost_rows {
	struct notice_row row[DSN_RECIPIENTS_MAX];
	uint8_t text[DSN_RECIPIENTS_MAX][PATH_MOST + ORCPT_MOST];
	size_t count;
	uint32_t first, next;
	uint64_t now;
};

static void
add_row(struct lost_rows *g, uint32_t number, const struct recipient *r)
{
	struct notice_row *row = &g->row[g->count];
	uint8_t *text = g->text[g->count++];

	/* The record is read anew for the notice. */
	if (r->path.len > 0)
		memcpy(text, r->path.p, r->path.len);
	if (r->orcpt.len > 0)
		memcpy(text + PATH_MOST, r->orcpt.p, r->orcpt.len);
	*row = (struct notice_row){ .action = DSN_FAILED,
		.rcpt = { number, { text, r->path.len }, r->notify, { text + PATH_MOST, r->orcpt.len } },
		.result = { .number = number, .class = SMTP_CLASS_NEVER, .enhanced = STATUS, .text = WORDS } };
}

static bool
gather(struct keeper *k, uint32_t slot, struct lost_rows *g)
{
	struct entry *e = &k->spool.index.entry[slot];
	struct message_record m;
	struct recipient r;
	uint64_t content_at;
	struct span rest;

	if (!spool_envelope(&k->spool, slot, &m, &content_at))
		return false;
	g->first = g->next;
	g->count = 0;
	rest = m.recipients;
	for (uint32_t i = 0; i < m.rcpts && g->count < DSN_RECIPIENTS_MAX && recipient_take(&rest, &r); i++) {
		if (i < g->first)
			continue;
		if (!entry_final(e, i) && (r.notify == 0 || (r.notify & SMTP_NOTIFY_FAILURE)))
			add_row(g, i, &r);
		g->next = i + 1;
	}
	return true;
}

static void
record(struct keeper *k, uint32_t slot, const struct lost_rows *g)
{
	struct entry *e = &k->spool.index.entry[slot];
	struct outcome o = { .class = OUTCOME_NEVER, .attempt = e->attempts, .when = g->now, .enhanced = STATUS, .text = WORDS };

	for (uint32_t i = g->first; i < g->next; i++)
		if (!entry_final(e, i))
			spool_result(&k->spool, slot, i, &o);
}

static bool
tell(void *arg, uint32_t slot, uint64_t whole)
{
	static struct lost_rows g;
	struct keeper *k = arg;

	/* What still runs could not be read either. */
	relay_forget(k, slot);
	g.next = 0;
	g.now = clock_wall();
	while (g.next < k->spool.index.entry[slot].rcpts) {
		if (!gather(k, slot, &g) || (g.count > 0 && !notice_write_lost(k, slot, g.row, g.count, whole)))
			return false;
		record(k, slot, &g);
	}
	return true;
}

void
lost_tell(struct keeper *k)
{
	spool_lose(&k->spool, tell, k);
}
