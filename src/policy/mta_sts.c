#include "policy/mta_sts.h"

#include <assert.h>
#include <string.h>

/* ---- what both texts are made of ---- */

/* Letter case counts in both. */
static bool
take_exactly(struct span *s, struct span literal)
{
	if (!span_eq(span_head(*s, literal.len), literal))
		return false;
	span_skip(s, literal.len);
	return true;
}

/* ---- the TXT record (3.1): "v=STSv1; id=20160831085700Z;" ---- */

bool
mta_sts_record_claims(struct span txt)
{
	if (!take_exactly(&txt, SPAN("v=STSv1")))
		return false;
	txt = span_trim(txt);
	return span_done(txt) || txt.p[0] == ';';
}

static bool
id_parse(struct span value, char id[MTA_STS_ID_MAX + 1])
{
	if (value.len == 0 || value.len > MTA_STS_ID_MAX)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (!ascii_is_alnum(value.p[i]))
			return false;
		id[i] = (char)value.p[i];
	}
	id[value.len] = 0;
	return true;
}

/* sts-ext-name "=" sts-ext-value: letters, digits, "_" "-" "."; a value of anything printable but "=" and ";". */
static bool
extension_valid(struct span name, struct span value)
{
	if (name.len == 0 || name.len > 32 || value.len == 0 || !ascii_is_alnum(name.p[0]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_' && name.p[i] != '-' && name.p[i] != '.')
			return false;
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_graph(value.p[i]) || value.p[i] == '=')
			return false;
	return true;
}

bool
mta_sts_record_parse(struct span txt, char id[MTA_STS_ID_MAX + 1])
{
	bool found = false;

	if (!mta_sts_record_claims(txt))
		return false;
	(void)span_take_until(&txt, ';');
	while (span_take_byte(&txt, ';')) {
		struct span value = span_trim(span_take_until(&txt, ';'));
		struct span name = span_take_until(&value, '=');

		if (span_done(name) && span_done(value)) {
			if (span_done(span_trim(txt)))
				break;          /* the last semicolon has nothing behind it */
			return false;
		}
		if (!span_take_byte(&value, '='))
			return false;
		if (span_eq(name, SPAN("id")) && !found) {
			found = id_parse(value, id);
			if (!found)
				return false;
		} else if (!extension_valid(name, value)) {
			return false;
		}
	}
	return found && span_done(span_trim(txt));
}

/* ---- the policy file (3.2) ---- */

struct reading {
	struct mta_sts_policy *policy;
	size_t text;                    /* octets of it used */
	bool version, mode, max_age;    /* seen */
	const char *words;              /* what is wrong; NULL: nothing yet */
};

/* Labels of letters, digits and hyphens, the left-most one may be "*". */
static bool
pattern_valid(struct span s)
{
	size_t label = 0;

	(void)take_exactly(&s, SPAN("*."));
	if (s.len == 0 || s.len > 253)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if ((!ascii_is_alnum(c) && c != '-' && c != '_') || ++label > 63) {
			return false;
		}
	}
	return label > 0;
}

static void
take_mx(struct reading *r, struct span value)
{
	struct mta_sts_policy *p = r->policy;

	if (!pattern_valid(value)) {
		r->words = "an mx pattern is no host name";
		return;
	}
	if (p->mxs == MTA_STS_MX_MAX || value.len >= MTA_STS_TEXT_MAX - r->text) {
		r->words = "it has more mx patterns than we take";
		return;
	}
	p->mx[p->mxs++] = (uint16_t)r->text;
	for (size_t i = 0; i < value.len; i++)
		p->text[r->text++] = (char)ascii_lower(value.p[i]);
	p->text[r->text++] = 0;
}

static void
take_mode(struct reading *r, struct span value)
{
	if (r->mode)
		return;
	r->mode = true;
	if (span_eq(value, SPAN("enforce")))
		r->policy->mode = MTA_STS_ENFORCE;
	else if (span_eq(value, SPAN("testing")))
		r->policy->mode = MTA_STS_TESTING;
	else if (span_eq(value, SPAN("none")))
		r->policy->mode = MTA_STS_NONE;
	else
		r->words = "its mode is none of enforce, testing and none";
}

