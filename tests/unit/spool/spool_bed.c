#include "spool_bed.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <signal.h>

#include "../by_hand.h"
#include "../scratch.h"
#include "os/clock.h"

static const uint8_t bed_key[SIPHASH_KEY] = "a key of the bed";

enum { HEADER = 12, WAIT_MS = 10000, FLAG_FD = 1 };

void
bed_send_octets(struct bed_end *e, uint16_t type, uint32_t session, struct span body)
{
	(void)hand_send(e->fd, type, session, body, -1);
}

static const struct warrant_front bed_front = { 0, 1 };

void
bed_warrant(struct spool_mail *m)
{
	struct warrant_sender w = { bed_front, m->login, m->reverse_path, m->when != 0 ? m->when : clock_run(), m->unwatched != 0 };

	m->when = w.when;
	m->warrant = warrant_sender(bed_key, &w);
}

uint64_t
bed_warrant_spent(uint64_t queue_id, uint32_t rcpts, bool hold, uint64_t when)
{
	struct warrant_spent w = { bed_front, queue_id, rcpts, hold, when };

	return warrant_spent(bed_key, &w);
}

void
bed_send(struct bed_end *e, uint16_t type, uint32_t session, struct layout layout, const void *message)
{
	static uint8_t body[CHANNEL_BODY_MAX];
	struct buf b = BUF_OVER(body);
	struct spool_mail warranted;

	/* Our 3_auth says yes to everything, and watches nobody, unless a test has asked it itself. */
	if (type == SPOOL_MAIL && ((const struct spool_mail *)message)->warrant == 0) {
		warranted = *(const struct spool_mail *)message;
		warranted.unwatched = 1;
		bed_warrant(&warranted);
		message = &warranted;
	}

	assert_true(fields_format(layout, message, &b));
	(void)hand_send(e->fd, type, session, buf_span(&b), -1);
}

