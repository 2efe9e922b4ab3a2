#include "policy/crowd.h"

#include <assert.h>
#include <string.h>

#define NOWHERE UINT32_MAX

struct crowd_place {
	struct crowd_network network;
	struct crowd_member *oldest, *newest;           /* strangers */
	uint32_t members, strangers;
	uint32_t next;                                  /* in the bucket, or free */
	uint32_t before, behind;                        /* in the level */
};

/* ---- memory ---- */

static uint32_t
buckets_for(uint32_t max)
{
	uint32_t n = 16;

	while (n < max)
		n *= 2;
	return n;
}

static size_t
level_octets(const struct crowd *c, uint32_t max)
{
	return ((size_t)max + 1) * sizeof c->level[0];
}

size_t
crowd_octets(uint32_t max)
{
	return max * sizeof(struct crowd_place) + level_octets(NULL, max) + buckets_for(max) * sizeof(uint32_t);
}

void
crowd_init(struct crowd *c, uint32_t max, void *memory, const uint8_t key[SIPHASH_KEY])
{
	uint8_t *p = memory;

	assert(max > 0 && max <= 1u << 20);
	memset(c, 0, sizeof *c);
	memcpy(c->key, key, SIPHASH_KEY);
	c->max = max;
	c->mask = buckets_for(max) - 1;
	c->place = (void *)p;
	c->level = (void *)(p + max * sizeof c->place[0]);
	c->bucket = (void *)(p + max * sizeof c->place[0] + level_octets(c, max));
	memset(c->level, 0xff, level_octets(c, max));
	memset(c->bucket, 0xff, ((size_t)c->mask + 1) * sizeof c->bucket[0]);
	for (uint32_t i = max; i-- > 0;) {
		c->place[i].next = i + 1 < max ? i + 1 : NOWHERE;
	}
}

/* ---- networks ---- */

struct crowd_network
crowd_network_of(struct span address)
{
	struct crowd_network n = { 0, address.len > 4, false };

	for (size_t i = 0; i < address.len && i < 8; i++)
		n.prefix = n.prefix << 8 | address.p[i];
	return n;
}

static bool
same(struct crowd_network a, struct crowd_network b)
{
	return a.prefix == b.prefix && a.six == b.six && a.many == b.many;
}

static uint32_t *
bucket_of(const struct crowd *c, struct crowd_network n)
{
	uint8_t octets[9];

	for (size_t i = 0; i < 8; i++)
		octets[i] = (uint8_t)(n.prefix >> 8 * i);
	octets[8] = (uint8_t)(n.six | n.many << 1);
	return &c->bucket[siphash(c->key, (struct span){ octets, sizeof octets }) & c->mask];
}

static uint32_t
place_find(const struct crowd *c, struct crowd_network n)
{
	uint32_t i = *bucket_of(c, n);

	while (i != NOWHERE && !same(c->place[i].network, n))
		i = c->place[i].next;
	return i;
}

/* There is always one: each place in use has a member. */
static uint32_t
place_take(struct crowd *c, struct crowd_network n)
{
	uint32_t *bucket = bucket_of(c, n), i = c->free;

	assert(i != NOWHERE);
	c->free = c->place[i].next;
	memset(&c->place[i], 0, sizeof c->place[i]);
	c->place[i].network = n;
	c->place[i].next = *bucket;
	*bucket = i;
	return i;
}

static void
place_give(struct crowd *c, uint32_t place)
{
	uint32_t *at = bucket_of(c, c->place[place].network);

	while (*at != place)
		at = &c->place[*at].next;
	*at = c->place[place].next;
	c->place[place].next = c->free;
	c->free = place;
}

/* ---- levels ---- */

static void
level_leave(struct crowd *c, uint32_t place)
{
	struct crowd_place *p = &c->place[place];

	if (p->strangers == 0)
		return;
	if (p->before != NOWHERE)
		c->place[p->before].behind = p->behind;
	else
		c->level[p->strangers].first = p->behind;
	if (p->behind != NOWHERE)
		c->place[p->behind].before = p->before;
	else
		c->level[p->strangers].last = p->before;
}

static void
level_join(struct crowd *c, uint32_t place)
{
	struct crowd_place *p = &c->place[place];

	if (p->strangers == 0)
		return;
	p->before = c->level[p->strangers].last;
	p->behind = NOWHERE;
	if (p->before != NOWHERE)
		c->place[p->before].behind = place;
	else
		c->level[p->strangers].first = place;
	c->level[p->strangers].last = place;
}

static void
level_move(struct crowd *c, uint32_t place, bool up)
{
	level_leave(c, place);
	if (up)
		c->place[place].strangers++;
	else
		c->place[place].strangers--;
	level_join(c, place);
	if (c->place[place].strangers > c->top)
		c->top++;
	else if (c->top > 0 && c->level[c->top].first == NOWHERE)
		c->top--;
}

/* ---- strangers ---- */

