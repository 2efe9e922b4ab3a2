/*
 * fuzz/address.c - everything that reads an address: paths of the envelope, lists of the header, host names and literals, grants.
 * What is read as an address and written again is read as the same; an address of the envelope is one of the header too.
 */
#include <stdint.h>
#include <stdlib.h>

#include "mail/path.h"
#include "policy/sender.h"

static void
insist(bool good)
{
	if (!good)
		abort();
}

static bool
is_within(struct span part, struct span whole)
{
	return part.len == 0 || (part.p >= whole.p && part.len <= whole.len && (size_t)(part.p - whole.p) <= whole.len - part.len);
}

static void
check_lengths(const struct mailbox *m)
{
	insist(m->local.len >= 1 && m->local.len <= LOCAL_PART_MAX && m->domain.len <= DOMAIN_MAX);
	insist(m->whole.len <= PATH_MAX_OCTETS - 2);
	insist(m->whole.len == m->local.len + (m->domain.len > 0 ? 1 + m->domain.len : 0));
}

/* A header may hold whatever an envelope may. */
static void
check_header_agrees(const struct mailbox *m)
{
	struct span rest = m->whole;
	struct mailbox again;

	insist(address_next(&rest, &again) == ADDRESS_ONE);
	insist(mailbox_equal(m, &again) && m->utf8 == again.utf8);
	insist(address_next(&rest, &again) == ADDRESS_END);
}

static void
try_path(struct span in, bool null_ok)
{
	uint8_t text[PATH_MAX_OCTETS];
	struct buf written = BUF_OVER(text);
	struct span rest = in;
	struct mailbox m, again;

	if (path_take(&rest, null_ok, &m) != PATH_OK) {
		insist(rest.p == in.p && rest.len == in.len);
		return;
	}
	insist(is_within(m.whole, in) && is_within(rest, in) && rest.len < in.len);
	if (span_done(m.whole)) {
		insist(null_ok);
		return;
	}
	check_lengths(&m);
	insist(buf_put_byte(&written, '<') && buf_put(&written, m.whole) && buf_put_byte(&written, '>'));
	rest = buf_span(&written);
	insist(path_take(&rest, null_ok, &again) == PATH_OK && span_done(rest));
	insist(mailbox_equal(&m, &again) && span_eq(m.whole, again.whole));
	if (!span_done(m.domain))
		check_header_agrees(&m);
}

static void
try_mailbox(struct span in)
{
	struct mailbox m;
	enum path_error e = mailbox_parse(in, &m);

	insist(path_error_text(e)[0] != '\0');
	if (e == PATH_OK)
		insist(span_eq(m.whole, in));
	if (e == PATH_OK || e == PATH_UNQUALIFIED)
		check_lengths(&m);
}

static size_t
walk(struct span in, enum address_step (*next)(struct span *, struct mailbox *), enum address_step *end)
{
	struct span rest = in;
	struct mailbox m;
	size_t count = 0;

	while ((*end = next(&rest, &m)) == ADDRESS_ONE) {
		insist(is_within(m.local, in) && is_within(m.domain, in) && is_within(m.whole, in) && is_within(rest, in));
		insist(m.local.len > 0 && ++count <= in.len);
		insist(next == address_next_bare || m.domain.len > 0);
	}
	return count;
}

static void
try_list(struct span in)
{
	enum address_step strict, bare;
	size_t count = walk(in, address_next, &strict), bare_count = walk(in, address_next_bare, &bare);

	insist(bare_count >= count);
	insist(strict != ADDRESS_END || (bare == ADDRESS_END && bare_count == count));
}

/* Grants before the first LF, an address behind it. */
static void
try_grants(struct span in)
{
	struct span grants = span_take_until(&in, '\n');
	uint8_t text[SENDER_WORDS_MAX];
	struct buf words = BUF_OVER(text);
	struct mailbox m;
	enum fail f;

	span_skip(&in, 1);
	f = sender_check(grants, in, SENDER_REVERSE_PATH, &words);
	insist((f == OK) == (words.len == 0));
	for (size_t i = 0; i < words.len; i++)
		insist(text[i] >= 32 && text[i] < 127);
	if (f == OK && !span_done(in))
		insist(mailbox_parse(in, &m) == PATH_OK && sender_granted(grants, &m));
	/* Whoever may use everything may use this too, and who may be named in the envelope may be named as the author. */
	words.len = 0;
	insist(f != OK || span_done(in) || sender_check(grants, in, SENDER_AUTHOR, &words) == OK);
	insist(f != OK || sender_check(SPAN("*"), in, SENDER_REVERSE_PATH, &words) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };

	try_path(in, false);
	try_path(in, true);
	try_mailbox(in);
	try_list(in);
	try_grants(in);
	insist(!domain_valid(in) || !address_literal_valid(in));
	return 0;
}
