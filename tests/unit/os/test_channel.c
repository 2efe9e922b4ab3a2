/* Channels: order, descriptors with their own frames, ceilings, back-pressure, broken peers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/channel.h"

struct note { uint64_t number; struct span text; };

static const struct field note_fields[] = { FIELD_OF_U64(struct note, number), FIELD_OF_SPAN(struct note, text, 100) };
static const struct layout note_layout = LAYOUT(note_fields);

static struct {
	uv_loop_t loop;
	struct channel *a, *b;
	unsigned messages, closed, drained;
	uint64_t numbers[16];
	char letters[17];       /* what each descriptor's pipe held, '-' without descriptor */
	size_t octets;
} at;

static char
read_letter(int fd)
{
	char letter = '?';

	if (fd == -1)
		return '-';
	assert_int_equal(read(fd, &letter, 1), 1);
	(void)close(fd);
	return letter;
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct note n;

	(void)arg;
	(void)c;
	at.octets += f->body.len;
	if (f->type == 1 && at.messages < 16) {
		assert_true(fields_parse(note_layout, f->body, &n));
		at.numbers[at.messages] = n.number;
		at.letters[at.messages] = read_letter(f->fd);
	}
	at.messages++;
}

static void
on_closed(void *arg, struct channel *c)
{
	(void)arg;
	if (c == at.b)
		at.b = NULL;
	else
		at.a = NULL;
	at.closed++;
}

static void
on_drained(void *arg, struct channel *c)
{
	(void)arg;
	(void)c;
	at.drained++;
}

static const struct channel_handler handler = { on_message, on_closed, on_drained, NULL };

static void
turn(unsigned times)
{
	while (times-- > 0)
		(void)uv_run(&at.loop, UV_RUN_NOWAIT);
}

static int
set_up(void **state)
{
	int fd[2];

	(void)state;
	memset(&at, 0, sizeof at);
	assert_int_equal(uv_loop_init(&at.loop), 0);
	assert_true(channel_pair(fd));
	at.a = channel_open(&at.loop, fd[0], &handler, NULL);
	at.b = channel_open(&at.loop, fd[1], &handler, NULL);
	assert_non_null(at.a);
	assert_non_null(at.b);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	channel_close(at.a);
	channel_close(at.b);
	turn(3);
	return uv_loop_close(&at.loop);
}

static int
pipe_with(char letter)
{
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], &letter, 1), 1);
	(void)close(fd[1]);
	return fd[0];
}

static void
descriptors_come_with_their_frames(void **state)
{
	static const char want[] = "-ab-c";

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct note n = { i, SPAN("x") };
		int fd = want[i] == '-' ? -1 : pipe_with(want[i]);

		if (fd == -1) {
			assert_true(channel_send(at.a, 1, 7, note_layout, &n));
			continue;
		}
		assert_true(channel_send_fd(at.a, 1, 7, note_layout, &n, fd));
		(void)close(fd);
	}
	turn(8);
	assert_int_equal(at.messages, 5);
	assert_string_equal(at.letters, want);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(at.numbers[i], i);
}

static void
the_largest_frame_passes(void **state)
{
	uint8_t *big = calloc(1, CHANNEL_BODY_MAX);

	(void)state;
	assert_true(channel_send_octets(at.a, 2, 1, (struct span){ big, CHANNEL_BODY_MAX }));
	assert_false(channel_send_octets(at.a, 2, 1, (struct span){ big, CHANNEL_BODY_MAX + 1 }));
	turn(200);
	assert_int_equal(at.messages, 1);
	assert_int_equal(at.octets, CHANNEL_BODY_MAX);
	free(big);
}

