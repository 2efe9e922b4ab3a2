#include "proc/ceilings.h"

#include <assert.h>
#include <unistd.h>

void
memory_add(struct memory *m, const char *what, uint64_t each, uint64_t times)
{
	assert(m->rows < MEMORY_ROWS);
	m->row[m->rows++] = (struct memory_row){ what, each, times };
}

uint64_t
memory_sum(const struct memory *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->rows; i++)
		sum += m->row[i].each * m->row[i].times;
	return sum;
}

uint32_t
memory_fronts(const struct conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return conf->fronts > 0 ? conf->fronts : cores > 0 ? (uint32_t)cores : 1;
}
