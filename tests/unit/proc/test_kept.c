/* proc/3_auth_kept.h: a file that follows memory, on a loop of our own. Whether it is whole after a crash is os/replace.h's, tested there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/log.h"
#include "os/replace.h"
#include "proc/3_auth_kept.h"

enum { DELAY_MS = 2, PATIENCE = 5000 };

struct bed {
	uv_loop_t loop;
	struct kept kept;
	char dir[64], auth[80], path[96], log[96];
	const char *memory;             /* what the file is to follow */
	unsigned formats, written;
	uv_work_t busy;
	uv_sem_t go;
	bool no_memory;
};

static bool
format(void *arg, struct buf *out)
{
	struct bed *b = arg;

	b->formats++;
	out->p = (uint8_t *)strdup(b->memory);
	out->len = strlen(b->memory);
	return out->p != NULL && !b->no_memory;
}

static void
on_written(void *arg)
{
	struct bed *b = arg;

	assert_false(b->kept.writing);
	b->written++;
}

static const struct kept_file file = {
	"memory", "kept-event", "cannot be kept", "is kept again", DELAY_MS, format, on_written,
};

static int
set_up(void **state)
{
	struct bed *b = calloc(1, sizeof *b);
	struct log_conf conf;

	assert_non_null(b);
	(void)snprintf(b->dir, sizeof b->dir, "/tmp/kept-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	(void)snprintf(b->auth, sizeof b->auth, "%s/auth", b->dir);
	(void)snprintf(b->path, sizeof b->path, "%s/auth/memory", b->dir);
	(void)snprintf(b->log, sizeof b->log, "%s/log", b->dir);
	assert_int_equal(mkdir(b->auth, 0700), 0);
	conf = (struct log_conf){ .fd = open(b->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), .most = LOG_NOTE };
	assert_true(conf.fd != -1);
	log_open(&conf, "test");
	assert_int_equal(uv_loop_init(&b->loop), 0);
	kept_open(&b->kept, &b->loop, b->dir, &file, b);
	*state = b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bed *b = *state;

	if (!uv_is_closing((uv_handle_t *)&b->kept.timer))
		kept_close(&b->kept, NULL);
	(void)uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	(void)unlink(b->path);
	assert_int_equal(rmdir(b->auth), 0);            /* nothing else stayed */
	assert_int_equal(unlink(b->log), 0);
	assert_int_equal(rmdir(b->dir), 0);
	free(b);
	return 0;
}

static void
change(struct bed *b, const char *memory)
{
	b->memory = memory;
	kept_touch(&b->kept);
}

static void
run_until(struct bed *b, unsigned written)
{
	for (int i = 0; i < PATIENCE && b->written < written; i++)
		(void)uv_run(&b->loop, UV_RUN_ONCE);
	assert_int_equal(b->written, written);
}

static void
be_busy(uv_work_t *work)
{
	struct bed *b = work->data;

	uv_sem_wait(&b->go);
}

static void
not_busy(uv_work_t *work, int status)
{
	struct bed *b = work->data;

	assert_int_equal(status, 0);
	uv_sem_destroy(&b->go);
}

/* The only worker is busy until go is posted, so that the write stays under way. */
static void
run_until_writing(struct bed *b)
{
	uint64_t start = uv_hrtime();

	assert_int_equal(uv_sem_init(&b->go, 0), 0);
	b->busy.data = b;
	assert_int_equal(uv_queue_work(&b->loop, &b->busy, be_busy, not_busy), 0);
	while (!b->kept.writing && uv_hrtime() - start < UINT64_C(5000000000))
		(void)uv_run(&b->loop, UV_RUN_NOWAIT);
	assert_true(b->kept.writing);
}

static void
assert_holds(const char *path, const char *text)
{
	size_t len;
	char *is = file_read(path, 4096, &len);

	assert_non_null(is);
	assert_string_equal(is, text);
	free(is);
}

static unsigned
logged(const struct bed *b, const char *words)
{
	size_t len;
	char *text = file_read(b->log, 65536, &len);
	unsigned n = 0;

	assert_non_null(text);
	for (const char *at = strstr(text, words); at != NULL; at = strstr(at + 1, words))
		n++;
	free(text);
	return n;
}

/* ---- the tests ---- */

/* Changes of one delay are one write, and without one there is none. */
static void
changes_are_written_together(void **state)
{
	struct bed *b = *state;
	struct stat st;

	change(b, "one");
	change(b, "two");
	assert_int_equal(b->formats, 0);
	run_until(b, 1);
	assert_int_equal(b->formats, 1);
	assert_holds(b->path, "two");
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(uv_run(&b->loop, UV_RUN_DEFAULT), 0);
	kept_save(&b->kept);
	assert_int_equal(b->formats, 1);
	assert_int_equal(logged(b, "kept-event"), 0);
}

static void
what_changes_while_it_writes_is_written_again(void **state)
{
	struct bed *b = *state;

	change(b, "before");
	run_until_writing(b);
	change(b, "meanwhile");
	assert_true(b->kept.dirty);
	uv_sem_post(&b->go);
	run_until(b, 2);
	assert_int_equal(b->formats, 2);
	assert_holds(b->path, "meanwhile");
	assert_false(b->kept.dirty);
}

/* One line when it begins, one when it is over; nobody has to change anything for it to be tried again. */
static void
a_write_that_fails_is_tried_again(void **state)
{
	struct bed *b = *state;

	assert_int_equal(rmdir(b->auth), 0);
	change(b, "kept in the end");
	run_until(b, 3);
	assert_true(b->kept.dirty);
	assert_int_equal(logged(b, "cannot be kept"), 1);
	assert_int_equal(logged(b, "No such file"), 1);
	assert_int_equal(mkdir(b->auth, 0700), 0);
	run_until(b, 4);
	assert_holds(b->path, "kept in the end");
	assert_int_equal(logged(b, "is kept again"), 1);
	assert_int_equal(uv_run(&b->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(b->written, 4);
	assert_int_equal(logged(b, "kept-event"), 2);
}

static void
what_finds_no_memory_is_tried_again(void **state)
{
	struct bed *b = *state;

	b->no_memory = true;
	change(b, "small");
	for (int i = 0; i < PATIENCE && b->formats < 3; i++)
		(void)uv_run(&b->loop, UV_RUN_ONCE);
	assert_int_equal(b->formats, 3);
	assert_int_equal(b->written, 0);
	assert_int_equal(logged(b, "cannot be kept"), 1);
	b->no_memory = false;
	run_until(b, 1);
	assert_holds(b->path, "small");
}

/* Two must not write the same file: whoever ends waits for the worker, then saves what came meanwhile. */
static void
the_end_while_it_writes(void **state)
{
	struct bed *b = *state;

	change(b, "before");
	run_until_writing(b);
	change(b, "last words");
	kept_save(&b->kept);
	assert_int_equal(b->formats, 1);
	uv_sem_post(&b->go);
	while (b->kept.writing)
		(void)uv_run(&b->loop, UV_RUN_NOWAIT);  /* ONCE would begin the next write in the same turn */
	assert_holds(b->path, "before");
	kept_save(&b->kept);
	assert_holds(b->path, "last words");
	kept_close(&b->kept, NULL);
	change(b, "said to nobody");
	assert_int_equal(uv_run(&b->loop, UV_RUN_DEFAULT), 0);
	assert_holds(b->path, "last words");
}

static void
the_end_on_a_disk_that_is_full(void **state)
{
	struct bed *b = *state;

	assert_int_equal(rmdir(b->auth), 0);
	change(b, "lost");
	kept_save(&b->kept);
	kept_save(&b->kept);
	assert_int_equal(logged(b, "cannot be kept"), 1);
	assert_int_equal(mkdir(b->auth, 0700), 0);
	kept_save(&b->kept);
	assert_holds(b->path, "lost");
}

static void
what_is_set_aside_is_kept_for_who_looks(void **state)
{
	struct bed *b = *state;
	char aside[128];

	(void)snprintf(aside, sizeof aside, "%s.damaged", b->path);
	change(b, "half a");
	kept_save(&b->kept);
	kept_set_aside(&b->kept, "memory-damaged", "not what it was");
	assert_holds(aside, "half a");
	assert_int_equal(access(b->path, F_OK), -1);
	assert_int_equal(logged(b, "not what it was"), 1);
	assert_int_equal(logged(b, aside), 1);
	assert_int_equal(unlink(aside), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_are_written_together),
		TEST(what_changes_while_it_writes_is_written_again),
		TEST(a_write_that_fails_is_tried_again),
		TEST(what_finds_no_memory_is_tried_again),
		TEST(the_end_while_it_writes),
		TEST(the_end_on_a_disk_that_is_full),
		TEST(what_is_set_aside_is_kept_for_who_looks),
	};

	assert_int_equal(setenv("UV_THREADPOOL_SIZE", "1", 1), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