static void
stranger_join(struct crowd *c, struct crowd_member *m)
{
	struct crowd_place *p = &c->place[m->place];

	m->stranger = true;
	m->newer = m->newer_of_all = NULL;
	m->older = p->newest;
	m->older_of_all = c->newest;
	*(m->older != NULL ? &m->older->newer : &p->oldest) = m;
	*(m->older_of_all != NULL ? &m->older_of_all->newer_of_all : &c->oldest) = m;
	p->newest = c->newest = m;
	c->strangers++;
	level_move(c, m->place, true);
}

static void
stranger_leave(struct crowd *c, struct crowd_member *m)
{
	struct crowd_place *p = &c->place[m->place];

	if (!m->stranger)
		return;
	m->stranger = false;
	*(m->older != NULL ? &m->older->newer : &p->oldest) = m->newer;
	*(m->newer != NULL ? &m->newer->older : &p->newest) = m->older;
	*(m->older_of_all != NULL ? &m->older_of_all->newer_of_all : &c->oldest) = m->newer_of_all;
	*(m->newer_of_all != NULL ? &m->newer_of_all->older_of_all : &c->newest) = m->older_of_all;
	c->strangers--;
	level_move(c, m->place, false);
}

/* ---- the questions ---- */

static bool
older_than(const struct crowd_member *m, uint64_t now, uint64_t ms)
{
	return m != NULL && now >= m->since && now - m->since >= ms;
}

/* Who goes when one of all strangers must: where nobody is a crowd, the oldest of all. */
static struct crowd_member *
most_crowded(const struct crowd *c)
{
	return c->top > 1 ? c->place[c->level[c->top].first].oldest : c->oldest;
}

enum crowd_answer
crowd_ask(const struct crowd *c, struct crowd_network n, bool full, uint64_t now, struct crowd_member **victim)
{
	static const struct crowd_place nobody;
	uint32_t at = place_find(c, n);
	const struct crowd_place *p = at != NOWHERE ? &c->place[at] : &nobody;
	struct crowd_member *other = most_crowded(c);
	bool less_crowded = p->strangers + 1 < c->top;
	enum crowd_answer no = CROWD_WELCOME;
	bool room = false;

	*victim = other;
	if (!n.many && p->members >= c->limits.members) {
		no = CROWD_NETWORK_FULL;
	} else if (!n.many && p->strangers >= c->limits.strangers) {
		no = CROWD_NETWORK_STRANGE;
		*victim = p->oldest;
		room = older_than(p->oldest, now, CROWD_SETTLED_MS);
	} else if (full) {
		no = CROWD_FULL;
		room = less_crowded || older_than(other, now, CROWD_SETTLED_MS);
	} else if (c->strangers >= c->limits.strangers_in_all) {
		no = CROWD_STRANGE;
		room = less_crowded || older_than(other, now, CROWD_YOUNG_MS);
	}
	return room ? CROWD_MAKE_ROOM : no;
}

bool
crowd_add(struct crowd *c, struct crowd_member *m, struct crowd_network n, uint64_t now)
{
	uint32_t at = place_find(c, n);

	assert(!m->in);
	if (c->members == c->max)
		return false;
	m->place = at != NOWHERE ? at : place_take(c, n);
	m->since = now;
	m->in = true;
	c->place[m->place].members++;
	c->members++;
	stranger_join(c, m);
	return true;
}

void
crowd_prove(struct crowd *c, struct crowd_member *m)
{
	if (m->in)
		stranger_leave(c, m);
}

void
crowd_remove(struct crowd *c, struct crowd_member *m)
{
	if (!m->in)
		return;
	stranger_leave(c, m);
	m->in = false;
	c->members--;
	if (--c->place[m->place].members == 0)
		place_give(c, m->place);
}

void
crowd_count(const struct crowd *c, struct crowd_network n, uint32_t *members, uint32_t *strangers)
{
	uint32_t at = place_find(c, n);

	*members = at != NOWHERE ? c->place[at].members : 0;
	*strangers = at != NOWHERE ? c->place[at].strangers : 0;
}

/* ---- what must be true ---- */

static uint32_t
check_place(const struct crowd *c, uint32_t place)
{
	const struct crowd_place *p = &c->place[place];
	uint32_t n = 0;

	for (const struct crowd_member *m = p->oldest; m != NULL; m = m->newer, n++)
		assert(m->in && m->stranger && m->place == place && (m->newer != NULL || p->newest == m));
	assert(n == p->strangers && n <= p->members && n <= c->top);
	return n;
}

void
crowd_check(const struct crowd *c)
{
	uint32_t members = 0, strangers = 0, listed = 0, levelled = 0;

	for (uint32_t b = 0; b <= c->mask; b++)
		for (uint32_t i = c->bucket[b]; i != NOWHERE; i = c->place[i].next) {
			assert(c->place[i].members > 0);
			members += c->place[i].members;
			strangers += check_place(c, i);
		}
	for (const struct crowd_member *m = c->oldest; m != NULL; m = m->newer_of_all)
		listed++;
	for (uint32_t l = 1; l <= c->max; l++)
		for (uint32_t i = c->level[l].first; i != NOWHERE; i = c->place[i].behind) {
			assert(c->place[i].strangers == l);
			levelled += l;
		}
	assert(members == c->members && strangers == c->strangers && listed == strangers && levelled == strangers);
	assert(c->top == 0 || c->level[c->top].first != NOWHERE);
}
