#include "policy/guess_table.h"

#include <string.h>

#include "base/fields.h"

enum { WHOLE = 1000 };

/* See the table in guess.h. */
static const struct { uint32_t budget, back_ms; } rules[GUESS_LEVELS] = {
	[GUESS_PAIR] = { 10 * WHOLE, 30 * 60 * 1000 },
	[GUESS_PAIR_WIDE] = { 30 * WHOLE, 10 * 60 * 1000 },
	[GUESS_HOST] = { 20 * WHOLE, 5 * 60 * 1000 },
	[GUESS_WIDE] = { 80 * WHOLE, 2 * 60 * 1000 },
};

/* ---- one row ---- */

uint32_t
row_budget(enum guess_level level)
{
	return rules[level].budget;
}

uint32_t
row_score(const struct guess_row *r, enum guess_level level, uint64_t now)
{
	uint64_t passed = now > r->settled ? now - r->settled : 0;
	uint64_t full = (uint64_t)r->score * rules[level].back_ms / WHOLE;

	/* A clock that is so far back that it would not come to it: waiting for that day would refuse somebody until then. */
	if (now < r->settled && r->settled - now > full)
		return 0;
	/* Compared before it is multiplied, so that no clock makes it overflow. */
	return passed >= full ? 0 : r->score - (uint32_t)(passed * WHOLE / rules[level].back_ms);
}

/* What has not yet come back a whole thousandth goes on counting from where it was, however often we look. */
static void
settle(struct guess_row *r, enum guess_level level, uint64_t now)
{
	uint32_t score = row_score(r, level, now);

	if (score == 0 || now < r->settled)
		r->settled = now;
	else
		r->settled += (uint64_t)(r->score - score) * rules[level].back_ms / WHOLE;
	r->score = score;
}

uint64_t
row_until(const struct guess_row *r, enum guess_level level, uint64_t now)
{
	uint32_t score = row_score(r, level, now), room = rules[level].budget - WHOLE;

	return score <= room ? 0 : now + ((uint64_t)(score - room) * rules[level].back_ms + WHOLE - 1) / WHOLE;
}

bool
row_has_mark(const struct guess_row *r, uint64_t secret)
{
	for (unsigned i = 0; i < r->marks; i++)
		if (r->mark[i] == (uint16_t)secret)
			return true;
	return false;
}

void
row_mark(struct guess_row *r, uint64_t secret)
{
	r->mark[r->turn] = (uint16_t)secret;
	r->turn = (uint8_t)((r->turn + 1) % GUESS_MARKS);
	if (r->marks < GUESS_MARKS)
		r->marks++;
}

/* Never far beyond the budget, so that the way back has an end, too. */
uint32_t
row_charge(struct guess_row *r, enum guess_level level, uint32_t secrets, uint64_t now)
{
	uint32_t most = rules[level].budget + rules[level].budget / 2, before;

	settle(r, level, now);
	before = r->score;
	r->score += secrets * WHOLE;
	if (r->score > most)
		r->score = most;
	if (r->secrets < UINT32_MAX)
		r->secrets++;
	return r->score > before ? r->score - before : 0;
}

/* Rounded down, so that asking often makes nothing of it last. */
uint32_t
row_lent(const struct guess_row *r, enum guess_level network, uint64_t now)
{
	uint64_t passed = now > r->last ? now - r->last : 0, back_ms = rules[network].back_ms;
	uint64_t full = r->lent * back_ms / WHOLE;

	return passed >= full ? 0 : r->lent - (uint32_t)((passed * WHOLE + back_ms - 1) / back_ms);
}

void
row_give_back(struct guess_row *r, enum guess_level level, uint32_t thousandths, uint64_t now)
{
	settle(r, level, now);
	r->score -= r->score < thousandths ? r->score : thousandths;
}

/* ---- the tables ---- */

bool
network_same(struct guess_network a, struct guess_network b)
{
	return a.kind == b.kind && a.prefix == b.prefix;
}

static size_t
first_of(const struct guess *g, enum guess_level level, uint64_t account, struct guess_network n)
{
	uint8_t name[18];

	name[0] = (uint8_t)level;
	name[1] = n.kind;
	u64_put(name + 2, account);
	u64_put(name + 10, n.prefix);
	return siphash(g->key, (struct span){ name, sizeof name }) % GUESS_SETS * GUESS_WAYS;
}

