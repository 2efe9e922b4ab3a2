/* Which segments a message needs beside the one with its own record. */
#include <stdlib.h>

#include "spool/spool.h"

bool
holds_add(struct spool *s, uint64_t segment, uint64_t octets, struct hold **hold, uint32_t *holds)
{
	struct hold *bigger;

	for (uint32_t i = *holds; i > 0; i--)
		if ((*hold)[i - 1].segment == segment) {
			(*hold)[i - 1].octets += octets;
			segment_hold(&s->journal, segment, octets, true);
			return true;
		}
	if (journal_segment(&s->journal, segment) == NULL)
		return false;
	bigger = reallocarray(*hold, *holds + 1, sizeof *bigger);
	if (bigger == NULL)
		return false;
	bigger[*holds] = (struct hold){ segment, octets };
	*hold = bigger;
	++*holds;
	segment_hold(&s->journal, segment, octets, false);
	return true;
}

bool
holds_take(struct spool *s, struct span extents, struct hold **hold, uint32_t *holds)
{
	struct extent e;

	*hold = NULL;
	*holds = 0;
	while (extent_take(&extents, &e))
		if (!holds_add(s, e.segment, record_octets(SPOOL_CHUNK_HEAD + (uint64_t)e.octets), hold, holds)) {
			holds_give(s, *hold, *holds);
			*hold = NULL;
			*holds = 0;
			return false;
		}
	return true;
}

void
holds_give(struct spool *s, struct hold *hold, uint32_t holds)
{
	for (uint32_t i = 0; i < holds; i++)
		segment_release(&s->journal, hold[i].segment, hold[i].octets);
	free(hold);
}
