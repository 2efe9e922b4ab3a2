/*
 * Final delivery into a local Maildir. What the trace says is added here (RFC 5321 4.4: Return-Path; Delivered-To for each
 * recipient), and CRLF becomes LF, as every program that reads Maildirs expects. Where that would lose something, in what came as
 * BINARYMIME, its parts are encoded first.
 *
 * A message is written to tmp/, synced, linked into new/, and new/ is synced, before anybody is told that it is delivered. Its
 * name in new/ is made of its queue id, so that the same message coming again after a crash is recognised there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/queue_id.h"
#include "os/log.h"
#include "os/replace.h"
#include "proc/5_relay.h"

enum { PIECE = 64 * 1024, NAME_ROOM = 400 };

/* One message of a job. */
struct delivery {
	struct relay_attempt *attempt;
	struct relay_file **file;       /* one for each extent, held */
	int error;                      /* errno's terms; 0: done */
	char name[NAME_ROOM];
};

struct job {
	uv_work_t work;
	struct relay *relay;
	struct relay_destination *from;
	uint32_t epoch, count, serial;
	int tmp, new;                   /* directories */
	char directory[CONF_TEXT_MAX], host[CONF_TEXT_MAX];
	struct delivery delivery[RELAY_MAILDIR_BATCH];
	struct buf out;
	uint8_t in_octets[PIECE], out_octets[PIECE];
	/* Of a binary message. */
	struct downgrade_plan plan;
	union { struct downgrade_survey survey; struct downgrade writer; } walk;
	struct buf lines;
	uint8_t lines_octets[PIECE];
};

/* ---- on the worker: disk and nothing else ---- */

static int
flush(struct job *j, int fd)
{
	int error = file_write(fd, buf_span(&j->out)) ? 0 : errno;

	j->out.len = 0;
	return error;
}

/* Append, writing first when there is no room; s is at most PIECE long. */
static int
put(struct job *j, int fd, struct span s)
{
	int error = 0;

	if (s.len > buf_room(&j->out))
		error = flush(j, fd);
	if (error == 0 && !buf_put(&j->out, s))
		error = EMSGSIZE;
	return error;
}

/* The spool holds CRLF line ends only, so every CR belongs to one. */
static int
put_lines(struct job *j, int fd, struct span s)
{
	int error = 0;

	while (s.len > 0 && error == 0) {
		size_t n = span_find(s, '\r');

		error = put(j, fd, span_head(s, n));
		span_skip(&s, n < s.len ? n + 1 : n);
	}
	return error;
}

static int
put_trace(struct job *j, int fd, const struct relay_attempt *a)
{
	int error = put(j, fd, SPAN("Return-Path: <"));

	if (error == 0)
		error = put(j, fd, a->facts.reverse_path);
	if (error == 0)
		error = put(j, fd, SPAN(">\n"));
	for (uint32_t i = 0; i < a->facts.rcpts && error == 0; i++) {
		error = put(j, fd, SPAN("Delivered-To: "));
		if (error == 0)
			error = put(j, fd, relay_attempt_path(a, i));
		if (error == 0)
			error = put(j, fd, SPAN("\n"));
	}
	return error;
}

static int
put_encoded(struct job *j, int fd, struct span s)
{
	int error = 0;

	while (s.len > 0 && error == 0) {
		span_skip(&s, downgrade_feed(&j->walk.writer, s));
		error = put_lines(j, fd, buf_span(&j->lines));
		j->lines.len = 0;
	}
	return error;
}

static int
survey(struct job *j, int fd, struct span s)
{
	(void)fd;
	downgrade_survey_feed(&j->walk.survey, s);
	return 0;
}

