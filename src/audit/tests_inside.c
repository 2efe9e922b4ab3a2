/* What --login and --active saw (RFC 4954, 6409 6.1, 5321 2.3.8). */
#include "audit/tests.h"

bool
login_unsent(const struct section *s, struct buf *e)
{
	return section_has(s, "login", "unsent") && quote(s, "login", e);
}

bool
login_failed(const struct section *s, struct buf *e)
{
	return section_count(s, "login") > 0 && !section_has(s, "login", "unsent") && reply_code(s, "login") != 235 && quote(s, "login", e);
}

bool
sender_unchecked(const struct section *s, struct buf *e)
{
	return reply_code(s, "sender-foreign") / 100 == 2 && quote(s, "sender-foreign", e);
}

bool
good_sender(const struct section *s, struct buf *e)
{
	return reply_code(s, "sender-foreign") / 100 == 5 && quote(s, "sender-foreign", e);
}

/* "LF.LF 250 ...": the first that was taken, or with none the first that was not. */
static bool
find_ending(const struct section *s, bool taken, struct buf *e)
{
	struct span lines = s->lines;
	struct fact f;
	int64_t code;

	while (fact_take(&lines, &f)) {
		struct span words = f.value;

		if (!span_eq(f.key, SPAN("smuggling")) || span_eq(span_take_word(&words), SPAN("not-begun")))
			continue;
		if ((number_in(f.value, 1, &code) && code / 100 == 2) != taken)
			continue;
		(void)(buf_put_text(e, "smuggling: ") && buf_put(e, span_head(f.value, buf_room(e))));
		return true;
	}
	return false;
}

bool
smuggles(const struct section *s, struct buf *e)
{
	return find_ending(s, true, e);
}

bool
good_endings(const struct section *s, struct buf *e)
{
	uint8_t octets[EVIDENCE_MAX];
	struct buf none = BUF_OVER(octets);

	return !find_ending(s, true, &none) && find_ending(s, false, e);
}
