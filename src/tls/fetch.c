#include "tls/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tls/fetch_library.h"

/* Set by fetcher_open(). */
static const struct fetch_library *curl;

struct fetcher {
	uv_loop_t *loop;
	CURLM *multi;
	struct tls_client *trust;
	struct fetch *fetches;
	uv_timer_t timer;
};

struct fetch {
	struct fetcher *fetcher;
	struct fetch *next, **link;
	CURL *easy;
	struct curl_slist *resolve, *headers;
	void (*done)(void *arg, const struct fetch_answer *);
	void *arg;
	const char *media_type;
	bool post;
	struct buf body;
	char error[CURL_ERROR_SIZE];
};

/* ---- one fetch ---- */

static void
fetch_free(struct fetch *f)
{
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
	(void)curl->multi_remove_handle(f->fetcher->multi, f->easy);
	curl->easy_cleanup(f->easy);
	curl->slist_free_all(f->resolve);
	curl->slist_free_all(f->headers);
	free(f->body.p);
	free(f);
}

/* Less than n ends the transfer: more octets than anybody may send. */
static size_t
on_octets(char *octets, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;

	return buf_put(&f->body, (struct span){ (const uint8_t *)octets, size * n }) ? size * n : 0;
}

static CURLcode
on_ssl_context(CURL *easy, void *ssl_ctx, void *arg)
{
	struct fetch *f = arg;

	(void)easy;
	return tls_client_lend(f->fetcher->trust, ssl_ctx) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* Born without waiting: a process that may not change the flags of a descriptor needs nothing more. */
static curl_socket_t
on_socket_wanted(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)arg;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->protocol);
}

static bool
type_fits(const struct fetch *f, const char *type)
{
	size_t len = f->media_type != NULL ? strlen(f->media_type) : 0;

	return f->media_type == NULL || (type != NULL && strncasecmp(type, f->media_type, len) == 0 && strchr("; ", type[len]) != NULL);
}

static bool
status_fits(const struct fetch *f, long status)
{
	return f->post ? status >= 200 && status < 300 : status == 200;
}

static const char *
words_of(const struct fetch *f, CURLcode code, long status, const char *type, char words[], size_t room)
{
	if (code == CURLE_WRITE_ERROR)
		(void)snprintf(words, room, "the answer is longer than %zu octets", f->body.max);
	else if (code != CURLE_OK)
		(void)snprintf(words, room, "%.200s", f->error[0] != 0 ? f->error : curl->easy_strerror(code));
	else if (!status_fits(f, status))
		(void)snprintf(words, room, "the server answered %ld; only %s counts", status, f->post ? "2xx" : "200");
	else if (!type_fits(f, type))
		(void)snprintf(words, room, "the answer is %.60s, not %s", type != NULL ? type : "of no media type", f->media_type);
	for (char *p = words; *p != 0; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return words;
}

static void
fetch_over(struct fetch *f, CURLcode code)
{
	void (*done)(void *, const struct fetch_answer *) = f->done;
	void *arg = f->arg;
	struct fetch_answer a = { .verdict = FETCH_FAILED };
	char words[300] = "", *type = NULL, *redirect = NULL, location[FETCH_LOCATION_MAX] = "";
	struct buf body = f->body;
	long status = 0;

	(void)curl->easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl->easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
	(void)curl->easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &redirect);
	if (redirect != NULL && strlen(redirect) < sizeof location)
		(void)snprintf(location, sizeof location, "%s", redirect);
	a.status = (uint32_t)status;
	a.location = location;
	a.words = words_of(f, code, status, type, words, sizeof words);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		a.verdict = FETCH_UNTRUSTED;
	else if (words[0] == 0)
		a.verdict = FETCH_DONE;
	a.body = buf_span(&body);
	/* done() may begin and cancel others, so ours is gone before; but for the octets. */
	f->body = (struct buf){ NULL, 0, 0 };
	fetch_free(f);
	done(arg, &a);
	free(body.p);
}

static bool
set(CURLcode *code, CURLcode next)
{
	if (*code == CURLE_OK)
		*code = next;
	return *code == CURLE_OK;
}

#define SET(option, value) set(&code, curl->easy_setopt(f->easy, option, value))

