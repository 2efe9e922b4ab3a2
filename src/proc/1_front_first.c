#include "proc/1_front_first.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "conf/network.h"
#include "proc/1_front_crowd.h"
#include "smtp/proxy_header.h"

enum { KNOCK_MS = 3000 };

/* ---- what is said to whom ---- */

#define TLS_IS_NEEDED "554 5.7.0 TLS is needed here from the first octet: choose SSL/TLS, or port 587 with STARTTLS\r\n"
/* RFC 8446 6: alerts in records of TLS 1.0, which every client can read; the level is fatal. */
#define ALERT(number) "\x15\x03\x01\x00\x02\x02" number
#define UNEXPECTED_MESSAGE "\x0a"
#define PROTOCOL_VERSION "\x46"

#define HTTP_MAIL "This is a mail submission port (RFC 8314), and a web browser has no business here.\n"
#define HTTP_URD "This is a mail submission port (RFC 8314): port 465 is shared with URL Rendezvous Directory, " \
	"and no URD router has taken this request on its way.\n"

/* What ends a session on each port; others go on. Without an octet of http the answer is all there is. */
struct ending {
	bool ends;
	enum front_misuse misuse;
	struct span answer;
	const char *http;
};

static const struct ending implicit_endings[FIRST_MAX] = {
	[FIRST_NOTHING] = { true, MISUSE_SILENT, SPAN_INIT(TLS_IS_NEEDED), NULL },
	[FIRST_SMTP] = { true, MISUSE_SMTP, SPAN_INIT(TLS_IS_NEEDED), NULL },
	[FIRST_SSL2] = { true, MISUSE_SSL2, SPAN_INIT(ALERT(PROTOCOL_VERSION)), NULL },
	[FIRST_HTTP] = { true, MISUSE_HTTP, { NULL, 0 }, HTTP_MAIL },
	[FIRST_URD] = { true, MISUSE_URD, { NULL, 0 }, HTTP_URD },
	[FIRST_PROXY] = { true, MISUSE_PROXY_STRANGER, { NULL, 0 }, NULL },
	[FIRST_OTHER] = { true, MISUSE_OTHER, { NULL, 0 }, NULL },
};
/* Alerts and HTTP go out only where our greeting has not: behind it nobody would understand them. */
static const struct ending clear_endings[FIRST_MAX] = {
	[FIRST_TLS] = { true, MISUSE_TLS_IN_CLEAR, SPAN_INIT(ALERT(UNEXPECTED_MESSAGE)), NULL },
	[FIRST_SSL2] = { true, MISUSE_TLS_IN_CLEAR, SPAN_INIT(ALERT(UNEXPECTED_MESSAGE)), NULL },
	[FIRST_HTTP] = { true, MISUSE_HTTP_IN_CLEAR, { NULL, 0 }, HTTP_MAIL },
	[FIRST_URD] = { true, MISUSE_HTTP_IN_CLEAR, { NULL, 0 }, HTTP_MAIL },
	[FIRST_PROXY] = { true, MISUSE_PROXY_STRANGER, { NULL, 0 }, NULL },
};

