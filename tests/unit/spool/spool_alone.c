#include "spool_alone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../scratch.h"
#include "os/log.h"

static void
on_committed(void *arg, void *who, uint64_t id, uint32_t slot, enum fail f)
{
	struct spool_alone *a = arg;

	(void)who, (void)id;
	a->answers++;
	a->durable += f == OK;
	a->slot = slot;
	a->committed = f;
}

static void
on_gone(void *arg, uint64_t segment)
{
	(void)arg, (void)segment;
}

void
spool_alone_make(struct spool_alone *a)
{
	static struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };

	log_open(&quiet, "test");
	memset(a, 0, sizeof *a);
	(void)snprintf(a->directory, sizeof a->directory, "/tmp/postern-spool-XXXXXX");
	assert_non_null(mkdtemp(a->directory));
}

void
spool_alone_open(struct spool_alone *a, uint64_t segment_size, bool single)
{
	static const struct spool_handler handler = { on_committed, on_gone };
	struct spool_conf conf = { .directory = a->directory, .disk = &disk_linux, .segment_size = segment_size, .single = single,
		.schedule = { .retry_first = 1000, .retry_max = 1000, .running = 16, .window = 16, .hold_max = 1000 } };

	assert_true(spool_open(&a->spool, &conf, &handler, a, 1));
}

void
spool_alone_write(struct spool_alone *a)
{
	struct batch *batch;

	while ((batch = journal_begin(&a->spool.journal)) != NULL) {
		batch_run(batch);
		assert_int_equal(spool_settle(&a->spool), OK);
	}
}

void
spool_alone_drop(struct spool_alone *a)
{
	spool_close(&a->spool);
	assert_true(scratch_remove(a->directory));
}
