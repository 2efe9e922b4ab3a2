#include "spool/draft_room.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_KEPT = 16 * 1024 };
/* Of the message's flags, what the client asked for in the envelope: RFC 6531, RFC 8689. */
enum { DRAFT_ASKED = RECORD_FLAG_UTF8 | RECORD_FLAG_REQUIRETLS };

static_assert(sizeof(struct draft) <= SPOOL_DRAFT_STRUCT, "the ceilings' page says so");

bool
buf_grow(struct buf *b, size_t n, size_t most)
{
	size_t max = b->max == 0 ? 1024 : b->max;
	uint8_t *bigger;

	if (b->max - b->len >= n)
		return true;
	if (n > most || b->len > most - n)
		return false;
	while (max - b->len < n)
		max *= 2;
	bigger = realloc(b->p, max);
	if (bigger == NULL)
		return false;
	b->p = bigger;
	b->max = max;
	return true;
}

bool
draft_grow(struct spool *s, struct buf *b, size_t n, size_t most, uint64_t all)
{
	size_t before = b->max;

	if (b->max - b->len >= n)
		return true;
	if (s->drafts_octets + n > all || !buf_grow(b, n, most))
		return false;
	s->drafts_octets += b->max - before;
	return true;
}

/* Recipients are kept in memory, whoever brings them: one principal's must not leave no room for another's, and what is our own finds
 * room in any case. */
static enum fail
rcpts_grow(struct spool *s, struct draft *d, size_t n)
{
	uint64_t *share = &s->rcpts_octets[d->share], all = SPOOL_DRAFTS_OCTETS;
	size_t before = d->rcpts.max;
	bool promised = d->kept || d->rcpts.len + n <= SPOOL_DRAFT_PROMISED;

	if (d->rcpts.max - d->rcpts.len >= n)
		return OK;
	if (!promised && (s->drafts_octets + n > all || *share + n > SPOOL_DRAFTS_SHARE))
		return FAIL_DRAFTS_MANY;
	if (!draft_grow(s, &d->rcpts, n, SPOOL_DRAFT_RCPTS_MAX, promised ? UINT64_MAX : all))
		return d->rcpts.len > SPOOL_DRAFT_RCPTS_MAX / 2 ? FAIL_TOO_BIG : FAIL_MEMORY;
	*share += d->rcpts.max - before;
	return OK;
}

static struct draft *
draft_take(struct spool *s, struct span login)
{
	struct draft *d = s->spare;

	if (d != NULL) {
		s->spare = d->next;
		s->spares--;
	} else if ((d = malloc(sizeof *d)) != NULL) {
		d->rcpts = d->content = d->extents = (struct buf){ NULL, 0, 0 };
	} else
		return NULL;
	s->drafts++;
	s->drafts_octets += d->rcpts.max + d->content.max + d->extents.max;
	d->share = account_hash(login) % SPOOL_SHARES;
	s->rcpts_octets[d->share] += d->rcpts.max;
	d->rcpts.len = d->content.len = d->extents.len = 0;
	d->hold = NULL;
	d->fresh = NULL;
	d->holds = d->count = 0;
	d->size = 0;
	d->fail = OK;
	return d;
}

static void
buffer_trim(struct buf *b)
{
	if (b->max <= BUFFER_KEPT)
		return;
	free(b->p);
	*b = (struct buf){ NULL, 0, 0 };
}

static void
draft_free(struct draft *d)
{
	free(d->rcpts.p);
	free(d->content.p);
	free(d->extents.p);
	free(d);
}

static void
draft_give(struct spool *s, struct draft *d)
{
	s->drafts--;
	s->drafts_octets -= d->rcpts.max + d->content.max + d->extents.max;
	s->rcpts_octets[d->share] -= d->rcpts.max;
	if (s->spares == SPOOL_DRAFTS_KEPT) {
		draft_free(d);
		return;
	}
	buffer_trim(&d->rcpts);
	buffer_trim(&d->content);
	buffer_trim(&d->extents);
	d->next = s->spare;
	s->spare = d;
	s->spares++;
}

