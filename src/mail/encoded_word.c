#include "mail/encoded_word.h"

#include "base/base64.h"
#include "base/utf8.h"

/* RFC 2047 2: a line of 76 has room for "Comments: ", the charset and so many octets. */
enum { OCTETS_MAX = 39, OCTETS_MAX_UNKNOWN = 33 };

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What is left of s without the spaces at its end. */
static struct span
trimmed(struct span s)
{
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* From the first word with an octet above 127 to the last one: where it begins and ends in value. */
static struct span
find_foreign(struct span value, size_t *begin)
{
	size_t end = value.len;

	*begin = 0;
	while (*begin < value.len && value.p[*begin] < 128)
		++*begin;
	while (*begin > 0 && !is_space(value.p[*begin - 1]))
		--*begin;
	while (end > *begin && value.p[end - 1] < 128)
		end--;
	while (end < value.len && !is_space(value.p[end]))
		end++;
	return (struct span){ value.p + *begin, end - *begin };
}

/* The octets of one word off the front of rest, without folds; no character is cut (RFC 2047 5). */
static void
take_octets(struct span *rest, size_t max, struct buf *octets)
{
	while (rest->len > 0) {
		size_t width = max == OCTETS_MAX ? utf8_width(*rest) : 1;

		if (octets->len + width > max)
			return;
		if (rest->p[0] != '\r' && rest->p[0] != '\n')
			(void)buf_put(octets, span_head(*rest, width));
		span_skip(rest, width);
	}
}

bool
encoded_words_put(struct span text, struct buf *out)
{
	bool known = utf8_valid(text), good = true;
	uint8_t octets[OCTETS_MAX];

	while (text.len > 0 && good) {
		struct buf word = BUF_OVER(octets);

		take_octets(&text, known ? OCTETS_MAX : OCTETS_MAX_UNKNOWN, &word);
		good = buf_put_text(out, known ? "=?utf-8?B?" : "=?unknown-8bit?B?") && base64_format(buf_span(&word), out)
		    && buf_put_text(out, text.len > 0 ? "?=\r\n " : "?=");
	}
	return good;
}

bool
encoded_text_put(struct span value, struct buf *out)
{
	size_t begin;
	struct span foreign = find_foreign(value, &begin), before = trimmed(span_head(value, begin)), after = value;

	span_skip(&after, begin + foreign.len);
	/* Each on lines of its own, so that those of the words are no longer than they may be. */
	if (!buf_put(out, before) || !buf_put_text(out, span_done(before) ? " " : "\r\n ") || !encoded_words_put(foreign, out))
		return false;
	if (span_done(trimmed(after)))
		return buf_put_text(out, "\r\n");
	return (after.p[0] == '\r' || buf_put_text(out, "\r\n")) && buf_put(out, after);
}
