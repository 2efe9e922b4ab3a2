#include "spool/once.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { FIRST = 1024, EXPIRE_STEP = 16384 };
static_assert((ONCE_MOST & (ONCE_MOST - 1)) == 0, "a number's low bits are its place");

bool
once_init(struct once *o, struct journal *j, uint64_t window)
{
	*o = (struct once){ .journal = j, .window = window };
	return getrandom(o->key, sizeof o->key, 0) == sizeof o->key;
}

void
once_fini(struct once *o)
{
	free(o->entry);
	free(o->bucket);
	o->entry = NULL;
	o->bucket = NULL;
}

void
once_configure(struct once *o, uint64_t window)
{
	o->window = window;
}

/* ---- the table ---- */
static struct once_entry *
entry_at(const struct once *o, uint32_t number)
{
	return &o->entry[number & (o->max - 1)];
}

/* A print is a hash already. */
static uint32_t *
bucket_of(const struct once *o, const uint8_t print[ONCE_PRINT])
{
	return &o->bucket[u64_get(print) & (o->max - 1)];
}

static void
link_entry(struct once *o, uint32_t number)
{
	uint32_t *at = bucket_of(o, entry_at(o, number)->print);

	entry_at(o, number)->next = *at;
	*at = number;
}

static void
unlink_entry(struct once *o, uint32_t number)
{
	uint32_t *at = bucket_of(o, entry_at(o, number)->print);

	while (*at != number)
		at = &entry_at(o, *at)->next;
	*at = entry_at(o, number)->next;
}

static bool
grow(struct once *o)
{
	struct once bigger = *o;

	bigger.max = o->max == 0 ? FIRST : o->max * 2;
	bigger.entry = reallocarray(NULL, bigger.max, sizeof *bigger.entry);
	bigger.bucket = reallocarray(NULL, bigger.max, sizeof *bigger.bucket);
	if (bigger.entry == NULL || bigger.bucket == NULL) {
		once_fini(&bigger);
		return false;
	}
	memset(bigger.bucket, 0xff, bigger.max * sizeof *bigger.bucket);
	for (uint32_t n = o->first; n != o->end; n++) {
		*entry_at(&bigger, n) = *entry_at(o, n);
		if (entry_at(&bigger, n)->id != 0)
			link_entry(&bigger, n);
	}
	once_fini(o);
	*o = bigger;
	return true;
}

static void
let_go(struct once *o, struct once_entry *e)
{
	if (o->held && e->segment != 0)
		segment_release(o->journal, e->segment, sizeof *e);
	e->segment = 0;
}

static void
forget(struct once *o, uint32_t number)
{
	struct once_entry *e = entry_at(o, number);

	if (e->id == 0)
		return;
	unlink_entry(o, number);
	let_go(o, e);
	e->id = 0;
}

static uint32_t
find(const struct once *o, const uint8_t print[ONCE_PRINT])
{
	uint32_t number = o->max == 0 ? ONCE_NONE : *bucket_of(o, print);

	while (number != ONCE_NONE && memcmp(entry_at(o, number)->print, print, ONCE_PRINT) != 0)
		number = entry_at(o, number)->next;
	return number;
}

static bool
is_over(const struct once *o, const struct once_entry *e, uint64_t now)
{
	return e->when < now && now - e->when >= o->window;
}

bool
once_find(const struct once *o, const uint8_t print[ONCE_PRINT], uint64_t now, uint64_t *id)
{
	uint32_t number = o->window == 0 ? ONCE_NONE : find(o, print);

	if (number == ONCE_NONE || is_over(o, entry_at(o, number), now))
		return false;
	*id = entry_at(o, number)->id;
	return true;
}

uint32_t
once_add(struct once *o, const uint8_t print[ONCE_PRINT], uint64_t id, uint64_t when, uint64_t place)
{
	uint32_t before = find(o, print);
	struct once_entry *e;

	if (id == 0)
		return ONCE_NONE;
	if (before != ONCE_NONE)
		forget(o, before);
	if (o->end - o->first == o->max && (o->max == ONCE_MOST || !grow(o))) {
		if (o->max == 0)
			return ONCE_NONE;
		forget(o, o->first++);
	}
	/* No entry has the number that means none. */
	if (o->end == ONCE_NONE)
		entry_at(o, o->end++)->id = 0;
	if (o->end - o->first == o->max)
		forget(o, o->first++);
	e = entry_at(o, o->end);
	*e = (struct once_entry){ .id = id, .when = when, .segment = (uint32_t)PLACE_SEGMENT(place) };
	memcpy(e->print, print, ONCE_PRINT);
	link_entry(o, o->end);
	if (o->held && e->segment != 0)
		segment_hold(o->journal, e->segment, sizeof *e, false);
	return o->end++;
}

void
once_forget(struct once *o, uint32_t number, uint64_t id)
{
	if (number - o->first < o->end - o->first && id != 0 && entry_at(o, number)->id == id)
		forget(o, number);
}

uint64_t
once_id(const struct once *o, uint32_t number)
{
	return entry_at(o, number)->id;
}

