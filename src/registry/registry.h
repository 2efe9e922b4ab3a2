/*
 * registry/registry.h - IANA's registry of service names and transport protocol port numbers (RFC 6335), row by row.
 *
 *	struct registry_reader r = registry_begin(image);       packed into the program by tools/registry
 *	while (registry_next(&r, &row)) ...
 *
 *	struct registry_csv c = registry_csv_begin(text);       a file as IANA publishes it
 *	for (;;) switch (registry_csv_next(&c, &row, &why)) ...
 *
 * Owner     the caller of reader, row and text. The spans of a row point into the image; into the text or the reader when it is
 *           CSV, until the next call.
 * Blocks    never. One pass over the whole registry takes less than a millisecond.
 * Fails     an image is believed no more than a file: a row that does not parse ends the reading (image) or is named and
 *           skipped (CSV).
 */
#ifndef POSTERN_REGISTRY_REGISTRY_H
#define POSTERN_REGISTRY_REGISTRY_H

#include "base/buf.h"

enum registry_protocol { REGISTRY_NONE, REGISTRY_TCP, REGISTRY_UDP, REGISTRY_SCTP, REGISTRY_DCCP, REGISTRY_PROTOCOLS };
/* "tcp", ...; "" for REGISTRY_NONE. */
const char *registry_protocol_name(enum registry_protocol);

struct registry_row {
	bool has_port;                  /* some services have a name only */
	uint16_t first, last;           /* ports; the same when it is one */
	enum registry_protocol protocol;
	struct span name, description, assignee, contact;
	struct span registered, modified;       /* "2017-12-12" or "2005-08" */
	struct span reference, service_code, unauthorized, notes;
};

/* RFC 6335 6: who assigns it, and may an ordinary user listen there. */
struct registry_range {
	uint16_t first, last;
	const char *name, *words;
};
const struct registry_range *registry_range_of(uint16_t port);
/* Take the digits of a port off the front; false, and in undefined, when there are none or they are too many. */
bool registry_port_take(struct span *in, uint16_t *port);

/* ---- packed ---- */
enum { REGISTRY_DATE = 11 };

struct registry_reader {
	struct span places, pool, rest;
	struct registry_row row;        /* the one before */
	char dates[2][REGISTRY_DATE];
};

extern const struct span registry_image;
/* When IANA published it: "2026-02-13". */
extern const char registry_date[];

struct registry_reader registry_begin(struct span image);
/* False at the end, and when the image is damaged: rest is empty only at the end. */
bool registry_next(struct registry_reader *, struct registry_row *);

/* ---- CSV (RFC 4180) ---- */
enum {
	REGISTRY_FIELDS = 12,
	REGISTRY_RECORD_MAX = 16384,    /* octets of one record; a longer one is damaged */
};

struct registry_csv {
	struct span rest;
	unsigned line;                  /* of the record that was read last; from 1 */
	unsigned next_line;
	uint8_t octets[REGISTRY_RECORD_MAX];
};

enum registry_step { REGISTRY_ROW, REGISTRY_DAMAGED, REGISTRY_END };

/* False with words in why when the first line is not the registry's. */
bool registry_csv_begin(struct registry_csv *, struct span text, struct buf *why);
/* DAMAGED: c->line is not a row, why says why; go on with the next call. */
enum registry_step registry_csv_next(struct registry_csv *, struct registry_row *, struct buf *why);

#endif
