#include "policy/guess.h"

#include <string.h>

#include "base/secret.h"
#include "policy/guess_table.h"

enum { NAME_MAX = 1024, LANE_FRESH_MS = 3600 * 1000 };

void
guess_init(struct guess *g, const uint8_t key[SIPHASH_KEY])
{
	memset(g, 0, sizeof *g);
	memcpy(g->key, key, SIPHASH_KEY);
}

/* ---- who, where, what ---- */

static struct guess_network
v4(const uint8_t p[4])
{
	return (struct guess_network){ (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3], GUESS_V4_32 };
}

struct guess_network
guess_wide(struct guess_network n)
{
	if (n.kind == GUESS_V4_32)
		return (struct guess_network){ n.prefix & ~UINT64_C(0xff), GUESS_V4_24 };
	if (n.kind == GUESS_V6_64)
		return (struct guess_network){ n.prefix & ~UINT64_C(0xffff), GUESS_V6_48 };
	return n;
}

struct guess_place
guess_place(struct span address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct guess_place p = { { 0, GUESS_NOWHERE }, { 0, GUESS_NOWHERE } };

	if (address.len == 16 && memcmp(address.p, mapped, sizeof mapped) == 0)
		span_skip(&address, sizeof mapped);
	if (address.len == 4)
		p.host = v4(address.p);
	if (address.len == 16) {
		p.host.kind = GUESS_V6_64;
		for (unsigned i = 0; i < 8; i++)
			p.host.prefix = p.host.prefix << 8 | address.p[i];
	}
	p.wide = guess_wide(p.host);
	return p;
}

/* Two uses of one key must never hash the same octets. */
static uint64_t
hash(const struct guess *g, uint8_t use, struct span text)
{
	uint8_t octets[1 + NAME_MAX];
	struct buf b = BUF_OVER(octets);
	uint64_t h;

	(void)(buf_put_byte(&b, use) && buf_put(&b, span_head(text, NAME_MAX)));
	h = siphash(g->key, buf_span(&b));
	wipe(octets, b.len);
	return h;
}

uint64_t
guess_account(const struct guess *g, struct span login)
{
	uint64_t h = hash(g, 'a', login);

	return h != 0 ? h : 1;
}

uint64_t
guess_secret(const struct guess *g, struct span secret)
{
	return hash(g, 's', secret);
}

/* ---- the levels of an attempt ---- */

static bool
is_wide(enum guess_level level)
{
	return level == GUESS_PAIR_WIDE || level == GUESS_WIDE;
}

static uint64_t
account_at(const struct guess_try *t, enum guess_level level)
{
	return level == GUESS_PAIR || level == GUESS_PAIR_WIDE ? t->account : 0;
}

static struct guess_network
network_at(const struct guess_try *t, enum guess_level level)
{
	return is_wide(level) ? t->place.wide : t->place.host;
}

/* Whose lanes are those of this attempt? */
static uint64_t
owner_of(const struct guess_try *t)
{
	return t->key != 0 ? t->key : t->account;
}

static bool
is_known(const struct guess *g, const struct guess_try *t, struct guess_network n, uint64_t now)
{
	return lane_known(g, owner_of(t), n, now);
}

/* Does it count against this attempt? */
static bool
applies(enum guess_level level, bool host_known, bool wide_known)
{
	if (host_known)
		return level == GUESS_PAIR;
	return !wide_known || !is_wide(level);
}

/* Nothing for the first half: everybody mistypes. Then 1 to GUESS_DELAY_MAX. */
static uint8_t
delay_of(const struct guess_row *r, enum guess_level level, uint64_t now)
{
	uint32_t half = row_budget(level) / 2, score = row_score(r, level, now), steps;

	if (score < half)
		return 0;
	steps = 1 + (uint32_t)((uint64_t)(score - half) * GUESS_DELAY_MAX / half);
	return (uint8_t)(steps < GUESS_DELAY_MAX ? steps : GUESS_DELAY_MAX);
}

struct guess_word
guess_ask(const struct guess *g, const struct guess_try *t, uint64_t now)
{
	struct guess_word w = { .lane = is_known(g, t, t->place.host, now), .clean = true };
	bool wide_known = is_known(g, t, t->place.wide, now);

	for (enum guess_level level = 0; t->place.host.kind != GUESS_NOWHERE && level < GUESS_LEVELS; level++) {
		const struct guess_row *r = row_look(g, level, account_at(t, level), network_at(t, level));
		uint64_t until;

		if (r == NULL)
			continue;
		w.clean &= is_wide(level) || row_score(r, level, now) == 0;
		if (!applies(level, w.lane, wide_known))
			continue;
		if (delay_of(r, level, now) > w.delay)
			w.delay = delay_of(r, level, now);
		until = row_until(r, level, now);
		if (until == 0 || w.lane)
			continue;
		w.stop = true;
		if (until > w.until) {
			w.until = until;
			w.level = (uint8_t)level;
		}
	}
	return w;
}

/* ---- success ---- */

