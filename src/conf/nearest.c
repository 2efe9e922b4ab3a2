#include "conf/nearest.h"

#include "conf/conf.h"

enum { WORD_MAX = 40, FAR = 1000, LETTERS_MIN = 5 };

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* One cell of the table of prefixes, from the rows above it (above[0] the previous one, above[1] the one before). */
static unsigned
cell(struct span a, struct span b, size_t i, size_t j, unsigned (*row)[WORD_MAX + 1])
{
	unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *older = row[(i + 1) % 3];
	uint8_t x = ascii_lower(a.p[i - 1]), y = ascii_lower(b.p[j - 1]);
	unsigned best = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));

	if (i > 1 && j > 1 && x == ascii_lower(b.p[j - 2]) && y == ascii_lower(a.p[i - 2]))
		best = least(best, older[j - 2] + 1);
	return best;
}

unsigned
word_distance(struct span a, struct span b)
{
	unsigned row[3][WORD_MAX + 1];

	if (a.len > WORD_MAX || b.len > WORD_MAX)
		return FAR;
	for (size_t j = 0; j <= b.len; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		row[i % 3][0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++)
			row[i % 3][j] = cell(a, b, i, j, row);
	}
	return row[a.len % 3][b.len];
}

/* "listen" begins "listen-submissions", and "relayhost" begins with "relay". */
static const char *
same_beginning(struct span word)
{
	for (size_t i = 0; i < conf_keys(); i++) {
		struct span name = span_of(conf_key(i)->name);
		size_t most = word.len < name.len ? word.len : name.len;

		if (most >= LETTERS_MIN && span_same(span_head(word, most), span_head(name, most)))
			return conf_key(i)->name;
	}
	return NULL;
}

const char *
conf_nearest(struct span word)
{
	const char *best = NULL;
	unsigned nearest = FAR;

	for (size_t i = 0; i < conf_keys(); i++) {
		const char *name = conf_key(i)->name;
		unsigned distance = word_distance(word, span_of(name));

		if (distance >= nearest || distance > 1 + word.len / 5)
			continue;
		nearest = distance;
		best = name;
	}
	return best != NULL ? best : same_beginning(word);
}
