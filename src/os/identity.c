#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/promise.h"

enum { CAPABILITIES = 64, PATH_ROOM = 512 };

bool
identity_find(const char *const *names, size_t count, struct identity *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < count; i++) {
		const struct passwd *p = getpwnam(names[i]);

		if (p == NULL || p->pw_uid == 0 || p->pw_gid == 0)
			continue;
		(void)snprintf(out->name, sizeof(out->name), "%s", names[i]);
		out->uid = p->pw_uid;
		out->gid = p->pw_gid;
		return true;
	}
	return false;
}

/* Groups beyond its own are not counted: then it is said to be closed, which is the safe side. */
static bool
passes(const struct identity *id, const char *directory)
{
	struct stat st;

	if (stat(directory, &st) != 0)
		return errno == ENOENT;
	if (st.st_uid == id->uid)
		return (st.st_mode & S_IXUSR) != 0;
	if (st.st_gid == id->gid)
		return (st.st_mode & S_IXGRP) != 0;
	return (st.st_mode & S_IXOTH) != 0;
}

bool
identity_reaches(const struct identity *id, const char *path, struct buf *closed)
{
	char part[PATH_ROOM];

	for (size_t i = 1; path[0] == '/' && path[i] != '\0'; i++) {
		if (path[i] != '/' || i >= sizeof(part))
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (!passes(id, part)) {
			buf_put_text(closed, part);
			buf_terminate(closed);
			return false;
		}
	}
	return true;
}

/* In a process of its own. */
static int
access_as(const struct identity *id, const char *path, int mode)
{
	return !identity_take(id) ? EPERM : access(path, mode) == 0 ? 0 : errno;
}

int
identity_may(const struct identity *id, const char *path, int mode)
{
	pid_t pid = fork();
	int status;

	if (pid == -1)
		return errno;
	if (pid == 0)
		_exit(access_as(id, path, mode));
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

/* Never through a link, and no file that has a second name elsewhere: whoever owned the directory may have put it there. */
static bool
give_entries(DIR *d, const struct identity *owner)
{
	bool given = true;
	struct dirent *e;

	while ((e = readdir(d)) != NULL) {
		struct stat st;

		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
			continue;
		given &= fchownat(dirfd(d), e->d_name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return given;
}

bool
identity_give(const char *directory, const struct identity *owner)
{
	int fd = mkdir(directory, 0700) == 0 || errno == EEXIST ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool given = false;
	struct stat st;
	DIR *d;

	if (fd == -1)
		return false;
	if (fstat(fd, &st) != 0 || st.st_uid == owner->uid) {
		(void)close(fd);
		return true;
	}
	d = fdopendir(fd);
	if (d == NULL) {
		(void)close(fd);
		return false;
	}
	/* The directory last: an interrupted hand-over is then begun again. */
	given = give_entries(d, owner) && fchown(fd, owner->uid, owner->gid) == 0;
	(void)closedir(d);
	return given;
}

bool
identity_take(const struct identity *id)
{
	if (initgroups(id->name, id->gid) != 0 || setresgid(id->gid, id->gid, id->gid) != 0 ||
	    setresuid(id->uid, id->uid, id->uid) != 0)
		return false;
	/* There must be no way back. */
	return setuid(0) == -1 && setgid(0) == -1;
}

bool
capabilities_keep(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
	struct __user_cap_data_struct now[2], want[2];
	bool kept = true;

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &head, now) != 0)
		return false;
	for (int i = 0; i < CAPABILITIES; i++) {
		if ((keep >> i & 1) == 0 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			/* Who was not root cannot, and needs not: without privileges and no_new_privs nothing comes from there. */
			kept &= prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0 || (now[0].effective & 1U << CAP_SETPCAP) == 0;
	}
	for (int i = 0; i < 2; i++) {
		want[i].effective = want[i].permitted = now[i].permitted & (uint32_t)(keep >> 32 * i);
		want[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, want) == 0 && kept;
}
