/*
 * fuzz/front_to_auth.c - what a taken-over front could say to 3_auth, in any order: four sessions, real accounts.
 *
 * Whatever comes: each answer belongs to a session that asked for one and is of a type and form that a front understands, nobody
 * is proved who did not say a right password, and a front that is gone leaves no session behind.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "frames.h"
#include "os/clock.h"
#include "os/log.h"
#include "proc/3_auth.h"

/* In every input that gets somebody in. */
#define PASSWORD "pencil"

static const uint16_t types[] = { AUTH_START, AUTH_NEXT, AUTH_CANCEL, AUTH_SENDER, AUTH_AUTHOR, AUTH_END, AUTH_SPEND, AUTH_RESULT,
	SPOOL_MAIL };
static uv_loop_t loop;
static struct auth *auth;
static unsigned owed, answers;
static bool knows_password, arrived;            /* arrived: somebody who had proved himself was told that he may send so much */

/* Instead of libcrypto's own: one iteration of the thousands. The point is the order, not the hash, which is all that there would be time for. */
int
PKCS5_PBKDF2_HMAC(const char *secret, int len, const unsigned char *salt, int salt_len, int iterations, const EVP_MD *digest, int size,
    unsigned char *out)
{
	uint8_t room[EVP_MAX_MD_SIZE];
	unsigned n = sizeof room;

	(void)iterations;
	return salt_len > 0 && HMAC(digest, secret, len, salt, (size_t)salt_len, room, &n) != NULL && (int)n == size && memcpy(out, room, n) != NULL;
}

static void
write_accounts(const char *path)
{
	uint8_t room[1024];
	struct buf b = BUF_OVER(room);
	struct verifier v;
	FILE *f = fopen(path, "w");

	frames_insist(f != NULL && verifier_derive(&v, SPAN(PASSWORD), SPAN("0123456789abcdef"), VERIFIER_ITERATIONS_MIN));
	frames_insist(verifier_format(&v, &b));
	(void)fprintf(f, "principal user addresses=user@example.org,@example.net created=1\npassword user verifier=%.*s created=1\n",
	    (int)b.len, (const char *)room);
	frames_insist(fclose(f) == 0);
}

static const char *directory;

static void
set_up(void)
{
	struct log_conf quiet = { .fd = -1, .most = LOG_FAULT };
	struct conf conf;

	if (auth != NULL)
		return;
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(&quiet, "fuzz");
	directory = frames_directory();
	conf_defaults(&conf);
	(void)snprintf(conf.state_dir.p, sizeof conf.state_dir.p, "%s", directory);
	(void)snprintf(conf.users_file.p, sizeof conf.users_file.p, "%s/users", directory);
	(void)snprintf(conf.hostname.p, sizeof conf.hostname.p, "mail.example.org");
	conf.auth_login = true;
	conf.sessions_max = 3;
	write_accounts(conf.users_file.p);
	frames_insist(uv_loop_init(&loop) == 0);
	auth = auth_open(&loop, &conf);
	frames_insist(auth != NULL);
	auth->pause_ms = 1;
}

static void
heard(const struct frames_one *f)
{
	struct auth_verdict verdict;
	struct auth_result result;
	struct auth_spent spent;

	frames_insist(owed > 0 && f->session >= 1 && f->session <= 4);
	owed--;
	answers++;
	switch (f->type) {
	case AUTH_CHALLENGE:
		frames_insist(f->body.len <= 9216);
		break;
	case AUTH_RESULT:
		frames_insist(fields_parse(auth_result_layout, f->body, &result));
		frames_insist(result.fail != OK || (knows_password && span_eq(result.login, SPAN("user"))));
		break;
	case AUTH_VERDICT:
		frames_insist(fields_parse(auth_verdict_layout, f->body, &verdict));
		break;
	case AUTH_SPENT:
		frames_insist(fields_parse(auth_spent_layout, f->body, &spent));
		arrived = arrived || spent.fail == OK;
		break;
	default:
		frames_insist(false);
	}
}

/* Turn the loop; waiting: until an answer has come, or it is clear that none will. False: we were hung up on. */
static bool
turn(int fd, bool waiting)
{
	/* auth->pause_ms, some times doubled. */
	uint64_t until = clock_run() + (waiting ? 50 : 0);
	unsigned before = answers;
	bool open;

	do {
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		open = frames_read(fd, heard);
		waiting = waiting && open && owed > 0 && answers == before;
		if (waiting)
			(void)usleep(100);
	} while (waiting && clock_run() < until);
	return open;
}

static bool
contains(struct span in, struct span what)
{
	for (; in.len >= what.len; span_skip(&in, 1))
		if (memcmp(in.p, what.p, what.len) == 0)
			return true;
	return false;
}

bool
fuzz_arrived(void)
{
	return arrived;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct frames_one f;
	bool open = true;
	int fd[2];

	set_up();
	knows_password = contains(in, SPAN(PASSWORD));
	owed = 0;
	frames_insist(channel_pair(fd));
	auth_add_front(auth, 0, fd[0]);
	while (open && frames_next(&in, types, sizeof types / sizeof types[0], &f)) {
		open = frames_write(fd[1], &f, -1);
		/* START, NEXT, SENDER, AUTHOR, SPEND: one answer each. */
		owed += f.type == AUTH_START || f.type == AUTH_NEXT || f.type == AUTH_SENDER || f.type == AUTH_AUTHOR ||
		    f.type == AUTH_SPEND;
		open = open && turn(fd[1], (f.marks & FRAMES_WAIT) != 0);
	}
	(void)close(fd[1]);
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	frames_insist(auth->fronts->channel == NULL && auth->fronts->count == 0 && auth->fronts->bucket == NULL);
	return 0;
}
