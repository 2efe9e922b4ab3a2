/*
 * proc/1_front_limits.h - how much of everything a front has for strangers. docs/limits.md is made from these and the settings.
 */
#ifndef POSTERN_PROC_1_FRONT_LIMITS_H
#define POSTERN_PROC_1_FRONT_LIMITS_H

enum {
	FRONT_LISTEN_MAX = 64,
	FRONT_READS = 8,                /* fillings of the input buffer in one turn */
	FRONT_SHAKES = 4,               /* steps of handshakes in one turn of the loop: about a millisecond */
	FRONT_INPUT = 64 * 1024,
	FRONT_COMMANDS = 16 * 1024,     /* of input at a time outside content: whoever pipelines more waits for us */
	FRONT_AGAIN_MAX = 1024,
	FRONT_OUTPUT = 16 * 1024,
	FRONT_HELD = 2 * FRONT_OUTPUT,  /* of replies that the peer does not take; nothing is read from it meanwhile */
	FRONT_CONTENT = 64 * 1024,      /* of one SPOOL_BODY frame */
	FRONT_SLAB = 64,                /* sessions, or drafts, allocated at once */
	FRONT_SLOT_BITS = 20,
	FRONT_SLOTS = 1 << FRONT_SLOT_BITS,
	FRONT_ENVID_MAX = 100,
	FRONT_MAIL_AUTH_MAX = 500,
	FRONT_PEER_MAX = 64,
	FRONT_ALLOWED_MS = 5000,        /* how long 3_auth's yes to a reverse-path holds in the same session */

	FRONT_PROXY_BEYOND = 100,       /* connections from proxies that may say for whom they come where there is no room */

	FRONT_HANDSHAKE_MS = 30 * 1000, /* requirements F2 */
	FRONT_US_MS = 110 * 1000,       /* 6409-12: an answer in less than two minutes */
	FRONT_AWAIT_MS = 10 * 1000,     /* MAIL waits so long for a 4_spool, AUTH for a 3_auth that begins again; longer than the master's first
	                                 * back-offs */
	FRONT_FILTER_MS = 10 * 1000,    /* more than milter-deadline, when that is longer */
	FRONT_GOODBYE_MS = 5 * 1000,
	FRONT_LINGER_MAX = 16 * 1024 * 1024,    /* more than two kernels hold (tcp_rmem, tcp_wmem): the rest was sent when we had closed */
	FRONT_DRAIN_MS = 15 * 1000,     /* less than the master waits for fronts, or nobody would hear our 421 */
	FRONT_SWEEP_MS = 1000,          /* between two looks at who is late */
	FRONT_ALONE_MS = 30 * 1000,     /* longer than the master's longest back-off */

	FRONT_PROGRAM = 16 * 1024 * 1024,       /* resident before anybody comes: 11 MiB measured with OpenSSL 3.0, x86-64 */
};

#endif
