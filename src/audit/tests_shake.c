/* What a handshake tells beside version and suite: names, groups, protection against older versions (RFC 6066 3, 8446 4.1.3, 7507, 8422). */
#include "audit/tests.h"

/* The value of "KEY WHICH HOW ..." behind WHICH, where HOW is so. */
static bool
find_how(const struct section *s, const char *which, const char *how, struct span *value)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f)) {
		struct span words = f.value;

		*value = f.value;
		if (span_eq(f.key, SPAN("sni")) && span_eq(span_take_word(&words), span_of(which))
		    && span_eq(span_take_word(&words), span_of(how)))
			return true;
	}
	return false;
}

static bool
quote_refused(const struct section *s, const char *which, struct buf *e)
{
	struct span value;

	return find_how(s, which, "refused", &value) && buf_put_text(e, "sni: ") && buf_put(e, span_head(value, 300));
}

bool
sni_needed(const struct section *s, struct buf *e)
{
	return quote_refused(s, "none", e);
}

/* Another certificate that is good for the host too (of another algorithm, say) harms nobody. */
bool
sni_default_other(const struct section *s, struct buf *e)
{
	struct span value, words;

	if (!find_how(s, "none", "other", &value))
		return false;
	words = value;
	(void)span_take_word(&words);
	(void)span_take_word(&words);
	return span_eq(span_take_word(&words), SPAN("no")) && buf_put_text(e, "sni: ") && buf_put(e, span_head(value, 300));
}

bool
sni_strict(const struct section *s, struct buf *e)
{
	return quote_refused(s, "unknown", e);
}

bool
good_sni(const struct section *s, struct buf *e)
{
	struct span value;

	return find_how(s, "none", "same", &value) && find_how(s, "unknown", "same", &value)
	    && buf_put_text(e, "the same certificate with the name, without one, and with an unknown one");
}

/* ---- older versions ---- */

bool
no_fallback_alert(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-fallback", "taken")
	    && buf_put_text(e, "a second try with an older version was taken as if it were the first");
}

bool
no_downgrade_mark(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-downgrade-mark", "no")
	    && buf_put_text(e, "the random of an older version does not say that TLSv1.3 could have been had");
}

/* ---- groups ---- */

bool
weak_group(const struct section *s, struct buf *e)
{
	return section_has(s, "tls-weak-groups", "yes") && buf_put_text(e, "a curve of less than 224 bits was taken in TLSv1.2");
}

enum { PRIME_LEAST = 2048 };

bool
weak_prime(const struct section *s, struct buf *e)
{
	struct span value;
	int64_t bits;

	return section_find(s, "tls-prime", &value) && number_in(value, 0, &bits) && bits < PRIME_LEAST && quote(s, "tls-prime", e);
}

bool
no_usual_group(const struct section *s, struct buf *e)
{
	return section_count(s, "tls-group") > 0 && section_count(s, "tls-groups-unknown") == 0 && !section_has(s, "tls-group", "x25519")
	    && !section_has(s, "tls-group", "secp256r1") && quote(s, "tls-group", e);
}