/* To an account and, of what its network was charged for it, to that. */
static void
give_back(struct guess *g, const struct guess_try *t, bool wide, uint32_t own, uint64_t now)
{
	enum guess_level at = wide ? GUESS_PAIR_WIDE : GUESS_PAIR, all = wide ? GUESS_WIDE : GUESS_HOST;
	struct guess_row *pair = row_find(g, at, t->account, network_at(t, at));
	struct guess_row *network = row_find(g, all, 0, network_at(t, all));
	uint32_t lent;

	if (pair == NULL)
		return;
	row_give_back(pair, at, own, now);
	lent = row_lent(pair, all, now);
	if (lent > own)
		lent = own;
	pair->lent -= lent;
	if (network != NULL)
		row_give_back(network, all, lent, now);
}

void
guess_passed(struct guess *g, const struct guess_try *t, uint64_t now)
{
	const struct guess_row *pair = row_look(g, GUESS_PAIR, t->account, t->place.host);
	uint32_t own = pair == NULL || t->key != 0 ? 0 : row_score(pair, GUESS_PAIR, now);

	if (t->place.host.kind == GUESS_NOWHERE)
		return;
	if (own > 0) {
		give_back(g, t, false, own, now);
		give_back(g, t, true, own, now);
	}
	/* Each login would be a change else, and each change a file written. */
	if (own > 0 || !is_known(g, t, t->place.host, now + GUESS_LANE_MS - LANE_FRESH_MS))
		g->changes++;
	lane_note(g, owner_of(t), t->place.host, now);
	lane_note(g, owner_of(t), t->place.wide, now);
}

/* ---- failure ---- */

static struct guess_spray *
spray_of(struct guess *g, uint32_t secret)
{
	struct guess_spray *set = &g->spray[secret % GUESS_SPRAY_SETS * GUESS_SPRAY_WAYS], *least = &set[0];

	for (unsigned i = 0; i < GUESS_SPRAY_WAYS; i++) {
		if (set[i].last != 0 && set[i].secret == secret)
			return &set[i];
		if (set[i].accounts < least->accounts || (set[i].accounts == least->accounts && set[i].last < least->last))
			least = &set[i];
	}
	*least = (struct guess_spray){ .secret = secret };
	return least;
}

static bool
spray_has(const struct guess_spray *s, uint64_t account)
{
	for (unsigned i = 0; i < GUESS_MARKS && i < s->accounts; i++)
		if (s->account[i] == (uint16_t)account)
			return true;
	return false;
}

/* Another account for this secret. True: it is a spray, and at once when that was just found out. */
static bool
is_spray(struct guess *g, const struct guess_try *t, uint64_t now, bool *at_once)
{
	struct guess_spray *s = spray_of(g, (uint32_t)(t->secret >> 32));

	if (now > s->last && now - s->last > GUESS_SPRAY_MS)
		*s = (struct guess_spray){ .secret = s->secret };
	s->last = now;
	if (!spray_has(s, t->account)) {
		s->account[s->turn] = (uint16_t)t->account;
		s->turn = (uint8_t)((s->turn + 1) % GUESS_MARKS);
		s->accounts += s->accounts < UINT8_MAX;
		*at_once = s->accounts == GUESS_SPRAY_ACCOUNTS;
	}
	return s->accounts >= GUESS_SPRAY_ACCOUNTS;
}

static void
count(struct guess_row *r, uint64_t now)
{
	r->last = now;
	if (r->failures < UINT32_MAX)
		r->failures++;
}

/* Was it tried there already? SCRAM's have one mark for all, and it is good for one failure in a while. */
static bool
is_repeat(const struct guess_row *pair, const struct guess_try *t, uint64_t now)
{
	if (!row_has_mark(pair, t->secret))
		return false;
	return !t->unseen || (now > pair->last && now - pair->last >= GUESS_UNSEEN_MS);
}

/* The account there, and with it all accounts there unless its owner is known there: what he mistypes at home must not close the
 * door to his family. True: it was a repeat. */
static bool
charge(struct guess *g, const struct guess_try *t, bool wide, bool known, uint32_t cost, uint64_t now)
{
	enum guess_level at = wide ? GUESS_PAIR_WIDE : GUESS_PAIR, all = wide ? GUESS_WIDE : GUESS_HOST;
	struct guess_row *pair = row_take(g, at, t->account, network_at(t, at), now);
	struct guess_row *network = known ? NULL : row_take(g, all, 0, network_at(t, all), now);
	bool repeat = is_repeat(pair, t, now);

	pair->lent = row_lent(pair, all, now);
	if (!repeat && !row_has_mark(pair, t->secret))
		row_mark(pair, t->secret);
	if (!repeat)
		(void)row_charge(pair, at, 1, now);
	if (!repeat && network != NULL)
		pair->lent += row_charge(network, all, cost, now);
	count(pair, now);
	if (network != NULL)
		count(network, now);
	return repeat;
}

struct guess_charge
guess_failed(struct guess *g, const struct guess_try *t, uint64_t now)
{
	struct guess_charge c = { .repeat = false };
	const struct guess_row *pair;
	bool known = is_known(g, t, t->place.host, now);
	uint32_t cost = 1;

	if (t->place.host.kind == GUESS_NOWHERE)
		return c;
	pair = row_look(g, GUESS_PAIR, t->account, t->place.host);
	if (!t->unseen && (pair == NULL || !is_repeat(pair, t, now)) && is_spray(g, t, now, &c.spray))
		cost = GUESS_SPRAY_COST;
	g->changes++;
	c.repeat = charge(g, t, false, known, cost, now);
	(void)charge(g, t, true, known, cost, now);
	c.stop = guess_ask(g, t, now).stop;
	return c;
}