const struct guess_row *
row_look(const struct guess *g, enum guess_level level, uint64_t account, struct guess_network n)
{
	const struct guess_row *set = &g->row[level][first_of(g, level, account, n)];

	for (unsigned i = 0; i < GUESS_WAYS; i++)
		if (set[i].kind == n.kind && set[i].prefix == n.prefix && set[i].account == account)
			return &set[i];
	return NULL;
}

struct guess_row *
row_find(struct guess *g, enum guess_level level, uint64_t account, struct guess_network n)
{
	const struct guess_row *r = row_look(g, level, account, n);

	return r == NULL ? NULL : &g->row[level][r - g->row[level]];
}

static bool
worth_less(const struct guess_row *a, const struct guess_row *b, enum guess_level level, uint64_t now)
{
	uint32_t x = row_score(a, level, now), y = row_score(b, level, now);

	return x != y ? x < y : a->last < b->last;
}

static struct guess_row *
victim_of(struct guess_row *set, enum guess_level level, uint64_t now)
{
	struct guess_row *least = &set[0];

	for (unsigned i = 0; i < GUESS_WAYS; i++) {
		if (set[i].kind == GUESS_NOWHERE)
			return &set[i];
		if (worth_less(&set[i], least, level, now))
			least = &set[i];
	}
	return least;
}

struct guess_row *
row_take(struct guess *g, enum guess_level level, uint64_t account, struct guess_network n, uint64_t now)
{
	struct guess_row *r = row_find(g, level, account, n);
	uint32_t inherited, most = rules[level].budget / 2;

	if (r != NULL)
		return r;
	r = victim_of(&g->row[level][first_of(g, level, account, n)], level, now);
	inherited = r->kind == GUESS_NOWHERE ? 0 : row_score(r, level, now);
	*r = (struct guess_row){ .account = account, .prefix = n.prefix, .kind = n.kind, .first = now, .last = now, .settled = now,
		.score = inherited < most ? inherited : most };
	return r;
}

/* ---- lanes ---- */

static size_t
first_lane(const struct guess *g, uint64_t account)
{
	uint8_t name[8];

	u64_put(name, account);
	return siphash(g->key, (struct span){ name, sizeof name }) % GUESS_LANE_SETS * GUESS_LANE_WAYS;
}

static bool
lane_open(const struct guess_lane *l, uint64_t now)
{
	return l->kind != GUESS_NOWHERE && (now < l->last || now - l->last < GUESS_LANE_MS);
}

bool
lane_known(const struct guess *g, uint64_t account, struct guess_network n, uint64_t now)
{
	const struct guess_lane *set = &g->lane[first_lane(g, account)];

	for (unsigned i = 0; n.kind != GUESS_NOWHERE && i < GUESS_LANE_WAYS; i++)
		if (set[i].kind == n.kind && set[i].prefix == n.prefix && set[i].account == account)
			return lane_open(&set[i], now);
	return false;
}

/* The same one; else a free or ended one; else the account's own oldest when it has its share; else the oldest of all. */
static struct guess_lane *
lane_place(struct guess_lane *set, uint64_t account, struct guess_network n, uint64_t now)
{
	struct guess_lane *own = NULL, *oldest = &set[0], *free_one = NULL;
	unsigned mine = 0;

	for (unsigned i = 0; i < GUESS_LANE_WAYS; i++) {
		struct guess_lane *l = &set[i];

		if (l->kind == n.kind && l->prefix == n.prefix && l->account == account)
			return l;
		if (!lane_open(l, now)) {
			free_one = l;
			continue;
		}
		if (l->account == account && (mine++ == 0 || l->last < own->last))
			own = l;
		if (l->last < oldest->last)
			oldest = l;
	}
	if (mine >= GUESS_LANES_EACH)
		return own;
	return free_one != NULL ? free_one : oldest;
}

void
lane_note(struct guess *g, uint64_t account, struct guess_network n, uint64_t now)
{
	struct guess_lane *l;

	if (n.kind == GUESS_NOWHERE)
		return;
	l = lane_place(&g->lane[first_lane(g, account)], account, n, now);
	*l = (struct guess_lane){ account, n.prefix, now, n.kind };
}
