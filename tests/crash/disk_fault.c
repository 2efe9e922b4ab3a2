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

static void
file_synced(int fd)
{
	struct stat st;

	for (size_t i = 0; fstat(fd, &st) == 0 && i < file_count; i++)
		if (files[i].inode == st.st_ino)
			files[i].synced = st.st_size;
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

void
disk_fault_power_cut(const char *directory, unsigned percent)
{
	for (size_t i = 0; i < file_count; i++) {
		char path[PATH], gone[PATH];
		struct stat st;

		(void)snprintf(path, sizeof path, "%s/%.63s", directory, files[i].name);
		(void)snprintf(gone, sizeof gone, "%s/%.63s.gone", directory, files[i].name);
		if (files[i].removed)
			(void)rename(gone, path);
		else if (!files[i].named)
			(void)unlink(path);
		if (stat(path, &st) == 0 && st.st_size > files[i].synced
		    && truncate(path, files[i].synced + (st.st_size - files[i].synced) * percent / 100) != 0)
			abort();
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
		disk_fault.stopped = true;
		errno = EIO;
		return -1;
	case STEP_DO:
		break;
	}
	if (disk_linux.pwrite(arg, fd, p, n, at) != (ssize_t)n)
		return -1;
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
	return before(CALL_TRUNCATE) != STEP_DO ? -1 : after(CALL_TRUNCATE, disk_linux.truncate(arg, fd, size));
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
