/* What follows from what a domain announces (6186-1, 6186-5, 8314-10, 8314-35, 8314-39). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "audit/judge.h"
#include "findings.h"

/* Who has announced it is looked at by itself. */
#define judged(where, facts, ids) (void)findings_are("postern-audit 1\ntarget x\n" where facts, "announced", ids)
#define DOMAIN "domain example.org\nfound mail.example.org 465 submissions srv\n"
#define SRV(service, priority, weight, port, host, secure) "srv " service " " priority " " weight " " port " " host " " secure "\n"
#define IMPLICIT(priority) SRV("submissions", priority, "1", "465", "mail.example.org", "secure")
#define NEGOTIATED(priority) SRV("submission", priority, "1", "587", "mail.example.org", "secure")

static void
which_service_comes_first(void **state)
{
	(void)state;
	judged(DOMAIN, IMPLICIT("0") NEGOTIATED("10"), "srv-good ");
	judged(DOMAIN, IMPLICIT("10") NEGOTIATED("0"), "srv-order ");
	judged(DOMAIN, IMPLICIT("10") NEGOTIATED("10"), "srv-order-equal ");
	/* As numbers, not as text; and only the best of each counts. */
	judged(DOMAIN, IMPLICIT("9") NEGOTIATED("10"), "srv-good ");
	judged(DOMAIN, IMPLICIT("30") IMPLICIT("1") NEGOTIATED("20") NEGOTIATED("5"), "srv-good ");
	/* RFC 6186 3.4: weights are for choosing within one service. */
	judged(DOMAIN, SRV("submissions", "1", "0", "465", "mail.example.org", "secure") SRV("submission", "1", "65535", "587", "mail.example.org", "secure"), "srv-order-equal ");
	judged(DOMAIN, SRV("submissions", "1", "0", "465", "mail.example.org", "secure") SRV("submission", "2", "65535", "587", "mail.example.org", "secure"), "srv-good ");
	/* What leads nowhere has no place in the order. */
	judged(DOMAIN, SRV("submissions", "0", "0", "0", "mail.example.org", "secure") NEGOTIATED("10"), "srv-no-implicit ");
	judged(DOMAIN, IMPLICIT("10") SRV("submission", "0", "0", "0", ".", "secure"), "srv-good ");
}

static void
where_srv_leads(void **state)
{
	(void)state;
	judged(DOMAIN, SRV("submissions", "0", "1", "465", "Mail.Example.ORG", "insecure"), "srv-unsigned srv-good ");
	judged(DOMAIN, SRV("submissions", "0", "1", "465", "mail.hoster.example", "insecure"), "srv-elsewhere srv-unsigned srv-good ");
	judged(DOMAIN, SRV("submissions", "0", "1", "465", "notexample.org", "insecure"), "srv-elsewhere srv-unsigned srv-good ");
	judged(DOMAIN, SRV("submissions", "0", "1", "465", "mail.hoster.example", "secure"), "srv-good ");
	judged(DOMAIN, SRV("submissions", "0", "1", "587", "mail.example.org", "secure"), "announced-port srv-good ");
	judged(DOMAIN, IMPLICIT("0") SRV("submission", "1", "1", "465", "mail.example.org", "secure"), "announced-port srv-good ");
}

#define URL "https://autoconfig.example.org/mail/config-v1.1.xml "
#define FILE_SSL "autoconfig-server mail.example.org 465 SSL OAuth2 autoconfig\n"
#define FILE_STARTTLS "autoconfig-server mail.example.org 587 STARTTLS OAuth2 autoconfig\n"
#define OTHER_SSL "autoconfig-server mail.example.org 465 SSL - well-known\n"
#define OTHER_STARTTLS "autoconfig-server mail.example.org 587 STARTTLS - well-known\n"

