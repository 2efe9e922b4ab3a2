/* Landlock by the kernel's own calls: there is no library for it, and the numbers of newer kernels are not in every header. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/promise.h"

/* linux/landlock.h, ABI in brackets. */
enum fs_right {
	FS_EXECUTE = 1 << 0, FS_WRITE_FILE = 1 << 1, FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3, FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5, FS_MAKE_DIR = 1 << 7, FS_MAKE_REG = 1 << 8,
	FS_ABI_1 = (1 << 13) - 1,
	FS_REFER = 1 << 13,             /* 2 */
	FS_TRUNCATE = 1 << 14,          /* 3 */
	FS_IOCTL_DEV = 1 << 15,         /* 5 */
	FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
};
enum { NET_BIND_TCP = 1, NET_CONNECT_TCP = 2 };                  /* 4 */
enum { SCOPE_ABSTRACT_UNIX = 1, SCOPE_SIGNAL = 2 };              /* 6 */
enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

struct ruleset { uint64_t fs, net, scoped; };
struct net_port { uint64_t allowed, port; };
struct path_beneath { uint64_t allowed; int32_t parent; } __attribute__((packed));

static long
create(const struct ruleset *set, size_t size, uint32_t flags)
{
	return syscall(SYS_landlock_create_ruleset, set, size, flags);
}

int
landlock_abi(void)
{
	long abi = create(NULL, 0, CREATE_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/* Everything that this kernel knows is forbidden unless a rule allows it. */
static struct ruleset
handled(int abi, const struct promise *p)
{
	bool anywhere = (p->calls & PROMISE_CONNECT) != 0;
	struct ruleset set = { .fs = FS_ABI_1 };

	set.fs |= (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
	if (abi >= 4)
		set.net = NET_BIND_TCP | (anywhere ? 0 : NET_CONNECT_TCP);
	if (abi >= 6)
		set.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	return set;
}

static uint64_t
allowed(unsigned rights)
{
	uint64_t fs = 0;

	if (rights & PROMISE_READ)
		fs |= FS_READ_FILE | FS_READ_DIR;
	if (rights & PROMISE_WRITE)
		fs |= FS_WRITE_FILE | FS_REMOVE_FILE | FS_REMOVE_DIR | FS_MAKE_REG | FS_MAKE_DIR | FS_TRUNCATE;
	if (rights & PROMISE_MOVE)
		fs |= FS_REFER;
	return fs;
}

static bool
add_root(int set_fd, uint64_t known, const struct promise_root *root)
{
	struct path_beneath rule = { .parent = open(root->path, O_PATH | O_CLOEXEC) };
	struct stat st;
	bool added;

	if (rule.parent == -1)
		return true;
	rule.allowed = allowed(root->rights) & known;
	if (fstat(rule.parent, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= FS_OF_FILES;
	added = syscall(SYS_landlock_add_rule, set_fd, RULE_PATH_BENEATH, &rule, 0) == 0;
	(void)close(rule.parent);
	return added;
}

static bool
add_port(int set_fd, const struct ruleset *set, uint16_t port)
{
	struct net_port rule = { NET_CONNECT_TCP, port };

	/* Before ABI 4 there are no such rules, and then every port is open to who may connect. */
	return set->net == 0 || syscall(SYS_landlock_add_rule, set_fd, RULE_NET_PORT, &rule, 0) == 0;
}

/* Who connects anywhere may choose the address that he comes from, and no port: those that he could listen on are not his. */
static bool
add_source(int set_fd, const struct ruleset *set, const struct promise *p)
{
	struct net_port rule = { .allowed = NET_BIND_TCP, .port = 0 };

	if ((p->calls & PROMISE_CONNECT) == 0 || p->ports > 0 || (set->net & NET_BIND_TCP) == 0)
		return true;
	return syscall(SYS_landlock_add_rule, set_fd, RULE_NET_PORT, &rule, 0) == 0;
}

/* Before ABI 2 nothing may move between directories, and no rule can allow it. */
static bool
too_old(int abi, const struct promise *p)
{
	for (size_t i = 0; i < p->roots; i++) {
		if ((p->root[i].rights & PROMISE_MOVE) && abi < 2)
			return true;
	}
	return false;
}

/* A thread that runs already would stay outside: a directory of tasks has one link for itself, one for "." and one for each. */
static bool
alone(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) != 0 || st.st_nlink <= 3;
}

static bool
refuse(const char **why, const char *words)
{
	*why = words;
	return false;
}

bool
landlock_take(const struct promise *p, const char **why)
{
	int abi = landlock_abi(), fd;
	struct ruleset set = handled(abi, p);
	bool taken = true;

	if (abi == 0)
		return refuse(why, "files: this kernel has no Landlock (or it is not in lsm=)");
	if (too_old(abi, p))
		return refuse(why, "files: this kernel's Landlock (ABI 1) forbids Maildir's move from tmp to new; Linux 5.19 has what it takes");
	if (!alone())
		return refuse(why, "files: threads run already");
	fd = (int)create(&set, sizeof(set), 0);
	if (fd == -1)
		return refuse(why, "files: Landlock refuses a set of rules");
	for (size_t i = 0; i < p->roots; i++)
		taken &= add_root(fd, set.fs, &p->root[i]);
	for (size_t i = 0; i < p->ports; i++)
		taken &= add_port(fd, &set, p->port[i]);
	taken &= add_source(fd, &set, p);
	taken = taken && syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	(void)close(fd);
	return taken || refuse(why, "files: Landlock refuses a rule");
}
