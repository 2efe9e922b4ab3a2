/*
 * fuzz/reply_line.c - a hostile server's replies, as every client of ours reads them. Whole and octet by octet they are the same lines; what a
 * client takes an examiner reads just so; and each line is used whole, and once.
 */
#include <stdint.h>
#include <stdlib.h>

#include "smtp/reply_line.h"

enum { PRIME = 16777619 };

/* All that was read, in one number, and how it ended. */
struct reading {
	struct smtp_reply_reader reader;
	uint32_t hash;
	size_t at, lines;
	enum smtp_reply_step end;
};

static void
note(struct reading *r, const struct smtp_reply_line *line, enum smtp_reply_step step)
{
	r->hash = (r->hash ^ line->code) * PRIME;
	r->hash = (r->hash ^ (uint32_t)step) * PRIME;
	for (size_t i = 0; i < line->text.len; i++)
		r->hash = (r->hash ^ line->text.p[i]) * PRIME;
	r->lines++;
}

static void
read_all(struct reading *r, struct span in, size_t split)
{
	size_t have = 0;

	r->end = SMTP_REPLY_MORE;
	while (r->end != SMTP_REPLY_BAD) {
		struct smtp_reply_line line;
		size_t used;

		r->end = smtp_reply_read(&r->reader, (struct span){ in.p + r->at, have - r->at }, &line, &used);
		if ((r->end == SMTP_REPLY_MORE) != (used == 0) && r->end != SMTP_REPLY_BAD)
			abort();
		if (used > have - r->at || (used > 0 && in.p[r->at + used - 1] != '\n') || r->reader.lines > SMTP_REPLY_LINES_MAX)
			abort();
		if (r->end == SMTP_REPLY_MORE && have == in.len)
			break;
		if (r->end == SMTP_REPLY_MORE)
			have = in.len - have < split ? in.len : have + split;
		if (r->end == SMTP_REPLY_PART || r->end == SMTP_REPLY_LAST)
			note(r, &line, r->end);
		r->at += used;
	}
	if ((r->end == SMTP_REPLY_BAD) != (r->reader.fault != SMTP_REPLY_SOUND))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct span in = { p, n };
	struct reading whole = { 0 }, pieces = { 0 }, lenient = { .reader = { .lenient = true } };

	read_all(&whole, in, n + 1);
	read_all(&pieces, in, 1);
	if (whole.hash != pieces.hash || whole.lines != pieces.lines || whole.end != pieces.end || whole.reader.fault != pieces.reader.fault)
		abort();
	/* As far as the strict one came, the other reads the same. */
	read_all(&lenient, span_head(in, whole.end == SMTP_REPLY_BAD ? whole.at : n), n + 1);
	if (whole.end == SMTP_REPLY_MORE && (lenient.end != SMTP_REPLY_MORE || lenient.hash != whole.hash))
		abort();
	if (lenient.lines < whole.lines)
		abort();
	return 0;
}