static int
give_extent(struct job *j, int fd, int from, struct relay_extent e,
    int (*take)(struct job *, int fd, struct span))
{
	int error = 0;

	while (e.octets > 0 && error == 0) {
		size_t want = e.octets < sizeof j->in_octets ? e.octets : sizeof j->in_octets;
		ssize_t n = pread(from, j->in_octets, want, (off_t)e.offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? ENODATA : errno;
		error = take(j, fd, (struct span){ j->in_octets, (size_t)n });
		e.offset += (uint64_t)n;
		e.octets -= (uint32_t)n;
	}
	return error;
}

static int
give_content(struct job *j, int fd, const struct delivery *d, int (*take)(struct job *, int fd, struct span))
{
	const struct relay_try *m = &d->attempt->facts;
	int error = 0;

	for (uint32_t i = 0; i < m->extents.len / RELAY_EXTENT && error == 0; i++)
		error = d->file[i] == NULL ? ENODATA : give_extent(j, fd, d->file[i]->fd, relay_extent(m, i), take);
	return error;
}

/* RFC 3030 3. What may not be changed keeps its CRLFs too: so nothing of it is lost, though a reader of lines may wonder. */
static int
put_binary(struct job *j, int fd, const struct delivery *d)
{
	static const struct downgrade_hop here = { .eightbit = true, .utf8 = true };
	enum downgrade_verdict verdict;
	int error;

	downgrade_survey_begin(&j->walk.survey, &j->plan, &here);
	error = give_content(j, fd, d, survey);
	verdict = downgrade_survey_end(&j->walk.survey);
	if (error != 0)
		return error;
	if (verdict != DOWNGRADE_CONVERT)
		return give_content(j, fd, d, verdict == DOWNGRADE_AS_IT_IS ? put_lines : put);
	j->lines = BUF_OVER(j->lines_octets);
	downgrade_begin(&j->walk.writer, &j->plan, &j->lines);
	error = give_content(j, fd, d, put_encoded);
	downgrade_end(&j->walk.writer);
	return error == 0 ? put_lines(j, fd, buf_span(&j->lines)) : error;
}

static int
put_message(struct job *j, int fd, const struct delivery *d)
{
	bool binary = (d->attempt->facts.flags & MAIL_BINARY) != 0;
	int error = put_trace(j, fd, d->attempt);

	if (error == 0)
		error = binary ? put_binary(j, fd, d) : give_content(j, fd, d, put_lines);
	if (error == 0)
		error = flush(j, fd);
	if (error == 0 && fsync(fd) != 0)
		error = errno;
	return error;
}

/* Link it into new/; that it is there already means that we were here before a crash. */
static int
publish(const struct job *j, const char *draft, const char *name)
{
	int error = linkat(j->tmp, draft, j->new, name, 0) == 0 || errno == EEXIST ? 0 : errno;

	(void)unlinkat(j->tmp, draft, 0);
	return error;
}

static int
deliver(struct job *j, struct delivery *d)
{
	char draft[NAME_ROOM + 40];
	int fd, error;

	(void)snprintf(draft, sizeof draft, "%s.%d.%u", d->name, (int)getpid(), j->serial++);
	fd = openat(j->tmp, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return errno;
	j->out.len = 0;
	error = put_message(j, fd, d);
	if (close(fd) != 0 && error == 0)
		error = errno;
	if (error == 0)
		return publish(j, draft, d->name);
	(void)unlinkat(j->tmp, draft, 0);
	return error;
}

/* A directory below at, made when it is missing; another job may make it at the same time. */
static int
directory_open(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1 || errno != ENOENT || (mkdirat(at, name, 0700) != 0 && errno != EEXIST))
		return fd;
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
maildir_open(struct job *j)
{
	int top = directory_open(AT_FDCWD, j->directory), cur, error = 0;

	if (top == -1)
		return errno;
	cur = directory_open(top, "cur");
	j->tmp = directory_open(top, "tmp");
	j->new = directory_open(top, "new");
	if (cur == -1 || j->tmp == -1 || j->new == -1)
		error = errno;
	if (cur != -1)
		(void)close(cur);
	(void)close(top);
	return error;
}

static void
fail_all(struct job *j, int error)
{
	for (uint32_t i = 0; i < j->count; i++)
		if (j->delivery[i].error == 0)
			j->delivery[i].error = error;
}

static void
on_worker(uv_work_t *work)
{
	struct job *j = work->data;
	int error = maildir_open(j);

	for (uint32_t i = 0; i < j->count && error == 0; i++)
		j->delivery[i].error = deliver(j, &j->delivery[i]);
	if (error == 0 && fsync(j->new) != 0)
		error = errno;
	if (error != 0)
		fail_all(j, error);
	if (j->tmp != -1)
		(void)close(j->tmp);
	if (j->new != -1)
		(void)close(j->new);
}

/* ---- on the loop ---- */

static void
report(struct job *j, struct delivery *d)
{
	struct relay_reason reason = { .stage = SMTP_STAGE_CONTENT };
	char text[480];

	(void)snprintf(reason.host, sizeof reason.host, "maildir %s", j->directory);
	(void)snprintf(reason.tls, sizeof reason.tls, "none");
	if (d->error == 0) {
		(void)snprintf(text, sizeof text, "delivered as new/%s", d->name);
		relay_reason_set(&reason, SMTP_CLASS_DELIVERED, 0, "2.0.0", text);
	} else {
		log_fail("maildir-failed", j->directory, d->error);
		(void)snprintf(text, sizeof text, "cannot deliver into the Maildir: %s", strerror(d->error));
		relay_reason_set(&reason, SMTP_CLASS_LATER, 0, d->error == ENOSPC ? "4.3.1" : "4.3.0", text);
	}
	relay_attempt_fail(d->attempt, &reason);
}

static void
release_files(struct delivery *d, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (d->file[i] != NULL)
			relay_file_release(d->file[i]);
	free(d->file);
}

static void
on_done(uv_work_t *work, int status)
{
	struct job *j = work->data;
	struct relay *relay = j->relay;

	if (status != 0)
		fail_all(j, EINTR);
	for (uint32_t i = 0; i < j->count; i++) {
		struct delivery *d = &j->delivery[i];

		release_files(d, (uint32_t)(d->attempt->facts.extents.len / RELAY_EXTENT));
		if (j->epoch == relay->epoch)
			report(j, d);
		else
			relay_attempt_free(d->attempt);
	}
	relay->maildir_jobs--;
	free(j);
	relay_work_over(relay);
}

/* seconds.QUEUEID_FIRST.host; what Maildir forbids in a name is not in a host name that conf/ let through. */
static void
name_set(struct job *j, struct delivery *d)
{
	char id_text[QUEUE_ID_LEN + 1];
	struct buf id = BUF_OVER(id_text);

	(void)queue_id_format(d->attempt->facts.queue_id, &id);
	(void)snprintf(d->name, sizeof d->name, "%llu.%.*s_%u.%s",
	    (unsigned long long)(d->attempt->facts.arrival / 1000), (int)id.len, id_text, d->attempt->rcpt[0].number, j->host);
}

static bool
delivery_begin(struct job *j, struct relay_attempt *a)
{
	struct delivery *d = &j->delivery[j->count];
	uint32_t extents = (uint32_t)(a->facts.extents.len / RELAY_EXTENT);

	*d = (struct delivery){ .attempt = a, .file = calloc(extents + 1, sizeof(struct relay_file *)) };
	if (d->file == NULL)
		return false;
	for (uint32_t i = 0; i < extents; i++) {
		d->file[i] = relay_file_find(j->relay, relay_extent(&a->facts, i).segment);
		if (d->file[i] != NULL)
			d->file[i]->refs++;
	}
	name_set(j, d);
	j->count++;
	return true;
}

static struct job *
job_new(struct relay *relay)
{
	struct job *j = malloc(sizeof *j);

	if (j == NULL)
		return NULL;
	j->work.data = j;
	j->relay = relay;
	j->epoch = relay->epoch;
	j->count = j->serial = 0;
	j->tmp = j->new = -1;
	memcpy(j->directory, relay->child.conf.relay.directory.p, sizeof j->directory);
	memcpy(j->host, relay->child.conf.hostname.p, sizeof j->host);
	j->out = BUF_OVER(j->out_octets);
	return j;
}

static void
job_begin(struct relay_destination *d)
{
	struct job *j = job_new(d->relay);
	struct relay_attempt *a;

	while (j != NULL && j->count < RELAY_MAILDIR_BATCH && (a = relay_destination_take(d)) != NULL)
		if (!delivery_begin(j, a))
			relay_attempt_finish(a);
	if (j == NULL)
		child_give_up(&d->relay->child, "no memory to deliver");
	if (j == NULL || j->count == 0) {
		free(j);
		return;
	}
	d->relay->maildir_jobs++;
	(void)uv_queue_work(&d->relay->child.loop, &j->work, on_worker, on_done);
}

void
relay_maildir_pump(struct relay_destination *d)
{
	uint32_t waiting;

	while (d->waiting > 0 && d->relay->maildir_jobs < RELAY_MAILDIR_JOBS) {
		waiting = d->waiting;
		job_begin(d);
		if (d->waiting == waiting)
			return;
	}
}
