/*
 * The calls that are left. Three answers to the others: death to what only an attacker does, EACCES to what a library may try
 * and do without (opening a file), and ENOSYS to all the rest, so that the C library falls back to an older call where it can.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/given.h"
#include "os/promise.h"

#define SYS(name) SCMP_SYS(name)
/* All fields, which the library's own macros leave out and clang wants. */
#define ARG(number, test, value) ((struct scmp_arg_cmp){ (number), (test), (scmp_datum_t)(value), 0 })
#define ARG_BITS(number, mask, value) ((struct scmp_arg_cmp){ (number), SCMP_CMP_MASKED_EQ, (mask), (value) })

/* Memory, time, waiting, and octets over descriptors that are there. */
static const int always[] = {
	SYS(read), SYS(write), SYS(readv), SYS(writev), SYS(pread64), SYS(close), SYS(fstat), SYS(lseek), SYS(recvfrom), SYS(recvmsg),
	SYS(sendto), SYS(sendmsg), SYS(getsockopt), SYS(getsockname), SYS(getpeername), SYS(poll), SYS(ppoll), SYS(epoll_wait),
	SYS(epoll_pwait), SYS(epoll_ctl), SYS(epoll_create1), SYS(eventfd2), SYS(munmap), SYS(mremap), SYS(madvise), SYS(brk),
	SYS(mlock), SYS(munlock), SYS(futex), SYS(sched_yield), SYS(sched_getaffinity), SYS(set_robust_list), SYS(rseq),
	SYS(clock_gettime), SYS(clock_getres), SYS(clock_nanosleep), SYS(nanosleep), SYS(gettimeofday), SYS(time), SYS(getpid),
	SYS(gettid), SYS(getppid), SYS(getuid), SYS(geteuid), SYS(getgid), SYS(getegid), SYS(getrandom), SYS(rt_sigaction),
	SYS(rt_sigprocmask), SYS(rt_sigreturn), SYS(sigaltstack), SYS(restart_syscall), SYS(sysinfo), SYS(uname), SYS(getrusage),
	SYS(getrlimit), SYS(exit), SYS(exit_group),
};

/* Where, Landlock says. */
static const int with_files[] = {
	SYS(openat), SYS(newfstatat), SYS(statx), SYS(fstatfs), SYS(getdents64), SYS(pwrite64), SYS(pwritev), SYS(preadv),
	SYS(ftruncate), SYS(fallocate), SYS(fsync), SYS(fdatasync), SYS(sync_file_range), SYS(fadvise64), SYS(copy_file_range),
	SYS(unlink), SYS(unlinkat), SYS(rename), SYS(renameat), SYS(renameat2), SYS(linkat), SYS(mkdir), SYS(mkdirat), SYS(access),
	SYS(faccessat), SYS(faccessat2), SYS(stat), SYS(lstat), SYS(readlink), SYS(flock), SYS(umask), SYS(open), SYS(getcwd),
};

static const int with_connect[] = {
	SYS(connect), SYS(bind), SYS(setsockopt), SYS(sendmmsg), SYS(recvmmsg), SYS(pipe2), SYS(socketpair),
};

/* Nobody here does this, and no library on anybody's behalf. */
static const int deadly[] = {
	SYS(execve), SYS(execveat), SYS(fork), SYS(vfork), SYS(ptrace), SYS(process_vm_readv), SYS(process_vm_writev), SYS(kill),
	SYS(tkill), SYS(rt_sigqueueinfo), SYS(rt_tgsigqueueinfo), SYS(pidfd_open), SYS(pidfd_getfd), SYS(pidfd_send_signal),
	SYS(userfaultfd), SYS(io_uring_setup), SYS(io_uring_enter), SYS(io_uring_register), SYS(bpf), SYS(perf_event_open),
	SYS(keyctl), SYS(add_key), SYS(request_key), SYS(unshare), SYS(setns), SYS(mount), SYS(umount2), SYS(pivot_root), SYS(chroot),
	SYS(open_tree), SYS(move_mount), SYS(fsopen), SYS(fsmount), SYS(reboot), SYS(kexec_load), SYS(kexec_file_load),
	SYS(init_module), SYS(finit_module), SYS(delete_module), SYS(iopl), SYS(ioperm), SYS(modify_ldt), SYS(personality),
	SYS(swapon), SYS(swapoff), SYS(open_by_handle_at), SYS(memfd_create), SYS(pkey_mprotect), SYS(setuid), SYS(setgid),
	SYS(setresuid), SYS(setresgid), SYS(capset), SYS(listen),
};

