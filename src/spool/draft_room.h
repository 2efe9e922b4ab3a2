/*
 * spool/draft_room.h - what the files about drafts say to each other, and nobody else.
 */
#ifndef POSTERN_SPOOL_DRAFT_ROOM_H
#define POSTERN_SPOOL_DRAFT_ROOM_H

#include "spool/draft.h"

enum { DRAFT_TEXT_MAX = 1750, DRAFT_TEXTS = 8, DRAFT_EXTENTS_MAX = RECORD_EXTENTS_MAX * RECORD_EXTENT_OCTETS };

/* A body that is to take the place of the one that came. */
struct draft_fresh {
	struct buf text, extents;       /* text: what follows the extents */
	uint64_t size;
};

struct draft {
	struct message_record mail;     /* spans point into text */
	struct buf rcpts, content, extents;
	struct hold *hold;
	struct draft_fresh *fresh;      /* or NULL */
	struct draft *next;             /* spare ones */
	uint64_t size;
	uint32_t holds;
	uint32_t count;                 /* recipients */
	uint32_t share;                 /* whose recipients they count as */
	uint32_t refusals;              /* spool's count when the first chunk was written */
	bool kept, printed;             /* printed: print and when mean something */
	uint8_t print[ONCE_PRINT];
	uint64_t when;
	enum fail fail;
	uint8_t text[DRAFT_TEXT_MAX];
};

/* The envelope's texts in the order in which they lie in text; the reverse-path is the first. */
void draft_texts(struct draft *, struct span *text[DRAFT_TEXTS]);
/* Make room in one of the draft's buffers while all drafts have less than `all`; counts what they take in their sum. */
bool draft_grow(struct spool *, struct buf *, size_t n, size_t most, uint64_t all);
/* One chunk of both, its extent onto out; nothing when there are no octets, or the draft has failed. */
void draft_chunk(struct spool *, struct draft *, struct buf *out, struct span first, struct span second);
/* May its content have so many octets? Else it has failed. */
bool draft_fits(const struct spool *, struct draft *, uint64_t size);

#endif
