#include "people.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS UINT64_C(86400000)

/* ---- chance ---- */

/* splitmix64 */
uint64_t
dice_roll(struct dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t
dice_below(struct dice *d, uint32_t n)
{
	return (uint32_t)((dice_roll(d) >> 32) * n >> 32);
}

static double
unit(struct dice *d)
{
	return ((double)(dice_roll(d) >> 11) + 0.5) / 9007199254740992.0;
}

bool
dice_hit(struct dice *d, double chance)
{
	return unit(d) < chance;
}

static double
normal(struct dice *d)
{
	/* One after the other, here and below: compilers do not agree which operand comes first. */
	double distance = sqrt(-2 * log(unit(d))), turn = unit(d);

	return distance * cos(6.283185307179586 * turn);
}

static double
lognormal(struct dice *d, double median, double sigma)
{
	return median * exp(sigma * normal(d));
}

uint64_t
dice_network(struct dice *d)
{
	/* Some network of 1.0.0.0 to 223.255.255.0. */
	uint32_t first = 1 + dice_below(d, 223), rest = dice_below(d, 65536);

	return UINT64_C(4) << 56 | (uint64_t)(first << 16 | rest) << 24;
}

/* ---- persons ---- */

static const struct { const char *name; double share, rate, between; } kinds[KINDS] = {
	[KIND_OFFICE] = { "office", 0.46, 14, 0.6 }, [KIND_HOME] = { "home", 0.20, 3, 0.7 }, [KIND_PHONE] = { "phone", 0.10, 4, 0.6 },
	[KIND_CLUB] = { "club", 0.04, 3, 0.7 }, [KIND_KEY] = { "key", 0.10, 0, 0 }, [KIND_DEVICE] = { "device", 0.06, 3, 0.5 },
	[KIND_NOMAD] = { "nomad", 0.04, 10, 0.5 },
};

const char *
kind_name(enum kind k)
{
	return kinds[k].name;
}

static enum kind
some_kind(struct dice *d)
{
	double at = unit(d);

	for (enum kind k = 0; k < KINDS; k++)
		if ((at -= kinds[k].share) < 0)
			return k;
	return KIND_OFFICE;
}

/* Programs: many give a literal, some the name of the machine. */
static uint32_t
some_client(struct dice *d)
{
	return dice_hit(d, 0.5) ? origin_client(SPAN("[192.168.1.17]"), 1) : (uint32_t)dice_roll(d) | 1;
}

static struct origin
some_place(struct dice *d, uint16_t country)
{
	struct origin o = { .country = country };

	o.network = dice_network(d);
	o.client = some_client(d);
	return o;
}

/* A provider's networks lie in a few blocks. */
static void
some_pool(struct dice *d, uint64_t *list, size_t n)
{
	uint64_t block[BLOCKS];

	for (size_t i = 0; i < BLOCKS; i++)
		block[i] = dice_network(d) & ~(UINT64_C(0xff) << 24);
	for (size_t i = 0; i < n; i++) {
		uint64_t in = block[dice_below(d, BLOCKS)];

		list[i] = in | (uint64_t)dice_below(d, 256) << 24;
	}
}

void
person_init(struct person *p, struct dice *d, uint32_t born)
{
	uint16_t at_home = 'D' << 8 | 'E';
	double luck;

	memset(p, 0, sizeof *p);
	p->kind = some_kind(d);
	p->born = born;
	p->rate = lognormal(d, kinds[p->kind].rate, kinds[p->kind].between);
	p->office = some_place(d, at_home);
	p->home = some_place(d, at_home);
	p->phone = some_place(d, at_home);
	p->home.client = p->office.client;      /* the same laptop */
	p->away = p->home;
	some_pool(d, p->provider, PROVIDER_NETWORKS);
	some_pool(d, p->pool, POOL_NETWORKS);
	luck = unit(d);
	p->home_lasts = p->kind == KIND_KEY ? 0 : luck < 0.75 ? 0 : luck < 0.9 ? 30 : 1;
	p->trip_every = dice_hit(d, 0.1) ? 14 : 60;
	if (p->kind == KIND_KEY) {
		p->rate = exp(log(5) + unit(d) * log(20000.0 / 5));
		p->limit = p->rate > 60 ? (uint32_t)(4 * p->rate) : 0;
	}
}

/* ---- a day ---- */

struct day {
	struct person *p;
	struct dice *d;
	struct message *list;
	size_t n;
	uint64_t begin;
};

static uint32_t
some_rcpts(struct dice *d)
{
	double at = unit(d);

	return at < 0.70 ? 1 : at < 0.92 ? 2 + dice_below(d, 3) : at < 0.99 ? 5 + dice_below(d, 11) : 16 + dice_below(d, 45);
}

static void
put(struct day *y, uint64_t at, struct origin from, uint32_t rcpts)
{
	if (y->n < MESSAGES_MAX)
		y->list[y->n++] = (struct message){ y->begin + at % DAY_MS, from, rcpts };
}

/* Between seven and 21, mostly. */
static uint64_t
some_time(struct dice *d)
{
	return dice_hit(d, 0.95) ? (uint64_t)((7 + 14 * unit(d)) * 3600000) : (uint64_t)(unit(d) * 86400000);
}

static struct origin
by_phone(struct day *y)
{
	struct origin o = y->p->phone;

	if (dice_hit(y->d, 0.33))
		y->p->phone.network = y->p->provider[dice_below(y->d, PROVIDER_NETWORKS)];
	if (y->p->trip_left > 0)
		o.country = y->p->away.country;
	return o;
}

static void
some_messages(struct day *y, double median, struct origin from, double phone)
{
	double many = lognormal(y->d, median, 0.45);

	for (unsigned i = 0; i < (unsigned)(many + 0.5); i++) {
		uint64_t at = some_time(y->d);
		struct origin o = dice_hit(y->d, phone) ? by_phone(y) : from;

		put(y, at, o, some_rcpts(y->d));
	}
}

/* So many within half an hour, one by one or some at a time. */
static void
burst(struct day *y, uint32_t rcpts, struct origin from)
{
	uint32_t piece = dice_hit(y->d, 0.4) ? 1 : dice_hit(y->d, 0.5) ? 100 : 10 + dice_below(y->d, 40);
	uint64_t at = some_time(y->d);

	for (uint32_t left = rcpts, n; left > 0; left -= n) {
		n = left < piece ? left : piece;
		put(y, at + (uint64_t)(unit(y->d) * 1800000), from, n);
	}
}

static void
home_moves(struct day *y, uint32_t day)
{
	struct person *p = y->p;

	if (p->home_lasts > 0 && (day - p->born) % p->home_lasts == p->home_lasts - 1)
		p->home.network = p->pool[dice_below(y->d, POOL_NETWORKS)];
	else if (dice_hit(y->d, 1.0 / 1000))
		p->home.network = dice_network(y->d);
}

static void
office_day(struct day *y, uint32_t day)
{
	struct person *p = y->p;
	bool weekend = day % 7 >= 5;

	if (p->trip_left > 0) {
		p->trip_left--;
	} else if (!weekend && dice_hit(y->d, 1.0 / p->trip_every)) {
		p->trip_left = 2 + dice_below(y->d, 4);
		p->away.network = dice_network(y->d);
		p->away.country = dice_hit(y->d, 0.3) ? (uint16_t)('A' << 8 | ('A' + dice_below(y->d, 26))) : p->home.country;
	}
	if (!dice_hit(y->d, weekend ? 0.15 : 0.95))
		return;
	some_messages(y, weekend ? p->rate / 5 : p->rate,
	    p->trip_left > 0 ? p->away : weekend || dice_hit(y->d, 0.3) ? p->home : p->office, 1.0 / 6);
}

static void
key_day(struct day *y)
{
	uint32_t many = (uint32_t)(lognormal(y->d, y->p->rate, 0.25) + 0.5);

	for (uint32_t i = 0; i < many; i++)
		put(y, (uint64_t)(unit(y->d) * 86400000), y->p->home, 1);
}

static void
nomad_day(struct day *y, uint32_t day)
{
	if (day % 7 == 0)
		y->p->away.network = dice_network(y->d);
	if (dice_hit(y->d, 0.8))
		some_messages(y, y->p->rate, y->p->away, 0.2);
}

static void
device_day(struct day *y)
{
	uint32_t many = dice_hit(y->d, 0.01) ? 50 + dice_below(y->d, 151) : (uint32_t)lognormal(y->d, y->p->rate, 0.5);

	for (uint32_t i = 0; i < many; i++)
		put(y, (uint64_t)(unit(y->d) * 86400000), y->p->office, 1);
}

static int
by_time(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

size_t
person_day(struct person *p, struct dice *d, uint32_t day, struct message *list)
{
	struct day y = { p, d, list, 0, day * DAY_MS };

	home_moves(&y, day);
	switch (p->kind) {
	case KIND_OFFICE: office_day(&y, day); break;
	case KIND_KEY: key_day(&y); break;
	case KIND_DEVICE: device_day(&y); break;
	case KIND_NOMAD: nomad_day(&y, day); break;
	default:
		if (dice_hit(d, p->kind == KIND_PHONE ? 0.8 : 0.6))
			some_messages(&y, p->rate, p->home, p->kind == KIND_PHONE ? 0.5 : 0.2);
	}
	if (p->kind == KIND_CLUB && (day - p->born) % 30 == p->born % 30) {
		double many = 300 + 60 * normal(d);

		burst(&y, many < 50 ? 50 : many > 450 ? 450 : (uint32_t)many, p->home);
	}
	if (p->kind != KIND_KEY && p->kind != KIND_DEVICE && p->trip_left == 0 && y.n > 0 && dice_hit(d, 1.0 / 400))
		burst(&y, 60 + dice_below(d, 191), p->kind == KIND_OFFICE ? p->office : p->kind == KIND_NOMAD ? p->away : p->home);
	qsort(list, y.n, sizeof list[0], by_time);
	return y.n;
}
