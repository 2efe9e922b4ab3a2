/* Inlined, the library needs nothing from outside, so this room stays pure. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>
#include <string.h>

#include "queue/record.h"

enum { AT_LENGTH = 4, AT_SUM = 8, AT_SALT = 16, AT_SEQUENCE = 24, AT_KIND = 32, AT_RESERVED = 36, SUMMED_FROM = 16, ONCE_KEY = 16 };

/* "PSTL" as it lies in the file. */
static const uint32_t magic = 0x4c545350;

uint64_t
record_octets(uint64_t length)
{
	return (RECORD_HEADER + length + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

static uint64_t
sum_of(const uint8_t *record, uint32_t length)
{
	return XXH3_64bits_withSeed(record + SUMMED_FROM, RECORD_HEADER - SUMMED_FROM + (size_t)length, length);
}

void
record_seal(uint8_t *record, const struct record_header *h)
{
	size_t end = RECORD_HEADER + (size_t)h->length;

	assert(h->length <= RECORD_PAYLOAD_MAX);
	u32_put(record, magic);
	u32_put(record + AT_LENGTH, h->length);
	u64_put(record + AT_SALT, h->salt);
	u64_put(record + AT_SEQUENCE, h->sequence);
	u32_put(record + AT_KIND, h->kind);
	u32_put(record + AT_RESERVED, 0);
	memset(record + end, 0, (size_t)record_octets(h->length) - end);
	u64_put(record + AT_SUM, sum_of(record, h->length));
}

bool
record_header_parse(struct span s, struct record_header *h)
{
	if (s.len < RECORD_HEADER || u32_get(s.p) != magic || u32_get(s.p + AT_RESERVED) != 0)
		return false;
	h->length = u32_get(s.p + AT_LENGTH);
	h->sum = u64_get(s.p + AT_SUM);
	h->salt = u64_get(s.p + AT_SALT);
	h->sequence = u64_get(s.p + AT_SEQUENCE);
	h->kind = u32_get(s.p + AT_KIND);
	return h->length <= RECORD_PAYLOAD_MAX && h->kind >= RECORD_SEGMENT && h->kind <= RECORD_KINDS;
}

bool
record_intact(struct span record, const struct record_header *h)
{
	return record.len >= RECORD_HEADER && record.len - RECORD_HEADER >= h->length
	    && sum_of(record.p, h->length) == h->sum;
}

/* ---- payloads ---- */
static const struct field segment_record_fields[] = {
	FIELD_OF_U32(struct segment_record, version),
	FIELD_OF_U64(struct segment_record, number),
	FIELD_OF_U64(struct segment_record, created),
};
const struct layout segment_record_layout = LAYOUT(segment_record_fields);

static const struct field chunk_record_fields[] = {
	FIELD_OF_U64(struct chunk_record, id),
	FIELD_OF_SPAN(struct chunk_record, content, RECORD_PAYLOAD_MAX),
};
const struct layout chunk_record_layout = LAYOUT(chunk_record_fields);

static const struct field done_record_fields[] = {
	FIELD_OF_U64(struct done_record, id),
};
const struct layout done_record_layout = LAYOUT(done_record_fields);

static const struct field held_record_fields[] = {
	FIELD_OF_U64(struct held_record, id),
	FIELD_OF_U32(struct held_record, held),
	FIELD_OF_U64(struct held_record, when),
	FIELD_OF_SPAN(struct held_record, words, HELD_WORDS_MAX),
};
const struct layout held_record_layout = LAYOUT(held_record_fields);

static const struct field once_record_fields[] = {
	FIELD_OF_U32(struct once_record, fresh),
	FIELD_OF_SPAN(struct once_record, key, ONCE_KEY),
	FIELD_OF_SPAN(struct once_record, prints, RECORD_PAYLOAD_MAX),
};
const struct layout once_record_layout = LAYOUT(once_record_fields);

bool
once_parse(struct span payload, struct once_record *r)
{
	return fields_parse(once_record_layout, payload, r) && r->fresh <= 1 && r->key.len == ONCE_KEY && r->prints.len > 0
	    && r->prints.len % RECORD_PRINT_OCTETS == 0 && (r->fresh == 0 || r->prints.len == RECORD_PRINT_OCTETS);
}

bool
once_print_take(struct span *rest, struct once_print *p)
{
	if (rest->len < RECORD_PRINT_OCTETS)
		return false;
	*p = (struct once_print){ .print = { rest->p, 16 }, .id = u64_get(rest->p + 16), .when = u64_get(rest->p + 24) };
	span_skip(rest, RECORD_PRINT_OCTETS);
	return true;
}

static const struct field release_record_fields[] = {
	FIELD_OF_U64(struct release_record, id),
	FIELD_OF_U64(struct release_record, release),
};
const struct layout release_record_layout = LAYOUT(release_record_fields);

#define FIELDS_OF_OUTCOME(type) \
	FIELD_OF_U32(type, last.class), \
	FIELD_OF_U32(type, last.code), \
	FIELD_OF_U32(type, last.attempt), \
	FIELD_OF_U32(type, last.flags), \
	FIELD_OF_U64(type, last.when), \
	FIELD_OF_SPAN(type, last.enhanced, 16), \
	FIELD_OF_SPAN(type, last.host, 400), \
	FIELD_OF_SPAN(type, last.tls, 400), \
	FIELD_OF_SPAN(type, last.text, 480)

static const struct field result_record_fields[] = {
	FIELD_OF_U64(struct result_record, id),
	FIELD_OF_U32(struct result_record, number),
	FIELDS_OF_OUTCOME(struct result_record),
	FIELD_OF_U32(struct result_record, last.took),
};
const struct layout result_record_layout = LAYOUT(result_record_fields);
/* As it was before version 3. */
static const struct layout result_before_layout = { result_record_fields,
	sizeof result_record_fields / sizeof result_record_fields[0] - 1 };

static const struct field fact_record_fields[] = {
	FIELD_OF_U64(struct fact_record, id),
	FIELD_OF_U32(struct fact_record, kind),
	FIELD_OF_U64(struct fact_record, when),
	FIELD_OF_U64(struct fact_record, other),
	FIELD_OF_SPAN(struct fact_record, words, FACT_WORDS_MAX),
};
const struct layout fact_record_layout = LAYOUT(fact_record_fields);

static const struct field recipient_fields[] = {
	FIELD_OF_U32(struct recipient, notify),
	FIELD_OF_SPAN(struct recipient, path, 320),
	FIELD_OF_SPAN(struct recipient, orcpt, 507),
	FIELDS_OF_OUTCOME(struct recipient),
};
const struct layout recipient_layout = LAYOUT(recipient_fields);

#define FIELDS_BEFORE_TERMS \
	FIELD_OF_U64(struct message_record, id), \
	FIELD_OF_U64(struct message_record, arrival), \
	FIELD_OF_U64(struct message_record, size), \
	FIELD_OF_U32(struct message_record, flags), \
	FIELD_OF_U32(struct message_record, ret), \
	FIELD_OF_U32(struct message_record, rcpts), \
	FIELD_OF_SPAN(struct message_record, reverse_path, 320), \
	FIELD_OF_SPAN(struct message_record, login, 255), \
	FIELD_OF_SPAN(struct message_record, peer, 64), \
	FIELD_OF_SPAN(struct message_record, helo, 255), \
	FIELD_OF_SPAN(struct message_record, tls, 128), \
	FIELD_OF_SPAN(struct message_record, envid, 100), \
	FIELD_OF_SPAN(struct message_record, auth, 500)

#define FIELDS_BEHIND_TERMS \
	FIELD_OF_SPAN(struct message_record, recipients, RECORD_PAYLOAD_MAX), \
	FIELD_OF_SPAN(struct message_record, extents, RECORD_EXTENTS_MAX * RECORD_EXTENT_OCTETS), \
	FIELD_OF_SPAN(struct message_record, content, RECORD_PAYLOAD_MAX)

static const struct field message_record_fields[] = { FIELDS_BEFORE_TERMS, FIELDS_BEHIND_TERMS };
const struct layout message_record_layout = LAYOUT(message_record_fields);

static const struct field message_terms_fields[] = {
	FIELDS_BEFORE_TERMS,
	FIELD_OF_U64(struct message_record, release),
	FIELD_OF_U64(struct message_record, deadline),
	FIELD_OF_U32(struct message_record, by),
	FIELD_OF_U32(struct message_record, priority),
	FIELD_OF_SPAN(struct message_record, hold, RECORD_HOLD_MAX),
	FIELDS_BEHIND_TERMS,
};
enum { FLAGS_AT = 3 * 8 };

static bool
has_terms(const struct message_record *m)
{
	return m->release != 0 || m->deadline != 0 || m->by != 0 || m->priority != 0 || m->hold.len > 0;
}

static struct layout
layout_of(bool terms)
{
	if (terms)
		return (struct layout)LAYOUT(message_terms_fields);
	return message_record_layout;
}

size_t
message_octets(const struct message_record *m)
{
	return fields_size(layout_of(has_terms(m)), m);
}

bool
message_format(const struct message_record *m, struct buf *out)
{
	bool terms = has_terms(m);
	size_t at = out->len;

	if (!fields_format(layout_of(terms), m, out))
		return false;
	if (terms)
		u32_put(out->p + at + FLAGS_AT, m->flags | RECORD_FLAG_TERMS);
	return true;
}

static bool
terms_valid(const struct message_record *m)
{
	int32_t priority = (int32_t)m->priority;

	return priority >= -9 && priority <= 9 && (m->by & ~(uint32_t)(RECORD_BY_RETURN | RECORD_BY_TRACE)) == 0;
}

/* Everything but the content, or with it; what is left stays in rest. */
static bool
take_fields(struct span *rest, struct message_record *m, bool content)
{
	bool terms = rest->len >= FLAGS_AT + 4 && (u32_get(rest->p + FLAGS_AT) & RECORD_FLAG_TERMS) != 0;
	struct layout l = layout_of(terms);

	*m = (struct message_record){ 0 };
	l.count -= !content;
	if (!fields_take(l, rest, m) || !terms_valid(m))
		return false;
	m->flags &= ~(uint32_t)RECORD_FLAG_TERMS;
	/* One form for one meaning: terms that say nothing are not written. */
	return terms == has_terms(m);
}

bool
result_parse(struct span payload, struct result_record *r)
{
	if (fields_parse(result_record_layout, payload, r))
		return true;
	r->last.took = 0;
	return fields_parse(result_before_layout, payload, r);
}

static bool
inside_valid(const struct message_record *m)
{
	struct span rest = m->recipients;
	struct recipient r;
	struct extent e;
	uint64_t total = 0;

	for (uint32_t i = 0; i < m->rcpts; i++)
		if (!recipient_take(&rest, &r))
			return false;
	if (m->rcpts == 0 || !span_done(rest))
		return false;
	rest = m->extents;
	while (!span_done(rest)) {
		if (!extent_take(&rest, &e))
			return false;
		total += e.octets;
	}
	return m->extents.len == 0 || total == m->size;
}

bool
message_parse(struct span payload, struct message_record *m)
{
	return take_fields(&payload, m, true) && span_done(payload) && inside_valid(m)
	    && m->content.len == (m->extents.len == 0 ? m->size : 0);
}

bool
message_head_parse(struct span payload, struct message_record *m, size_t *content_at)
{
	struct span rest = payload;

	if (!take_fields(&rest, m, false) || !inside_valid(m) || rest.len < 4)
		return false;
	m->content = (struct span){ NULL, 0 };
	*content_at = payload.len - rest.len + 4;
	return u32_get(rest.p) == (m->extents.len == 0 ? m->size : 0);
}

bool
recipient_take(struct span *rest, struct recipient *r)
{
	return fields_take(recipient_layout, rest, r);
}

bool
extent_take(struct span *rest, struct extent *e)
{
	if (rest->len < RECORD_EXTENT_OCTETS)
		return false;
	e->segment = u64_get(rest->p);
	e->offset = u64_get(rest->p + 8);
	e->octets = u32_get(rest->p + 16);
	span_skip(rest, RECORD_EXTENT_OCTETS);
	return e->octets > 0;
}

bool
extent_format(const struct extent *e, struct buf *out)
{
	uint8_t wire[RECORD_EXTENT_OCTETS];

	u64_put(wire, e->segment);
	u64_put(wire + 8, e->offset);
	u32_put(wire + 16, e->octets);
	return buf_put(out, (struct span){ wire, sizeof wire });
}

struct span
recipient_domain(struct span path)
{
	/* From the right: a quoted local-part may hold an '@' of its own. */
	for (size_t i = path.len; i > 0; i--)
		if (path.p[i - 1] == '@')
			return (struct span){ path.p + i, path.len - i };
	return (struct span){ NULL, 0 };
}
