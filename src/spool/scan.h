/*
 * spool/scan.h - reads one segment from its first octet to its last and trusts none of them.
 *
 * Owner     the caller has the descriptor. Blocks on the disk.
 * Fails     false only when memory is short or the segment is of a version that is not known; damage is not a failure.
 */
#ifndef POSTERN_SPOOL_SCAN_H
#define POSTERN_SPOOL_SCAN_H

#include "queue/record.h"

struct scan_handler {
	/* A whole record; payload is good during the call. */
	void (*record)(void *arg, uint64_t offset, const struct record_header *, struct span payload);
	/* Octets [from, to) are no records. */
	void (*damage)(void *arg, uint64_t from, uint64_t to);
};

struct scan_end {
	uint64_t salt;          /* 0: no whole record was found */
	uint64_t end;           /* of the last whole record */
	bool newer;             /* made by a version of ours that is not this one */
};

/* The numbers of all segments in a directory, in order, onto a list that begins as NULL, 0 and is the caller's to free. False: memory is
 * short, or the directory cannot be read. */
bool segments_list(int dirfd, uint64_t **number, size_t *count);
bool scan_segment(int fd, uint64_t size, const struct scan_handler *, void *arg, struct scan_end *);

#endif
