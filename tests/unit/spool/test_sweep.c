/* spool/plan: destinations that nobody writes to any more are forgotten as fast as they come, however many there were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "spool_alone.h"

enum { DOMAINS = 20000, TICKS = 100 };

static void
submit(struct spool *s, uint64_t id)
{
	struct message_record m = { .id = id, .arrival = 1, .reverse_path = SPAN("a@example.org"), .login = SPAN("joe") };
	struct draft *d;
	char rcpt[40];

	(void)snprintf(rcpt, sizeof rcpt, "x@d%u.example", (unsigned)id);
	assert_int_equal(draft_begin(s, &m, false, &d), OK);
	draft_rcpt(s, d, span_of(rcpt), 0, SPAN(""));
	draft_body(s, d, SPAN("hello"));
	assert_int_equal(draft_commit(s, d, 0, NULL), OK);
}

static unsigned
destinations(const struct spool *s)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < s->schedule.destinations.used; i++)
		count += s->schedule.destination[i].used;
	return count;
}

static void
test_forgotten_as_fast_as_they_come(void **state)
{
	static struct spool_alone a;
	struct spool *s = &a.spool;

	(void)state;
	spool_alone_make(&a);
	spool_alone_open(&a, 64 << 20, false);
	for (uint64_t id = 1; id <= DOMAINS; id++)
		submit(s, id);
	spool_alone_write(&a);
	assert_int_equal(a.durable, DOMAINS);
	assert_int_equal(destinations(s), DOMAINS);
	for (uint64_t id = 2; id <= DOMAINS; id++)
		spool_finish(s, index_find(&s->index, id));
	for (unsigned i = 0; i < TICKS; i++)
		plan_sweep(s, 2);
	/* The one that is still written to stays. */
	assert_int_equal(destinations(s), 1);
	assert_int_not_equal(schedule_find(&s->schedule, SPAN("d1.example")), SCHEDULE_NONE);
	spool_alone_write(&a);
	spool_alone_drop(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_forgotten_as_fast_as_they_come) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
