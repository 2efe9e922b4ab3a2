/* A transcript as anybody may hand it to us: judging it ends, and evidence stays within its room. */
#include <stdlib.h>

#include "audit/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
check(void *arg, const struct finding *f)
{
	(void)arg;
	if (f->evidence.len > EVIDENCE_MAX || f->check->severity >= SEVERITY_MAX || section_kind(f->section)[0] == '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t octets[8192];
	struct buf b = BUF_OVER(octets);
	struct fact f;
	struct span lines, all = { p, n };

	(void)audit_judge(all, check, NULL);
	/* What is written is one line, and is read back with its key. */
	if (n < 1000 && transcript_put(&b, "key", all)) {
		lines = buf_span(&b);
		if (!fact_take(&lines, &f) || !span_eq(f.key, SPAN("key")) || !span_done(lines))
			abort();
	}
	return 0;
}
