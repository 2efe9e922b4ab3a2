/* What any domain may publish (RFC 8461 3): the first line is its TXT record, the rest its policy file. */
#include <stdlib.h>
#include <string.h>

#include "policy/mta_sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
check_policy(const struct mta_sts_policy *policy)
{
	if (policy->mxs > MTA_STS_MX_MAX || policy->max_age > MTA_STS_AGE_MAX || (policy->mode != MTA_STS_NONE && policy->mxs == 0))
		abort();
	for (uint32_t i = 0; i < policy->mxs; i++) {
		const char *mx = policy->text + policy->mx[i];

		if (policy->mx[i] >= MTA_STS_TEXT_MAX || memchr(mx, 0, MTA_STS_TEXT_MAX - policy->mx[i]) == NULL || strlen(mx) > 255)
			abort();
		/* A name is its own pattern; a wildcard is none of its own hosts. */
		if (mta_sts_matches(policy, span_of(mx)) == (mx[0] == '*') && mx[0] != '*')
			abort();
	}
}

/* What is said of it is the same policy. */
static void
check_format(const struct mta_sts_policy *policy)
{
	static struct mta_sts_policy again;
	uint8_t octets[MTA_STS_FORMAT_MAX];
	struct buf text = BUF_OVER(octets);
	const char *words;

	mta_sts_policy_format(policy, '\n', &text);
	if (!mta_sts_policy_parse(buf_span(&text), &again, &words) || again.mode != policy->mode || again.max_age != policy->max_age ||
	    again.mxs != policy->mxs || memcmp(again.mx, policy->mx, sizeof again.mx) != 0 || memcmp(again.text, policy->text, MTA_STS_TEXT_MAX) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct mta_sts_policy policy;
	struct span rest = { p, n }, txt = span_take_until(&rest, '\n');
	char id[MTA_STS_ID_MAX + 1] = "";
	const char *words;

	if (mta_sts_record_parse(txt, id) && (!mta_sts_record_claims(txt) || strlen(id) == 0 || strlen(id) > MTA_STS_ID_MAX))
		abort();
	(void)span_take_byte(&rest, '\n');
	if (mta_sts_policy_parse(rest, &policy, &words)) {
		check_policy(&policy);
		check_format(&policy);
	} else if (words == NULL)
		abort();
	return 0;
}
