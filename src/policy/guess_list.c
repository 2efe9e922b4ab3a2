#include "policy/guess_table.h"

#include <string.h>

enum { SHOWN_MS = 24 * 3600 * 1000 };

static struct guess_network
network_of(const struct guess_row *r)
{
	return (struct guess_network){ r->prefix, r->kind };
}

/* Whoever asks for a host wants to know why it is refused: its neighbourhood may be the reason. */
static bool
matches(const struct guess_row *r, const struct guess_filter *f)
{
	struct guess_network n = network_of(r);

	if (r->kind == GUESS_NOWHERE || (f->account != 0 && r->account != f->account))
		return false;
	return f->network.kind == GUESS_NOWHERE || network_same(n, f->network) || network_same(guess_wide(n), f->network)
	    || network_same(n, guess_wide(f->network));
}

static void
show_row(const struct guess *g, const struct guess_row *r, enum guess_level level, uint64_t now,
    void (*show)(void *arg, const struct guess_entry *), void *arg)
{
	struct guess_entry e = { .account = r->account, .network = network_of(r), .failures = r->failures, .secrets = r->secrets,
		.known = r->account != 0 && lane_known(g, r->account, network_of(r), now), .first = r->first, .last = r->last };

	/* A host that is known is never refused for its account. */
	if (!e.known || level != GUESS_PAIR)
		e.until = row_until(r, level, now);
	show(arg, &e);
}

void
guess_each(const struct guess *g, const struct guess_filter *f, uint64_t now, void (*show)(void *arg, const struct guess_entry *),
    void *arg)
{
	for (enum guess_level level = 0; level < GUESS_LEVELS; level++)
		for (size_t i = 0; i < GUESS_SETS * GUESS_WAYS; i++) {
			const struct guess_row *r = &g->row[level][i];

			if (matches(r, f) && (row_score(r, level, now) > 0 || now < r->last || now - r->last < SHOWN_MS))
				show_row(g, r, level, now, show, arg);
		}
}

uint32_t
guess_forgive(struct guess *g, const struct guess_filter *f)
{
	uint32_t gone = 0;

	for (enum guess_level level = 0; level < GUESS_LEVELS; level++)
		for (size_t i = 0; i < GUESS_SETS * GUESS_WAYS; i++) {
			struct guess_row *r = &g->row[level][i];

			if (!matches(r, f))
				continue;
			memset(r, 0, sizeof *r);
			gone++;
		}
	g->changes += gone;
	return gone;
}