/* Without "Expect:", which makes some servers wait and others refuse. */
static bool
configure_post(struct fetch *f, const struct fetch_question *q)
{
	struct curl_slist *more;
	CURLcode code = CURLE_OK;

	f->headers = curl->slist_append(NULL, q->post_header);
	more = f->headers != NULL ? curl->slist_append(f->headers, "Expect:") : NULL;
	for (size_t i = 0; more != NULL && i < FETCH_HEADERS_MAX && q->more_header[i] != NULL; i++)
		more = curl->slist_append(f->headers, q->more_header[i]);
	if (more == NULL)
		return false;
	(void)SET(CURLOPT_POST, 1L);
	(void)SET(CURLOPT_POSTFIELDSIZE, (long)q->post.len);
	(void)SET(CURLOPT_POSTFIELDS, q->post.p);
	return SET(CURLOPT_HTTPHEADER, f->headers);
}

static bool
configure(struct fetch *f, const struct fetch_question *q)
{
	char url[16 + FETCH_HOST_MAX + FETCH_PATH_MAX];
	CURLcode code = CURLE_OK;
	bool v6 = strchr(q->host, ':') != NULL;

	(void)snprintf(url, sizeof url, "%s://%s%s%s:%u%s", q->clear ? "http" : "https", v6 ? "[" : "", q->host, v6 ? "]" : "", q->port, q->path);
	(void)SET(CURLOPT_URL, url);
	(void)SET(CURLOPT_PROTOCOLS_STR, q->clear ? "http" : "https");
	(void)SET(CURLOPT_FOLLOWLOCATION, 0L);
	(void)SET(CURLOPT_PROXY, "");
	(void)SET(CURLOPT_RESOLVE, f->resolve);
	(void)SET(CURLOPT_NOSIGNAL, 1L);
	(void)SET(CURLOPT_TIMEOUT_MS, (long)q->milliseconds);
	(void)SET(CURLOPT_SSL_VERIFYPEER, q->anybody ? 0L : 1L);
	(void)SET(CURLOPT_SSL_VERIFYHOST, q->anybody ? 0L : 2L);
	(void)SET(CURLOPT_CAINFO, (char *)NULL);
	(void)SET(CURLOPT_CAPATH, (char *)NULL);
	(void)SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
	(void)SET(CURLOPT_SSL_CTX_DATA, f);
	(void)SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	(void)SET(CURLOPT_FRESH_CONNECT, 1L);
	(void)SET(CURLOPT_FORBID_REUSE, 1L);
	(void)SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)SET(CURLOPT_USERAGENT, "postern");
	(void)SET(CURLOPT_WRITEFUNCTION, on_octets);
	(void)SET(CURLOPT_WRITEDATA, f);
	(void)SET(CURLOPT_OPENSOCKETFUNCTION, on_socket_wanted);
	(void)SET(CURLOPT_ERRORBUFFER, f->error);
	return SET(CURLOPT_PRIVATE, f) && (!f->post || configure_post(f, q));
}

#undef SET

