#include "proc/4_spool_show.h"

#include "proc/4_spool.h"

static bool
show_one(struct keeper *k, enum show whom, uint64_t number)
{
	struct channel *c = whom == SHOW_RELAY ? k->relay : k->filters.channel;
	uint16_t type = whom == SHOW_RELAY ? RELAY_SEGMENT : FILTER_SEGMENT;
	struct segment *s = journal_segment(&k->spool.journal, number);
	struct relay_segment m = { number };

	if (s == NULL)
		return false;
	if (s->shown & whom)
		return true;
	if (journal_reader(&k->spool.journal, s) == -1 || !channel_send_fd(c, type, 0, relay_segment_layout, &m, s->reader))
		return false;
	s->shown |= (uint8_t)whom;
	return true;
}

bool
show_segments(struct keeper *k, enum show whom, struct span extents)
{
	struct extent e;

	while (extent_take(&extents, &e))
		if (!show_one(k, whom, e.segment))
			return false;
	return true;
}

void
show_forget(struct keeper *k, enum show whom)
{
	for (size_t i = 0; i < k->spool.journal.segments; i++)
		k->spool.journal.segment[i]->shown &= (uint8_t)~whom;
}

void
show_gone(struct keeper *k, uint64_t segment)
{
	struct relay_segment m = { segment };

	if (k->relay != NULL)
		(void)channel_send(k->relay, RELAY_SEGMENT_GONE, 0, relay_segment_layout, &m);
	if (k->filters.channel != NULL)
		(void)channel_send(k->filters.channel, FILTER_SEGMENT_GONE, 0, relay_segment_layout, &m);
}
