#include "findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "audit/judge.h"

struct seen {
	const char *except, *kind;
	char ids[1000];
};

static void
note(void *arg, const struct finding *f)
{
	struct seen *seen = arg;

	assert_true(f->evidence.len > 0 && f->evidence.len <= EVIDENCE_MAX);
	if (seen->except != NULL && strcmp(f->check->id, seen->except) == 0)
		return;
	seen->kind = section_kind(f->section);
	strncat(seen->ids, f->check->id, sizeof seen->ids - strlen(seen->ids) - 1);
	strncat(seen->ids, " ", sizeof seen->ids - strlen(seen->ids) - 1);
}

const char *
findings_are(const char *transcript, const char *except, const char *ids)
{
	struct seen seen = { .except = except, .kind = "" };

	assert_true(audit_judge(span_of(transcript), note, &seen));
	assert_string_equal(seen.ids, ids);
	return seen.kind;
}