static void
take_max_age(struct reading *r, struct span value)
{
	uint64_t age;

	if (r->max_age)
		return;
	r->max_age = true;
	if (value.len > 10 || !span_take_u64(&value, &age) || !span_done(value)) {
		r->words = "its max_age is no number of seconds";
		return;
	}
	/* A domain that wants to be remembered for longer is remembered for the longest time there is. */
	r->policy->max_age = age < MTA_STS_AGE_MAX ? (uint32_t)age : MTA_STS_AGE_MAX;
}

static void
take_version(struct reading *r, struct span value)
{
	if (!r->version && !span_eq(value, SPAN("STSv1")))
		r->words = "its version is not STSv1";
	r->version = true;
}

static void
take_line(struct reading *r, struct span line)
{
	static const struct {
		struct span key;
		void (*take)(struct reading *, struct span value);
	} keys[] = {
		{ SPAN_INIT("version"), take_version }, { SPAN_INIT("mode"), take_mode },
		{ SPAN_INIT("max_age"), take_max_age }, { SPAN_INIT("mx"), take_mx },
	};
	struct span value = line, key = span_take_until(&value, ':');

	if (!span_take_byte(&value, ':')) {
		r->words = "a line has no colon";
		return;
	}
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (span_eq(span_trim(key), keys[i].key))
			keys[i].take(r, span_trim(value));
}

bool
mta_sts_policy_parse(struct span file, struct mta_sts_policy *policy, const char **words)
{
	struct reading r = { .policy = policy };

	memset(policy, 0, sizeof *policy);
	if (file.len > MTA_STS_FILE_MAX)
		r.words = "it is too big";
	while (r.words == NULL && !span_done(file)) {
		struct span line = span_take_until(&file, '\n');

		(void)span_take_byte(&file, '\n');
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (!span_done(span_trim(line)))
			take_line(&r, line);
	}
	if (r.words == NULL && !r.version)
		r.words = "it has no version";
	if (r.words == NULL && !r.mode)
		r.words = "it has no mode";
	if (r.words == NULL && !r.max_age)
		r.words = "it has no max_age";
	if (r.words == NULL && policy->mode != MTA_STS_NONE && policy->mxs == 0)
		r.words = "it names no mx";
	*words = r.words;
	return r.words == NULL;
}

void
mta_sts_policy_format(const struct mta_sts_policy *p, char separator, struct buf *out)
{
	(void)buf_put_text(out, "version: STSv1");
	(void)buf_put_byte(out, (uint8_t)separator);
	(void)buf_put_text(out, "mode: ");
	(void)buf_put_text(out, mta_sts_mode_name(p->mode));
	for (uint32_t i = 0; i < p->mxs; i++) {
		(void)buf_put_byte(out, (uint8_t)separator);
		(void)buf_put_text(out, "mx: ");
		(void)buf_put_text(out, p->text + p->mx[i]);
	}
	(void)buf_put_byte(out, (uint8_t)separator);
	(void)buf_put_text(out, "max_age: ");
	(void)buf_put_u64(out, p->max_age);
}

/* ---- using it ---- */

static bool
pattern_matches(struct span pattern, struct span host)
{
	if (!take_exactly(&pattern, SPAN("*.")))
		return span_same(pattern, host);
	/* Exactly one label: not none, not two. */
	if (span_done(span_take_until(&host, '.')))
		return false;
	return span_take_byte(&host, '.') && span_same(pattern, host);
}

bool
mta_sts_matches(const struct mta_sts_policy *p, struct span host)
{
	assert(p->mxs <= MTA_STS_MX_MAX);
	if (host.len > 1 && host.p[host.len - 1] == '.')
		host.len--;
	for (uint32_t i = 0; i < p->mxs; i++)
		if (pattern_matches(span_of(p->text + p->mx[i]), host))
			return true;
	return false;
}

const char *
mta_sts_mode_name(enum mta_sts_mode mode)
{
	return mode == MTA_STS_ENFORCE ? "enforce" : mode == MTA_STS_TESTING ? "testing" : "none";
}
