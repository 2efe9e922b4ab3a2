/* What is taken for a sign that a server has had enough, and what becomes of the part that was under way (5321-74). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/audit_pace.h"

static struct endpoint e;
static uint8_t octets[8192];
static struct buf out;
static unsigned turns;

static void
begin(const char *address)
{
	out = BUF_OVER(octets);
	e = (struct endpoint){ .host = "mail.example.org", .port = 465, .out = &out };
	(void)snprintf(e.address, sizeof e.address, "%s", address);
	turns = 0;
	audit_pace_begin(AUDIT_PACE_USUAL);
	audit_pace_endpoint(&e);
}

static void
connect_well(void)
{
	audit_pace_wait();
	assert_false(audit_pace_again(NULL));
}

static void
hear(unsigned code, uint64_t ms)
{
	audit_pace_reply(code, SPAN("words"), ms);
}

static void
greet(unsigned code)
{
	connect_well();
	hear(code, 1);
}

static void
wrote(const char *facts)
{
	assert_true(buf_terminate(&out));
	assert_string_equal((char *)octets, facts);
}

static void
put_seen(struct endpoint *one)
{
	(void)transcript_put(one->out, "seen", SPAN("a fact"));
	turns++;
}

/* ---- parts ---- */

static void
all_well(struct endpoint *one)
{
	greet(220);
	hear(250, 1);
	put_seen(one);
}

static void
greeted_with_421(struct endpoint *one)
{
	greet(421);
	put_seen(one);
}

static void
greeted_with_450(struct endpoint *one)
{
	greet(450);
	put_seen(one);
}

static void
well_the_second_time(struct endpoint *one)
{
	if (turns == 0)
		greeted_with_421(one);
	else
		all_well(one);
}

static void
ends_in_the_middle(struct endpoint *one)
{
	greet(220);
	put_seen(one);
	audit_pace_silence("the connection ended instead of a reply");
}

static void
ends_with_421(struct endpoint *one)
{
	greet(220);
	put_seen(one);
	hear(421, 1);
}

static void
refuses(struct endpoint *one)
{
	put_seen(one);
	while (audit_pace_again("refused"))
		turns++;
}

static void
is_hostile(struct endpoint *one)
{
	put_seen(one);
	audit_pace_silence("no reply came in time");
	(void)transcript_put(one->out, "hostile", SPAN("words"));
}

static void
what_was_answered_is_kept(void **state)
{
	(void)state;
	begin("127.0.0.1");
	audit_part(&e, "a part", all_well);
	audit_pace_end(&e);
	wrote("seen a fact\npaced 1 connections, at least 0 ms apart\n");
}

static void
who_has_enough_is_asked_once_more(void **state)
{
	(void)state;
	begin("127.0.0.2");
	greet(220);
	audit_part(&e, "a part", well_the_second_time);
	assert_int_equal(turns, 2);
	audit_part(&e, "another", greeted_with_450);
	assert_int_equal(turns, 4);
	audit_part(&e, "a third", all_well);
	assert_int_equal(turns, 4);
	audit_pace_end(&e);
	/* Slower with each sign: 50 ms, then 100. */
	wrote("seen a fact\nunexamined another\nunexamined a third\nthrottled 421 words\npaced 5 connections, at least 100 ms apart\n");
}

/* A server that never greeted is out of service: what else it showed is true all the same. */
static void
who_never_greeted_has_not_changed_his_mind(void **state)
{
	(void)state;
	begin("127.0.0.3");
	audit_part(&e, "a part", greeted_with_421);
	wrote("seen a fact\nunexamined a part, in part\n");
	assert_int_equal(turns, 1);
}

static void
what_breaks_off_is_known_in_part(void **state)
{
	(void)state;
	begin("127.0.0.4");
	audit_part(&e, "a part", ends_in_the_middle);
	audit_part(&e, "another", ends_with_421);
	audit_pace_end(&e);
	wrote("seen a fact\nunexamined a part, in part\nseen a fact\nunexamined another, in part\n"
	    "throttled the connection ended instead of a reply\npaced 2 connections, at least 0 ms apart\n");
}

static void
who_sends_what_nobody_should_is_not_tired(void **state)
{
	(void)state;
	begin("127.0.0.5");
	audit_part(&e, "a part", is_hostile);
	wrote("seen a fact\nhostile words\n");
}

static void
refused_after_good_ones(void **state)
{
	(void)state;
	begin("127.0.0.6");
	assert_false(audit_pace_again("refused"));      /* nothing was ever there */
	greet(220);
	audit_part(&e, "a part", refuses);
	assert_int_equal(turns, 1 + 3);
	audit_pace_end(&e);
	wrote("unexamined a part\nthrottled refused after 1 good connections\npaced 1 connections, at least 0 ms apart\n");
	/* At another port of the same host that is no closed port; at another host it is. */
	begin("127.0.0.6");
	assert_string_equal(audit_pace_excuse(&e, "refused"), "throttled");
	wrote("unexamined everything\n");
	begin("127.0.0.7");
	assert_string_equal(audit_pace_excuse(&e, "refused"), "refused");
}

static void
delays(uint64_t first, uint64_t later, unsigned times, const char *facts)
{
	begin("127.0.0.8");
	connect_well();
	hear(220, first);
	for (unsigned i = 0; i < times; i++)
		hear(250, later);
	audit_pace_end(&e);
	wrote(facts);
}

static void
replies_that_come_late(void **state)
{
	(void)state;
	delays(5, 700, 3, "throttled replies took 5 ms, and later up to 700 ms\npaced 1 connections, at least 0 ms apart\n");
	delays(1200, 1500, 2, "throttled a tarpit: no reply came in less than 1200 ms\npaced 1 connections, at least 0 ms apart\n");
	/* Two are an accident; and who is far away is not tired. */
	delays(5, 700, 2, "paced 1 connections, at least 0 ms apart\n");
	delays(250, 900, 9, "paced 1 connections, at least 0 ms apart\n");
}

static void
greetings_that_are_late_on_purpose(void **state)
{
	(void)state;
	begin("127.0.0.9");
	for (unsigned i = 0; i < 4; i++) {
		connect_well();
		hear(220, 7000);
		hear(250, 5);
	}
	audit_pace_end(&e);
	wrote("paced 4 connections, at least 0 ms apart\n");
}

static void
strangers_are_asked_more_slowly_than_ourselves(void **state)
{
	(void)state;
	begin("192.0.2.1");
	audit_pace_end(&e);
	wrote("paced 0 connections, at least 100 ms apart\n");
	begin("::1");
	audit_pace_end(&e);
	wrote("paced 0 connections, at least 0 ms apart\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_answered_is_kept), cmocka_unit_test(who_has_enough_is_asked_once_more),
		cmocka_unit_test(who_never_greeted_has_not_changed_his_mind), cmocka_unit_test(what_breaks_off_is_known_in_part),
		cmocka_unit_test(who_sends_what_nobody_should_is_not_tired), cmocka_unit_test(refused_after_good_ones),
		cmocka_unit_test(replies_that_come_late), cmocka_unit_test(greetings_that_are_late_on_purpose),
		cmocka_unit_test(strangers_are_asked_more_slowly_than_ourselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