void
once_expire(struct once *o, uint64_t now)
{
	for (uint32_t i = 0; i < EXPIRE_STEP && o->first != o->end; i++) {
		const struct once_entry *e = entry_at(o, o->first);

		if (e->id != 0 && o->window != 0 && !is_over(o, e, now))
			return;
		forget(o, o->first++);
	}
	if (o->first == o->end && o->max > FIRST) {
		once_fini(o);
		o->max = 0;
	}
}

void
once_no_later(struct once *o, uint64_t now)
{
	for (uint32_t n = o->first; n != o->end; n++)
		if (entry_at(o, n)->when > now)
			entry_at(o, n)->when = now;
}

/* ---- the record ---- */
static void
print_put(struct buf *out, const uint8_t print[ONCE_PRINT], uint64_t id, uint64_t when)
{
	uint8_t numbers[16];

	u64_put(numbers, id);
	u64_put(numbers + 8, when);
	(void)buf_put(out, (struct span){ print, ONCE_PRINT });
	(void)buf_put(out, (struct span){ numbers, sizeof numbers });
}

static uint64_t
append(struct once *o, bool fresh, struct span prints)
{
	struct once_record r = { .fresh = fresh, .key = { o->key, sizeof o->key }, .prints = prints };

	return journal_append(o->journal, RECORD_ONCE, once_record_layout, &r, !fresh);
}

uint64_t
once_append(struct once *o, const uint8_t print[ONCE_PRINT], uint64_t id, uint64_t when)
{
	uint8_t octets[RECORD_PRINT_OCTETS];
	struct buf one = BUF_OVER(octets);

	print_put(&one, print, id, when);
	return append(o, true, buf_span(&one));
}

void
once_revoke(struct once *o, uint32_t number, uint64_t id)
{
	uint8_t octets[RECORD_PRINT_OCTETS];
	struct buf one = BUF_OVER(octets);

	if (number - o->first >= o->end - o->first || id == 0 || entry_at(o, number)->id != id)
		return;
	print_put(&one, entry_at(o, number)->print, 0, 0);
	(void)append(o, false, buf_span(&one));
	forget(o, number);
}

/* Entries [from, to) that lie in the segment are in the record at place now. What was appended holds them; only then the old place
 * is let go, so it stays on the disk until the new one is synced. */
static void
move(struct once *o, uint32_t from, uint32_t to, uint64_t segment, uint64_t place)
{
	for (uint32_t n = from; n != to; n++) {
		struct once_entry *e = entry_at(o, n);

		if (e->id == 0 || e->segment != segment)
			continue;
		segment_hold(o->journal, PLACE_SEGMENT(place), sizeof *e, false);
		let_go(o, e);
		e->segment = (uint32_t)PLACE_SEGMENT(place);
	}
}

bool
once_carry(struct once *o, uint64_t segment)
{
	static uint8_t octets[ONCE_RECORD * RECORD_PRINT_OCTETS];
	struct buf prints = BUF_OVER(octets);
	uint32_t from = o->first;

	for (uint32_t n = o->first; n != o->end; n++) {
		const struct once_entry *e = entry_at(o, n);
		uint64_t place;

		if (e->id != 0 && e->segment == segment)
			print_put(&prints, e->print, e->id, e->when);
		if (prints.len == 0 || (buf_room(&prints) > 0 && n + 1 != o->end))
			continue;
		place = append(o, false, buf_span(&prints));
		if (place == 0)
			return false;
		move(o, from, n + 1, segment, place);
		from = n + 1;
		prints.len = 0;
	}
	return true;
}

/* ---- a start ---- */
static void
key_take(struct once *o, struct span key)
{
	if (span_eq(key, (struct span){ o->key, sizeof o->key }))
		return;
	/* What was hashed with another key can never be found again. */
	while (o->first != o->end)
		forget(o, o->first++);
	memcpy(o->key, key.p, sizeof o->key);
}

void
once_recover(struct once *o, struct span payload, uint64_t place, uint64_t now, struct once_entry *fresh)
{
	struct once_record r;
	struct once_print p;
	uint32_t number;

	fresh->id = 0;
	if (!once_parse(payload, &r))
		return;
	key_take(o, r.key);
	while (once_print_take(&r.prints, &p)) {
		struct once_entry e = { .id = p.id, .when = p.when < now ? p.when : now, .segment = (uint32_t)PLACE_SEGMENT(place) };

		memcpy(e.print, p.print.p, ONCE_PRINT);
		if (e.id == 0 && (number = find(o, e.print)) != ONCE_NONE)
			forget(o, number);
		if (e.id == 0 || o->window == 0 || is_over(o, &e, now))
			continue;
		if (r.fresh)
			*fresh = e;
		else
			(void)once_add(o, e.print, e.id, e.when, place);
	}
}

void
once_recovered(struct once *o, uint64_t now)
{
	o->held = true;
	for (uint32_t n = o->first; n != o->end; n++) {
		struct once_entry *e = entry_at(o, n);

		if (e->id == 0)
			continue;
		segment_hold(o->journal, e->segment, sizeof *e, false);
		if (o->window == 0 || is_over(o, e, now))
			forget(o, n);
	}
	once_expire(o, now);
}
