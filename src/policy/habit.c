#include "policy/habit.h"

#include <string.h>

#include "policy/habit_parts.h"

static void
step_enter(struct habit *h, enum habit_step step, bool all, uint64_t now)
{
	h->step = step;
	h->all = all;
	h->since = now;
	h->held = 0;
}

static struct habit_verdict
verdict(const struct habit *h, enum habit_answer answer, bool news)
{
	return (struct habit_verdict){ answer, 0, news, { h->words, h->words_len } };
}

static struct habit_verdict
fine(void)
{
	return (struct habit_verdict){ HABIT_OK, 0, false, { NULL, 0 } };
}

static struct habit_verdict
hold(struct habit *h, bool all, const struct habit_view *v)
{
	step_enter(h, HABIT_HELD, all, v->now);
	h->held = v->rcpts;
	return verdict(h, HABIT_HOLD, true);
}

/* ---- what is known about the one who asks ---- */

static bool
known(const struct habit_place *list, size_t n, uint64_t what)
{
	const struct habit_place *p = habit_place_of(list, n, what);

	return p != NULL && p->home;
}

bool
habit_is_home(const struct habit *h, uint64_t network)
{
	return known(h->network, HABIT_NETWORKS, network);
}

/* Who comes from nowhere that has a name (a proxy that does not say for whom it asks) is measured as one from home is. */
static bool
from_home(const struct habit *h, uint64_t network)
{
	return network == ORIGIN_UNKNOWN || origin_is_here(network) || habit_is_home(h, network);
}

static bool
bounces(const struct habit *h, uint32_t least, uint32_t parts, uint32_t of)
{
	return h->bounced >= least && (uint64_t)h->bounced * of >= ((uint64_t)h->bounced + h->delivered) * parts;
}

static void
weigh(struct habit_view *v)
{
	v->weight = HABIT_QUARTERS + (v->new_client ? 2 : 0) + (v->new_country ? 2 : 0);
	if (v->many)
		v->weight *= 2;
	if (v->bouncing)
		v->weight *= 2;
}

static struct habit_view
look(const struct habit *h, const struct origin *o, uint64_t now)
{
	bool settled = habit_settled(h), many = habit_strange_networks(h) > HABIT_MANY;
	const struct habit_place *client = habit_place_of(h->client, HABIT_CLIENTS, o->client);
	struct habit_view v = {
		.origin = o,
		.now = now,
		.home = from_home(h, o->network),
		.exact = from_home(h, o->network),
		.old_client = client != NULL && (client->home || (!settled && client->uses >= HABIT_FOUNDING_USES)),
		.new_network = habit_place_of(h->network, HABIT_NETWORKS, o->network) == NULL,
		.new_client = settled && !known(h->client, HABIT_CLIENTS, o->client),
		/* As long as no country is known at all, a database is new and not the country. */
		.new_country = settled && o->country != 0 && habit_usual_country(h) != 0
		    && !known(h->country, HABIT_COUNTRIES, o->country),
		.many = many,
		.bouncing = bounces(h, HABIT_BOUNCES, 2, 5),
	};

	v.home |= !many && h->step < HABIT_HELD && client != NULL && client->home && known(h->region, HABIT_REGIONS, origin_region(o->network));
	weigh(&v);
	return v;
}

/* ---- strange networks ---- */

static uint32_t
strange_sum(const struct habit *h)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < HABIT_HOURS; i++)
		sum += h->strange[i];
	return sum;
}

static struct habit_verdict
slow(struct habit *h, const struct habit_view *v)
{
	struct habit_verdict out = verdict(h, HABIT_SLOW, h->step == HABIT_FREE);

	if (h->step == HABIT_FREE)
		step_enter(h, HABIT_SLOWED, false, v->now);
	if (v->now < h->free_at)
		return out;             /* one at a time */
	h->free_at = v->now + HABIT_DELAY_MS;
	out.delay = HABIT_DELAY_MS;
	habit_note_sent(h, v);
	return out;
}

/*
 * The owner on a journey: nothing comes from home today, the program is one of the owner's, the networks are few, and the pace is a
 * person's. Somebody who must look like that has no use for a stolen password.
 */
static uint32_t
budget(const struct habit *h, const struct habit_view *v)
{
	uint32_t pace = h->strange[h->hour % HABIT_HOURS] + h->strange[(h->hour + HABIT_HOURS - 1) % HABIT_HOURS];
	uint32_t away = HABIT_AWAY_TIMES * habit_usual(h) + HABIT_AWAY_MORE;

	if (!v->old_client || h->sent_exact > habit_usual(h) / 2 || v->rcpts > HABIT_AWAY_RCPTS
	    || pace + v->rcpts * v->weight > HABIT_AWAY_PACE * HABIT_QUARTERS
	    || habit_strange_networks(h) > HABIT_AWAY_NETWORKS || away < HABIT_STRANGE)
		return HABIT_STRANGE;
	return away < HABIT_AWAY ? away : HABIT_AWAY;
}

static struct habit_verdict
spend_strange(struct habit *h, const struct habit_view *v)
{
	uint32_t sum = strange_sum(h), most = sum > h->bucket ? sum : h->bucket, allowed = budget(h, v);

	if (sum == 0) {
		h->strange_since = v->now;
		h->raw = 0;
	}
	if (habit_strange_networks(h) > HABIT_TOO_MANY) {
		habit_say_networks(h, v);
		return hold(h, false, v);
	}
	most += v->rcpts * v->weight;
	if (most > (allowed - HABIT_SLOW_ROOM) * HABIT_QUARTERS)
		habit_say_strange(h, v);
	if (most > allowed * HABIT_QUARTERS)
		return hold(h, false, v);
	if (most > (allowed - HABIT_SLOW_ROOM) * HABIT_QUARTERS)
		return slow(h, v);
	habit_note_sent(h, v);
	return fine();
}

