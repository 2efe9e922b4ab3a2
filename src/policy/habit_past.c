#include <string.h>

#include "policy/habit_parts.h"

enum { FADE = 64 /* a peak loses a 64th each day */, MEAN_OF = 20 /* days that the usual is made of */ };

/* ---- places ---- */

const struct habit_place *
habit_place_of(const struct habit_place *list, size_t n, uint64_t what)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].what == what && what != 0)
			return &list[i];
	return NULL;
}

/* Which one gives way: a free one, else of those that are not home the one unused for longest, else of all. */
static struct habit_place *
least_missed(struct habit_place *list, size_t n)
{
	struct habit_place *least = &list[0];

	for (size_t i = 0; i < n; i++) {
		if (list[i].what == 0)
			return &list[i];
		if (list[i].home < least->home || (list[i].home == least->home && list[i].last < least->last))
			least = &list[i];
	}
	return least;
}

/* Where a principal began is where it lives, if it stays there; elsewhere it takes longer to become at home. */
static void
place_look(const struct habit *h, struct habit_place *p)
{
	bool founding = p->first - h->born < HABIT_FOUNDING;
	uint32_t age = founding ? HABIT_FOUNDING_AGE : HABIT_HOME_AGE, uses = founding ? HABIT_FOUNDING_USES : HABIT_HOME_USES;

	if (p->uses >= uses && h->day - p->first >= age && p->uses * HABIT_HOME_SHARE >= h->active - p->active_before)
		p->home = 1;
}

static struct habit_place *
place_use(struct habit *h, struct habit_place *list, size_t n, uint64_t what)
{
	struct habit_place *p = (struct habit_place *)(uintptr_t)habit_place_of(list, n, what);

	if (what == 0)
		return NULL;
	if (p == NULL) {
		p = least_missed(list, n);
		*p = (struct habit_place){ .what = what, .first = h->day, .active_before = h->active };
	}
	if (p->last != h->day)
		p->uses++;
	p->last = h->day;
	place_look(h, p);
	return p;
}

/* What was used lately was used by the one whose network it is. */
static void
places_adopt(struct habit_place *list, size_t n, uint32_t day)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].what != 0 && list[i].last + 1 >= day)
			list[i].home = 1;
}

void
habit_make_home(struct habit *h, uint64_t network)
{
	place_use(h, h->network, HABIT_NETWORKS, network)->home = 1;
	place_use(h, h->region, HABIT_REGIONS, origin_region(network))->home = 1;
	places_adopt(h->client, HABIT_CLIENTS, h->day);
	places_adopt(h->country, HABIT_COUNTRIES, h->day);
}

uint16_t
habit_usual_country(const struct habit *h)
{
	const struct habit_place *most = NULL;

	for (size_t i = 0; i < HABIT_COUNTRIES; i++)
		if (h->country[i].home && (most == NULL || h->country[i].uses > most->uses))
			most = &h->country[i];
	return most == NULL ? 0 : (uint16_t)most->what;
}

static void
places_forget(struct habit_place *list, size_t n, uint32_t day)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].what != 0 && day - list[i].last > HABIT_HOME_KEPT)
			list[i] = (struct habit_place){ 0 };
}

bool
habit_settled(const struct habit *h)
{
	bool any = false;

	for (size_t i = 0; i < HABIT_NETWORKS; i++)
		any |= h->network[i].home != 0;
	for (size_t i = 0; i < HABIT_REGIONS; i++)
		any |= h->region[i].home != 0;
	return any;
}

/* ---- strange networks of a day ---- */

void
habit_note_strange(struct habit *h, uint64_t network)
{
	uint64_t mixed = network * UINT64_C(0x9e3779b97f4a7c15);
	unsigned bit = (unsigned)(mixed >> 56);

	h->sketch[bit / 8] |= (uint8_t)(1u << bit % 8);
	h->recent = network;
}

uint32_t
habit_strange_networks(const struct habit *h)
{
	uint32_t n = 0;

	for (size_t i = 0; i < HABIT_SKETCH; i++)
		for (unsigned both = h->sketch[i] | h->sketch_before[i]; both != 0; both &= both - 1)
			n++;
	return n;
}

/* ---- days ---- */

uint32_t
habit_usual(const struct habit *h)
{
	return h->usual >> HABIT_USUAL_SHIFT;
}

/* A first mean of few days would be anything; one day of a newsletter is not usual. */
static void
close_usual(struct habit *h)
{
	uint32_t n = h->active + 1 < MEAN_OF ? h->active + 1 : MEAN_OF, usual = habit_usual(h);
	uint32_t most = 3 * (usual > HABIT_USUAL ? usual : HABIT_USUAL);
	int64_t sent = (int64_t)(h->sent < most ? h->sent : most) << HABIT_USUAL_SHIFT;

	h->usual = (uint32_t)((int64_t)h->usual + (sent - (int64_t)h->usual) / (int64_t)n);
	h->active++;
}

