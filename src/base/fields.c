#include "base/fields.h"

#include <string.h>

void
u32_put(uint8_t out[4], uint32_t v)
{
	for (unsigned i = 0; i < 4; i++, v >>= 8)
		out[i] = (uint8_t)v;
}

void
u64_put(uint8_t out[8], uint64_t v)
{
	u32_put(out, (uint32_t)v);
	u32_put(out + 4, (uint32_t)(v >> 32));
}

uint32_t
u32_get(const uint8_t in[4])
{
	return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

uint64_t
u64_get(const uint8_t in[8])
{
	return (uint64_t)u32_get(in) | (uint64_t)u32_get(in + 4) << 32;
}

bool
u32_append(struct buf *b, uint32_t v)
{
	uint8_t octets[4];

	u32_put(octets, v);
	return buf_put(b, (struct span){ octets, sizeof octets });
}

bool
u64_append(struct buf *b, uint64_t v)
{
	uint8_t octets[8];

	u64_put(octets, v);
	return buf_put(b, (struct span){ octets, sizeof octets });
}

static bool
put_field(const struct field *f, const void *message, struct buf *out)
{
	const uint8_t *member = (const uint8_t *)message + f->offset;
	uint32_t small;
	uint64_t big;
	struct span s;

	switch (f->kind) {
	case FIELD_U32:
		memcpy(&small, member, sizeof small);
		return u32_append(out, small);
	case FIELD_U64:
		memcpy(&big, member, sizeof big);
		return u64_append(out, big);
	case FIELD_SPAN:
		memcpy(&s, member, sizeof s);
		if (s.len > f->max || s.len > UINT32_MAX)
			return false;
		return u32_append(out, (uint32_t)s.len) && buf_put(out, s);
	}
	return false;
}

size_t
fields_size(struct layout l, const void *message)
{
	size_t size = 0;
	struct span s;

	for (size_t i = 0; i < l.count; i++) {
		size += l.field[i].kind == FIELD_U64 ? 8 : 4;
		if (l.field[i].kind == FIELD_SPAN) {
			memcpy(&s, (const uint8_t *)message + l.field[i].offset, sizeof s);
			size += s.len;
		}
	}
	return size;
}

bool
fields_format(struct layout l, const void *message, struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < l.count; i++)
		if (!put_field(&l.field[i], message, out)) {
			out->len = before;
			return false;
		}
	return true;
}

static bool
take_octets(struct span *in, size_t n, struct span *octets)
{
	if (in->len < n)
		return false;
	*octets = span_head(*in, n);
	span_skip(in, n);
	return true;
}

static bool
take_field(const struct field *f, struct span *in, void *message)
{
	uint8_t *member = (uint8_t *)message + f->offset;
	struct span s;
	uint32_t small;
	uint64_t big;

	if (!take_octets(in, f->kind == FIELD_U64 ? 8 : 4, &s))
		return false;
	switch (f->kind) {
	case FIELD_U32:
		small = u32_get(s.p);
		memcpy(member, &small, sizeof small);
		return true;
	case FIELD_U64:
		big = u64_get(s.p);
		memcpy(member, &big, sizeof big);
		return true;
	case FIELD_SPAN:
		small = u32_get(s.p);
		if (small > f->max || !take_octets(in, small, &s))
			return false;
		memcpy(member, &s, sizeof s);
		return true;
	}
	return false;
}

bool
fields_take(struct layout l, struct span *in, void *message)
{
	for (size_t i = 0; i < l.count; i++)
		if (!take_field(&l.field[i], in, message))
			return false;
	return true;
}

bool
fields_parse(struct layout l, struct span in, void *message)
{
	return fields_take(l, &in, message) && span_done(in);
}
