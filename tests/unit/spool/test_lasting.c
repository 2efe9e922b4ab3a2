/* What the spool has promised to keep: that a recipient is done with, however much was said of it; what there is of a damaged message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/log.h"
#include "spool/draft.h"

enum { PIECE = 40000, CHUNK = 2 * PIECE };

struct bed {
	struct spool spool;
	char directory[40];
	uint32_t slot;
};

static void
on_committed(void *arg, void *who, uint64_t id, uint32_t slot, enum fail f)
{
	(void)who, (void)id;
	assert_int_equal(f, OK);
	((struct bed *)arg)->slot = slot;
}

static void
on_gone(void *arg, uint64_t segment)
{
	(void)arg, (void)segment;
}

static bool
bed_open(struct bed *b)
{
	static const struct spool_handler handler = { on_committed, on_gone };
	struct spool_conf conf = { .directory = b->directory, .disk = &disk_linux, .segment_size = 1024 * 1024,
		.schedule = { .retry_first = 1000, .retry_max = 1000, .running = 16, .window = 16, .hold_max = 1000 }, .single = true };

	return spool_open(&b->spool, &conf, &handler, b, 1);
}

static int
setup(void **state)
{
	struct bed *b = calloc(1, sizeof *b);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_true(b != NULL && null != -1);
	log_open(&(struct log_conf){ .fd = null, .most = LOG_NOTE }, "test");
	strcpy(b->directory, "/tmp/postern-lasting-XXXXXX");
	assert_non_null(mkdtemp(b->directory));
	*state = b;
	return bed_open(b) ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st, (void)flag, (void)at;
	return remove(path);
}

static int
teardown(void **state)
{
	struct bed *b = *state;

	spool_close(&b->spool);
	(void)nftw(b->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

static void
write_all(struct bed *b)
{
	struct batch *batch;

	journal_want_sync(&b->spool.journal);
	while ((batch = journal_begin(&b->spool.journal)) != NULL) {
		batch_run(batch);
		assert_int_equal(spool_settle(&b->spool), OK);
	}
}

static void
submit(struct bed *b, uint64_t id, unsigned pieces)
{
	static uint8_t piece[PIECE];
	struct message_record m = { .id = id, .arrival = 1, .reverse_path = SPAN("a@example.org"), .login = SPAN("joe") };
	struct draft *d;

	assert_int_equal(draft_begin(&b->spool, &m, false, &d), OK);
	draft_rcpt(&b->spool, d, SPAN("b@example.net"), 0, SPAN(""));
	memset(piece, 'x', sizeof piece);
	for (unsigned i = 0; i < pieces; i++)
		draft_body(&b->spool, d, (struct span){ piece, sizeof piece });
	assert_int_equal(draft_commit(&b->spool, d, 0, NULL), OK);
	write_all(b);
}

/* regress 0320: everything that may be said of a delivery is said, and the next start must know that it has happened. */
static void
the_longest_outcome(void **state)
{
	static uint8_t words[480];
	struct bed *b = *state;
	struct outcome o = { .class = OUTCOME_DELIVERED, .code = 250, .attempt = 1, .when = 1, .enhanced = { words, 16 },
		.host = { words, 400 }, .tls = { words, 400 }, .text = { words, 480 } };

	memset(words, 'w', sizeof words);
	submit(b, 7, 1);
	spool_result(&b->spool, b->slot, 0, &o);
	write_all(b);
	spool_close(&b->spool);
	assert_true(bed_open(b));
	assert_int_equal(index_find(&b->spool.index, 7), INDEX_NONE);
}

static struct extent
first_extent(struct bed *b)
{
	struct message_record m;
	struct extent e;
	uint64_t content_at;

	assert_true(spool_envelope(&b->spool, b->slot, &m, &content_at));
	assert_true(extent_take(&m.extents, &e));
	return e;
}

static void
damage(const struct bed *b, const struct extent *e)
{
	char name[SEGMENT_NAME];
	int dir = open(b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	segment_name(e->segment, name);
	fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "y", 1, (off_t)e->offset), 1);
	(void)close(fd);
	(void)close(dir);
}

