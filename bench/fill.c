/*
 * fill - write a spool with many waiting messages, through the spool itself.
 *
 * usage: fill DIRECTORY COUNT [size=2048] [destinations=1] [rcpts=1] [segment=67108864] [prints=1] [held=0]
 *
 * Message i is for userI@dI.example.net of `destinations` domains. Prints what it wrote and how long it took.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue_id.h"
#include "os/clock.h"
#include "os/log.h"
#include "spool/draft.h"

static struct {
	long count, size, destinations, rcpts, segment, prints, held;
	uint64_t committed, failed;
	char *content;
	struct queue_id_maker ids;
} fill = { .size = 2048, .destinations = 1, .rcpts = 1, .segment = 64 << 20, .prints = 1 };

static void
on_committed(void *arg, void *who, uint64_t id, uint32_t slot, enum fail f)
{
	(void)arg, (void)who, (void)id, (void)slot;
	fill.committed += f == OK;
	fill.failed += f != OK;
}

static void
on_gone(void *arg, uint64_t segment)
{
	(void)arg, (void)segment;
}

static void
run_batch(struct spool *s)
{
	struct batch *b = journal_begin(&s->journal);

	if (b == NULL)
		return;
	batch_run(b);
	(void)spool_settle(s);
}

static void
add_recipients(struct spool *s, struct draft *d, long number)
{
	char path[96];

	for (long i = 0; i < fill.rcpts; i++) {
		int n = snprintf(path, sizeof path, "user%ld@d%ld.example.net", number, (number + i) % fill.destinations);

		draft_rcpt(s, d, (struct span){ (const uint8_t *)path, (size_t)n }, 0, (struct span){ NULL, 0 });
	}
}

static bool
submit(struct spool *s, long number, uint64_t now)
{
	struct message_record m = { .id = queue_id_next(&fill.ids, now), .arrival = now,
		.reverse_path = SPAN_INIT("alice@example.org"), .login = SPAN_INIT("alice/laptop"), .peer = SPAN_INIT("192.0.2.1"),
		.helo = SPAN_INIT("laptop.example.org"), .tls = SPAN_INIT("TLSv1.3 TLS_AES_128_GCM_SHA256 x25519") };
	uint8_t digest[SIPHASH_WIDE] = { 0 };
	uint64_t first;
	struct draft *d;

	if (draft_begin(s, &m, false, &d) != OK)
		return false;
	add_recipients(s, d, number);
	draft_body(s, d, (struct span){ (const uint8_t *)fill.content, (size_t)fill.size });
	u64_put(digest, (uint64_t)number);
	if (fill.prints)
		(void)draft_repeats(s, d, digest, now, &first);
	return draft_commit(s, d, fill.held ? RECORD_FLAG_HELD : 0, NULL) == OK;
}

static void
read_options(int argc, char **argv)
{
	static const struct { const char *name; long *value; } options[] = {
		{ "size", &fill.size }, { "destinations", &fill.destinations }, { "rcpts", &fill.rcpts }, { "segment", &fill.segment },
		{ "prints", &fill.prints }, { "held", &fill.held },
	};

	for (int i = 3; i < argc; i++)
		for (size_t o = 0; o < sizeof options / sizeof options[0]; o++) {
			size_t n = strlen(options[o].name);

			if (strncmp(argv[i], options[o].name, n) == 0 && argv[i][n] == '=')
				*options[o].value = strtol(argv[i] + n + 1, NULL, 10);
		}
}

static void
make_content(void)
{
	static const char head[] = "From: <alice@example.org>\r\nTo: <user@example.net>\r\nSubject: waiting\r\n\r\n";

	fill.content = malloc((size_t)fill.size + sizeof head);
	if (fill.content == NULL)
		exit(71);
	memset(fill.content, 'x', (size_t)fill.size);
	memcpy(fill.content, head, (size_t)fill.size < sizeof head ? (size_t)fill.size : sizeof head - 1);
}

int
main(int argc, char **argv)
{
	static const struct spool_handler handler = { on_committed, on_gone };
	static struct spool s;
	struct spool_conf conf = { .disk = &disk_linux, .duplicate_window = 3600 * 1000, .schedule = { .retry_first = 60000,
		.retry_max = 3600000, .hold_max = 300000, .window = 20, .running = 500 } };
	struct log_conf log = { .fd = 2, .most = LOG_WARN };
	uint64_t begun = clock_wall();

	if (argc < 3 || (fill.count = strtol(argv[2], NULL, 10)) < 0) {
		fputs("usage: fill DIRECTORY COUNT [size=OCTETS] [destinations=N] [rcpts=N] [segment=OCTETS] [prints=0] [held=1]\n", stderr);
		return 64;
	}
	read_options(argc, argv);
	make_content();
	log_open(&log, "fill");
	conf.directory = argv[1];
	conf.segment_size = (uint64_t)fill.segment;
	if (!spool_open(&s, &conf, &handler, NULL, begun))
		return 74;
	for (long i = 0; i < fill.count; i++) {
		if (!submit(&s, i, begun))
			break;
		if (s.journal.gather->mem.len >= JOURNAL_CROWDED)
			run_batch(&s);
	}
	while (!journal_idle(&s.journal) && s.journal.state == OK) {
		journal_want_sync(&s.journal);
		run_batch(&s);
	}
	printf("messages=%" PRIu64 " failed=%" PRIu64 " octets=%" PRIu64 " ms=%" PRIu64 "\n", fill.committed, fill.failed,
	    s.journal.octets, clock_wall() - begun);
	return fill.committed == (uint64_t)fill.count ? 0 : 75;
}
