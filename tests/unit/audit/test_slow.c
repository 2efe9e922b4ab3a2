/* What follows from how long a server waits, and from its having had enough (5321-74, RFC 5321 4.5.3.2.7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "findings.h"

#define judged(where, facts, ids) (void)findings_are("postern-audit 1\ntarget x\n" where facts, NULL, ids)
#define POINT(service) "endpoint 192.0.2.1 465 " service "\nconnect ok 1\n"

static void
how_long_it_waits(void **state)
{
	(void)state;
	judged(POINT("submissions"), "slow connect closed 30000 \nslow ehlo closed 300000 421 bye\nslow login closed 300000 421 bye\n", "timeouts-good ");
	judged(POINT("submissions"), "slow connect closed 9999 \n", "timeout-hasty ");
	judged(POINT("submission"), "slow connect closed 30000 421 bye\n", "timeout-short ");
	judged(POINT("submissions"), "slow ehlo closed 60000 421 bye\nslow login closed 60000 421 bye\n", "timeout-login timeout-short ");
	judged(POINT("submissions"), "slow ehlo held 330000\nslow login held 330000\n", "timeout-none ");
	judged(POINT("submissions"), "slow drip held 330000\n", "timeout-drip ");
	judged(POINT("submissions"), "slow drip held 20000\nslow ehlo held 20000\n", "timeout-unknown ");
	judged(POINT("submissions"), "slow ehlo unknown no EHLO under TLS\n", "");
	/* An answer that comes a moment early is no short one. */
	judged(POINT("submissions"), "slow ehlo closed 299990 \n", "timeouts-good ");
}

static void
who_had_enough(void **state)
{
	(void)state;
	judged(POINT("submissions"), "throttled 421 later\nunexamined renegotiation\npaced 7 connections, at least 0 ms apart\n", "throttled paced ");
	judged(POINT("submissions"), "unexamined time-outs\n", "not-examined ");
	judged("endpoint 192.0.2.1 465 submissions\n", "unexamined everything\nthrottled refused\nconnect throttled\n", "throttled ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(how_long_it_waits), cmocka_unit_test(who_had_enough) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