void
draft_spares_free(struct spool *s)
{
	while (s->spare != NULL) {
		struct draft *d = s->spare;

		s->spare = d->next;
		draft_free(d);
	}
	s->spares = 0;
}

void
draft_texts(struct draft *d, struct span *text[DRAFT_TEXTS])
{
	struct message_record *m = &d->mail;
	struct span *const all[DRAFT_TEXTS] = { &m->reverse_path, &m->login, &m->peer, &m->helo, &m->tls, &m->envid, &m->auth, &m->hold };

	memcpy(text, all, sizeof all);
}

static bool
keep_text(struct draft *d, size_t *used, struct span *s)
{
	if (s->len > DRAFT_TEXT_MAX - *used)
		return false;
	if (s->len > 0)
		memcpy(d->text + *used, s->p, s->len);
	s->p = d->text + *used;
	*used += s->len;
	return true;
}

enum fail
draft_begin(struct spool *s, const struct message_record *mail, bool kept, struct draft **out)
{
	struct span *text[DRAFT_TEXTS];
	struct draft *d;
	size_t used = 0;

	if (!kept && s->drafts >= SPOOL_DRAFTS_MAX)
		return FAIL_DRAFTS_MANY;
	d = draft_take(s, mail->login);
	if (d == NULL)
		return FAIL_MEMORY;
	d->kept = kept;
	d->printed = false;
	d->mail = *mail;
	d->mail.recipients = d->mail.extents = d->mail.content = (struct span){ NULL, 0 };
	draft_texts(d, text);
	for (size_t i = 0; i < DRAFT_TEXTS; i++)
		if (!keep_text(d, &used, text[i])) {
			draft_give(s, d);
			return FAIL_LOCAL;
		}
	*out = d;
	return OK;
}

void
draft_rcpt(struct spool *s, struct draft *d, struct span path, uint32_t notify, struct span orcpt)
{
	struct recipient r = { .notify = notify, .path = path, .orcpt = orcpt, .last.class = OUTCOME_NONE };

	/* Whoever brings them counts those, too, for whom there is no room. */
	d->count++;
	if (d->fail == OK)
		d->fail = rcpts_grow(s, d, path.len + orcpt.len + 64);
	if (d->fail == OK && !fields_format(recipient_layout, &r, &d->rcpts))
		d->fail = FAIL_LOCAL;
}

bool
chunk_append(struct spool *s, uint64_t id, struct span first, struct span second, struct buf *extents)
{
	size_t octets = first.len + second.len;
	uint8_t head[SPOOL_CHUNK_HEAD];
	struct extent e = { .octets = (uint32_t)octets };
	struct buf payload;
	uint64_t place;

	if (!buf_grow(extents, RECORD_EXTENT_OCTETS, DRAFT_EXTENTS_MAX)
	    || !journal_reserve(&s->journal, sizeof head + octets, false, &payload))
		return false;
	/* The payload of a CHUNK as chunk_record_layout has it, put together from two pieces. */
	u64_put(head, id);
	u32_put(head + 8, (uint32_t)octets);
	(void)buf_put(&payload, (struct span){ head, sizeof head });
	(void)buf_put(&payload, first);
	(void)buf_put(&payload, second);
	place = journal_commit(&s->journal, RECORD_CHUNK, payload, false, NULL);
	e.segment = PLACE_SEGMENT(place);
	e.offset = PLACE_OFFSET(place) + RECORD_HEADER + sizeof head;
	return extent_format(&e, extents);
}

/* Why nothing could be written. */
static enum fail
refusal(const struct spool *s)
{
	enum fail f = spool_state(s);

	return f == OK ? FAIL_BEHIND : f;
}