/* Deadly, too, for whom they were not promised. */
static const int sockets[] = { SYS(socket), SYS(socketpair), SYS(connect), SYS(bind) };
static const int never_bound[] = { SYS(socketpair), SYS(bind) };
static const int files[] = { SYS(open), SYS(openat), SYS(openat2), SYS(creat) };

#define ADD_ALL(filter, action, list) add_all(filter, action, list, sizeof(list) / sizeof((list)[0]))

static bool
add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	bool added = true;

	for (size_t i = 0; i < count; i++) {
		/* A call that this architecture has not (-EDOM, or a negative number) needs no rule. */
		int error = calls[i] < 0 ? 0 : seccomp_rule_add(filter, action, calls[i], 0);

		added &= error == 0 || error == -EDOM;
	}
	return added;
}

static bool
add_if(scmp_filter_ctx filter, uint32_t action, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(filter, action, call, 1, &condition) == 0;
}

/* No page that was written becomes code. */
static bool
add_memory(scmp_filter_ctx filter)
{
	static const int calls[] = { SYS(mmap), SYS(mprotect) };
	bool added = true;

	for (size_t i = 0; i < 2; i++) {
		added &= add_if(filter, SCMP_ACT_ALLOW, calls[i], ARG_BITS(2, PROT_EXEC, 0));
		added &= add_if(filter, SCMP_ACT_KILL_PROCESS, calls[i], ARG_BITS(2, PROT_EXEC, PROT_EXEC));
	}
	return added;
}

/* clone3 hides its flags behind a pointer: the C library falls back to clone. Signals only to ourselves: abort() needs one. */
static bool
add_tasks(scmp_filter_ctx filter, unsigned calls)
{
	uint32_t threads = calls & PROMISE_THREADS ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS;

	return add_if(filter, threads, SYS(clone), ARG_BITS(0, CLONE_THREAD, CLONE_THREAD)) &&
	    add_if(filter, SCMP_ACT_KILL_PROCESS, SYS(clone), ARG_BITS(0, CLONE_THREAD, 0)) &&
	    add_if(filter, SCMP_ACT_ALLOW, SYS(tgkill), ARG(0, SCMP_CMP_EQ, getpid())) &&
	    add_if(filter, SCMP_ACT_KILL_PROCESS, SYS(tgkill), ARG(0, SCMP_CMP_NE, getpid())) &&
	    add_if(filter, SCMP_ACT_ALLOW, SYS(prctl), ARG(0, SCMP_CMP_EQ, PR_SET_NAME)) &&
	    add_if(filter, SCMP_ACT_ALLOW, SYS(prlimit64), ARG(2, SCMP_CMP_EQ, 0));
}

/* Only descriptors that it opened later may be changed; those that were given have numbers that never become free. */
static bool
add_flags(scmp_filter_ctx filter)
{
	int given = given_seal();
	struct scmp_arg_cmp setting[] = { ARG(1, SCMP_CMP_EQ, F_SETFL), ARG(0, SCMP_CMP_GT, given) };
	struct scmp_arg_cmp filling[] = { ARG(0, SCMP_CMP_EQ, STDIN_FILENO), ARG(1, SCMP_CMP_LE, given) };

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SYS(fcntl), 2, setting) == 0 &&
	    seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SYS(dup3), 2, filling) == 0;
}

/*
 * The flags of a descriptor that others share stay as they are: whoever made the common listening socket a waiting one would stop
 * the other fronts. libuv asks with FIONBIO first; ENOTTY makes it look at the flags, and what it is given does not wait already.
 */
