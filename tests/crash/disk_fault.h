/*
 * tests/crash/disk_fault.h - the real disk, with a switch at every call: stop there (before, in the middle of, or after it),
 * or fail there with an errno.
 *
 * What a stop leaves behind is what a SIGKILL leaves: what was written is there, what was not is not. disk_fault_power_cut()
 * takes away what was not synced.
 */
#ifndef POSTERN_TESTS_CRASH_DISK_FAULT_H
#define POSTERN_TESTS_CRASH_DISK_FAULT_H

#include <stdbool.h>

#include "spool/disk.h"

enum fault_kind { FAULT_NONE, FAULT_STOP_BEFORE, FAULT_STOP_WITHIN, FAULT_STOP_AFTER, FAULT_ERROR };
enum fault_call { CALL_ANY, CALL_OPEN, CALL_PWRITE, CALL_FDATASYNC, CALL_FSYNC, CALL_TRUNCATE, CALL_UNLINK };

struct disk_fault {
	enum fault_kind kind;
	enum fault_call only;   /* count and fail only these */
	unsigned at;            /* which call, from 1 */
	int error;              /* FAULT_ERROR */
	bool once;              /* FAULT_ERROR: the next call works again */
	uint64_t room;          /* what room() says; 0: the truth */
	/* What happened. */
	unsigned calls;
	bool stopped;           /* nothing reaches the disk any more */
};

extern struct disk_fault disk_fault;
extern const struct disk disk_faulty;

void disk_fault_reset(void);

/*
 * A power cut: of what no fdatasync has covered only so many hundredths stay, names that no fsync of the directory has covered
 * are gone, and removals that none has covered did not happen. To be called after the spool was closed; forget() begins anew.
 */
void disk_fault_forget(void);
void disk_fault_power_cut(const char *directory, unsigned percent);

#endif
