/* How far a client comes in clear: not beyond the greeting, or without STARTTLS as far as login and mail (RFC 3207 6, RFC 8314 4.1). */
#include "audit/tests.h"

/* "HELLO VERB CODE TEXT": did this verb get a reply of the codes from least to most? */
static bool
got(const struct section *s, struct span verb, int64_t least, int64_t most, struct span *value)
{
	struct span lines = s->lines;
	struct fact f;
	int64_t code;

	while (fact_take(&lines, &f)) {
		struct span words = f.value;

		*value = f.value;
		(void)span_take_word(&words);
		if (span_eq(f.key, SPAN("stripped")) && span_eq(span_take_word(&words), verb) && number_in(f.value, 2, &code)
		    && code >= least && code <= most)
			return true;
	}
	return false;
}

static bool
quote_got(const struct section *s, struct span verb, int64_t least, int64_t most, struct buf *e)
{
	struct span value;

	return got(s, verb, least, most, &value) && buf_put_text(e, "without STARTTLS: ") && buf_put(e, span_head(value, 300));
}

bool
stripped_auth(const struct section *s, struct buf *e)
{
	return quote_got(s, SPAN("AUTH"), 200, 399, e);
}

bool
stripped_mail(const struct section *s, struct buf *e)
{
	return quote_got(s, SPAN("MAIL"), 200, 299, e);
}

/* Both were asked for, and refused for good. */
bool
good_stripped(const struct section *s, struct buf *e)
{
	struct span value;

	return !got(s, SPAN("AUTH"), 0, 499, &value) && !got(s, SPAN("MAIL"), 0, 499, &value) && got(s, SPAN("AUTH"), 500, 599, &value)
	    && quote_got(s, SPAN("MAIL"), 500, 599, e);
}

bool
turned_away(const struct section *s, struct buf *e)
{
	unsigned code = reply_code(s, "greeting");

	return !is_service(s, "imaps") && !is_service(s, "pop3s") && code >= 400 && code < 600 && quote(s, "greeting", e);
}
