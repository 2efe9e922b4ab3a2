#include "frames.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fields.h"

enum { HEADER = 12, BODY_MAX = 512 * 1024, RECORD = 4 };

void
frames_insist(bool good)
{
	if (!good)
		abort();
}

bool
frames_next(struct span *input, const uint16_t *types, size_t count, struct frames_one *out)
{
	size_t len;

	if (input->len < RECORD)
		return false;
	out->type = input->p[0] < count ? types[input->p[0]] : input->p[0];
	out->marks = input->p[1];
	out->session = 1 + (out->marks & FRAMES_SESSION);
	len = input->p[2] | (size_t)input->p[3] << 8;
	span_skip(input, RECORD);
	out->body = span_head(*input, len);
	span_skip(input, out->body.len);
	return true;
}

bool
frames_write(int to, const struct frames_one *f, int fd)
{
	union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int))]; } control = { .room = { 0 } };
	static int some = -1;
	bool with = (f->marks & FRAMES_FD) != 0;
	uint8_t header[HEADER];
	struct iovec iov[2] = { { header, HEADER }, { (void *)(uintptr_t)f->body.p, f->body.len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	u32_put(header, (uint32_t)f->body.len + (f->marks & FRAMES_TORN ? 1 : 0));
	u32_put(header + 4, f->type | (f->marks & FRAMES_FD ? 1u << 16 : 0u));
	u32_put(header + 8, f->session);
	/* Never an end of the channel itself: the other side would keep it open and not see us go. */
	if (some == -1)
		some = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		fd = some;
	if (with) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
	}
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(HEADER + f->body.len);
}

/* One whole frame from the front of a buffer; its octets, or 0. */
static size_t
take(const uint8_t *p, size_t len, void (*heard)(const struct frames_one *))
{
	struct frames_one f = { 0 };
	uint32_t octets;

	if (len < HEADER)
		return 0;
	octets = u32_get(p);
	frames_insist(octets <= BODY_MAX);
	if (len - HEADER < octets)
		return 0;
	f.type = (uint16_t)u32_get(p + 4);
	f.session = u32_get(p + 8);
	f.body = (struct span){ p + HEADER, octets };
	heard(&f);
	return HEADER + octets;
}

static void
close_arrived(struct msghdr *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h))
		for (size_t i = 0; h->cmsg_type == SCM_RIGHTS && i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			(void)close(fd);
		}
}

/* All that the other side has written by now lies in the socket; a frame that is not whole comes on with the next call. */
bool
frames_read(int from, void (*heard)(const struct frames_one *))
{
	static uint8_t room[HEADER + BODY_MAX];
	union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int) * 8)]; } control;

	for (;;) {
		struct iovec iov = { room, sizeof room };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room };
		ssize_t n = recvmsg(from, &m, MSG_DONTWAIT | MSG_PEEK);
		size_t used = 0, one;

		if (n <= 0)
			return n == -1 && (errno == EAGAIN || errno == EINTR);
		close_arrived(&m);
		while ((one = take(room + used, (size_t)n - used, heard)) > 0)
			used += one;
		if (used == 0)
			return true;
		iov.iov_len = used;
		m.msg_controllen = sizeof control.room;
		n = recvmsg(from, &m, MSG_DONTWAIT);
		if (n > 0)
			close_arrived(&m);
	}
}

/* ---- a directory for a process that needs one ---- */
static char directory[32];

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st, (void)flag, (void)at;
	return remove(path);
}

void
frames_directory_remove(void)
{
	(void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
frames_directory(void)
{
	static bool known;

	(void)strcpy(directory, "/dev/shm/fuzz-XXXXXX");
	if (mkdtemp(directory) == NULL) {
		(void)strcpy(directory, "/tmp/fuzz-XXXXXX");
		frames_insist(mkdtemp(directory) != NULL);
	}
	frames_insist(known || atexit(frames_directory_remove) == 0);
	known = true;
	return directory;
}

/* ---- its loop ---- */
struct work {
	uv_idle_t idle;
	uv_work_t *req;
	uv_after_work_cb after;
};

static void
work_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
work_done(uv_idle_t *idle)
{
	struct work *w = idle->data;

	uv_close((uv_handle_t *)idle, work_closed);
	if (w->after != NULL)
		w->after(w->req, 0);
}

/* Instead of libuv's own: the work is done here and now, and is over with the loop's next turn. No input waits for a thread, and its runs
 * are alike. */
int
uv_queue_work(uv_loop_t *loop, uv_work_t *req, uv_work_cb work, uv_after_work_cb after)
{
	struct work *w = malloc(sizeof *w);

	frames_insist(w != NULL);
	w->req = req;
	w->after = after;
	req->loop = loop;
	work(req);
	w->idle.data = w;
	return uv_idle_init(loop, &w->idle) != 0 ? UV_ENOMEM : uv_idle_start(&w->idle, work_done);
}

static void
close_one(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void
frames_loop_close(uv_loop_t *loop)
{
	uv_walk(loop, close_one, NULL);
	(void)uv_run(loop, UV_RUN_DEFAULT);
	frames_insist(uv_loop_close(loop) == 0);
}
