#include "disk_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk_fault disk_fault;

void
disk_fault_reset(void)
{
	memset(&disk_fault, 0, sizeof disk_fault);
}

/* ---- what a power cut would leave ---- */
enum { FILES = 256, NAME = 64, PATH = 512 };

static struct file {
	char name[NAME];
	ino_t inode;
	off_t synced;           /* octets that fdatasync has covered */
	off_t from, to;         /* written since; from < synced where zeros had been filled in ahead. to 0: nothing */
	bool named;             /* its name was synced */
	bool removed;           /* unlinked, and that is not synced */
} files[FILES];
static size_t file_count;

void
disk_fault_forget(void)
{
	file_count = 0;
}

static struct file *
file_named(const char *name)
{
	for (size_t i = 0; i < file_count; i++)
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

static void
file_opened(const char *name, int fd)
{
	struct file *f = file_named(name);
	struct stat st;

	if (f == NULL && file_count < FILES) {
		f = &files[file_count++];
		*f = (struct file){ .inode = 0 };
		(void)snprintf(f->name, sizeof f->name, "%s", name);
		/* What is there already when it is opened was recovered, and so it was synced. */
		if (fstat(fd, &st) == 0 && st.st_size > 0) {
			f->synced = st.st_size;
			f->named = true;
		}
	}
	if (f != NULL && fstat(fd, &st) == 0)
		f->inode = st.st_ino;
}

static struct file *
file_of(int fd, struct stat *st)
{
	for (size_t i = 0; fstat(fd, st) == 0 && i < file_count; i++)
		if (files[i].inode == st->st_ino)
			return &files[i];
	return NULL;
}

static void
file_synced(int fd)
{
	struct stat st;
	struct file *f = file_of(fd, &st);

	if (f == NULL)
		return;
	f->synced = st.st_size;
	f->from = f->to = 0;
}

static void
file_written(int fd, off_t at, size_t n)
{
	struct stat st;
	struct file *f = file_of(fd, &st);

	if (f == NULL)
		return;
	f->from = f->to == 0 || at < f->from ? at : f->from;
	f->to = at + (off_t)n > f->to ? at + (off_t)n : f->to;
}

/* What comes to stand there again is as new as if it had never been. */
static void
file_cut(int fd, off_t size)
{
	struct stat st;
	struct file *f = file_of(fd, &st);

	if (f == NULL)
		return;
	f->synced = f->synced < size ? f->synced : size;
	f->to = f->to < size ? f->to : size;
	if (f->from >= f->to)
		f->from = f->to = 0;
}

/* The names of all files as they are now are on the disk. */
static void
names_synced(int dirfd)
{
	for (size_t i = 0; i < file_count; i++) {
		struct file *f = &files[i];
		char gone[NAME + 8];

		if (f->removed) {
			(void)snprintf(gone, sizeof gone, "%s.gone", f->name);
			(void)unlinkat(dirfd, gone, 0);
			*f = files[--file_count];
			i--;
		} else
			f->named = true;
	}
}

/* Of what was written and not synced the last part is gone; where the file was there already, its zeros are back. */
static void
lose_octets(const char *path, const struct file *f, unsigned percent)
{
	off_t end = f->to == 0 ? f->synced : f->from + (f->to - f->from) * percent / 100;
	off_t size = end > f->synced ? end : f->synced;
	struct stat st;

	if (f->to == 0 || stat(path, &st) != 0)
		return;
	if (st.st_size > end && (truncate(path, end) != 0 || (size > end && truncate(path, size) != 0)))
		abort();
}

void
disk_fault_power_cut(const char *directory, unsigned percent)
{
	for (size_t i = 0; i < file_count; i++) {
		char path[PATH], gone[PATH];

		(void)snprintf(path, sizeof path, "%s/%.63s", directory, files[i].name);
		(void)snprintf(gone, sizeof gone, "%s/%.63s.gone", directory, files[i].name);
		if (files[i].removed)
			(void)rename(gone, path);
		else if (!files[i].named)
			(void)unlink(path);
		lose_octets(path, &files[i], percent);
	}
	disk_fault_forget();
}

enum step { STEP_DO, STEP_HALF, STEP_NOT };

/* Before a call: may it happen? */
static enum step
before(enum fault_call call)
{
	struct disk_fault *f = &disk_fault;

	if (f->stopped) {
		errno = EIO;
		return STEP_NOT;
	}
	if (f->only != CALL_ANY && f->only != call)
		return STEP_DO;
	f->calls++;
	if (f->kind == FAULT_NONE || (f->kind == FAULT_ERROR && f->once ? f->calls != f->at : f->calls < f->at))
		return STEP_DO;
	if (f->kind == FAULT_ERROR) {
		errno = f->error;
		return STEP_NOT;
	}
	if (f->kind == FAULT_STOP_WITHIN && call == CALL_PWRITE)
		return STEP_HALF;
	if (f->kind == FAULT_STOP_BEFORE || f->kind == FAULT_STOP_WITHIN) {
		f->stopped = true;
		errno = EIO;
		return STEP_NOT;
	}
	return STEP_DO;
}

/* After it: the program does not live to see the result. */
static int
after(enum fault_call call, int result)
{
	struct disk_fault *f = &disk_fault;

	if (f->kind == FAULT_STOP_AFTER && (f->only == CALL_ANY || f->only == call) && f->calls >= f->at && !f->stopped) {
		f->stopped = true;
		errno = EIO;
		return -1;
	}
	return result;
}

static int
fault_open(void *arg, int dirfd, const char *name)
{
	int fd;

	if (before(CALL_OPEN) != STEP_DO)
		return -1;
	fd = disk_linux.open(arg, dirfd, name);
	if (fd != -1)
		file_opened(name, fd);
	if (after(CALL_OPEN, 0) == 0)
		return fd;
	(void)close(fd);
	errno = EIO;
	return -1;
}

static ssize_t
fault_pwrite(void *arg, int fd, const void *p, size_t n, off_t at)
{
	switch (before(CALL_PWRITE)) {
	case STEP_NOT:
		return -1;
	case STEP_HALF:
		(void)disk_linux.pwrite(arg, fd, p, n / 2, at);
		file_written(fd, at, n / 2);
		disk_fault.stopped = true;
		errno = EIO;
		return -1;
	case STEP_DO:
		break;
	}
	if (disk_linux.pwrite(arg, fd, p, n, at) != (ssize_t)n)
		return -1;
	file_written(fd, at, n);
	return after(CALL_PWRITE, 0) == 0 ? (ssize_t)n : -1;
}

static int
fault_fdatasync(void *arg, int fd)
{
	(void)arg;
	/* Nothing is really synced: the machine goes on, and the power cut is played from what is noted here. */
	if (before(CALL_FDATASYNC) != STEP_DO)
		return -1;
	file_synced(fd);
	return after(CALL_FDATASYNC, 0);
}

static int
fault_fsync(void *arg, int fd)
{
	(void)arg;
	if (before(CALL_FSYNC) != STEP_DO)
		return -1;
	names_synced(fd);
	return after(CALL_FSYNC, 0);
}

static int
fault_truncate(void *arg, int fd, off_t size)
{
	if (before(CALL_TRUNCATE) != STEP_DO || disk_linux.truncate(arg, fd, size) != 0)
		return -1;
	file_cut(fd, size);
	return after(CALL_TRUNCATE, 0);
}

static int
fault_unlink(void *arg, int dirfd, const char *name)
{
	struct file *f = file_named(name);
	char gone[NAME + 8];

	(void)arg;
	if (before(CALL_UNLINK) != STEP_DO)
		return -1;
	/* It may come back until the directory is synced. */
	(void)snprintf(gone, sizeof gone, "%s.gone", name);
	if (f != NULL)
		f->removed = true;
	return after(CALL_UNLINK, f != NULL ? renameat(dirfd, name, dirfd, gone) : unlinkat(dirfd, name, 0));
}

static uint64_t
fault_room(void *arg, int fd)
{
	return disk_fault.room != 0 ? disk_fault.room : disk_linux.room(arg, fd);
}

const struct disk disk_faulty = {
	fault_open, fault_pwrite, fault_fdatasync, fault_fsync, fault_truncate, fault_unlink, fault_room, NULL,
};