/* ---- home ---- */

static uint32_t
allowance(uint32_t floor, uint32_t peak, uint32_t times, uint32_t ceiling, uint32_t own)
{
	uint32_t grown = peak > UINT32_MAX / times ? UINT32_MAX : peak * times;

	if (own > 0)
		return own;
	grown = grown > floor ? grown : floor;
	return grown < ceiling ? grown : ceiling;
}

static struct habit_verdict
put_off(struct habit *h, const struct habit_view *v, uint32_t sum, uint32_t allowed, const char *unit)
{
	struct habit_verdict out;

	habit_say_home(h, v, sum, allowed, unit);
	if (v->rcpts > UINT32_MAX / 4 - h->put_off || h->put_off + v->rcpts > allowed)
		return hold(h, true, v);
	h->put_off += v->rcpts;
	out = verdict(h, HABIT_SLOW, h->step == HABIT_FREE);
	if (h->step == HABIT_FREE)
		step_enter(h, HABIT_SLOWED, false, v->now);
	return out;
}

static struct habit_verdict
spend_home(struct habit *h, const struct habit_view *v)
{
	const struct habit_limits *l = v->limits;
	uint32_t hour = h->home[h->hour % HABIT_HOURS] + h->home[(h->hour + HABIT_HOURS - 1) % HABIT_HOURS];
	uint32_t peak_hour = h->peak_hour, peak_day = h->peak_day;
	uint32_t hour_most = allowance(HABIT_HOUR, peak_hour, HABIT_HOUR_TIMES, l->hour, l->own);
	uint32_t day_most = allowance(HABIT_DAY, peak_day, HABIT_DAY_TIMES, l->day, l->own);

	if (bounces(h, HABIT_BOUNCES_HOME, 2, 3)) {
		habit_say_bounces(h);
		return hold(h, true, v);
	}
	if (v->rcpts > hour_most || hour > hour_most - v->rcpts)
		return put_off(h, v, hour, hour_most, "an hour");
	if (v->rcpts > day_most || h->sent_home > day_most - v->rcpts)
		return put_off(h, v, h->sent_home, day_most, "a day");
	habit_note_sent(h, v);
	return fine();
}

/* ---- the doors ---- */

/* Held already: more of it is counted, and locks in the end. */
static struct habit_verdict
spend_held(struct habit *h, const struct habit_view *v)
{
	if (h->step == HABIT_LOCKED)
		return verdict(h, HABIT_LOCK, false);
	h->held = h->held < HABIT_RCPTS_MAX ? h->held + v->rcpts : h->held;
	if (h->held <= HABIT_HELD_MAX)
		return verdict(h, HABIT_HOLD, false);
	habit_say_lock(h, v);
	step_enter(h, HABIT_LOCKED, h->all != 0, v->now);
	return verdict(h, HABIT_LOCK, true);
}

struct habit_verdict
habit_spend(struct habit *h, const struct origin *o, const struct habit_limits *limits, uint32_t rcpts, uint64_t now_ms)
{
	struct habit_view v;

	if (origin_is_here(o->network))
		return fine();
	habit_advance(h, now_ms);
	v = look(h, o, now_ms);
	if (!v.home)
		habit_note_strange(h, o->network);
	v.limits = limits;
	v.rcpts = rcpts < HABIT_RCPTS_MAX ? rcpts : HABIT_RCPTS_MAX;
	if (h->step >= HABIT_HELD && (h->all || !v.home))
		return spend_held(h, &v);
	return v.home ? spend_home(h, &v) : spend_strange(h, &v);
}

struct habit_verdict
habit_login(struct habit *h, const struct origin *o, uint64_t now_ms)
{
	struct habit_view v;
	uint32_t networks;

	if (origin_is_here(o->network))
		return fine();
	habit_advance(h, now_ms);
	v = look(h, o, now_ms);
	if (h->step == HABIT_LOCKED && (h->all || !v.home))
		return verdict(h, HABIT_LOCK, false);
	if (v.home)
		return fine();
	habit_note_strange(h, o->network);
	networks = habit_strange_networks(h);
	if (networks <= HABIT_TOO_MANY || (h->step == HABIT_HELD && networks <= 2 * HABIT_TOO_MANY))
		return fine();
	habit_say_networks(h, &v);
	if (h->step < HABIT_HELD)
		return hold(h, false, &v).news ? verdict(h, HABIT_OK, true) : fine();
	step_enter(h, HABIT_LOCKED, h->all != 0, now_ms);
	return verdict(h, HABIT_LOCK, true);
}

void
habit_outcome(struct habit *h, uint32_t delivered, uint32_t bounced, uint64_t now_ms)
{
	habit_advance(h, now_ms);
	if (delivered < HABIT_RCPTS_MAX && h->delivered < HABIT_RCPTS_MAX)
		h->delivered += delivered;
	if (bounced < HABIT_RCPTS_MAX && h->bounced < HABIT_RCPTS_MAX)
		h->bounced += bounced;
}

void
habit_unlock(struct habit *h, uint64_t network, uint64_t now_ms)
{
	habit_advance(h, now_ms);
	step_enter(h, HABIT_FREE, false, now_ms);
	memset(h->strange, 0, sizeof h->strange);
	memset(h->sketch, 0, sizeof h->sketch);
	memset(h->sketch_before, 0, sizeof h->sketch_before);
	h->bucket = h->put_off = h->delivered = h->bounced = h->words_len = 0;
	h->free_at = 0;
	if (network != ORIGIN_UNKNOWN)
		habit_make_home(h, network);
}