void
draft_chunk(struct spool *s, struct draft *d, struct buf *out, struct span first, struct span second)
{
	uint64_t octets = record_octets(SPOOL_CHUNK_HEAD + first.len + second.len);
	size_t before = out->max;

	if (first.len + second.len == 0 || d->fail != OK)
		return;
	if (d->holds == 0)
		d->refusals = s->refusals;
	if (out->len >= DRAFT_EXTENTS_MAX)
		d->fail = FAIL_TOO_BIG;
	else if (s->journal.state != OK || !chunk_append(s, d->mail.id, first, second, out))
		d->fail = refusal(s);
	else if (!holds_add(s, s->journal.active->number, octets, &d->hold, &d->holds))
		d->fail = FAIL_MEMORY;
	s->drafts_octets += out->max - before;
}

/* What is buffered and what just came become one chunk. */
static void
spill(struct spool *s, struct draft *d, struct span more)
{
	draft_chunk(s, d, &d->extents, buf_span(&d->content), more);
	d->content.len = 0;
}

/* Those who bring it keep to size-max; so do we, should they not. */
bool
draft_fits(const struct spool *s, struct draft *d, uint64_t size)
{
	if (d->fail == OK && !d->kept && s->conf.content_max > 0 && size > s->conf.content_max)
		d->fail = FAIL_TOO_BIG;
	return d->fail == OK;
}

void
draft_body(struct spool *s, struct draft *d, struct span octets)
{
	/* What is our own may not be refused, so it must not depend on chunks, which may be. */
	size_t limit = d->kept ? SPOOL_NOTICE_MAX : SPOOL_INLINE_MAX;
	uint64_t all = d->kept ? UINT64_MAX : SPOOL_DRAFTS_CONTENT;

	d->size += octets.len;
	if (!draft_fits(s, d, d->size))
		return;
	if (d->content.len + octets.len <= limit && draft_grow(s, &d->content, octets.len, limit, all))
		(void)buf_put(&d->content, octets);
	else if (d->kept)
		d->fail = FAIL_TOO_BIG;
	else
		spill(s, d, octets);
}

uint64_t
draft_size(const struct draft *d)
{
	return d->size;
}

uint32_t
draft_rcpts(const struct draft *d)
{
	return d->count;
}

const struct message_record *
draft_envelope(const struct draft *d)
{
	return &d->mail;
}

/* The sum of their hashes does not depend on their order. */
static void
feed_recipients(struct siphash *h, const uint8_t key[SIPHASH_KEY], struct span rest)
{
	uint64_t sum[2] = { 0, 0 };
	uint8_t hash[SIPHASH_WIDE];
	struct recipient r;

	while (recipient_take(&rest, &r)) {
		struct siphash one;

		siphash_init(&one, key);
		siphash_feed_u64(&one, r.notify);
		siphash_feed_text(&one, r.path);
		siphash_feed_text(&one, r.orcpt);
		siphash_drain(&one, hash);
		sum[0] += u64_get(hash);
		sum[1] += u64_get(hash + 8);
	}
	siphash_feed_u64(h, sum[0]);
	siphash_feed_u64(h, sum[1]);
}

bool
draft_repeats(struct spool *s, struct draft *d, const uint8_t *content, uint64_t now, uint64_t *id)
{
	const struct message_record *m = &d->mail;
	struct siphash h;

	if (s->once.window == 0 || d->fail != OK || (content == NULL && !d->printed))
		return false;
	if (content == NULL)
		return once_find(&s->once, d->print, now, id);
	siphash_init(&h, s->once.key);
	/* Nobody learns by it what another has sent. */
	siphash_feed_text(&h, m->login);
	siphash_feed_text(&h, m->reverse_path);
	siphash_feed_text(&h, m->envid);
	siphash_feed_text(&h, m->auth);
	siphash_feed_u64(&h, m->ret);
	siphash_feed_u64(&h, m->flags & DRAFT_ASKED);
	/* A deadline is a time from now, and another one each time it is asked for. */
	siphash_feed_text(&h, m->hold);
	siphash_feed_u64(&h, m->priority);
	feed_recipients(&h, s->once.key, buf_span(&d->rcpts));
	siphash_feed(&h, (struct span){ content, SIPHASH_WIDE });
	siphash_drain(&h, d->print);
	d->when = now;
	d->printed = true;
	return once_find(&s->once, d->print, now, id);
}

