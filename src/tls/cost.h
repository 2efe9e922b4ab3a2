/*
 * tls/cost.h - what TLS costs in memory, for the figures of `postern check --explain`.
 *
 * OpenSSL does not say what a session takes, so these are measured: growth of a front's resident memory by 300 sessions each, OpenSSL
 * 3.0 on x86-64, glibc's malloc, rounded up by a fifth. tests/serve/test_memory_figures.py measures them again.
 */
#ifndef POSTERN_TLS_COST_H
#define POSTERN_TLS_COST_H

#include "tls/server.h"

enum {
	TLS_RECORD_BUFFER = 17 * 1024,                  /* a record with its header and tag, one for each direction */
	TLS_SESSION_IDLE = 31 * 1024,                   /* up, and waiting: 15.2 KiB measured with OpenSSL 3.0, 28.4 with 3.5 */
	TLS_SESSION_MOST = TLS_SESSION_IDLE + 2 * TLS_RECORD_BUFFER,    /* both buffers are in use */
	TLS_SESSION_SHAKING = 72 * 1024,                /* a ClientHello of nearly TLS_HELLO_MAX octets, its end not there: 60.0 KiB measured */
};

#endif
