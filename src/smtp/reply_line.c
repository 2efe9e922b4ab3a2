#include "smtp/reply_line.h"

static enum smtp_reply_step
bad(struct smtp_reply_reader *r, enum smtp_reply_fault fault)
{
	r->fault = (uint8_t)fault;
	return SMTP_REPLY_BAD;
}

/* RFC 5321 2.3.8: only CRLF ends a line. PART: *line is one. */
static enum smtp_reply_step
find_line(struct smtp_reply_reader *r, struct span in, struct span *line, size_t *used)
{
	struct span head = span_head(in, SMTP_REPLY_LINE_MAX);
	size_t lf = span_find(head, '\n');
	bool crlf = lf > 0 && lf < head.len && head.p[lf - 1] == '\r';

	if (lf == head.len)
		return head.len == SMTP_REPLY_LINE_MAX ? bad(r, SMTP_REPLY_LINE_LONG) : SMTP_REPLY_MORE;
	if (!crlf && !r->lenient)
		return bad(r, SMTP_REPLY_BARE_LF);
	*line = span_head(in, crlf ? lf - 1 : lf);
	*used = lf + 1;
	return SMTP_REPLY_PART;
}

/* "250-text", "250 text", "250": the code, whether more lines follow, and the text behind. */
static bool
parse_line(const struct smtp_reply_reader *r, struct span s, struct smtp_reply_line *line, bool *more)
{
	unsigned value = 0;

	for (size_t i = 0; i < 3; i++) {
		if (i >= s.len || !ascii_is_digit(s.p[i]))
			return false;
		value = value * 10 + (unsigned)(s.p[i] - '0');
	}
	span_skip(&s, 3);
	*more = span_take_byte(&s, '-');
	if (((value < 200 || value > 599) && !r->lenient) || (!*more && s.len > 0 && !span_take_byte(&s, ' ')))
		return false;
	*line = (struct smtp_reply_line){ (uint16_t)value, s };
	return true;
}

enum smtp_reply_step
smtp_reply_read(struct smtp_reply_reader *r, struct span in, struct smtp_reply_line *line, size_t *used)
{
	struct span whole;
	enum smtp_reply_step found;
	bool more;

	*used = 0;
	*line = (struct smtp_reply_line){ 0, span_head(in, SMTP_REPLY_LINE_MAX) };
	found = find_line(r, in, &whole, used);
	if (found != SMTP_REPLY_PART)
		return found;
	if (!parse_line(r, whole, line, &more)) {
		*line = (struct smtp_reply_line){ 0, whole };
		return bad(r, SMTP_REPLY_NO_CODE);
	}
	if (r->lines > 0 && line->code / 100 != r->code / 100 && !r->lenient)
		return bad(r, SMTP_REPLY_MIXED);
	r->code = line->code;
	r->lines++;
	if (more)
		return r->lines < SMTP_REPLY_LINES_MAX ? SMTP_REPLY_PART : bad(r, SMTP_REPLY_ENDLESS);
	r->lines = 0;
	return SMTP_REPLY_LAST;
}
