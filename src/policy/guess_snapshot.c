#include <string.h>

#include "base/fields.h"
#include "policy/guess_table.h"

#define MAGIC SPAN("postern-guess-1\n")

enum { HEAD = 16 + 4 + 4, TAG = 8, ROW = 1 + 1 + 5 * 8 + 3 * 4 + 2 + GUESS_MARKS * 2, LANE = 1 + 3 * 8 };

/* ---- how many ---- */

static uint32_t
rows_of(const struct guess *g)
{
	uint32_t n = 0;

	for (enum guess_level level = 0; level < GUESS_LEVELS; level++)
		for (size_t i = 0; i < GUESS_SETS * GUESS_WAYS; i++)
			n += g->row[level][i].kind != GUESS_NOWHERE;
	return n;
}

static uint32_t
lanes_of(const struct guess *g)
{
	uint32_t n = 0;

	for (size_t i = 0; i < GUESS_LANE_SETS * GUESS_LANE_WAYS; i++)
		n += g->lane[i].kind != GUESS_NOWHERE;
	return n;
}

static size_t
size_of(uint32_t rows, uint32_t lanes)
{
	return HEAD + (size_t)rows * ROW + (size_t)lanes * LANE + TAG;
}

size_t
guess_snapshot_size(const struct guess *g)
{
	return size_of(rows_of(g), lanes_of(g));
}

/* ---- out ---- */

static void
put_row(struct buf *b, enum guess_level level, const struct guess_row *r)
{
	uint64_t wide[] = { r->account, r->prefix, r->first, r->last, r->settled };
	uint32_t narrow[] = { r->score, r->failures, r->secrets };

	(void)(buf_put_byte(b, (uint8_t)level) && buf_put_byte(b, r->kind));
	for (unsigned i = 0; i < 5; i++)
		(void)u64_append(b, wide[i]);
	for (unsigned i = 0; i < 3; i++)
		(void)u32_append(b, narrow[i]);
	(void)(buf_put_byte(b, r->marks) && buf_put_byte(b, r->turn));
	for (unsigned i = 0; i < GUESS_MARKS; i++)
		(void)(buf_put_byte(b, (uint8_t)r->mark[i]) && buf_put_byte(b, (uint8_t)(r->mark[i] >> 8)));
}

static void
put_lane(struct buf *b, const struct guess_lane *l)
{
	(void)(buf_put_byte(b, l->kind) && u64_append(b, l->account) && u64_append(b, l->prefix) && u64_append(b, l->last));
}

bool
guess_format(const struct guess *g, struct buf *out)
{
	uint32_t rows = rows_of(g), lanes = lanes_of(g);

	if (buf_room(out) < size_of(rows, lanes) || out->len != 0)
		return false;
	(void)(buf_put(out, MAGIC) && u32_append(out, rows) && u32_append(out, lanes));
	for (enum guess_level level = 0; level < GUESS_LEVELS; level++)
		for (size_t i = 0; i < GUESS_SETS * GUESS_WAYS; i++)
			if (g->row[level][i].kind != GUESS_NOWHERE)
				put_row(out, level, &g->row[level][i]);
	for (size_t i = 0; i < GUESS_LANE_SETS * GUESS_LANE_WAYS; i++)
		if (g->lane[i].kind != GUESS_NOWHERE)
			put_lane(out, &g->lane[i]);
	return u64_append(out, siphash(g->key, buf_span(out)));
}

/* ---- in ---- */

/* Lengths were checked before: there is enough. */
static uint64_t
take(struct span *in, unsigned octets)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < octets; i++)
		n |= (uint64_t)in->p[i] << 8 * i;
	span_skip(in, octets);
	return n;
}

static bool
take_row(struct span *in, enum guess_level *level, struct guess_row *r)
{
	uint8_t at = (uint8_t)take(in, 1);

	*level = (enum guess_level)at;
	r->kind = (uint8_t)take(in, 1);
	r->account = take(in, 8);
	r->prefix = take(in, 8);
	r->first = take(in, 8);
	r->last = take(in, 8);
	r->settled = take(in, 8);
	r->score = (uint32_t)take(in, 4);
	r->failures = (uint32_t)take(in, 4);
	r->secrets = (uint32_t)take(in, 4);
	r->marks = (uint8_t)take(in, 1);
	r->turn = (uint8_t)take(in, 1);
	for (unsigned i = 0; i < GUESS_MARKS; i++)
		r->mark[i] = (uint16_t)take(in, 2);
	return at < GUESS_LEVELS && r->kind != GUESS_NOWHERE && r->kind <= GUESS_V6_48 && r->marks <= GUESS_MARKS && r->turn < GUESS_MARKS
	    && r->score <= 2 * row_budget(*level);
}

static bool
take_lane(struct span *in, struct guess_lane *l)
{
	l->kind = (uint8_t)take(in, 1);
	l->account = take(in, 8);
	l->prefix = take(in, 8);
	l->last = take(in, 8);
	return l->kind != GUESS_NOWHERE && l->kind <= GUESS_V6_48;
}

static bool
take_all(struct guess *g, struct span in, uint32_t rows, uint32_t lanes, uint64_t now)
{
	struct guess_row r;
	struct guess_lane l;
	enum guess_level level;

	for (; rows > 0; rows--) {
		if (!take_row(&in, &level, &r))
			return false;
		if (now < r.last || now - r.last < GUESS_KEPT_MS)
			*row_take(g, level, r.account, (struct guess_network){ r.prefix, r.kind }, now) = r;
	}
	for (; lanes > 0; lanes--) {
		if (!take_lane(&in, &l))
			return false;
		if (now < l.last || now - l.last < GUESS_LANE_MS)
			lane_note(g, l.account, (struct guess_network){ l.prefix, l.kind }, l.last);
	}
	return span_done(in);
}

bool
guess_parse(struct guess *g, struct span in, uint64_t now)
{
	uint8_t key[SIPHASH_KEY];
	struct span body;
	uint32_t rows, lanes;

	if (in.len < HEAD + TAG || !span_eq(span_head(in, MAGIC.len), MAGIC))
		return false;
	body = span_head(in, in.len - TAG);
	if (siphash(g->key, body) != u64_get(in.p + body.len))
		return false;
	span_skip(&body, MAGIC.len);
	rows = (uint32_t)take(&body, 4);
	lanes = (uint32_t)take(&body, 4);
	if (rows > GUESS_LEVELS * GUESS_SETS * GUESS_WAYS || lanes > GUESS_LANE_SETS * GUESS_LANE_WAYS || in.len != size_of(rows, lanes))
		return false;
	if (take_all(g, body, rows, lanes, now))
		return true;
	memcpy(key, g->key, sizeof key);
	guess_init(g, key);
	return false;
}
