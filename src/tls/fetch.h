/*
 * tls/fetch.h - a small file over HTTPS, without waiting for it: libcurl on our loop. For policies that domains publish, and for
 * reports that they ask for.
 *
 * No redirects, no cache, no cookies, no proxy, no name look-ups: the addresses are the caller's. The server must have a
 * trusted certificate for the host in the URL (RFC 8461 3.3), unless the question says otherwise.
 *
 * Owner     fetcher and fetches belong to the caller until fetcher_close(), or until done() was called or fetch_cancel(). The
 *           tls_client outlives both.
 * Blocks    never.
 * Fails     every fetch ends in done() with a verdict and words, at the latest when its time is over.
 */
#ifndef POSTERN_TLS_FETCH_H
#define POSTERN_TLS_FETCH_H

#include <uv.h>

#include "base/buf.h"
#include "tls/client.h"

struct fetcher;
struct fetch;

enum {
	FETCH_ADDRESSES_MAX = 8,
	FETCH_ADDRESS_TEXT = 48,
	FETCH_HOST_MAX = 256,           /* with NUL */
	FETCH_PATH_MAX = 512,
	FETCH_HEADERS_MAX = 4,
	FETCH_LOCATION_MAX = 1024,      /* with NUL; a longer one is none */
};

struct fetch_question {
	const char *host;               /* A-labels */
	const char *path;               /* "/.well-known/mta-sts.txt" */
	const char *media_type;         /* "text/plain"; another one is a failure (RFC 8461 3.2); outlives the fetch; NULL: any */
	char address[FETCH_ADDRESSES_MAX][FETCH_ADDRESS_TEXT];  /* "192.0.2.1", "2001:db8::1" */
	uint32_t addresses;
	uint16_t port;
	uint32_t most;                  /* octets; more is a failure */
	uint32_t milliseconds;          /* for everything */
	struct span post;               /* POST this instead of GET; outlives the fetch; empty: GET */
	const char *post_header;        /* "Content-Type: ..." */
	const char *more_header[FETCH_HEADERS_MAX];     /* of a POST; the first NULL ends them */
	bool clear;                     /* http, to this machine; host may be an address */
	bool anybody;                   /* whatever certificate the server has (RFC 8460 3 lets reports go so) */
};

enum fetch_verdict {
	FETCH_DONE,                     /* 200 (POST: 2xx), and this is what came */
	FETCH_UNTRUSTED,                /* the server's certificate is not good */
	FETCH_FAILED,                   /* anything else */
};

struct fetch_answer {                   /* valid during done() */
	enum fetch_verdict verdict;
	struct span body;
	const char *words;              /* NUL-terminated; "" for FETCH_DONE */
	uint32_t status;                /* of HTTP; 0: there was no answer */
	const char *location;           /* where a redirect leads, an absolute URL; "": it is none */
};

/* libcurl is not linked: fetcher_open() loads it, unless this has. Blocks on the disk; before a promise that forbids files. False with
 * words in why. */
bool fetch_library_load(struct buf *why);

/* NULL with words in why. Trusts whom the client trusts. */
struct fetcher *fetcher_open(uv_loop_t *, struct tls_client *, struct buf *why);
/* Cancels every fetch without done(). NULL is harmless. */
void fetcher_close(struct fetcher *);

/* done() is called once, from the loop, never from inside this call. NULL when memory is short or the question makes no URL. */
struct fetch *fetch_begin(struct fetcher *, const struct fetch_question *, void (*done)(void *arg, const struct fetch_answer *),
    void *arg);
/* done() will not be called. NULL is harmless. */
void fetch_cancel(struct fetch *);

#endif
