/*
 * The table as lines, a TAB between two fields:
 *
 *	postern-tls-reports 1   DAY   MISSED
 *	d   NAME   MISSED
 *	p   TYPE   SUCCESSFUL   FAILED   POLICY-DOMAIN   STRING   STRING ...
 *	f   RESULT   SESSIONS   MX   IP   FROM   REASON
 *	end
 *
 * A p belongs to the d above it, an f to the p.
 */
#include <assert.h>
#include <string.h>

#include "policy/tlsrpt_parts.h"

#define MAGIC "postern-tls-reports 1"

/* ---- dates ---- */

/* The years begin with March, so that the day that comes and goes is the last one. */
void
tlsrpt_date(uint32_t day, char out[TLSRPT_DATE + 1])
{
	uint64_t since = (uint64_t)day + 719468, era = since / 146097, of_era = since % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
	struct buf b = { (uint8_t *)out, 0, TLSRPT_DATE + 1 };

	year += era * 400 + (month >= 10);
	(void)buf_put_padded(&b, year % 10000, 4);
	(void)buf_put_byte(&b, '-');
	(void)buf_put_padded(&b, month < 10 ? month + 3 : month - 9, 2);
	(void)buf_put_byte(&b, '-');
	(void)buf_put_padded(&b, of_year - (153 * month + 2) / 5 + 1, 2);
	out[b.len] = 0;
}

/* ---- out ---- */

size_t
tlsrpt_store_size(const struct tlsrpt *t)
{
	return (size_t)t->text_len + TLSRPT_LINE_ROOM * ((size_t)t->domains + t->policies + t->failures + 2);
}

static void
put_text(const struct tlsrpt *t, struct tlsrpt_text text, struct buf *out)
{
	(void)buf_put_byte(out, '\t');
	(void)buf_put(out, tlsrpt_text(t, text));
}

static void
put_number(uint64_t n, struct buf *out)
{
	(void)buf_put_byte(out, '\t');
	(void)buf_put_u64(out, n);
}

static void
put_failure(const struct tlsrpt *t, const struct tlsrpt_failure *f, struct buf *out)
{
	(void)buf_put_text(out, "f\t");
	(void)buf_put_text(out, transport_result_name(f->result));
	put_number(f->sessions, out);
	put_text(t, f->mx, out);
	put_text(t, f->ip, out);
	put_text(t, f->from, out);
	put_text(t, f->reason, out);
	(void)buf_put_byte(out, '\n');
}

static void
put_policy(const struct tlsrpt *t, const struct tlsrpt_policy *p, struct buf *out)
{
	(void)buf_put_text(out, "p\t");
	(void)buf_put_text(out, tlsrpt_type_name(p->type));
	put_number(p->successful, out);
	put_number(p->failed, out);
	put_text(t, p->domain, out);
	if (p->strings.len > 0)
		put_text(t, p->strings, out);
	(void)buf_put_byte(out, '\n');
	for (uint32_t i = p->failures; i != TLSRPT_NOTHING; i = t->failure[i].next)
		put_failure(t, &t->failure[i], out);
}

bool
tlsrpt_format(const struct tlsrpt *t, struct buf *out)
{
	(void)buf_put_text(out, MAGIC);
	put_number(t->day, out);
	put_number(t->missed, out);
	(void)buf_put_byte(out, '\n');
	for (uint32_t i = 0; i < t->domains; i++) {
		(void)buf_put_byte(out, 'd');
		put_text(t, t->domain[i].name, out);
		put_number(t->domain[i].missed, out);
		(void)buf_put_byte(out, '\n');
		for (uint32_t p = t->domain[i].policies; p != TLSRPT_NOTHING; p = t->policy[p].next)
			put_policy(t, &t->policy[p], out);
	}
	/* The last line, or it is not whole. */
	return buf_put_text(out, "end\n");
}

/* ---- in ---- */

/* The lines so far: the d and the p that are in force. */
struct reading {
	struct tlsrpt *t;
	struct tlsrpt_session s;
	struct tlsrpt_domain *domain;   /* NULL: none yet */
	struct tlsrpt_policy *policy;
	bool ended;
};

static bool
take_field(struct span *line, size_t most, struct span *field)
{
	if (!span_take_byte(line, '\t'))
		return false;
	*field = span_take_until(line, '\t');
	return field->len <= most;
}

