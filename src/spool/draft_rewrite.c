/* A draft that milters change: envelope, header, body. Octets that stay are not written again: new extents point into old chunks. */
#include <stdlib.h>
#include <string.h>

#include "spool/draft_room.h"

/* ---- what there is ---- */

struct span
draft_text(const struct draft *d)
{
	return d->extents.len > 0 ? (struct span){ NULL, 0 } : buf_span(&d->content);
}

struct span
draft_extents(const struct draft *d)
{
	return buf_span(&d->extents);
}

struct span
draft_recipients(const struct draft *d)
{
	return buf_span(&d->rcpts);
}

uint64_t
draft_settle(struct spool *s, struct draft *d)
{
	if (d->extents.len == 0)
		return 0;
	draft_chunk(s, d, &d->extents, buf_span(&d->content), (struct span){ NULL, 0 });
	d->content.len = 0;
	return s->journal.sequence - 1;
}

/* ---- a new body ---- */

void
draft_fresh(struct spool *s, struct draft *d, struct span octets)
{
	if (d->fail != OK)
		return;
	if (d->fresh == NULL && (d->fresh = calloc(1, sizeof *d->fresh)) == NULL) {
		d->fail = FAIL_MEMORY;
		return;
	}
	d->fresh->size += octets.len;
	if (!draft_fits(s, d, d->fresh->size))
		return;
	if (d->fresh->text.len + octets.len <= SPOOL_INLINE_MAX && draft_grow(s, &d->fresh->text, octets.len, SPOOL_INLINE_MAX, SPOOL_DRAFTS_CONTENT)) {
		(void)buf_put(&d->fresh->text, octets);
		return;
	}
	draft_chunk(s, d, &d->fresh->extents, buf_span(&d->fresh->text), octets);
	d->fresh->text.len = 0;
}

void
draft_fresh_drop(struct spool *s, struct draft *d)
{
	if (d->fresh == NULL)
		return;
	s->drafts_octets -= d->fresh->text.max + d->fresh->extents.max;
	free(d->fresh->text.p);
	free(d->fresh->extents.p);
	free(d->fresh);
	d->fresh = NULL;
}

/* ---- putting together ---- */

/* The new content, in whichever way it lies. */
struct sheet {
	struct buf text, extents;
	bool in_log;
};

static void
add_text(struct spool *s, struct draft *d, struct sheet *to, struct span octets)
{
	if (to->in_log)
		draft_chunk(s, d, &to->extents, octets, (struct span){ NULL, 0 });
	else
		(void)buf_put(&to->text, octets);
}

static void
add_extent(struct spool *s, struct draft *d, struct sheet *to, const struct extent *e)
{
	if (d->fail == OK && (!draft_grow(s, &to->extents, RECORD_EXTENT_OCTETS, DRAFT_EXTENTS_MAX, SPOOL_DRAFTS_OCTETS) || !extent_format(e, &to->extents)))
		d->fail = FAIL_TOO_BIG;
}

/* Octets from one place to the other of the content as it is. */
static void
add_old(struct spool *s, struct draft *d, struct sheet *to, uint64_t from, uint64_t end)
{
	struct span rest = buf_span(&d->extents), text = buf_span(&d->content);
	struct extent e;
	uint64_t at = 0;

	if (d->extents.len == 0) {
		span_skip(&text, (size_t)from);
		add_text(s, d, to, span_head(text, (size_t)(end - from)));
		return;
	}
	for (; at < end && extent_take(&rest, &e); at += e.octets) {
		uint64_t skip = from > at ? from - at : 0, stop = end - at < e.octets ? end - at : e.octets;
		struct extent part = { e.segment, e.offset + skip, (uint32_t)(stop - skip) };

		if (skip < stop)
			add_extent(s, d, to, &part);
	}
}

static void
add_fresh(struct spool *s, struct draft *d, struct sheet *to)
{
	struct extent e;
	struct span rest;

	if (d->fresh == NULL)
		return;
	rest = buf_span(&d->fresh->extents);
	while (extent_take(&rest, &e))
		add_extent(s, d, to, &e);
	add_text(s, d, to, buf_span(&d->fresh->text));
}

static void
take_over(struct spool *s, struct buf *old, struct buf *new)
{
	s->drafts_octets -= old->max;
	free(old->p);
	*old = *new;
}

bool
draft_rewrite(struct spool *s, struct draft *d, const struct span *header, uint64_t body_at, bool fresh)
{
	uint64_t tail = fresh ? (d->fresh != NULL ? d->fresh->size : 0) : d->size - body_at;
	uint64_t total = (header != NULL ? header->len : body_at) + tail;
	struct sheet to = { .in_log = true };

	if (body_at > d->size)
		return false;
	if (d->fail != OK)
		return true;
	if (d->extents.len > 0)
		(void)draft_settle(s, d);
	if (d->extents.len == 0 && (!fresh || d->fresh == NULL || d->fresh->extents.len == 0) && total <= SPOOL_INLINE_MAX)
		to.in_log = !draft_grow(s, &to.text, (size_t)total, SPOOL_INLINE_MAX, SPOOL_DRAFTS_CONTENT);
	if (header != NULL)
		add_text(s, d, &to, *header);
	else
		add_old(s, d, &to, 0, body_at);
	if (fresh)
		add_fresh(s, d, &to);
	else
		add_old(s, d, &to, body_at, d->size);
	take_over(s, &d->content, &to.text);
	take_over(s, &d->extents, &to.extents);
	d->size = total;
	draft_fresh_drop(s, d);
	return true;
}

/* ---- the envelope ---- */

bool
draft_sender(struct draft *d, struct span path)
{
	struct span *text[DRAFT_TEXTS];
	size_t before = d->mail.reverse_path.len, used = 0;

	draft_texts(d, text);
	/* It stands first, the others follow it. */
	for (size_t i = 1; i < DRAFT_TEXTS; i++)
		used += text[i]->len;
	if (path.len > DRAFT_TEXT_MAX - used)
		return false;
	memmove(d->text + path.len, d->text + before, used);
	if (path.len > 0)
		memcpy(d->text, path.p, path.len);
	d->mail.reverse_path.len = path.len;
	for (size_t i = 1; i < DRAFT_TEXTS; i++)
		text[i]->p = text[i]->p - before + path.len;
	return true;
}

void
draft_rcpts_drop(struct draft *d, struct span bits)
{
	struct span rest = buf_span(&d->rcpts);
	uint32_t number = 0, kept = 0;
	struct recipient r;
	size_t len = 0;

	while (!span_done(rest)) {
		const uint8_t *from = rest.p;
		size_t octets;

		if (!recipient_take(&rest, &r))
			break;
		octets = (size_t)(rest.p - from);
		if (number / 8 >= bits.len || (bits.p[number / 8] >> number % 8 & 1) == 0) {
			memmove(d->rcpts.p + len, from, octets);
			len += octets;
			kept++;
		}
		number++;
	}
	d->rcpts.len = len;
	d->count = kept;
}

void
draft_rcpts_clear(struct draft *d)
{
	d->rcpts.len = 0;
	d->count = 0;
}
