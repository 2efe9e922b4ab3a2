/*
 * spool/disk.h - every system call by which the spool changes the disk, as a table, so that a test can stop at each of them.
 *
 * Owner     the caller; the table outlives the spool. arg is the table's own.
 * Blocks    all of them.
 * Fails     as the system calls do: -1 and errno.
 */
#ifndef POSTERN_SPOOL_DISK_H
#define POSTERN_SPOOL_DISK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct disk {
	/* Read and write, made if it is not there, mode 0600, close-on-exec. */
	int (*open)(void *arg, int dirfd, const char *name);
	ssize_t (*pwrite)(void *arg, int fd, const void *p, size_t n, off_t at);
	int (*fdatasync)(void *arg, int fd);
	/* Of a directory. */
	int (*fsync)(void *arg, int fd);
	int (*truncate)(void *arg, int fd, off_t size);
	int (*unlink)(void *arg, int dirfd, const char *name);
	/* Octets that may still be written where fd is. */
	uint64_t (*room)(void *arg, int fd);
	void *arg;
};

/* The real one. */
extern const struct disk disk_linux;

/* Reading changes nothing, so it is no row of it. Octets from at on: fewer at the end of the file, or, with errno, where the disk
 * will not say. */
size_t disk_read(int fd, uint8_t *p, size_t n, uint64_t at);

#endif