static void
limit_files(rlim_t octets)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = octets < r.rlim_max ? octets : r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static off_t
size_of(const struct bed *b, const char *file)
{
	int dir = open(b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st = { .st_size = -1 };

	(void)fstatat(dir, file, &st, 0);
	(void)close(dir);
	return st.st_size;
}

static unsigned
damaged_files(const struct bed *b)
{
	char path[128];
	struct dirent *e;
	unsigned count = 0;
	DIR *d;

	(void)snprintf(path, sizeof path, "%s/damaged", b->directory);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		count += e->d_name[0] != '.';
	if (d != NULL)
		(void)closedir(d);
	return count;
}

static bool
told(void *arg, uint32_t slot, uint64_t whole)
{
	(void)slot, (void)whole;
	++*(unsigned *)arg;
	return true;
}

/* regress 0321: half a copy of a damaged message is none for the next start; 0402: the message waits for that, the others do not. */
static void
half_a_copy(void **state)
{
	static const char kept[] = "damaged/message-0000000000000007.bin";
	struct bed *b = *state;
	struct extent e;
	unsigned count = 0;

	submit(b, 7, 4);
	e = first_extent(b);
	assert_int_equal(e.octets, CHUNK);
	submit(b, 8, 4);
	spool_close(&b->spool);
	damage(b, &e);
	(void)signal(SIGXFSZ, SIG_IGN);
	limit_files(CHUNK + PIECE);
	assert_true(bed_open(b));
	spool_lose(&b->spool, told, &count);
	limit_files(RLIM_INFINITY);
	assert_int_equal(size_of(b, kept), -1);
	assert_true(spool_ready(&b->spool, index_find(&b->spool.index, 7)));
	assert_int_equal(b->spool.index.entry[index_find(&b->spool.index, 7)].job, SCHEDULE_NONE);
	assert_int_not_equal(b->spool.index.entry[index_find(&b->spool.index, 8)].job, SCHEDULE_NONE);
	spool_lose(&b->spool, told, &count);
	assert_int_equal(count, 0);
	spool_close(&b->spool);
	assert_true(bed_open(b));
	assert_true(size_of(b, kept) > 2 * CHUNK);
	spool_lose(&b->spool, told, &count);
	assert_int_equal(count, 1);
	assert_int_equal(index_find(&b->spool.index, 7), INDEX_NONE);
	assert_int_not_equal(index_find(&b->spool.index, 8), INDEX_NONE);
}

/* regress 0402: what was torn off when the power went, and no room for a copy of it: what is whole is delivered all the same. */
static void
torn_and_no_room(void **state)
{
	static const uint8_t torn[512] = { 'P', 'S', 'T', 'L', 200 };
	struct bed *b = *state;
	unsigned count = 0;
	off_t size;
	char path[128];
	int fd;

	submit(b, 7, 1);
	spool_close(&b->spool);
	(void)snprintf(path, sizeof path, "%s/0000000000000001.log", b->directory);
	size = size_of(b, "0000000000000001.log");
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, torn, sizeof torn), sizeof torn);
	(void)close(fd);
	limit_files(16);
	assert_true(bed_open(b));
	spool_lose(&b->spool, told, &count);
	limit_files(RLIM_INFINITY);
	assert_int_not_equal(index_find(&b->spool.index, 7), INDEX_NONE);
	assert_int_equal(size_of(b, "0000000000000001.log"), size + (off_t)sizeof torn);
	/* It is not removed, though nobody needs it, before there is a copy. */
	spool_finish(&b->spool, index_find(&b->spool.index, 7));
	write_all(b);
	spool_tidy(&b->spool);
	write_all(b);
	assert_int_equal(size_of(b, "0000000000000001.log"), size + (off_t)sizeof torn);
	assert_int_equal(damaged_files(b), 0);
	b->spool.keep_next = 0;
	spool_lose(&b->spool, told, &count);
	assert_int_equal(damaged_files(b), 1);
	spool_tidy(&b->spool);
	write_all(b);
	assert_int_equal(size_of(b, "0000000000000001.log"), -1);
}

/* regress 0405: content that the disk gives back no more keeps nothing behind it in the log, and its sender is told. */
static void
content_that_cannot_be_copied(void **state)
{
	struct bed *b = *state;
	char path[128];
	unsigned count = 0;
	int i;

	/* The one that cannot be copied is met first: it has the slot of one that is gone. */
	submit(b, 6, 4);
	submit(b, 7, 4);
	spool_finish(&b->spool, index_find(&b->spool.index, 6));
	write_all(b);
	submit(b, 8, 30);
	assert_true(index_find(&b->spool.index, 8) < index_find(&b->spool.index, 7));
	for (uint64_t id = 9; id < 17; id++) {
		submit(b, id, 24);
		spool_finish(&b->spool, index_find(&b->spool.index, id));
	}
	(void)snprintf(path, sizeof path, "%s/0000000000000001.log", b->directory);
	assert_int_equal(truncate(path, 700 * 1024), 0);
	for (i = 0; i < 50 && size_of(b, "0000000000000001.log") != -1; i++) {
		(void)spool_look(&b->spool);
		spool_lose(&b->spool, told, &count);
		spool_tidy(&b->spool);
		write_all(b);
	}
	assert_true(i < 50);
	assert_int_equal(count, 1);
	assert_int_equal(index_find(&b->spool.index, 8), INDEX_NONE);
	assert_int_not_equal(index_find(&b->spool.index, 7), INDEX_NONE);
	assert_int_equal(damaged_files(b), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_longest_outcome, setup, teardown),
		cmocka_unit_test_setup_teardown(half_a_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_and_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(content_that_cannot_be_copied, setup, teardown),
	};

	return cmocka_run_group_tests_name("lasting", tests, NULL, NULL);
}
