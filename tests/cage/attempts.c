#include "attempts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

struct world world;

static int
got(long result)
{
	return result == -1 ? errno : 0;
}

static const char *
below(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", world.state, name);
	return path;
}

/* ---- files ---- */

static int read_accounts_of_the_system(void) { return got(open("/etc/passwd", O_RDONLY)); }
static int write_elsewhere(void) { return got(open(below("planted"), O_WRONLY | O_CREAT, 0600)); }
static int read_key(void) { return got(open(below("tls/key.pem"), O_RDONLY)); }
static int read_spool(void) { return got(open(below("spool/segment"), O_RDONLY)); }
static int change_spool(void) { return got(open(below("spool/segment"), O_RDWR)); }
static int cut_spool(void) { return got(truncate(below("spool/segment"), 0)); }
static int list_spool(void) { return got(open(below("spool"), O_RDONLY | O_DIRECTORY)); }
static int make_segment(void) { return got(open(below("spool/next"), O_RDWR | O_CREAT, 0600)); }
static int drop_segment(void) { return got(unlink(below("spool/segment"))); }
static int read_verifiers(void) { return got(open(below("auth/users"), O_RDONLY)); }
static int note_last_use(void) { return got(open(below("auth/last-used.new"), O_WRONLY | O_CREAT | O_EXCL, 0600)); }
static int read_history(void) { return got(open(below("history/history.db"), O_RDWR)); }
static int read_mailbox(void) { return got(open(below("Maildir/new/old"), O_RDONLY)); }
static int own_memory(void) { return got(open("/proc/self/mem", O_RDWR)); }
static int others_memory(void) { char p[64]; (void)snprintf(p, sizeof p, "/proc/%d/mem", world.sibling); return got(open(p, O_RDWR)); }
static int trusted_authorities(void) { return got(open("/etc/ssl/certs", O_RDONLY | O_DIRECTORY)); }
/* A machine without one has nothing to hide. */
static int resolvers(void) { int e = got(open("/etc/hosts", O_RDONLY)); return e == ENOENT ? EACCES : e; }

static int
deliver(void)
{
	char draft[256];
	int fd;

	(void)snprintf(draft, sizeof draft, "%s", below("Maildir/tmp/draft"));
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1)
		return errno;
	return got(linkat(AT_FDCWD, draft, AT_FDCWD, below("Maildir/new/mail"), 0)) + got(unlink(draft));
}

/* As 5_relay_sts_file.c does it: made under another name, then in its place. */
static int
keep_policy(void)
{
	char made[256];
	int fd;

	if (mkdir(below("relay/mta-sts"), 0700) != 0 && errno != EEXIST)
		return errno;
	(void)snprintf(made, sizeof made, "%s", below("relay/mta-sts/.new"));
	fd = open(made, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd == -1 ? errno : got(rename(made, below("relay/mta-sts/example.net")));
}

/* SQLite's way to be the only one that writes. */
static int
lock_history(void)
{
	struct flock all = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return got(fcntl(world.passed, F_SETLK, &all));
}

/* ---- the network ---- */

static int
connect_to(unsigned short port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd == -1 ? errno : got(connect(fd, (struct sockaddr *)&to, sizeof to));
}

static int connect_out(void) { return connect_to(world.port); }
static int connect_elsewhere(void) { return connect_to(world.other); }

static int
serve_too(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof at) == -1)
		return errno;
	return got(listen(fd, 1));
}

