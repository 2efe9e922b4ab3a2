/* A transcript is read back as it was written, whatever a server said; damaged ones are none, or lose a line. */
#include <stddef.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "audit/judge.h"

static void
written_and_read(void **state)
{
	static uint8_t octets[4096];
	struct buf b = BUF_OVER(octets);
	struct transcript t;
	struct section s;
	struct span value;

	(void)state;
	assert_true(transcript_put(&b, "postern-audit", SPAN("1")) && transcript_put(&b, "target", SPAN("mail.example.org")));
	assert_true(transcript_put(&b, "endpoint", SPAN("192.0.2.1 465 submissions")));
	assert_true(transcript_put(&b, "greeting", SPAN("220 \x1b[2J\nendpoint 6.6.6.6 1 smtp\\\xff")));
	assert_true(transcript_put(&b, "tls-version", SPAN("TLSv1.2 yes")) && transcript_put(&b, "tls-version", SPAN("TLSv1.3 no")));
	assert_true(transcript_open(&t, buf_span(&b)));
	assert_true(span_eq(t.name, SPAN("mail.example.org")));
	assert_true(transcript_next(&t, &s));
	assert_true(span_eq(s.address, SPAN("192.0.2.1")) && s.port == 465 && span_eq(s.service, SPAN("submissions")));
	assert_true(section_find(&s, "greeting", &value));
	assert_true(span_eq(value, SPAN("220 \\x1b[2J\\x0aendpoint 6.6.6.6 1 smtp\\x5c\\xff")));
	assert_true(section_has(&s, "tls-version", "TLSv1.3 no") && !section_has(&s, "tls-version", "TLSv1"));
	assert_int_equal(section_count(&s, "tls-version"), 2);
	assert_false(transcript_next(&t, &s));
}

static void
no_transcripts(void **state)
{
	static const char *const texts[] = { "", "\n", "postern-audit 2\ntarget x\n", "postern-audit 1x\ntarget x\n", "target x\n", "postern-audit 1\n" };
	struct transcript t;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_false(transcript_open(&t, span_of(texts[i])));
}

static void
damaged_endpoints(void **state)
{
	struct transcript t;
	struct section s;

	(void)state;
	assert_true(transcript_open(&t, SPAN("postern-audit 1\ntarget x\nendpoint\nendpoint a 70000 smtp\nendpoint a 1\nendpoint a 1 smtp\nconnect ok")));
	assert_true(transcript_next(&t, &s));
	assert_true(section_has(&s, "connect", "ok"));
	assert_false(transcript_next(&t, &s));
}

struct seen { char ids[400]; };

static void
note(void *arg, const struct finding *f)
{
	struct seen *seen = arg;

	assert_true(f->evidence.len <= EVIDENCE_MAX);
	if (f->check->severity >= SEVERITY_LOW)
		(void)strncat(strncat(seen->ids, f->check->id, 100), " ", 2);
}

#define POINT "postern-audit 1\ntarget x\nendpoint 192.0.2.1 465 submissions\nconnect ok 1\n"

static void
judged(const char *facts, const char *ids)
{
	static char text[4096];
	struct buf b = BUF_OVER(text);
	struct seen seen = { "" };

	assert_true(buf_put_text(&b, POINT) && buf_put_text(&b, facts));
	assert_true(audit_judge(buf_span(&b), note, &seen));
	assert_string_equal(seen.ids, ids);
}

static void
findings(void **state)
{
	(void)state;
	judged("", "");
	judged("tls-version SSLv3 yes\ntls-version TLSv1.2 yes\ntls-version TLSv1.3 yes\n", "ssl3 ");
	judged("tls-version TLSv1.0 yes\ntls-version TLSv1.2 no\ntls-version TLSv1.3 no\n", "tls10 no-tls12 ");
	judged("tls-ticket 604801\n", "ticket-long ");
	judged("tls-ticket 604800\n", "");
	judged("cert-until 2026-01-01 0\n", "cert-ends-soon ");
	judged("cert-until 2026-01-01 -1\n", "cert-expired ");
	judged("cert-until 2026-01-01 21\n", "cert-ends-in-weeks ");
	judged("cert-until 2026-01-01 22\ncert-until 2026-01-01 -5\n", "");
	judged("cert-key RSA 2047\n", "cert-weak-key ");
	judged("cert-key RSA 2048\n", "");
	judged("cert-key EC 192\n", "cert-weak-key ");
	judged("mail-tls 250 ok\n", "mail-before-auth ");
	judged("mail-tls 99999999999999999999 ok\ncert-key RSA x\ncert-until y\n", "");
	judged("greeting 220 mail.example.org ready\n", "");
	judged("greeting 220 [192.0.2.1] ready\n", "");
	judged("greeting 220 Welcome to mail\n", "greeting-name ");
	/* Most of what there is to say, at once, stays within its room. */
	judged("cert-name aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
	       "cert-name bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
	       "cert-name cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\n"
	       "cert-name dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\n"
	       "cert-match no x\n", "cert-other-name ");
}

static void
table(void **state)
{
	(void)state;
	assert_true(audit_check_count > 50);
	for (size_t i = 0; i < audit_check_count; i++) {
		assert_true(strlen(audit_checks[i].id) > 2 && strlen(audit_checks[i].why) > 5 && strlen(audit_checks[i].reference) > 3);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(audit_checks[i].id, audit_checks[k].id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_and_read), cmocka_unit_test(no_transcripts), cmocka_unit_test(damaged_endpoints),
		cmocka_unit_test(findings), cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
