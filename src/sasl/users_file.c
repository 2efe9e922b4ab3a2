#include "sasl/users_file.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/replace.h"
#include "sasl/users_store.h"

enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 100, FILE_PATH_MAX = 4096 };

static const char head[] =
    "# Postern users. Written by `postern user`; edit by hand only while nothing else does.\n";

static void
say_errno(struct buf *why, const char *what, const char *path)
{
	char words[256];
	int error = errno;

	(void)snprintf(words, sizeof words, "cannot %s %.200s", what, path);
	(void)buf_refuse(why, words, strerror(error));
}

static bool
beside(const char *path, const char *suffix, char out[FILE_PATH_MAX])
{
	int n = snprintf(out, FILE_PATH_MAX, "%s%s", path, suffix);

	return n > 0 && n < FILE_PATH_MAX;
}

/* The directory that path is in. */
static bool
directory_of(const char *path, char out[FILE_PATH_MAX])
{
	char *slash;

	if (!beside(path, "", out))
		return false;
	slash = strrchr(out, '/');
	if (slash == NULL)
		return beside(".", "", out);
	slash[slash == out ? 1 : 0] = 0;
	return true;
}

/* flock(2) with an end: whoever holds it has a hung disk or is stopped. */
static bool
take_lock(int fd)
{
	struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	errno = EBUSY;
	return false;
}

/* A lock that root made must not shut out the directory's owner; when it cannot be given away it still locks. */
static void
give_to_owner(int fd, const char *dir)
{
	struct stat st;

	if (geteuid() == 0 && stat(dir, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == -1)
		errno = 0;
}

static bool
lock(struct users_file *f, struct buf *why)
{
	char path[FILE_PATH_MAX], dir[FILE_PATH_MAX];

	if (!beside(f->path, ".lock", path) || !directory_of(f->path, dir)) {
		(void)buf_refuse(why, "path too long", NULL);
		return false;
	}
	/* The first `postern user` may come before the first `postern serve`; one level, never a whole path that was mistyped. */
	if (mkdir(dir, 0700) == -1 && errno != EEXIST) {
		say_errno(why, "make the directory", dir);
		return false;
	}
	f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->lock == -1 || !take_lock(f->lock)) {
		say_errno(why, "lock", path);
		return false;
	}
	give_to_owner(f->lock, dir);
	return true;
}

/* A rename would put a file in the place of the link, and leave what it leads to as it was. */
static bool
is_link(const char *path, struct buf *why)
{
	char words[FILE_PATH_MAX + 64], target[FILE_PATH_MAX];
	ssize_t len = readlink(path, target, sizeof target - 1);

	if (len == -1)
		return false;
	target[len] = 0;
	(void)snprintf(words, sizeof words, "%.300s is a symbolic link; name the file itself (--users, users-file)", path);
	(void)buf_refuse(why, words, target);
	return true;
}

bool
users_file_begin(struct users_file *f, const char *path, struct buf *why)
{
	*f = (struct users_file){ .path = path, .lock = -1 };
	if (is_link(path, why) || !lock(f, why))
		goto failed;
	f->text = file_read(path, USERS_FILE_MAX, &f->len);
	if (f->text == NULL && errno != ENOENT) {
		say_errno(why, "read", path);
		goto failed;
	}
	if (f->text == NULL)
		users_file_put(f, span_of(head));
	return true;
failed:
	users_file_abort(f);
	return false;
}

void
users_file_put(struct users_file *f, struct span s)
{
	uint8_t *grown;

	if (buf_room(&f->made) < s.len) {
		grown = realloc(f->made.p, (f->made.max + s.len) * 2 + 4096);
		if (grown == NULL) {
			f->memory_short = true;
			return;
		}
		f->made.p = grown;
		f->made.max = (f->made.max + s.len) * 2 + 4096;
	}
	(void)buf_put(&f->made, s);
}

struct span
users_file_lines(const struct users_file *f)
{
	struct span text = { (const uint8_t *)f->text, f->len };

	while (text.len > 0 && text.p[text.len - 1] != '\n')
		text.len--;
	return text;
}

void
users_file_put_remnant(struct users_file *f)
{
	size_t whole = users_file_lines(f).len;

	if (whole == f->len)
		return;
	users_file_put(f, SPAN("# had no line end: "));
	users_file_put(f, (struct span){ (const uint8_t *)f->text + whole, f->len - whole });
	users_file_put(f, SPAN("\n"));
}

/* A changed file stays readable for whom it was; a new one made by root belongs to the directory's owner, who serves. */
static bool
inherit(int fd, const char *path, const char *dir)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return fchmod(fd, st.st_mode & 0640) == 0
		    && (geteuid() != 0 || fchown(fd, st.st_uid, st.st_gid) == 0);
	if (geteuid() != 0)
		return true;
	return stat(dir, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0;
}

static bool
sync_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = fd != -1 && fsync(fd) == 0;

	if (fd != -1)
		close(fd);
	return done;
}

static bool
replace(const struct users_file *f)
{
	char fresh[FILE_PATH_MAX], dir[FILE_PATH_MAX];
	int fd, error;
	bool done;

	if (!beside(f->path, ".new", fresh) || !directory_of(f->path, dir))
		return false;
	(void)unlink(fresh);    /* left by a crash; the lock says that nobody is writing it */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return false;
	done = file_write(fd, buf_span(&f->made)) && inherit(fd, f->path, dir) && fsync(fd) == 0;
	error = errno;
	if (close(fd) == -1 && done) {
		error = errno;
		done = false;
	}
	if (done && rename(fresh, f->path) == 0)
		return sync_directory(dir);
	error = done ? errno : error;
	(void)unlink(fresh);
	errno = error;
	return false;
}

bool
users_file_commit(struct users_file *f, struct buf *why)
{
	bool done = false;

	errno = ENOMEM;
	if (f->memory_short)
		say_errno(why, "write", f->path);
	else if (f->made.len > USERS_FILE_MAX)
		(void)buf_refuse(why, "the users file would become too large", NULL);
	else if (!replace(f))
		say_errno(why, "write", f->path);
	else
		done = true;
	users_file_abort(f);
	return done;
}

void
users_file_abort(struct users_file *f)
{
	free(f->text);
	free(f->made.p);
	if (f->lock != -1)
		close(f->lock);
	*f = (struct users_file){ .lock = -1 };
}
