#include <string.h>

#include "base/fields.h"
#include "policy/habit_parts.h"

/* One walk over the members serves both ways, so that they cannot differ. */
enum { VERSION = 1, COUNT_MAX = 1 << 28 /* beyond any limit that can be set: sums of such never wrap */ };

struct walk {
	struct buf *out;                /* formatting; else NULL */
	struct span in;
	bool good;
};

static void
walk_u32(struct walk *w, uint32_t *value)
{
	if (w->out != NULL) {
		w->good = w->good && u32_append(w->out, *value);
	} else if (w->good && w->in.len >= sizeof *value) {
		*value = u32_get(w->in.p);
		span_skip(&w->in, sizeof *value);
	} else {
		w->good = false;
	}
}

/* A number that is added to. */
static void
walk_count(struct walk *w, uint32_t *value)
{
	walk_u32(w, value);
	w->good = w->good && *value <= COUNT_MAX;
}

static void
walk_u64(struct walk *w, uint64_t *value)
{
	uint32_t low = (uint32_t)*value, high = (uint32_t)(*value >> 32);

	walk_u32(w, &low);
	walk_u32(w, &high);
	*value = (uint64_t)high << 32 | low;
}

static void
walk_octets(struct walk *w, uint8_t *p, size_t n)
{
	if (w->out != NULL) {
		w->good = w->good && buf_put(w->out, (struct span){ p, n });
	} else if (w->good && w->in.len >= n) {
		if (n > 0)
			memcpy(p, w->in.p, n);
		span_skip(&w->in, n);
	} else {
		w->good = false;
	}
}

static void
walk_numbers(struct walk *w, uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		walk_count(w, &list[i]);
}

static void
walk_places(struct walk *w, struct habit_place *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		walk_u64(w, &list[i].what);
		walk_count(w, &list[i].first);
		walk_count(w, &list[i].last);
		walk_count(w, &list[i].uses);
		walk_count(w, &list[i].active_before);
		walk_count(w, &list[i].home);
		w->good = w->good && list[i].home <= 1;
	}
}

static void
walk_counts(struct walk *w, struct habit *h)
{
	uint32_t *const counts[] = { &h->day, &h->born, &h->hour, &h->active, &h->usual, &h->sent, &h->sent_home, &h->sent_exact, &h->peak_hour, &h->peak_day,
		&h->bucket, &h->put_off, &h->held, &h->raw, &h->delivered, &h->bounced, &h->step, &h->all, &h->words_len };

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
		walk_count(w, counts[i]);
	walk_u64(w, &h->since);
	walk_u64(w, &h->strange_since);
	walk_u64(w, &h->free_at);
	walk_u64(w, &h->recent);
}

static void
walk_habit(struct walk *w, struct habit *h)
{
	uint32_t version = VERSION;

	walk_u32(w, &version);
	w->good = w->good && version == VERSION;
	walk_counts(w, h);
	w->good = w->good && h->words_len <= HABIT_WORDS_MAX && h->step <= HABIT_LOCKED && h->all <= 1;
	walk_numbers(w, h->home, HABIT_HOURS);
	walk_numbers(w, h->strange, HABIT_HOURS);
	walk_octets(w, h->sketch, HABIT_SKETCH);
	walk_octets(w, h->sketch_before, HABIT_SKETCH);
	walk_places(w, h->network, HABIT_NETWORKS);
	walk_places(w, h->region, HABIT_REGIONS);
	walk_places(w, h->client, HABIT_CLIENTS);
	walk_places(w, h->country, HABIT_COUNTRIES);
	if (w->good)
		walk_octets(w, h->words, h->words_len);
}

bool
habit_format(const struct habit *h, struct buf *out)
{
	struct walk w = { out, { NULL, 0 }, true };
	size_t before = out->len;

	/* Formatting only reads. */
	walk_habit(&w, (struct habit *)(uintptr_t)h);
	if (!w.good)
		out->len = before;
	return w.good;
}

bool
habit_parse(struct span in, struct habit *h)
{
	struct walk w = { NULL, in, true };

	memset(h, 0, sizeof *h);
	walk_habit(&w, h);
	return w.good && span_done(w.in);
}
