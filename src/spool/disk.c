#include "spool/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int
linux_open(void *arg, int dirfd, const char *name)
{
	(void)arg;
	return openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static ssize_t
linux_pwrite(void *arg, int fd, const void *p, size_t n, off_t at)
{
	(void)arg;
	return pwrite(fd, p, n, at);
}

static int
linux_fdatasync(void *arg, int fd)
{
	(void)arg;
	return fdatasync(fd);
}

static int
linux_fsync(void *arg, int fd)
{
	(void)arg;
	return fsync(fd);
}

static int
linux_truncate(void *arg, int fd, off_t size)
{
	(void)arg;
	return ftruncate(fd, size);
}

static int
linux_unlink(void *arg, int dirfd, const char *name)
{
	(void)arg;
	return unlinkat(dirfd, name, 0);
}

static uint64_t
linux_room(void *arg, int fd)
{
	struct statvfs v;

	(void)arg;
	return fstatvfs(fd, &v) == -1 ? 0 : (uint64_t)v.f_bavail * v.f_frsize;
}

const struct disk disk_linux = {
	linux_open, linux_pwrite, linux_fdatasync, linux_fsync, linux_truncate, linux_unlink, linux_room, NULL,
};

size_t
disk_read(int fd, uint8_t *p, size_t n, uint64_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, p + done, n - done, (off_t)(at + done));

		if (got > 0)
			done += (size_t)got;
		else if (got == 0 || errno != EINTR)
			break;
	}
	return done;
}
