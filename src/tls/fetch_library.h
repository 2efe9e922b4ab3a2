/*
 * tls/fetch_library.h - libcurl, loaded by the one process that needs it. Private to the room; tls/fetch.h has fetch_library_load().
 *
 * It brings thirty libraries along: linked, they would double the start of every process and of every command.
 *
 * Owner     the process; loaded once, never let go.
 * Blocks    fetch_library_load() on the disk: call it before the promise is taken, no file can be read afterwards.
 */
#ifndef POSTERN_TLS_FETCH_LIBRARY_H
#define POSTERN_TLS_FETCH_LIBRARY_H

#include <curl/curl.h>

#include "base/buf.h"

struct fetch_library {
	CURLcode (*global_init)(long flags);
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	const char *(*easy_strerror)(CURLcode);
	void (*easy_cleanup)(CURL *);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_setopt)(CURLM *, CURLMoption, ...);
	CURLMcode (*multi_add_handle)(CURLM *, CURL *);
	CURLMcode (*multi_remove_handle)(CURLM *, CURL *);
	CURLMsg *(*multi_info_read)(CURLM *, int *left);
	CURLMcode (*multi_socket_action)(CURLM *, curl_socket_t, int mask, int *running);
	CURLMcode (*multi_assign)(CURLM *, curl_socket_t, void *);
	CURLMcode (*multi_cleanup)(CURLM *);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free_all)(struct curl_slist *);
};

/* NULL with words in why: the library is not there, or lacks something. */
const struct fetch_library *fetch_library(struct buf *why);

#endif