static enum fail
append(struct spool *s, struct draft *d, void *who)
{
	struct message_record *m = &d->mail;
	struct ticket ticket = { .kind = TICKET_MESSAGE, .id = m->id, .arg = who, .refusable = !d->kept };
	size_t octets = message_octets(m);
	struct buf payload;
	struct entry *e;
	uint64_t place, print = 0;

	ticket.index = index_add(&s->index, m->id, m->rcpts);
	if (ticket.index == INDEX_NONE)
		return FAIL_MEMORY;
	/* In front, so that no torn end has the message without it; what it says counts only when the message follows. */
	if (d->printed)
		print = once_append(&s->once, d->print, m->id, d->when);
	if (!journal_reserve(&s->journal, octets, d->kept, &payload) || !message_format(m, &payload)) {
		index_remove(&s->index, ticket.index);
		return refusal(s);
	}
	place = journal_commit(&s->journal, RECORD_MESSAGE, payload, true, &ticket);
	segment_hold(&s->journal, PLACE_SEGMENT(place), record_octets(octets), false);
	e = &s->index.entry[ticket.index];
	e->arrival = m->arrival;
	e->size = m->size;
	e->place = place;
	e->length = (uint32_t)octets;
	e->flags = (uint8_t)(ENTRY_PENDING | (m->extents.len > 0 ? ENTRY_EXTENTS : 0)
	    | (m->flags & RECORD_FLAG_NOTICE ? ENTRY_NOTICE : 0) | (m->flags & RECORD_FLAG_HELD ? ENTRY_HELD : 0));
	e->account = account_hash(m->login);
	if (print != 0)
		e->once = once_add(&s->once, d->print, m->id, d->when, print);
	terms_note(e, m);
	if (e->release > 0)
		release_count(s, ticket.index);
	e->hold = d->hold;
	e->holds = d->holds;
	d->hold = NULL;
	d->holds = 0;
	return OK;
}

enum fail
draft_health(const struct spool *s, const struct draft *d)
{
	enum fail f = d->fail != OK ? d->fail : spool_state(s);

	/* The disk was full since: its chunks may have become VOID. */
	return f == OK && d->extents.len > 0 && d->refusals != s->refusals ? FAIL_DISK_FULL : f;
}

enum fail
draft_commit(struct spool *s, struct draft *d, uint32_t flags, void *who)
{
	struct message_record *m = &d->mail;
	/* What is our own has no chunks, and is not refused because the disk is full. */
	enum fail f = d->kept ? d->fail : draft_health(s, d);

	if (f == OK && !d->kept && (s->index.count >= SPOOL_MESSAGES_MAX || s->index.rcpts + d->count > SPOOL_RCPTS_MAX))
		f = FAIL_DISK_FULL;
	if (f == OK && index_find(&s->index, m->id) != INDEX_NONE)
		f = FAIL_LOCAL;
	if (f == OK) {
		(void)draft_settle(s, d);
		f = d->fail;
	}
	m->flags |= flags;
	m->size = d->size;
	m->rcpts = d->count;
	m->recipients = buf_span(&d->rcpts);
	m->extents = buf_span(&d->extents);
	m->content = buf_span(&d->content);
	if (f == OK)
		f = m->rcpts == 0 ? FAIL_NO_RCPT : append(s, d, who);
	draft_abort(s, d);
	return f;
}

void
draft_abort(struct spool *s, struct draft *d)
{
	draft_fresh_drop(s, d);
	holds_give(s, d->hold, d->holds);
	d->hold = NULL;
	d->holds = 0;
	draft_give(s, d);
}
