#include "smtp/first_octets.h"

#include <string.h>

#include "smtp/proxy_header.h"

enum { WORD_MAX = 17 };         /* octets of the longest method, UPDATEREDIRECTREF */

/* IANA's HTTP Method Registry (RFC 9110 16.1.1) of 2026-06-17. Case matters in them (9.1), in SMTP's verbs it does not (RFC 5321 2.4). */
static const struct span methods[] = {
	SPAN_INIT("GET"), SPAN_INIT("POST"), SPAN_INIT("HEAD"), SPAN_INIT("PUT"), SPAN_INIT("OPTIONS"), SPAN_INIT("CONNECT"),
	SPAN_INIT("DELETE"), SPAN_INIT("TRACE"), SPAN_INIT("PATCH"), SPAN_INIT("PRI"), SPAN_INIT("QUERY"), SPAN_INIT("PROPFIND"),
	SPAN_INIT("PROPPATCH"), SPAN_INIT("MKCOL"), SPAN_INIT("COPY"), SPAN_INIT("MOVE"), SPAN_INIT("LOCK"), SPAN_INIT("UNLOCK"),
	SPAN_INIT("REPORT"), SPAN_INIT("SEARCH"), SPAN_INIT("ACL"), SPAN_INIT("MKCALENDAR"), SPAN_INIT("BIND"), SPAN_INIT("REBIND"),
	SPAN_INIT("UNBIND"), SPAN_INIT("LINK"), SPAN_INIT("UNLINK"), SPAN_INIT("LABEL"), SPAN_INIT("MERGE"), SPAN_INIT("UPDATE"),
	SPAN_INIT("CHECKIN"), SPAN_INIT("CHECKOUT"), SPAN_INIT("UNCHECKOUT"), SPAN_INIT("MKACTIVITY"), SPAN_INIT("MKWORKSPACE"),
	SPAN_INIT("ORDERPATCH"), SPAN_INIT("MKREDIRECTREF"), SPAN_INIT("UPDATEREDIRECTREF"), SPAN_INIT("BASELINE-CONTROL"),
	SPAN_INIT("VERSION-CONTROL"),
};
static const struct span verbs[] = {
	SPAN_INIT("EHLO"), SPAN_INIT("HELO"), SPAN_INIT("STARTTLS"), SPAN_INIT("AUTH"), SPAN_INIT("MAIL"), SPAN_INIT("QUIT"),
	SPAN_INIT("NOOP"), SPAN_INIT("RSET"), SPAN_INIT("HELP"), SPAN_INIT("VRFY"),
};

static bool
is_one_of(const struct span *words, size_t count, struct span word, bool (*same)(struct span, struct span))
{
	for (size_t i = 0; i < count; i++)
		if (same(words[i], word))
			return true;
	return false;
}

#define IS_ONE_OF(words, word, same) is_one_of(words, sizeof(words) / sizeof(words)[0], word, same)

/* Where text begins in s, or s.len. */
static size_t
find(struct span s, struct span text)
{
	for (size_t i = 0; i + text.len <= s.len; i++)
		if (memcmp(s.p + i, text.p, text.len) == 0)
			return i;
	return s.len;
}

/* Behind "GET ": what a web browser asks a URD router has group and source in its query. */
static enum first_octets
tell_target(struct span rest)
{
	struct span target = rest, query;
	size_t end = 0;

	while (end < rest.len && rest.p[end] > ' ')
		end++;
	target.len = end;
	query = target;
	span_skip(&query, span_find(target, '?'));
	if (find(query, SPAN("group=")) < query.len && find(query, SPAN("source=")) < query.len)
		return FIRST_URD;
	return end < rest.len ? FIRST_HTTP : FIRST_UNDECIDED;
}

/* The word that s begins with, such as it can be a verb or a method, and one octet more than any of them has at the most. */
static struct span
first_word(struct span s)
{
	struct span word = { s.p, 0 };

	while (word.len < s.len && word.len <= WORD_MAX && (ascii_is_alpha(s.p[word.len]) || s.p[word.len] == '-'))
		word.len++;
	return word;
}

bool
http_begins(struct span s)
{
	struct span word = first_word(s);

	return word.len < s.len && s.p[word.len] == ' ' && IS_ONE_OF(methods, word, span_eq);
}

/* Something in front, " HTTP/", a digit, and perhaps a dot and another one. */
bool
http_is_request(struct span line)
{
	struct span tail;

	if (line.len > 2 && line.p[line.len - 2] == '.' && ascii_is_digit(line.p[line.len - 1]))
		line.len -= 2;
	if (line.len < sizeof " HTTP/1" || !ascii_is_digit(line.p[line.len - 1]))
		return false;
	tail = line;
	span_skip(&tail, line.len - (sizeof " HTTP/1" - 1));
	return span_eq(span_head(tail, sizeof " HTTP/" - 1), SPAN(" HTTP/"));
}

static enum first_octets
tell_word(struct span seen)
{
	struct span word = first_word(seen);

	if (word.len == seen.len && word.len <= WORD_MAX)
		return FIRST_UNDECIDED;
	span_skip(&seen, word.len);
	if (IS_ONE_OF(verbs, word, span_same))
		return seen.p[0] == ' ' || seen.p[0] == '\r' || seen.p[0] == '\n' ? FIRST_SMTP : FIRST_OTHER;
	if (!span_take_byte(&seen, ' '))
		return FIRST_OTHER;
	if (span_eq(word, SPAN("PROXY")))
		return FIRST_PROXY;
	if (!IS_ONE_OF(methods, word, span_eq))
		return FIRST_OTHER;
	return span_eq(word, SPAN("GET")) ? tell_target(seen) : FIRST_HTTP;
}

/* Two octets of length with the high bit set, 1 for CLIENT-HELLO, a version: 0.2 or 3.x. */
static enum first_octets
tell_ssl2(struct span seen)
{
	if (seen.len < 4)
		return seen.len == 3 && seen.p[2] != 1 ? FIRST_OTHER : FIRST_UNDECIDED;
	return seen.p[2] == 1 && (seen.p[3] == 0 || seen.p[3] == 3) ? FIRST_SSL2 : FIRST_OTHER;
}

static enum first_octets
tell(struct span seen)
{
	size_t compared = seen.len < PROXY_SIGNATURE ? seen.len : PROXY_SIGNATURE;

	if (seen.p[0] == 0x16)
		return FIRST_TLS;
	if ((seen.p[0] & 0x80) != 0)
		return tell_ssl2(seen);
	if (memcmp(seen.p, proxy_signature, compared) == 0)
		return compared == PROXY_SIGNATURE ? FIRST_PROXY : FIRST_UNDECIDED;
	return ascii_is_alpha(seen.p[0]) ? tell_word(seen) : FIRST_OTHER;
}

enum first_octets
first_octets_tell(struct span seen, bool over)
{
	enum first_octets told = FIRST_UNDECIDED;
	bool whole = seen.len >= FIRST_OCTETS_MAX;

	if (seen.len == 0)
		return over ? FIRST_NOTHING : FIRST_UNDECIDED;
	told = tell(span_head(seen, FIRST_OCTETS_MAX));
	if (told != FIRST_UNDECIDED || !(over || whole))
		return told;
	/* A request line that does not end is one all the same; so is a command. */
	if (span_take(&seen, SPAN("GET ")))
		return FIRST_HTTP;
	return IS_ONE_OF(verbs, seen, span_same) ? FIRST_SMTP : FIRST_OTHER;
}