static bool
take_number(struct span *line, uint64_t *n)
{
	struct span field;

	return take_field(line, 20, &field) && span_take_u64(&field, n) && span_done(field);
}

/* Each row is new, or somebody else has written this. */
static bool
take_domain(struct reading *r, struct span line)
{
	uint32_t before = r->t->domains;
	uint64_t missed;

	if (!take_field(&line, TLSRPT_NAME_MAX, &r->s.domain) || r->s.domain.len == 0 || !take_number(&line, &missed) ||
	    !span_done(line))
		return false;
	r->domain = tlsrpt_domain_of(r->t, r->s.domain);
	r->policy = NULL;
	if (r->t->domains == before)
		return false;
	r->domain->missed = missed;
	return true;
}

static bool
take_type(struct span *line, enum tlsrpt_type *type)
{
	struct span field;

	if (!take_field(line, 32, &field))
		return false;
	for (unsigned i = 0; i < TLSRPT_TYPES; i++)
		if (span_eq(field, span_of(tlsrpt_type_name((enum tlsrpt_type)i)))) {
			*type = (enum tlsrpt_type)i;
			return true;
		}
	return false;
}

static bool
take_policy(struct reading *r, struct span line)
{
	uint32_t before = r->t->policies;
	uint64_t successful, failed;

	if (r->domain == NULL || !take_type(&line, &r->s.type) || !take_number(&line, &successful) || !take_number(&line, &failed) ||
	    !take_field(&line, TLSRPT_NAME_MAX, &r->s.policy_domain))
		return false;
	(void)span_take_byte(&line, '\t');
	r->s.strings = line;
	r->policy = line.len <= TLSRPT_POLICY_MAX ? tlsrpt_policy_of(r->t, r->domain, &r->s) : NULL;
	if (r->policy == NULL || r->t->policies == before)
		return false;
	r->policy->successful = successful;
	r->policy->failed = failed;
	return true;
}

static bool
take_result(struct span *line, enum transport_result *result)
{
	struct span field;

	if (!take_field(line, 32, &field))
		return false;
	for (unsigned i = TRANSPORT_OK + 1; i <= TRANSPORT_STS_WEBPKI_INVALID; i++)
		if (span_eq(field, span_of(transport_result_name((enum transport_result)i)))) {
			*result = (enum transport_result)i;
			return true;
		}
	return false;
}

static bool
take_failure(struct reading *r, struct span line)
{
	uint32_t before = r->t->failures;
	struct tlsrpt_failure *f;
	uint64_t sessions;

	if (r->policy == NULL || !take_result(&line, &r->s.result) || !take_number(&line, &sessions) ||
	    !take_field(&line, TLSRPT_NAME_MAX, &r->s.mx) || !take_field(&line, TLSRPT_NAME_MAX, &r->s.ip) ||
	    !take_field(&line, TLSRPT_NAME_MAX, &r->s.from) || !take_field(&line, TLSRPT_REASON_MAX, &r->s.reason) || !span_done(line))
		return false;
	f = tlsrpt_failure_of(r->t, r->policy, &r->s);
	if (f == NULL || r->t->failures == before)
		return false;
	f->sessions = sessions;
	return true;
}

static bool
take_line(struct reading *r, struct span line)
{
	struct span kind = span_take_until(&line, '\t');

	if (r->ended)
		return false;
	r->ended = span_eq(kind, SPAN("end"));
	if (r->ended)
		return span_done(line);
	if (span_eq(kind, SPAN("d")))
		return take_domain(r, line);
	if (span_eq(kind, SPAN("p")))
		return take_policy(r, line);
	return span_eq(kind, SPAN("f")) && take_failure(r, line);
}

static bool
take_head(struct tlsrpt *t, struct span line)
{
	uint64_t day;

	return span_take(&line, SPAN(MAGIC)) && take_number(&line, &day) && day == t->day && take_number(&line, &t->missed) &&
	    span_done(line);
}

bool
tlsrpt_parse(struct tlsrpt *t, struct span text)
{
	struct reading r = { .t = t };
	uint8_t key[SIPHASH_KEY];
	bool good, first = true;

	for (good = true; good && !span_done(text); first = false) {
		struct span line = span_take_until(&text, '\n');

		good = span_take_byte(&text, '\n') && (first ? take_head(t, line) : take_line(&r, line));
	}
	if (good && r.ended)
		return true;
	memcpy(key, t->key, sizeof key);
	tlsrpt_init(t, key, t->day);
	return false;
}
