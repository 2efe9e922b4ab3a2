#include "policy/sender.h"

/* Beyond so many octets of words no further grant is named: two long addresses still fit below SENDER_WORDS_MAX. */
enum { NAMED_OCTETS_MAX = 300 };

/* ---- one grant ---- */

struct grant {
	struct span local;              /* empty: every one */
	struct span domain;             /* empty: every one */
};

/* A domain by itself is well-formed when it is so behind an '@': that lets U-labels and literals pass, and nothing else. */
static bool
is_domain(struct span domain)
{
	uint8_t text[DOMAIN_MAX + 2];
	struct buf b = BUF_OVER(text);
	struct mailbox m;

	return buf_put_text(&b, "*@") && buf_put(&b, domain) && mailbox_parse(buf_span(&b), &m) == PATH_OK;
}

static bool
grant_parse(struct span pattern, struct grant *out)
{
	struct mailbox m;

	*out = (struct grant){ { NULL, 0 }, { NULL, 0 } };
	if (span_eq(pattern, SPAN("*")))
		return true;
	if (span_take(&pattern, SPAN("*@")) || span_take_byte(&pattern, '@')) {
		out->domain = pattern;
		return is_domain(pattern);
	}
	if (mailbox_parse(pattern, &m) != PATH_OK)
		return false;
	out->local = m.local;
	out->domain = m.domain;
	return true;
}

bool
grant_valid(struct span pattern)
{
	struct grant g;

	return grant_parse(pattern, &g);
}

/* The same local part, or the same with "+tag" behind it. */
static bool
covers_local(struct span granted, struct span local)
{
	struct span tag = local;

	if (!span_take(&tag, granted))
		return false;
	return span_done(tag) || tag.p[0] == '+';
}

static bool
grant_covers(struct span pattern, const struct mailbox *address)
{
	struct grant g;

	if (!grant_parse(pattern, &g))
		return false;
	if (!span_done(g.domain) && !span_same(g.domain, address->domain))
		return false;
	return span_done(g.local) || covers_local(g.local, address->local);
}

bool
sender_granted(struct span grants, const struct mailbox *address)
{
	struct span pattern;

	while (pattern = span_take_word(&grants), !span_done(pattern))
		if (grant_covers(pattern, address))
			return true;
	return false;
}

/* ---- the words ---- */

/* A reply is ASCII (RFC 6531 3.7.4), and what stands in a file of accounts may be anything. */
static void
put_safe(struct buf *words, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		(void)buf_put_byte(words, ascii_is_graph(s.p[i]) ? s.p[i] : '?');
}

/* "*" is never among them: whoever has it is refused nothing. */
static void
put_grant(struct buf *words, struct span pattern)
{
	if (span_take(&pattern, SPAN("*@")) || span_take_byte(&pattern, '@')) {
		(void)buf_put_text(words, "every address at ");
		put_safe(words, pattern);
	} else {
		put_safe(words, pattern);
	}
}

static void
put_allowed(struct span grants, struct buf *words)
{
	size_t begin = words->len, named = 0, more = 0;
	struct span pattern;

	while (pattern = span_take_word(&grants), !span_done(pattern)) {
		if (named == SENDER_NAMED_MAX || words->len - begin + pattern.len > NAMED_OCTETS_MAX) {
			more++;
			continue;
		}
		(void)buf_put_text(words, named++ == 0 ? "" : ", ");
		put_grant(words, pattern);
	}
	if (named == 0 && more == 0)
		(void)buf_put_text(words, "no address");
	if (more > 0) {
		(void)buf_put_text(words, named == 0 ? "" : " and ");
		(void)buf_put_u64(words, more);
		(void)buf_put_text(words, " more");
	}
}

static enum fail
deny(struct span grants, enum sender_use use, struct buf *words)
{
	uint8_t text[SENDER_WORDS_MAX];
	struct buf b = BUF_OVER(text);

	(void)buf_put_text(&b, use == SENDER_AUTHOR ? "From names an address that is not yours: this login may use "
	    : "not an address of yours: this login may use ");
	put_allowed(grants, &b);
	(void)buf_put(words, buf_span(&b));
	return use == SENDER_AUTHOR ? FAIL_AUTHOR_DENIED : FAIL_SENDER_DENIED;
}

/* An author comes as the header wrote him, perhaps with comments or spaces around the '@' (RFC 5322 4.4). */
static bool
address_parse(struct span address, enum sender_use use, struct mailbox *out)
{
	struct mailbox second;

	if (use == SENDER_REVERSE_PATH)
		return mailbox_parse(address, out) == PATH_OK;
	return address_next(&address, out) == ADDRESS_ONE && address_next(&address, &second) == ADDRESS_END;
}

enum fail
sender_check(struct span grants, struct span address, enum sender_use use, struct buf *words)
{
	struct mailbox m;

	if (span_done(address) && use == SENDER_REVERSE_PATH)
		return OK;
	if (!address_parse(address, use, &m)) {
		(void)buf_put_text(words, "malformed sender address");
		return FAIL_SENDER_SYNTAX;
	}
	return sender_granted(grants, &m) ? OK : deny(grants, use, words);
}
