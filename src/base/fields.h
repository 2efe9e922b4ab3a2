/*
 * base/fields.h - one encoder and one decoder for every private message and every spool record.
 *
 * A message is a struct whose members are uint32_t, uint64_t or struct span; a table names them in order.
 * On the wire: u32 and u64 little-endian, a span as u32 length and its octets. Parsing copies nothing:
 * spans point into the input. Parsing must end empty, so trailing octets are an error.
 *
 * Owner     the caller, of everything.
 * Fails     false: out untouched, or the struct undefined. fields_parse() is meant for hostile input.
 */
#ifndef POSTERN_BASE_FIELDS_H
#define POSTERN_BASE_FIELDS_H

#include <stddef.h>

#include "base/buf.h"

enum field_kind { FIELD_U32, FIELD_U64, FIELD_SPAN };

struct field {
	enum field_kind kind;
	size_t offset;
	size_t max;     /* octets of a span at most; 0 for numbers */
};

struct layout {
	const struct field *field;
	size_t count;
};

#define FIELD_OF_U32(type, member) { FIELD_U32, offsetof(type, member), 0 }
#define FIELD_OF_U64(type, member) { FIELD_U64, offsetof(type, member), 0 }
#define FIELD_OF_SPAN(type, member, max) { FIELD_SPAN, offsetof(type, member), (max) }
#define LAYOUT(table) { (table), sizeof(table) / sizeof(table)[0] }

/* Octets that fields_format() would write. */
size_t fields_size(struct layout, const void *message);
bool fields_format(struct layout, const void *message, struct buf *out);
bool fields_parse(struct layout, struct span in, void *message);
/* The same for a message at the front of in; what follows stays in in. */
bool fields_take(struct layout, struct span *in, void *message);

/* The numbers by themselves, for frames and record headers. */
void u32_put(uint8_t out[4], uint32_t);
void u64_put(uint8_t out[8], uint64_t);
uint32_t u32_get(const uint8_t in[4]);
uint64_t u64_get(const uint8_t in[8]);
/* The same onto a buf. */
bool u32_append(struct buf *, uint32_t);
bool u64_append(struct buf *, uint64_t);

#endif