/* What a day may have sent from elsewhere without being missed at home. */
static uint32_t
drain_of(const struct habit *h)
{
	uint32_t usual = habit_usual(h), room;

	if (h->active < HABIT_HOME_USES && usual < HABIT_USUAL)
		usual = HABIT_USUAL;
	if (h->sent_exact <= usual / 2)
		room = HABIT_USUAL + 2 * usual;
	else
		room = HABIT_BASE + (usual + usual / 5 > h->sent_home ? usual + usual / 5 - h->sent_home : 0);
	return (room < HABIT_AWAY ? room : HABIT_AWAY) * HABIT_QUARTERS;
}

static void
drain(struct habit *h, uint32_t amount)
{
	h->bucket = h->bucket > amount ? h->bucket - amount : 0;
}

/* What is counted of a day ends; its date is another matter. */
static void
close_counts(struct habit *h)
{
	if (h->sent > 0)
		close_usual(h);
	if (h->sent_home > h->peak_day)
		h->peak_day = h->sent_home;
	drain(h, drain_of(h));
	memcpy(h->sketch_before, h->sketch, sizeof h->sketch);
	memset(h->sketch, 0, sizeof h->sketch);
	h->sent = h->sent_home = h->sent_exact = h->put_off = 0;
	h->delivered /= 2;
	h->bounced /= 2;
	h->peak_hour -= h->peak_hour / FADE;
	h->peak_day -= h->peak_day / FADE;
	/* Slow ends by itself; what is graver does not. */
	if (h->step == HABIT_SLOWED && h->bucket < (HABIT_STRANGE - HABIT_SLOW_ROOM) * HABIT_QUARTERS)
		h->step = HABIT_FREE;
}

static void
close_day(struct habit *h)
{
	close_counts(h);
	h->day++;
}

static void
close_hour(struct habit *h)
{
	uint32_t *home = &h->home[h->hour % HABIT_HOURS];

	if (*home > h->peak_hour)
		h->peak_hour = *home;
	h->hour++;
	h->home[h->hour % HABIT_HOURS] = h->strange[h->hour % HABIT_HOURS] = 0;
}

/* More than a day back, waiting would make all that time one day. Its hours begin anew, and each of their days ends what was counted; dates
 * wait, so that nothing is forgotten when the clock is only not set yet. */
static void
go_back(struct habit *h, uint32_t hour, uint64_t now_ms)
{
	memset(h->home, 0, sizeof h->home);
	memset(h->strange, 0, sizeof h->strange);
	h->hour = hour;
	if (h->free_at > now_ms + HABIT_DELAY_MS)
		h->free_at = 0;
}

/* A clock that was set back is waited for. After a year of silence there is nothing left to close. */
void
habit_advance(struct habit *h, uint64_t now_ms)
{
	uint32_t hour = (uint32_t)(now_ms / HABIT_HOUR_MS), day = hour / HABIT_DAY_HOURS;

	if (h->day == 0 || day > h->day + 400) {
		h->hour = hour;
		h->day = h->born = day;
		memset(h->home, 0, sizeof h->home);
		memset(h->strange, 0, sizeof h->strange);
		h->bucket = h->peak_hour = h->peak_day = 0;
	}
	if (h->hour > hour + HABIT_DAY_HOURS)
		go_back(h, hour, now_ms);
	if (day < h->day && h->hour / HABIT_DAY_HOURS < day)
		close_counts(h);
	for (int i = 0; i < HABIT_HOURS && h->hour < hour; i++)
		close_hour(h);
	if (h->hour < hour)
		h->hour = hour;
	while (h->day < day)
		close_day(h);
	places_forget(h->network, HABIT_NETWORKS, h->day);
	places_forget(h->region, HABIT_REGIONS, h->day);
	places_forget(h->client, HABIT_CLIENTS, h->day);
	places_forget(h->country, HABIT_COUNTRIES, h->day);
}

/* A program, a country becomes one's own by being used from home, too. */
static void
use_at_home(struct habit *h, const struct habit_view *v, struct habit_place *list, size_t n, uint64_t what)
{
	struct habit_place *p = place_use(h, list, n, what);

	if (p != NULL && v->home)
		p->home = 1;
}

void
habit_note_sent(struct habit *h, const struct habit_view *v)
{
	uint32_t at = h->hour % HABIT_HOURS;

	(void)place_use(h, h->network, HABIT_NETWORKS, v->origin->network);
	(void)place_use(h, h->region, HABIT_REGIONS, origin_region(v->origin->network));
	use_at_home(h, v, h->client, HABIT_CLIENTS, v->origin->client);
	use_at_home(h, v, h->country, HABIT_COUNTRIES, v->origin->country);
	h->sent += v->rcpts;
	if (v->home) {
		h->sent_home += v->rcpts;
		h->sent_exact += v->exact ? v->rcpts : 0;
		h->home[at] += v->rcpts;
		return;
	}
	h->strange[at] += v->rcpts * v->weight;
	h->bucket += v->rcpts * v->weight;
	h->raw += v->rcpts;
}
