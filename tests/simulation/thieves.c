#include "thieves.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum { NETWORKS_MAX = 500 };

const struct style styles[] = {
	{ "one by one, one a second", 1, 1, SECOND, HOUR, false, false, true, false },
	{ "one by one, as the owner's program", 1, 1, SECOND, HOUR, true, false, true, false },
	{ "100 recipients a message", 100, 1, 10 * SECOND, HOUR, true, false, true, false },
	{ "99 recipients a message", 99, 1, 10 * SECOND, HOUR, true, false, true, false },
	{ "50 recipients a message", 50, 1, 10 * SECOND, HOUR, true, false, true, false },
	{ "1 to 40 recipients a message", 0, 1, 20 * SECOND, HOUR, true, false, true, false },
	{ "drip over an hour", 1, 1, 30 * SECOND, HOUR, true, false, true, false },
	{ "drip over an hour, five at a time", 5, 1, 2 * MINUTE, HOUR, true, false, true, false },
	{ "drip over four hours", 1, 1, MINUTE, 4 * HOUR, false, false, true, false },
	{ "drip over a day", 1, 1, 5 * MINUTE, DAY, false, false, true, false },
	{ "three an hour over a day", 3, 1, HOUR, DAY, true, false, true, false },
	{ "ten networks", 5, 10, 15 * SECOND, HOUR, true, false, true, false },
	{ "botnet of 500, fast", 1, 500, SECOND / 5, HOUR, false, false, true, false },
	{ "botnet of 500, as the owner's program", 1, 500, SECOND / 5, HOUR, true, false, true, false },
	{ "botnet of 500, over a day", 1, 500, 2 * MINUTE, DAY, true, false, true, false },
	{ "botnet of 500, 100 recipients each", 100, 500, SECOND, HOUR, true, false, true, false },
	{ "fifty at once from 50 networks", 1, 50, 1, MINUTE, true, false, true, false },
	/* Beyond the promise: he has days, and looks like the owner on a journey. */
	{ "drip over a day, as the owner's program", 1, 1, 5 * MINUTE, DAY, true, false, false, false },
	{ "drip over a week, as the owner's program", 1, 1, 10 * MINUTE, 7 * DAY, true, false, false, false },
	{ "drip over a week, another program", 1, 1, 10 * MINUTE, 7 * DAY, false, false, false, false },
	{ "over a week, below 80 in any 24 hours", 1, 1, MINUTE, 7 * DAY, false, true, false, false },
	{ "in the owner's provider's block, same program", 1, 1, SECOND, HOUR, true, false, false, true },
};
const size_t style_count = sizeof styles / sizeof styles[0];

struct thief {
	const struct style *s;
	struct dice *d;
	struct origin place[NETWORKS_MAX];
	uint64_t begin;
	uint32_t today, day;            /* of the careful */
};

/* By chance one thief in 7,000 is in a block of the owner's provider; he is a style of his own. */
static bool
lives_there(const struct person *p, uint64_t network)
{
	for (size_t i = 0; i < HABIT_REGIONS; i++)
		if (p->habit.region[i].what == origin_region(network))
			return true;
	return false;
}

static void
prepare(struct thief *t, const struct person *owner)
{
	for (uint32_t i = 0; i < t->s->networks; i++) {
		do
			t->place[i].network = dice_network(t->d);
		while (lives_there(owner, t->place[i].network));
		if (t->s->neighbour)
			t->place[i].network = origin_region(owner->home.network) | (uint64_t)dice_below(t->d, 256) << 24;
		t->place[i].client = t->s->mimic ? owner->home.client : (uint32_t)dice_roll(t->d) | 1;
		t->place[i].country = t->s->mimic ? owner->home.country : 'X' << 8 | 'Y';
	}
}

static bool
is_out(struct habit_verdict v)
{
	return v.answer == HABIT_OK || (v.answer == HABIT_SLOW && v.delay > 0);
}

/* The thief's next message. False: he waits. */
static void
strike(struct thief *t, struct habit *h, const struct habit_limits *l, uint64_t at, uint32_t n, struct loot *loot)
{
	uint32_t rcpts = t->s->rcpts > 0 ? t->s->rcpts : 1 + dice_below(t->d, 40), day = (uint32_t)((at - t->begin) / (25 * HOUR));
	const struct origin *from = &t->place[n % t->s->networks];
	struct habit_verdict v;

	if (day != t->day)
		t->today = 0;
	t->day = day;
	if (t->s->careful && t->today + rcpts > 80)
		return;
	(void)habit_login(h, from, at);
	v = habit_spend(h, from, l, rcpts, at);
	t->today += rcpts;
	if (is_out(v))
		loot->out += rcpts;
	else if (v.answer >= HABIT_HOLD)
		loot->held += rcpts;
	loot->stopped |= v.answer >= HABIT_HOLD;
}

/* The owner goes on meanwhile, as he would. */
struct loot
thief_run(const struct style *s, const struct person *owner, struct dice *d, uint32_t day, const struct habit_limits *limits)
{
	static struct message list[MESSAGES_MAX];
	struct person p = *owner;
	struct thief t = { .s = s, .d = d, .begin = day * DAY + dice_below(d, (uint32_t)DAY) };
	struct loot loot = { 0 };
	struct habit_limits l = *limits;
	uint64_t at = t.begin;
	uint32_t n = 0;

	l.own = p.limit;
	prepare(&t, owner);
	for (uint32_t today = day; at < t.begin + s->lasts; today++) {
		size_t messages = p.kind == KIND_KEY && p.rate > 2000 ? 0 : person_day(&p, d, today, list), i = 0;

		for (; at < t.begin + s->lasts && at < (today + 1) * DAY; at += s->every) {
			for (; i < messages && list[i].at <= at; i++) {
				struct habit_verdict v = habit_spend(&p.habit, &list[i].from, &l, list[i].rcpts, list[i].at);

				loot.owner_disturbed += loot.stopped && habit_is_home(&p.habit, list[i].from.network) && !is_out(v);
			}
			strike(&t, &p.habit, &l, at, n++, &loot);
		}
	}
	return loot;
}