static void
http_format(const char *words, struct buf *out)
{
	struct span body = span_of(words);

	(void)(buf_put_text(out, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Length: ") &&
	    buf_put_u64(out, body.len) && buf_put_text(out, "\r\nConnection: close\r\n\r\n") && buf_put(out, body));
}

static void
end(struct front_session *s, const struct ending *e)
{
	uint8_t octets[512];
	struct buf answer = BUF_OVER(octets);

	words_misused(s, e->misuse);
	(void)buf_put(&answer, e->answer);
	if (e->http != NULL)
		http_format(e->http, &answer);
	wire_last_words(s, buf_span(&answer), "wrong protocol");
}

/* ---- what comes first ---- */

/* Octets that are no TLS: kept until it is clear what they are. False when the session ended over it. */
static bool
read_on(struct front_session *s, bool *over)
{
	uint8_t octets[FIRST_OCTETS_MAX];
	ssize_t n = recv(s->fd, octets, sizeof octets - s->in.len, MSG_DONTWAIT);
	bool kept = n <= 0 || wire_keep(s, (struct span){ octets, (size_t)n });

	*over = n == 0;
	/* Who speaks in clear where TLS belongs may have said a password. */
	if (n > 0)
		wipe(octets, (size_t)n);
	if (!kept || (n == -1 && errno != EAGAIN && errno != EINTR))
		session_drop(s, kept ? "connection lost" : "out of memory");
	return s->phase != PHASE_GONE;
}

/* Who only knocks leaves at once; who waits for a greeting has more patience than that, but not always as much as we. */
static void
left(struct front_session *s)
{
	if (uv_now(&front.child.loop) - s->since >= KNOCK_MS)
		words_misused_because(s, MISUSE_SILENT, "nothing came before the client left, not even a TLS handshake");
	session_drop(s, NULL);
}

static void
implicit_ready(struct front_session *s)
{
	const struct ending *e;
	bool over;

	if (!read_on(s, &over))
		return;
	e = &implicit_endings[first_octets_tell((struct span){ s->in.p, s->in.len }, over)];
	if (s->in.len == 0 && over)
		left(s);
	else if (e->ends)
		end(s, e);
}

/* Whoever waits for the greeting gets it; who has spoken first is looked at first. */
static void
clear_ready(struct front_session *s)
{
	uint8_t octets[FIRST_OCTETS_MAX];
	ssize_t n = recv(s->fd, octets, sizeof octets, MSG_PEEK | MSG_DONTWAIT);
	struct span seen = { octets, n > 0 ? (size_t)n : 0 };
	const struct ending *e = &clear_endings[first_octets_tell(seen, seen.len > 0)];

	wipe(octets, seen.len);
	if (e->ends)
		end(s, e);
	else
		talk_begin(s);
}

void
first_ready(struct front_session *s)
{
	uint8_t octet = 0;

	if (!s->implicit)
		clear_ready(s);
	else if (s->in.p == NULL && recv(s->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 1 &&
	    first_octets_tell((struct span){ &octet, 1 }, false) == FIRST_TLS)
		wire_shake(s);                  /* which reads that octet itself */
	else
		implicit_ready(s);
}

bool
first_in_clear(struct front_session *s, struct span seen)
{
	enum first_octets told = first_octets_tell(seen, true);

	/* HTTP is the engine's to end: its first line may come at any time. */
	if (!clear_endings[told].ends || clear_endings[told].http != NULL)
		return true;
	words_misused(s, clear_endings[told].misuse);
	wire_last_words(s, SPAN(""), "wrong protocol");
	return false;
}

/* ---- who is behind it ---- */

static bool
is_proxy(const struct sockaddr_storage *from)
{
	uint8_t address[16] = { [10] = 0xff, [11] = 0xff };

	if (from->ss_family == AF_INET6)
		memcpy(address, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	else
		memcpy(address + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	return conf_is_proxy(&front.child.conf, address);
}

/* From here on s->peer is who has come. */
static void
peer_is_known(struct front_session *s)
{
	if (!crowd_enter(s))
		return;
	/* Where TLS comes first, poll will tell. */
	if (!s->implicit)
		first_ready(s);
}

void
first_begin(struct front_session *s, const struct sockaddr_storage *from)
{
	wire_watch(s, UV_READABLE);
	if (!is_proxy(from)) {
		peer_is_known(s);
		return;
	}
	s->proxy = calloc(1, sizeof *s->proxy);
	if (s->proxy == NULL) {
		session_drop(s, "out of memory");
		return;
	}
	proxy_header_init(s->proxy);
	/* As long as it does not say for whom it comes it is counted as the proxy's own. */
	if (crowd_wait(s))
		phase_enter(s, PHASE_PROXY);
}

/* The session's peer is from here on whom the header names. */
static void
believe(struct front_session *s)
{
	struct sockaddr_storage from = { .ss_family = s->proxy->client == PROXY_IPV6 ? AF_INET6 : AF_INET };
	struct span proxy = words_peer(s);
	struct log_line l;

	if (s->proxy->client == PROXY_OWN) {
		s->peer_is_proxy = true;
		return;
	}
	if (s->proxy->client == PROXY_IPV6)
		memcpy(&((struct sockaddr_in6 *)(void *)&from)->sin6_addr, s->proxy->address, 16);
	else
		memcpy(&((struct sockaddr_in *)(void *)&from)->sin_addr, s->proxy->address, 4);
	log_begin(&l, LOG_FINE, "proxied");
	log_span(&l, "proxy", proxy);
	peer_format(&from, s->peer);
	log_span(&l, "peer", words_peer(s));
	log_end(&l);
}

static void
proxy_refuse(struct front_session *s, enum front_misuse misuse, const char *what)
{
	uint8_t octets[400];
	struct buf answer = BUF_OVER(octets);

	if (what != NULL)
		words_misused_because(s, misuse, what);
	else
		words_misused(s, misuse);
	/* The client behind it waits for a greeting; with TLS there is nothing that it would understand. */
	if (!s->implicit)
		(void)(buf_put_text(&answer, "421 ") && buf_put_text(&answer, front.conf->hostname.p) &&
		    buf_put_text(&answer, " no PROXY header from the proxy in between, closing\r\n"));
	wire_last_words(s, buf_span(&answer), "PROXY header refused");
}

static void
proxy_bad(struct front_session *s)
{
	char what[200];
	struct buf words = BUF_OVER(what);

	if (s->proxy->absent || s->proxy->version_1) {
		proxy_refuse(s, s->proxy->absent ? MISUSE_PROXY_ABSENT : MISUSE_PROXY_VERSION, NULL);
		return;
	}
	(void)(buf_put_text(&words, "PROXY header malformed: ") && buf_put_text(&words, s->proxy->why) && buf_terminate(&words));
	proxy_refuse(s, MISUSE_PROXY_BAD, what);
}

static void
proxy_done(struct front_session *s)
{
	believe(s);
	free(s->proxy);
	s->proxy = NULL;
	phase_enter(s, PHASE_NEW);
	peer_is_known(s);
}

void
first_proxy_ready(struct front_session *s)
{
	uint8_t octets[512];
	size_t wants = proxy_header_wants(s->proxy), used;
	ssize_t n = recv(s->fd, octets, wants < sizeof octets ? wants : sizeof octets, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* A proxy that only looks whether we are there says nothing. */
		if (proxy_header_begun(s->proxy))
			words_misused_because(s, MISUSE_PROXY_BAD, "PROXY header malformed: the connection ended in it");
		session_drop(s, NULL);
		return;
	}
	switch (proxy_header_feed(s->proxy, (struct span){ octets, (size_t)n }, &used)) {
	case PROXY_MORE:
		break;
	case PROXY_DONE:
		proxy_done(s);
		break;
	case PROXY_BAD:
		proxy_bad(s);
		break;
	}
}

/* ---- time ---- */

void
first_expired(struct front_session *s)
{
	enum first_octets told = first_octets_tell((struct span){ s->in.p, s->in.len }, true);

	if (s->phase == PHASE_PROXY)
		proxy_refuse(s, MISUSE_PROXY_LATE, NULL);
	else
		end(s, &implicit_endings[told]);
}
