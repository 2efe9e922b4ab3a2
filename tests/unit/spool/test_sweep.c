/* spool/plan: destinations that nobody writes to any more are forgotten as fast as they come, however many there were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <ftw.h>

#include "os/log.h"
#include "spool/draft.h"

enum { DOMAINS = 20000, TICKS = 100 };

static void
on_committed(void *arg, void *who, uint64_t id, uint32_t slot, enum fail f)
{
	(void)arg, (void)who, (void)id, (void)slot;
	assert_int_equal(f, OK);
}

static void
on_gone(void *arg, uint64_t segment)
{
	(void)arg, (void)segment;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st, (void)flag, (void)at;
	return remove(path);
}

static void
write_all(struct spool *s)
{
	struct batch *batch;

	while ((batch = journal_begin(&s->journal)) != NULL) {
		batch_run(batch);
		assert_int_equal(spool_settle(s), OK);
	}
}

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
	static const struct spool_handler handler = { on_committed, on_gone };
	static struct spool s;
	char directory[] = "/tmp/sweep-XXXXXX";
	struct spool_conf conf = { .disk = &disk_linux, .segment_size = 64 << 20,
		.schedule = { .retry_first = 1000, .retry_max = 1000, .running = 16, .window = 16, .hold_max = 1000 } };

	(void)state;
	assert_non_null(mkdtemp(directory));
	conf.directory = directory;
	assert_true(spool_open(&s, &conf, &handler, NULL, 1));
	for (uint64_t id = 1; id <= DOMAINS; id++)
		submit(&s, id);
	write_all(&s);
	assert_int_equal(destinations(&s), DOMAINS);
	for (uint64_t id = 2; id <= DOMAINS; id++)
		spool_finish(&s, index_find(&s.index, id));
	for (unsigned i = 0; i < TICKS; i++)
		plan_sweep(&s, 2);
	/* The one that is still written to stays. */
	assert_int_equal(destinations(&s), 1);
	assert_int_not_equal(schedule_find(&s.schedule, SPAN("d1.example")), SCHEDULE_NONE);
	write_all(&s);
	spool_close(&s);
	(void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_forgotten_as_fast_as_they_come) };
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };

	log_open(&quiet, "sweep");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