static int ask_names(void) { return got(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }
static int local_socket(void) { return got(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int raw_socket(void) { return got(socket(AF_PACKET, SOCK_RAW, 0)); }
static int accept_one(void) { int e = got(accept4(world.listener, NULL, NULL, SOCK_CLOEXEC)); return e == EAGAIN ? 0 : e; }
static int stop_listening(void) { return got(shutdown(world.listener, SHUT_RDWR)); }

/* As a reload brings one: it has a later number than what was given at the start. */
static int
stop_listening_later(void)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { .head = {
	    .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	char octet = 0;
	struct iovec one = { &octet, 1 };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	int later;

	memcpy(CMSG_DATA(&control.head), &world.listener, sizeof world.listener);
	if (sendmsg(world.mirror[0], &m, 0) != 1 || recvmsg(world.mirror[1], &m, 0) != 1)
		return errno;
	memcpy(&later, CMSG_DATA(&control.head), sizeof later);
	return later > world.mirror[1] ? got(shutdown(later, SHUT_RDWR)) : EBADF;
}

/* ---- descriptors that others share ---- */

static int make_it_wait(void) { return got(fcntl(world.passed, F_SETFL, 0)); }
static int make_it_wait_by_ioctl(void) { int off = 0; return got(ioctl(world.passed, FIONBIO, &off)); }
static int signal_driven(void) { return got(fcntl(world.passed, F_SETOWN, getpid())); }
static int duplicate(void) { return got(fcntl(world.passed, F_DUPFD_CLOEXEC, 0)); }
static int put_in_place(void) { return got(dup2(world.passed, 2)); }
static int put_in_place_for_later(void) { return got(dup3(world.passed, 2, O_CLOEXEC)); }

/* ---- processes ---- */

static int run_program(void) { char *args[] = { (char[]){ "true" }, NULL }; execv("/bin/true", args); return errno; }
static int second_process(void) { pid_t p = fork(); if (p == 0) _exit(0); return got(p); }
static int trace(void) { return got(ptrace(PTRACE_ATTACH, world.sibling, NULL, NULL)); }
static int kill_sibling(void) { return got(kill(world.sibling, SIGTERM)); }
static int kill_by_thread(void) { return got(syscall(SYS_tgkill, world.sibling, world.sibling, SIGTERM)); }
static int hold_process(void) { return got(syscall(SYS_pidfd_open, world.sibling, 0)); }
static int become_root(void) { return got(setuid(0)); }
static int more_descriptors(void) { struct rlimit l = { 4096, 4096 }; return got(setrlimit(RLIMIT_NOFILE, &l)); }
static int allow_dumps(void) { return got(prctl(PR_SET_DUMPABLE, 1)); }

static int
read_sibling(void)
{
	char octet;
	struct iovec here = { &octet, 1 }, there = { &world, 1 };

	return got(process_vm_readv(world.sibling, &here, 1, &there, 1, 0));
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
work_beside(void)
{
	pthread_t t;
	int error = pthread_create(&t, NULL, nothing, NULL);

	return error != 0 ? error : pthread_join(t, NULL);
}

/* ---- code, and the kernel's dark corners ---- */

static int
make_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int
turn_into_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : got(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int handle_faults(void) { return got(syscall(SYS_userfaultfd, 0)); }
static int ring(void) { char room[256] = { 0 }; return got(syscall(SYS_io_uring_setup, 1, room)); }
static int load_bpf(void) { return got(syscall(SYS_bpf, 0, NULL, 0)); }
static int keys_of_the_kernel(void) { return got(syscall(SYS_keyctl, 0, -3, 0, 0, 0)); }
static int watch_performance(void) { return got(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)); }
static int own_namespace(void) { return got(unshare(CLONE_NEWUSER)); }
static int mount_something(void) { return got(mount("none", world.state, "tmpfs", 0, NULL)); }
static int change_root(void) { return got(chroot(world.state)); }
/* With wrong magic numbers: a kernel that gets so far says EINVAL, and that counts as having got through. */
static int restart_machine(void) { return got(syscall(SYS_reboot, 0, 0, 0, NULL)); }
static int load_module(void) { return got(syscall(SYS_finit_module, -1, "", 0)); }
static int nameless_file(void) { return got((long)syscall(SYS_memfd_create, "x", 0)); }
static int second_filter(void) { return got(syscall(SYS_seccomp, 0, 1, NULL)); }

/* ---- what everybody needs ---- */

static int say_something(void) { return write(2, "", 0) == 0 ? 0 : errno; }
static int chance(void) { char octet; return got(getrandom(&octet, 1, 0)); }
static int room(void) { void *p = malloc(1 << 22); memset(p, 1, 1 << 22); free(p); return 0; }
static int is_it_waiting(void) { return got(fcntl(world.passed, F_GETFL)); }

const struct attempt attempts[] = {
	{ "read a file of the system", read_accounts_of_the_system, NOBODY, 1 },
	{ "make a file in the state directory", write_elsewhere, NOBODY, 1 },
	{ "read the TLS key", read_key, NOBODY, 1 },
	{ "read the spool", read_spool, SPOOL, 1 },
	{ "change the spool", change_spool, SPOOL, 1 },
	{ "cut the spool by name", cut_spool, NOBODY, 0 },
	{ "list the spool", list_spool, SPOOL, 1 },
	{ "make a segment", make_segment, SPOOL, 1 },
	{ "drop a segment", drop_segment, SPOOL, 1 },
	{ "read the verifiers", read_verifiers, AUTH, 1 },
	{ "note a last use", note_last_use, AUTH, 1 },
	{ "read and write the history", read_history, HISTORY, 1 },
	{ "lock a part of a file", lock_history, HISTORY, 0 },
	{ "read delivered mail", read_mailbox, RELAY, 1 },
	{ "deliver", deliver, RELAY, 1 },
	{ "keep a policy", keep_policy, RELAY, 1 },
	{ "read /proc/self/mem", own_memory, NOBODY, 1 },
	{ "read a sibling's memory as a file", others_memory, NOBODY, 1 },
	{ "read the trusted authorities", trusted_authorities, RELAY | HOOK, 1 },
	{ "read who resolves names", resolvers, RELAY | HOOK, 1 },
	{ "connect", connect_out, RELAY | HOOK | MILTER, 0 },
	{ "connect to another port", connect_elsewhere, RELAY | HOOK, 4 },
	{ "serve", serve_too, NOBODY, 0 },
	{ "ask for names", ask_names, RELAY | HOOK, 0 },
	{ "make a local socket", local_socket, MILTER_LOCAL, 0 },
	{ "make a raw socket", raw_socket, NOBODY, 0 },
	{ "accept", accept_one, FRONT | AUTH | SPOOL | HISTORY, 0 },
	{ "shut the shared listener", stop_listening, NOBODY, 0 },
	{ "shut a shared listener that came later", stop_listening_later, NOBODY, 0 },
	{ "make a passed descriptor wait", make_it_wait, NOBODY, 0 },
	{ "make a passed descriptor wait, by ioctl", make_it_wait_by_ioctl, NOBODY, 0 },
	{ "have signals sent for a passed descriptor", signal_driven, NOBODY, 0 },
	{ "duplicate a descriptor", duplicate, SPOOL, 0 },
	{ "put another descriptor in the log's place", put_in_place, NOBODY, 0 },
	{ "put another descriptor in the log's place, closed on exec", put_in_place_for_later, NOBODY, 0 },
	{ "run a program", run_program, NOBODY, 0 },
	{ "fork", second_process, NOBODY, 0 },
	{ "start a thread", work_beside, AUTH | SPOOL | RELAY | HOOK, 0 },
	{ "trace a sibling", trace, NOBODY, 0 },
	{ "kill a sibling", kill_sibling, NOBODY, 0 },
	{ "kill a sibling's thread", kill_by_thread, NOBODY, 0 },
	{ "take hold of a sibling", hold_process, NOBODY, 0 },
	{ "read a sibling's memory", read_sibling, NOBODY, 0 },
	{ "become root", become_root, NOBODY, 0 },
	{ "change a limit", more_descriptors, NOBODY, 0 },
	{ "allow core dumps", allow_dumps, NOBODY, 0 },
	{ "map memory as code", make_code, NOBODY, 0 },
	{ "turn memory into code", turn_into_code, NOBODY, 0 },
	{ "userfaultfd", handle_faults, NOBODY, 0 },
	{ "io_uring_setup", ring, NOBODY, 0 },
	{ "bpf", load_bpf, NOBODY, 0 },
	{ "keyctl", keys_of_the_kernel, NOBODY, 0 },
	{ "perf_event_open", watch_performance, NOBODY, 0 },
	{ "unshare", own_namespace, NOBODY, 0 },
	{ "mount", mount_something, NOBODY, 0 },
	{ "chroot", change_root, NOBODY, 0 },
	{ "reboot", restart_machine, NOBODY, 0 },
	{ "finit_module", load_module, NOBODY, 0 },
	{ "memfd_create", nameless_file, NOBODY, 0 },
	{ "put on another filter", second_filter, NOBODY, 0 },
	{ "write to the log", say_something, ALL, 0 },
	{ "draw random octets", chance, ALL, 0 },
	{ "have memory", room, ALL, 0 },
	{ "look at a descriptor's flags", is_it_waiting, ALL, 0 },
};
const size_t attempt_count = sizeof attempts / sizeof attempts[0];