static bool
add_descriptors(scmp_filter_ctx filter, unsigned calls)
{
	bool added = add_if(filter, SCMP_ACT_ALLOW, SYS(fcntl), ARG(1, SCMP_CMP_EQ, F_GETFL)) &&
	    add_if(filter, SCMP_ACT_ALLOW, SYS(fcntl), ARG(1, SCMP_CMP_EQ, F_GETFD)) &&
	    add_if(filter, SCMP_ACT_ALLOW, SYS(fcntl), ARG(1, SCMP_CMP_EQ, F_SETFD)) &&
	    add_if(filter, SCMP_ACT_ERRNO(ENOTTY), SYS(ioctl), ARG(1, SCMP_CMP_EQ, FIONBIO));

	if (calls & PROMISE_PASS)
		added &= add_if(filter, SCMP_ACT_ALLOW, SYS(fcntl), ARG(1, SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
	if (calls & PROMISE_RECORD_LOCKS)
		added &= add_if(filter, SCMP_ACT_ALLOW, SYS(fcntl), ARG(1, SCMP_CMP_EQ, F_SETLK)) &&
		    add_if(filter, SCMP_ACT_ALLOW, SYS(fcntl), ARG(1, SCMP_CMP_EQ, F_GETLK));
	if (calls & PROMISE_CONNECT)
		added &= add_flags(filter);
	return added;
}

/* Connections and nothing else. The type has flags beside it: SOCK_NONBLOCK, SOCK_CLOEXEC. */
static bool
add_streams(scmp_filter_ctx filter, unsigned calls)
{
	static const struct { unsigned promise; int family; } kinds[] = {
		{ PROMISE_STREAMS, AF_INET }, { PROMISE_STREAMS, AF_INET6 }, { PROMISE_LOCAL, AF_UNIX },
	};
	bool added = ADD_ALL(filter, SCMP_ACT_KILL_PROCESS, never_bound) &&
	    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS(connect), 0) == 0 &&
	    add_if(filter, SCMP_ACT_ALLOW, SYS(setsockopt), ARG(1, SCMP_CMP_EQ, IPPROTO_TCP));

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct scmp_arg_cmp stream[] = { ARG(0, SCMP_CMP_EQ, kinds[i].family), ARG_BITS(1, 0xf, SOCK_STREAM) };

		if (calls & kinds[i].promise)
			added &= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SYS(socket), 2, stream) == 0;
	}
	return added;
}

static bool
add_network(scmp_filter_ctx filter, unsigned calls)
{
	bool added = true;

	if (calls & PROMISE_ACCEPT)
		added &= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS(accept4), 0) == 0;
	/* Which does nothing to a listening socket, and all fronts share those. */
	if (calls & (PROMISE_ACCEPT | PROMISE_CONNECT))
		added &= add_if(filter, SCMP_ACT_ALLOW, SYS(shutdown), ARG(1, SCMP_CMP_EQ, SHUT_WR));
	if ((calls & (PROMISE_CONNECT | PROMISE_STREAMS | PROMISE_LOCAL)) == 0)
		return added && ADD_ALL(filter, SCMP_ACT_KILL_PROCESS, sockets);
	if ((calls & PROMISE_CONNECT) == 0)
		return added && add_streams(filter, calls);
	return added && ADD_ALL(filter, SCMP_ACT_ALLOW, with_connect) &&
	    add_if(filter, SCMP_ACT_ALLOW, SYS(socket), ARG(0, SCMP_CMP_EQ, AF_INET)) &&
	    add_if(filter, SCMP_ACT_ALLOW, SYS(socket), ARG(0, SCMP_CMP_EQ, AF_INET6));
}

static bool
fill(scmp_filter_ctx filter, unsigned calls)
{
	bool filled = ADD_ALL(filter, SCMP_ACT_ALLOW, always) && ADD_ALL(filter, SCMP_ACT_KILL_PROCESS, deadly) && add_memory(filter) &&
	    add_tasks(filter, calls) && add_descriptors(filter, calls) && add_network(filter, calls);

	return filled && (calls & PROMISE_FILES ? ADD_ALL(filter, SCMP_ACT_ALLOW, with_files)
	                                        : ADD_ALL(filter, SCMP_ACT_ERRNO(EACCES), files));
}

bool
seccomp_able(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/*
 * What a ring does passes by every filter, so io_uring is not for cages; but libuv, from 1.45 on, opens one with its loop when it can, and the loop is
 * older than the cage. Told at once that there is none it goes on without.
 */
void
seccomp_refuse_rings(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	/* A kernel that takes no filters takes no cage either. */
	if (filter != NULL && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SYS(io_uring_setup), 0) == 0)
		(void)seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
}

bool
seccomp_take(const struct promise *p)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	bool taken = filter != NULL && fill(filter, p->calls) &&
	    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
	    /* Whoever runs already must not stay outside. */
	    seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
	    /* A tree instead of a list: the ceiling of what each call costs. */
	    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 && seccomp_load(filter) == 0;

	if (filter != NULL)
		seccomp_release(filter);
	return taken;
}
