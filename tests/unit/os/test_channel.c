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
	if ((f->type == 1 || f->type == 3) && at.messages < 16) {
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

/* With each of type 3 comes one. */
static bool
type_3_has_one(uint16_t type)
{
	return type == 3;
}

static const struct channel_handler handler = { .message = on_message, .closed = on_closed, .drained = on_drained, .descriptor = type_3_has_one };

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
		assert_true(channel_send_fd(at.a, 3, 7, note_layout, &n, fd));
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

/* ---- descriptors that nobody asked for ---- */

/* The end of a peer that is not ours: whatever its other end sends, at.a gets. */
static int
foreign_peer(const struct channel_handler *h)
{
	int fd[2];

	channel_close(at.a);
	turn(2);                /* at.b hears of it, and goes too */
	assert_true(channel_pair(fd));
	at.a = channel_open(&at.loop, fd[0], h, NULL);
	return fd[1];
}

/* So many octets of a frame without a body, with so many descriptors. */
static void
send_raw(int to, uint32_t type_flags, size_t octets, size_t descriptors)
{
	union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int) * 8)]; } control;
	uint8_t frame[12] = { 0 };
	struct iovec iov = { frame, octets };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd[8] = { to, to, to, to, to, to, to, to };

	assert_true(descriptors <= 8);
	u32_put(frame + 4, type_flags);
	memset(&control, 0, sizeof control);
	if (descriptors > 0) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
		control.align = (struct cmsghdr){ CMSG_LEN(sizeof(int) * descriptors), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fd, sizeof(int) * descriptors);
	}
	assert_int_equal(sendmsg(to, &m, MSG_NOSIGNAL), octets);
}

/* The lowest number that is free: it does not rise when none is kept. */
static int
next_descriptor(void)
{
	int fd = dup(0);

	assert_true(fd != -1);
	(void)close(fd);
	return fd;
}

enum { WITH = 1u << 16 };

static void
descriptors_that_nothing_carries_end_the_peer(void **state)
{
	static const struct channel_handler none = { .message = on_message, .closed = on_closed };
	static const struct { const struct channel_handler *to; uint32_t type_flags; size_t octets, descriptors; } cases[] = {
		{ &none, 2, 12, 1 },                    /* beside a frame that says nothing of it */
		{ &none, 2, 12, 8 },
		{ &none, 2, 3, 1 },                     /* before it can be known what frame it is */
		{ &none, 2 | WITH, 12, 1 },
		{ &none, 3 | WITH, 12, 0 },             /* said to come, but does not */
		{ &handler, 2, 12, 1 },
		{ &handler, 2 | WITH, 12, 1 },          /* with one that carries none */
		{ &handler, 3, 12, 0 },                 /* without the one that it carries */
		{ &handler, 3 | WITH, 12, 0 },
		{ &handler, 3 | WITH, 12, 2 },
		{ &handler, 3 | WITH, 12, 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int to = foreign_peer(cases[i].to), before = next_descriptor();

		send_raw(to, cases[i].type_flags, cases[i].octets, cases[i].descriptors);
		turn(4);
		if (at.a != NULL)
			fail_msg("case %zu passes", i);
		(void)close(to);
		/* Its own end, which is closed, and nothing that came. */
		assert_true(next_descriptor() < before);
	}
}

/* One with each octet of a frame that never ends: what fills the table is refused at the second. */
static void
descriptors_do_not_gather(void **state)
{
	int to = foreign_peer(&handler), before = next_descriptor();

	(void)state;
	send_raw(to, 3 | WITH, 1, 1);
	turn(4);
	assert_non_null(at.a);
	assert_true(next_descriptor() > before);
	send_raw(to, 3 | WITH, 1, 1);
	turn(4);
	assert_null(at.a);
	(void)close(to);
	assert_true(next_descriptor() < before);
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
	static const struct channel_handler hushed = { .message = on_message, .closed = on_closed, .secret = type_9_is_secret };
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
		cmocka_unit_test_setup_teardown(descriptors_that_nothing_carries_end_the_peer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(descriptors_do_not_gather, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_peers_end_is_told_once_and_sending_on_is_harmless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_secret_is_wiped_on_both_sides, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_message_over_its_own_ceiling_is_not_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_channel_that_cannot_be_made_closes_its_end, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