static bool
receive(struct bed_end *e, int ms)
{
	struct pollfd p = { .fd = e->fd, .events = POLLIN };
	uint8_t control[CMSG_SPACE(8 * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n;

	if (e->fd == -1 || poll(&p, 1, ms) != 1)
		return false;
	if (e->max - e->len < 65536) {
		e->max = e->max * 2 + 131072;
		e->in = realloc(e->in, e->max);
		assert_non_null(e->in);
	}
	iov = (struct iovec){ e->in + e->len, e->max - e->len };
	n = recvmsg(e->fd, &m, MSG_CMSG_CLOEXEC);
	if (n <= 0) {
		(void)close(e->fd);
		e->fd = -1;
		return false;
	}
	e->len += (size_t)n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) && e->fd_count < 16; i++)
			memcpy(&e->fds[e->fd_count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	return true;
}

bool
bed_take(struct bed_end *e, struct bed_frame *f, int ms)
{
	static uint8_t body[CHANNEL_BODY_MAX];
	size_t length;

	while (e->len < HEADER || e->len - HEADER < u32_get(e->in))
		if (!receive(e, ms))
			return false;
	length = u32_get(e->in);
	assert_true(length <= sizeof body);
	memcpy(body, e->in + HEADER, length);
	f->type = (uint16_t)u32_get(e->in + 4);
	f->session = u32_get(e->in + 8);
	f->body = (struct span){ body, length };
	f->fd = -1;
	if (u32_get(e->in + 4) >> 16 & FLAG_FD) {
		assert_true(e->fd_count > 0);
		f->fd = e->fds[0];
		memmove(e->fds, e->fds + 1, --e->fd_count * sizeof(int));
	}
	e->len -= HEADER + length;
	memmove(e->in, e->in + HEADER + length, e->len);
	return true;
}

void
bed_want(struct bed_end *e, uint16_t type, struct bed_frame *f)
{
	for (;;) {
		if (!bed_take(e, f, WAIT_MS))
			fail_msg("no frame of type %u came", type);
		if (f->type == type)
			return;
		if (f->fd != -1)
			(void)close(f->fd);
		if (f->type != SPOOL_STATE && f->type != RELAY_SEGMENT && f->type != RELAY_SEGMENT_GONE)
			fail_msg("type %u came, %u was wanted", f->type, type);
	}
}

bool
bed_is_closed(struct bed_end *e, int ms)
{
	struct bed_frame f;

	while (bed_take(e, &f, ms))
		continue;
	return e->fd == -1;
}

void
bed_end_close(struct bed_end *e)
{
	if (e->fd != -1)
		(void)close(e->fd);
	for (size_t i = 0; i < e->fd_count; i++)
		(void)close(e->fds[i]);
	free(e->in);
	*e = (struct bed_end){ .fd = -1 };
}

void
bed_init(struct bed *b)
{
	char here[160];

	memset(b, 0, sizeof *b);
	b->master.fd = b->front.fd = b->relay.fd = b->auth.fd = b->history.fd = -1;
	(void)snprintf(b->directory, sizeof b->directory, "bed-XXXXXX");
	assert_non_null(mkdtemp(b->directory));
	conf_defaults(&b->conf);
	(void)snprintf(b->conf.hostname.p, CONF_TEXT_MAX, "mail.example.org");
	assert_non_null(getcwd(here, sizeof here));
	(void)snprintf(b->conf.spool_dir.p, CONF_TEXT_MAX, "%s/%s/spool", here, b->directory);
	(void)snprintf(b->conf.postmaster.p, CONF_TEXT_MAX, "postmaster@mail.example.org");
	b->conf.relay.kind = CONF_RELAY_MX;
	b->conf.history = false;        /* nobody reads the log here, and its segments should go */
	b->conf.retry_first = 1;
	b->conf.spool_free_min = 1024 * 1024;
	(void)signal(SIGPIPE, SIG_IGN);
}

static void
give_peer(struct bed *b, enum role role, struct bed_end *e)
{
	int pair[2];

	bed_end_close(e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	/* As the master makes them: a caged process cannot change the flags of what it is given. */
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	hand_introduce(b->master.fd, role, 0, 1, pair[1]);
	e->fd = pair[0];
}

void
bed_new_relay(struct bed *b)
{
	give_peer(b, ROLE_RELAY, &b->relay);
}

void
bed_new_front(struct bed *b)
{
	give_peer(b, ROLE_FRONT, &b->front);
}

void
bed_new_auth(struct bed *b)
{
	give_peer(b, ROLE_AUTH, &b->auth);
}

void
bed_new_history(struct bed *b)
{
	give_peer(b, ROLE_HISTORY, &b->history);
}

void
bed_start(struct bed *b)
{
	struct bed_frame f;

	bed_end_close(&b->master);
	b->pid = hand_start(spool_main, getenv("BED_LOG") == NULL ? "/dev/null" : NULL, &b->master.fd);
	hand_configure(b->master.fd, &b->conf);
	bed_send_octets(&b->master, MASTER_SECRET, 0, (struct span){ bed_key, sizeof bed_key });
	bed_new_front(b);
	bed_new_relay(b);
	bed_new_auth(b);
	bed_send_octets(&b->master, MASTER_GO, 0, (struct span){ NULL, 0 });
	bed_want(&b->master, CHILD_READY, &f);
}

static struct sockaddr_un
control_address(const struct bed *b)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)snprintf(sun.sun_path, sizeof sun.sun_path, "%s/control", b->directory);
	return sun;
}

void
bed_control(struct bed *b, struct bed_end *e)
{
	struct sockaddr_un sun = control_address(b);
	struct master_listen m = { .service = MASTER_LISTEN_CONTROL };
	uint8_t octets[64];
	struct buf body = BUF_OVER(octets);

	if (!b->listening) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
		assert_int_equal(listen(fd, 8), 0);
		assert_true(fields_format(master_listen_layout, &m, &body));
		assert_true(hand_send(b->master.fd, MASTER_LISTEN, 0, buf_span(&body), fd));
		(void)close(fd);
		b->listening = true;
	}
	*e = (struct bed_end){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(connect(e->fd, (struct sockaddr *)&sun, sizeof sun), 0);
}

void
bed_start_again(struct bed *b, struct bed_end *e)
{
	bed_end_close(e);
	(void)unlink(control_address(b).sun_path);
	b->listening = false;
	bed_start(b);
	bed_control(b, e);
}

void
bed_kill(struct bed *b)
{
	int status;

	(void)kill(b->pid, SIGKILL);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	b->pid = 0;
}

int
bed_drain(struct bed *b)
{
	struct bed_frame f;
	int status;

	bed_send_octets(&b->master, MASTER_DRAIN, 0, (struct span){ NULL, 0 });
	bed_want(&b->master, CHILD_DRAINED, &f);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	b->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void
bed_fini(struct bed *b)
{
	if (b->pid != 0)
		bed_kill(b);
	bed_end_close(&b->master);
	bed_end_close(&b->front);
	bed_end_close(&b->relay);
	bed_end_close(&b->auth);
	bed_end_close(&b->history);
	(void)scratch_remove(b->directory);
}

void
bed_close(struct bed *b)
{
	assert_int_equal(bed_drain(b), 0);
	bed_fini(b);
}