static void
what_a_file_says(void **state)
{
	(void)state;
	judged(DOMAIN, FILE_SSL FILE_STARTTLS, "autoconfig-good ");
	judged(DOMAIN, FILE_STARTTLS FILE_SSL, "autoconfig-order ");
	judged(DOMAIN, FILE_STARTTLS, "autoconfig-no-implicit ");
	judged(DOMAIN, FILE_SSL "autoconfig-server mail.example.org 25 plain password-cleartext autoconfig\n", "autoconfig-clear ");
	judged(DOMAIN, "autoconfig-server mail.example.org 587 SSL - autoconfig\n", "announced-port ");
	judged(DOMAIN, "autoconfig-server mail.example.org 465 SSL none autoconfig\n", "autoconfig-no-login autoconfig-good ");
	judged(DOMAIN, "autoconfig-server mail.example.org 465 SSL OAuth2,none autoconfig\n", "autoconfig-good ");
	judged(DOMAIN, "autoconfig " URL "bad line 1: no\n", "autoconfig-bad ");
	judged(DOMAIN, "autoconfig " URL "empty 0\n", "autoconfig-empty ");
	judged(DOMAIN, "autoconfig " URL "partly 1\n" FILE_SSL, "autoconfig-partly autoconfig-good ");
	judged(DOMAIN, "autoconfig " URL "untrusted x\n", "autoconfig-untrusted ");
	judged(DOMAIN, "autoconfig " URL "failed x\n", "autoconfig-failed ");
	judged(DOMAIN, "autoconfig " URL "none x\nautoconfig https://example.org/ none x\n", "autoconfig-missing ");
	judged(DOMAIN, "autoconfig " URL "none x\nautoconfig https://example.org/ ok 1\n" OTHER_SSL, "autoconfig-good ");
}

static void
one_against_the_other(void **state)
{
	(void)state;
	judged(DOMAIN, IMPLICIT("0") NEGOTIATED("10") FILE_SSL FILE_STARTTLS, "autoconfig-good srv-good ");
	judged(DOMAIN, IMPLICIT("0") NEGOTIATED("10") FILE_STARTTLS FILE_SSL, "announced-otherwise autoconfig-order srv-good ");
	judged(DOMAIN, NEGOTIATED("0") "srv submissions none\n" FILE_SSL, "srv-no-implicit announced-otherwise announced-elsewhere autoconfig-good ");
	judged(DOMAIN, FILE_SSL OTHER_STARTTLS OTHER_SSL, "announced-otherwise autoconfig-order ");
	judged(DOMAIN, FILE_SSL OTHER_SSL, "autoconfig-good ");
	judged(DOMAIN, IMPLICIT("0") "autoconfig-server other.example.org 465 SSL - autoconfig\n", "announced-elsewhere autoconfig-good srv-good ");
	/* Of several that are as good, SRV's first may be any. */
	judged(DOMAIN, SRV("submissions", "0", "1", "465", "a.example.org", "secure") IMPLICIT("0") FILE_SSL, "autoconfig-good srv-good ");
}

static void
note_sources(void *arg, const struct finding *f)
{
	char *evidence = arg;

	if (strcmp(f->check->id, "announced") == 0)
		(void)snprintf(evidence, EVIDENCE_MAX + 1, "%.*s", (int)f->evidence.len, (const char *)f->evidence.p);
}

static void
who_says_where_it_is(void **state)
{
	char evidence[EVIDENCE_MAX + 1] = "";

	(void)state;
	assert_true(audit_judge(SPAN("postern-audit 1\ntarget x\ndomain x\nfound a.example 465 submissions srv\nfound a.example 465 submissions autoconfig\n"
	    "found b.example 25 smtp mx\n"), note_sources, evidence));
	assert_string_equal(evidence, "a.example:465 by srv; a.example:465 by autoconfig; b.example:25 by mx");
	judged("domain x\n", "found a.example 465 submissions mx\n", "found-by-guess ");
	judged("domain x\n", "found a.example 465 submissions well-known\n", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_service_comes_first), cmocka_unit_test(where_srv_leads), cmocka_unit_test(what_a_file_says),
		cmocka_unit_test(one_against_the_other), cmocka_unit_test(who_says_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
