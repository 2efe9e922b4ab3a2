#include "os/promise.h"

#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The sanitizers' run-time opens files, starts a process that traces us, and maps what it likes. What they look for and what a cage is
 * for do not go together; the other builds are the ones that are caged.
 */
#if defined(__has_feature)
#define SANITIZER_HERE (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER_HERE 1
#else
#define SANITIZER_HERE 0
#endif

enum { SANITIZED = SANITIZER_HERE };

void
promise_begin(int keep)
{
	struct rlimit none = { 0, 0 };

	(void)syscall(SYS_close_range, (unsigned)keep + 1, ~0U, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, SANITIZED, 0, 0, 0);
	seccomp_refuse_rings();
}

static void
say(struct buf *missing, const char *words)
{
	if (missing->len > 0)
		buf_put_text(missing, "; ");
	buf_put_text(missing, words);
}

bool
promise_may_lock(const char **why)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	*why = "RLIMIT_MEMLOCK has an end, so keys and passwords may go to swap; give the service LimitMEMLOCK=infinity, or the machine no swap";
	/* Also without root, where the hard limit has no end. */
	return setrlimit(RLIMIT_MEMLOCK, &all) == 0;
}

/* What a process that holds secrets has in memory is never written to swap. */
static void
lock_memory(const struct promise *p)
{
	struct rlimit limit;

	/* Under a limit, locking what comes later would make allocations fail. */
	if ((p->calls & PROMISE_LOCK) == 0 || SANITIZED || getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY)
		return;
	(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

static unsigned
take_identity(const struct promise *p, struct buf *missing)
{
	if (geteuid() != 0)
		return 0;
	if (p->identity.uid == 0 || identity_take(&p->identity))
		return 0;
	say(missing, "identity: cannot become ");
	buf_put_text(missing, p->identity.name);
	return PART_IDENTITY;
}

static unsigned
take_capabilities(struct buf *missing)
{
	bool kept = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

	kept = capabilities_keep(0) && kept;
	if (kept)
		return 0;
	say(missing, "capabilities: cannot give them all up");
	return PART_CAPABILITIES;
}

/* The bounding set goes before the identity, since afterwards it cannot; capabilities_keep() is not what does it then. */
static void
empty_bounding_set(void)
{
	for (int i = 0; i < 64; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

unsigned
promise_take(const struct promise *p, struct buf *missing)
{
	const char *why = "";
	unsigned open = 0;

	missing->len = 0;
	empty_bounding_set();
	open |= take_identity(p, missing);
	open |= take_capabilities(missing);
	/* A change of identity has undone both. */
	(void)prctl(PR_SET_DUMPABLE, SANITIZED, 0, 0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	lock_memory(p);
	if (!SANITIZED && !landlock_take(p, &why)) {
		say(missing, why);
		open |= PART_FILES;
	}
	/* The last: the others need calls that it takes away. */
	if (!SANITIZED && !seccomp_take(p)) {
		say(missing, "calls: this kernel takes no seccomp filter");
		open |= PART_CALLS;
	}
	buf_terminate(missing);
	return open;
}

unsigned
promise_ask(struct buf *missing, struct buf *have)
{
	unsigned open = 0;
	int abi = landlock_abi();

	missing->len = have->len = 0;
	if (SANITIZED)
		say(missing, "a build with sanitizers is not caged");
	if (abi == 0) {
		say(missing, "files: this kernel has no Landlock");
		open |= PART_FILES;
	} else {
		buf_put_text(have, "Landlock ABI ");
		buf_put_u64(have, (uint64_t)abi);
		buf_put_text(have, ", ");
	}
	if (!seccomp_able()) {
		say(missing, "calls: this kernel has no seccomp filters");
		open |= PART_CALLS;
	} else {
		buf_put_text(have, "seccomp, ");
	}
	buf_put_text(have, "no_new_privs");
	buf_terminate(missing);
	buf_terminate(have);
	return open;
}

bool
promise_keep_master(void)
{
	static const int keep[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_KILL, CAP_SETGID, CAP_SETUID,
		CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_RESOURCE };
	uint64_t set = 0;

	for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		set |= UINT64_C(1) << keep[i];
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && capabilities_keep(set);
}