static void
a_paused_reader_makes_congestion_that_ends(void **state)
{
	uint8_t block[65536] = { 0 };

	(void)state;
	channel_pause(at.b, true);
	for (unsigned i = 0; i < 64; i++)
		assert_true(channel_send_octets(at.a, 2, 1, (struct span){ block, sizeof block }));
	turn(20);
	assert_true(channel_congested(at.a));
	assert_int_equal(at.messages, 0);
	channel_pause(at.b, false);
	turn(400);
	assert_int_equal(at.messages, 64);
	assert_int_equal(at.drained, 1);
	assert_false(channel_congested(at.a));
}

static void
a_frame_over_the_ceiling_ends_the_peer(void **state)
{
	uint8_t header[12] = { 0 };
	int fd[2];

	(void)state;
	channel_close(at.a);
	assert_true(channel_pair(fd));
	at.a = channel_open(&at.loop, fd[0], &handler, NULL);
	u32_put(header, CHANNEL_BODY_MAX + 1);
	assert_int_equal(write(fd[1], header, sizeof header), sizeof header);
	turn(4);
	assert_null(at.a);
	assert_int_equal(at.messages, 0);
	(void)close(fd[1]);
}

static void
the_peers_end_is_told_once_and_sending_on_is_harmless(void **state)
{
	struct note n = { 1, SPAN("x") };

	(void)state;
	channel_close(at.b);
	at.b = NULL;
	assert_true(channel_send(at.a, 1, 7, note_layout, &n));
	turn(4);
	assert_null(at.a);
	assert_int_equal(at.closed, 1);
}

static void
a_message_over_its_own_ceiling_is_not_sent(void **state)
{
	uint8_t long_text[101] = { 0 };
	struct note n = { 1, { long_text, sizeof long_text } };

	(void)state;
	assert_false(channel_send(at.a, 1, 7, note_layout, &n));
	turn(4);
	assert_int_equal(at.messages, 0);
}

/* Every byte of the process that we may write, searched for the secret. */
static bool
memory_holds(const char *secret, size_t len)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512], mode[8];
	bool found = false;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof line, maps) != NULL)
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && strncmp(mode, "rw", 2) == 0 && strstr(line, "[heap]") != NULL)
			found = memmem((const void *)from, to - from, secret, len) != NULL;
	(void)fclose(maps);
	return found;
}

static bool
type_9_is_secret(uint16_t type)
{
	return type == 9;
}

static void
a_secret_is_wiped_on_both_sides(void **state)
{
	static const struct channel_handler hushed = { on_message, on_closed, NULL, type_9_is_secret };
	char secret[16];
	int fd[2];

	(void)state;
	/* Made here, so that no constant of the program holds it whole. */
	for (size_t i = 0; i < sizeof secret; i++)
		secret[i] = (char)('A' + (i * 7 + 3) % 26);
	channel_close(at.a);
	channel_close(at.b);
	assert_true(channel_pair(fd));
	at.a = channel_open(&at.loop, fd[0], &hushed, NULL);
	at.b = channel_open(&at.loop, fd[1], &hushed, NULL);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(channel_send_octets(at.a, 9, 1, (struct span){ (const uint8_t *)secret, sizeof secret }));
		assert_true(channel_send_octets(at.a, 2, 1, SPAN("open")));
	}
	/* A sanitizer's heap lies elsewhere: nothing to be seen there. */
	if (!memory_holds(secret, sizeof secret))
		skip();
	turn(8);
	assert_int_equal(at.messages, 6);
	assert_false(memory_holds(secret, sizeof secret));
}

/* regress 0322: somebody is at the other end, and must not wait for ever. */
static void
a_channel_that_cannot_be_made_closes_its_end(void **state)
{
	/* What no poll can watch, a plain file, is refused as a channel is without memory. */
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_null(channel_open(&at.loop, fd, &handler, NULL));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(descriptors_come_with_their_frames, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_largest_frame_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_paused_reader_makes_congestion_that_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_frame_over_the_ceiling_ends_the_peer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_peers_end_is_told_once_and_sending_on_is_harmless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_secret_is_wiped_on_both_sides, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_message_over_its_own_ceiling_is_not_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_channel_that_cannot_be_made_closes_its_end, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