/* "+host:port:address,address": for a minute only, for the next time has addresses of its own. */
static struct curl_slist *
resolve_of(const struct fetch_question *q)
{
	char text[FETCH_HOST_MAX + 16 + FETCH_ADDRESSES_MAX * (FETCH_ADDRESS_TEXT + 3)];
	size_t at = (size_t)snprintf(text, sizeof text, "+%s:%u:", q->host, q->port);

	for (uint32_t i = 0; i < q->addresses && i < FETCH_ADDRESSES_MAX; i++) {
		bool v6 = strchr(q->address[i], ':') != NULL;

		at += (size_t)snprintf(text + at, sizeof text - at, v6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", q->address[i]);
	}
	return curl->slist_append(NULL, text);
}

/* Only what cannot be taken for another part of a URL. */
static bool
host_fits(const char *host)
{
	size_t len = strlen(host);

	for (size_t i = 0; i < len; i++)
		if (!ascii_is_alnum((uint8_t)host[i]) && host[i] != '-' && host[i] != '.' && host[i] != '_' && host[i] != ':')
			return false;
	return len > 0 && len < FETCH_HOST_MAX;
}

static void
fetch_enlist(struct fetch *f, struct fetcher *fetcher)
{
	f->fetcher = fetcher;
	f->next = fetcher->fetches;
	f->link = &fetcher->fetches;
	if (f->next != NULL)
		f->next->link = &f->next;
	fetcher->fetches = f;
}

struct fetch *
fetch_begin(struct fetcher *fetcher, const struct fetch_question *q,
    void (*done)(void *arg, const struct fetch_answer *), void *arg)
{
	struct fetch *f;

	if (!host_fits(q->host) || strlen(q->path) >= FETCH_PATH_MAX || q->addresses == 0)
		return NULL;
	f = calloc(1, sizeof *f);
	if (f == NULL)
		return NULL;
	fetch_enlist(f, fetcher);
	f->done = done;
	f->arg = arg;
	f->media_type = q->media_type;          /* static */
	f->post = !span_done(q->post);
	f->body.p = malloc(q->most);
	f->body.max = q->most;
	f->easy = curl->easy_init();
	f->resolve = resolve_of(q);
	/* Adding sets the timer; what happens happens from the loop. */
	if (f->body.p != NULL && f->easy != NULL && f->resolve != NULL && configure(f, q) &&
	    curl->multi_add_handle(fetcher->multi, f->easy) == CURLM_OK)
		return f;
	fetch_free(f);
	return NULL;
}

void
fetch_cancel(struct fetch *f)
{
	if (f != NULL)
		fetch_free(f);
}

/* ---- libcurl's sockets and its timer, on our loop ---- */

/* Each done() may begin and cancel fetches; libcurl keeps its messages in step with what was removed. */
static void
look_for_ends(struct fetcher *fetcher)
{
	CURLMsg *message;
	int left;

	while ((message = curl->multi_info_read(fetcher->multi, &left)) != NULL) {
		struct fetch *f = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &f);
		fetch_over(f, message->data.result);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct fetcher *fetcher = timer->data;
	int running;

	(void)curl->multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_for_ends(fetcher);
}

static int
on_timer_wanted(CURLM *multi, long milliseconds, void *arg)
{
	struct fetcher *fetcher = arg;

	(void)multi;
	if (milliseconds < 0)
		(void)uv_timer_stop(&fetcher->timer);
	else
		(void)uv_timer_start(&fetcher->timer, on_timer, (uint64_t)milliseconds, 0);
	return 0;
}

struct watched {
	uv_poll_t poll;
	curl_socket_t fd;
	struct fetcher *fetcher;
};

static void
on_event(uv_poll_t *poll, int status, int events)
{
	struct watched *w = poll->data;
	struct fetcher *fetcher = w->fetcher;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	(void)curl->multi_socket_action(fetcher->multi, w->fd, flags, &running);
	look_for_ends(fetcher);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watched *
watch(struct fetcher *fetcher, curl_socket_t fd)
{
	struct watched *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	if (uv_poll_init_socket(fetcher->loop, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->fd = fd;
	w->fetcher = fetcher;
	(void)curl->multi_assign(fetcher->multi, fd, w);
	return w;
}

static int
on_watch_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct fetcher *fetcher = arg;
	struct watched *w = socket_arg;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			uv_close((uv_handle_t *)&w->poll, on_poll_closed);
		(void)curl->multi_assign(fetcher->multi, fd, NULL);
		return 0;
	}
	/* Without one nothing is heard of the socket, and the time limit ends the fetch. */
	if (w == NULL && (w = watch(fetcher, fd)) == NULL)
		return 0;
	(void)uv_poll_start(&w->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0), on_event);
	return 0;
}

/* ---- all of them ---- */

static void
on_fetcher_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct fetcher *
fetcher_open(uv_loop_t *loop, struct tls_client *trust, struct buf *why)
{
	struct fetcher *fetcher;

	curl = fetch_library(why);
	if (curl == NULL)
		return NULL;
	fetcher = calloc(1, sizeof *fetcher);
	if (fetcher != NULL && curl->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		fetcher->multi = curl->multi_init();
	if (fetcher == NULL || fetcher->multi == NULL) {
		free(fetcher);
		buf_put_text(why, "libcurl cannot be set up");
		buf_terminate(why);
		return NULL;
	}
	fetcher->loop = loop;
	fetcher->trust = trust;
	(void)uv_timer_init(loop, &fetcher->timer);
	fetcher->timer.data = fetcher;
	(void)curl->multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_watch_wanted);
	(void)curl->multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	(void)curl->multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	(void)curl->multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	return fetcher;
}

void
fetcher_close(struct fetcher *fetcher)
{
	if (fetcher == NULL)
		return;
	while (fetcher->fetches != NULL)
		fetch_cancel(fetcher->fetches);
	(void)curl->multi_cleanup(fetcher->multi);
	uv_close((uv_handle_t *)&fetcher->timer, on_fetcher_closed);
}
