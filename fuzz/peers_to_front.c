/*
 * fuzz/peers_to_front.c - what a taken-over 3_auth or 4_spool could say to 1_front, while a client of ours talks to it over TLS.
 *
 * The process's own file is part of this program. Whatever comes: nobody is told that he is in unless 3_auth has said so, no message
 * is said to be ours unless 4_spool has said durable, and the front lives on.
 */
#include "../src/proc/1_front.c"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "frames.h"
#include "signer_key.h"

/* The first goes to the client's socket, up to AUTHS to the channel of 3_auth, the rest to that of 4_spool. */
static const uint16_t types[] = { 0, AUTH_CHALLENGE, AUTH_RESULT, AUTH_VERDICT, AUTH_SPENT, SPOOL_COMMITTED, SPOOL_STATE, AUTH_START,
	SPOOL_MAIL, SPOOL_ADMITTED, SPOOL_REFUSED, SPOOL_HEARD };
enum { AUTHS = 4 };

static SSL_CTX *context;
static uint16_t port;
static uint32_t auth_session, spool_session;
static unsigned proofs, commits, welcomed, accepted;

static void
set_up(void)
{
	static uint8_t in[FRONT_INPUT], out[FRONT_OUTPUT];
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct master_listen listen_at = { CONF_SUBMISSIONS, SPAN_INIT("127.0.0.1"), 0 };
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct buf why = { (uint8_t[400]){ 0 }, 0, 400 };
	struct span chain, key;
	socklen_t len = sizeof at;
	int fd;

	if (front.going)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	front.in = BUF_OVER(in);
	front.io.out = BUF_OVER(out);
	front.spool_fail = FAIL_BUSY;
	conf_defaults(&front.child.conf);
	frames_insist(conf_set(&front.child.conf, conf_find(SPAN("hostname")), SPAN("mail.example.org"), &why));
	front.child.conf.auth_login = true;
	frames_insist(uv_loop_init(&front.child.loop) == 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	frames_insist(fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0);
	frames_insist(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	port = ntohs(at.sin_port);
	listen_at.port = port;
	on_listen(NULL, &listen_at, fd);
	/* A key of its own, so that 2_signer is not needed. */
	signer_key_make(&chain, &key);
	front.staged = tls_server_new();
	frames_insist(front.staged != NULL && tls_server_add(front.staged, chain, key, &why));
	front.staged_certificates = 1;
	on_go(NULL);
	frames_insist(front.going && front.certificates == 1);
	context = SSL_CTX_new(TLS_client_method());
	frames_insist(context != NULL);
}

static void
heard_by_auth(const struct frames_one *f)
{
	struct auth_start start;

	if (f->type == AUTH_START)
		frames_insist(fields_parse(auth_start_layout, f->body, &start));
	auth_session = f->session;
}

static void
heard_by_spool(const struct frames_one *f)
{
	struct spool_mail mail;
	struct spool_rcpt rcpt;

	if (f->type == SPOOL_MAIL)
		frames_insist(fields_parse(spool_mail_layout, f->body, &mail) && mail.login.len > 0);
	if (f->type == SPOOL_RCPT)
		frames_insist(fields_parse(spool_rcpt_layout, f->body, &rcpt));
	spool_session = f->session;
}

/* What an end of ours says counts as said, whether it was its turn or not. */
static void
note(const struct frames_one *f)
{
	struct spool_committed committed;
	struct auth_result result;

	if (f->type == AUTH_RESULT && fields_parse(auth_result_layout, f->body, &result) && result.fail == OK)
		proofs++;
	if (f->type == SPOOL_COMMITTED && fields_parse(spool_committed_layout, f->body, &committed) && committed.fail == OK)
		commits++;
}

/* The only 250 that has a queue id for words. */
static bool
is_acceptance(const char *line)
{
	struct span words = span_of(line);
	uint64_t id;

	return span_take(&words, SPAN("250 2.0.0 ")) && queue_id_parse(span_head(words, span_find(words, '\r')), &id);
}

static void
read_replies(SSL *client)
{
	static const char in[] = "235 ";
	char text[4096];
	int n;

	while ((n = SSL_read(client, text, sizeof text - 1)) > 0) {
		text[n] = '\0';
		for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
			welcomed += strncmp(line, in, sizeof in - 1) == 0;
			accepted += is_acceptance(line);
		}
	}
	ERR_clear_error();
	frames_insist(welcomed <= proofs && accepted <= commits);
}

static void
turns(const int fd[2], SSL *client, unsigned count)
{
	while (count-- > 0) {
		(void)uv_run(&front.child.loop, UV_RUN_NOWAIT);
		(void)frames_read(fd[0], heard_by_auth);
		(void)frames_read(fd[1], heard_by_spool);
		if (SSL_is_init_finished(client))
			read_replies(client);
		else
			(void)SSL_do_handshake(client);
	}
}

static int
client_connect(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct linger no_wait = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	frames_insist(fd != -1 && (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS));
	/* Thousands of ports would wait for their time. */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_wait, sizeof no_wait);
	return fd;
}

static void
say(const struct frames_one *f, const int fd[2], SSL *client)
{
	struct frames_one m = *f;
	size_t i = 0;

	while (i < sizeof types / sizeof types[0] && types[i] != f->type)
		i++;
	if (i == 0) {
		if (f->body.len > 0 && SSL_is_init_finished(client))
			(void)SSL_write(client, f->body.p, (int)f->body.len);
		ERR_clear_error();
		return;
	}
	/* The session that was asked for last, its neighbour, nobody, or one as it comes. */
	m.session = (i <= AUTHS ? auth_session : spool_session) + (f->session == 2);
	if (f->session == 3)
		m.session = 0;
	if (f->session == 4)
		m.session = UINT32_MAX;
	note(&m);
	(void)frames_write(fd[i > AUTHS], &m, -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t key[SIPHASH_KEY] = { 1 };
	struct spool_state fine = { .fail = OK, .room = 1 << 30, .key = { key, sizeof key }, .asks = 0 };
	struct span in = { p, n };
	uint8_t room[40];
	struct buf state = BUF_OVER(room);
	struct frames_one f = { .type = SPOOL_STATE };
	int ends[2][2], fd[2], tcp;
	SSL *client;

	set_up();
	proofs = commits = welcomed = accepted = 0;
	for (unsigned i = 0; i < 2; i++) {
		frames_insist(channel_pair(ends[i]));
		on_peer(NULL, i == 0 ? ROLE_AUTH : ROLE_SPOOL, 0, ends[i][0]);
		fd[i] = ends[i][1];
	}
	frames_insist(fields_format(spool_state_layout, &fine, &state));
	f.body = buf_span(&state);
	frames_insist(frames_write(fd[1], &f, -1));
	tcp = client_connect();
	client = SSL_new(context);
	frames_insist(client != NULL && SSL_set_fd(client, tcp) == 1);
	SSL_set_connect_state(client);
	for (unsigned i = 0; i < 20 && !SSL_is_init_finished(client); i++)
		turns(fd, client, 1);
	while (frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		say(&f, fd, client);
		turns(fd, client, f.marks & FRAMES_WAIT ? 8 : 2);
	}
	SSL_free(client);
	(void)close(tcp);
	for (unsigned i = 0; i < 2; i++)
		(void)close(fd[i]);
	for (unsigned i = 0; i < 100 && (i < 4 || front.sessions > 0); i++)
		(void)uv_run(&front.child.loop, UV_RUN_NOWAIT);
	frames_insist(front.sessions == 0 && front.auth == NULL && front.spool == NULL);
	return 0;
}
