#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "os/country.h"
#include "os/log.h"
#include "proc/3_auth.h"

/*
 * From AUTH_START to the result. While session is set, the attempt is the session's; afterwards it only waits for a worker or a
 * handle to let go of it.
 */
struct attempt {
	struct auth *auth;
	struct front *front;
	struct session *session;        /* NULL: abandoned */
	struct sasl_server sasl;
	struct candidate candidate;
	struct hash_job job;
	struct guesser guesser;
	uv_timer_t timer;
	uint64_t asked;                 /* ms of the loop's clock, when the message came that we are answering */
	enum fail fail;                 /* to be said when the timer ends */
	bool begun;                     /* sasl is */
	bool working;
	char peer[64];
};
static_assert(sizeof(struct attempt) <= AUTH_ATTEMPT_OCTETS, "the ceilings' page says so");

static struct span
login_said(const struct attempt *a)
{
	return (struct span){ a->sasl.login.p, a->sasl.login.len };
}

static void
closed(uv_handle_t *timer)
{
	struct attempt *a = timer->data;
	struct auth *auth = a->auth;

	auth->attempts--;
	wipe(a, sizeof *a);
	free(a);
	auth_rest(auth);
}

/* Once nobody holds it: no session, no worker. */
static void
release(struct attempt *a)
{
	if (a->session != NULL || a->working || uv_is_closing((uv_handle_t *)&a->timer))
		return;
	if (a->begun)
		sasl_server_end(&a->sasl);
	wipe(&a->candidate, sizeof a->candidate);
	uv_close((uv_handle_t *)&a->timer, closed);
}

static void
part(struct attempt *a, enum phase phase)
{
	struct session *s = a->session;

	s->attempt = NULL;
	a->session = NULL;
	attempt_phase_enter(s, phase);
	release(a);
}

static void
say(const struct attempt *a, enum log_level level, struct span login, const char *result, const char *reason)
{
	const char *mechanism = smtp_mechanism_name(a->sasl.mechanism);
	uint8_t octets[SASL_LOGIN_MAX + 1];
	struct buf room = BUF_OVER(octets);
	struct log_line l;

	log_begin(&l, level, "auth");
	log_text(&l, "result", result);
	log_span(&l, "login", span_head(ledger_shown(a->auth, login, &room), 128));
	log_text(&l, "mech", mechanism != NULL ? mechanism : "none");
	log_text(&l, "peer", a->peer);
	if (reason != NULL)
		log_text(&l, "reason", reason);
	log_u64(&l, "front", a->front->slot);
	log_u64(&l, "session", a->session->id);
	log_end(&l);
}

/* Our last message has told him that his secret is right; the answer to it says nothing new. */
static void
say_left(const struct attempt *a)
{
	say(a, LOG_NOTE, span_of(a->candidate.login), "left", "the secret was right, and the exchange not ended");
}

/* Otherwise nothing would bound how often one connection has that said. */
static void
count_left(struct session *s)
{
	say_left(s->attempt);
	if (s->failures < UINT8_MAX)
		s->failures++;
}

void
attempt_abandon(struct session *s)
{
	if (s->attempt == NULL)
		return;
	if (s->phase == PHASE_PROVING && s->attempt->sasl.said_last)
		count_left(s);
	part(s->attempt, PHASE_FRESH);
}

static void
send_result(const struct attempt *a, enum fail fail, struct span login)
{
	struct auth_result r = { (uint32_t)fail, login };

	(void)channel_send(a->front->channel, AUTH_RESULT, a->session->id, auth_result_layout, &r);
}

/* Too many wrong secrets from there: nothing was looked at, and no answer would be worth waiting for. */
static void
turn_away(struct attempt *a)
{
	ledger_say(a->auth, LEDGER_REFUSED, &a->guesser, a->peer, NULL);
	send_result(a, FAIL_GUESSING, (struct span){ NULL, 0 });
	part(a, PHASE_FRESH);
}

static void
on_pause(uv_timer_t *timer)
{
	struct attempt *a = timer->data;

	if (a->session == NULL)
		return;
	send_result(a, a->fail, (struct span){ NULL, 0 });
	part(a, PHASE_FRESH);
}

/*
 * Every refusal of one session's nth failure is said the same time after its question, whatever we did in between, so that the
 * time tells nothing about why; later when the ledger knows more of where it comes from, be there such a login or not. When the
 * workers were slower than that, it is rounded up to the next beat.
 */
static void
answer_later(struct attempt *a, enum fail fail)
{
	unsigned doublings = a->session->failures < AUTH_PAUSES_MAX ? a->session->failures : AUTH_PAUSES_MAX;
	uint64_t beat = (uint64_t)a->auth->pause_ms << (doublings > a->guesser.word.delay ? doublings : a->guesser.word.delay);
	uint64_t spent = uv_now(a->auth->loop) - a->asked;

	a->fail = fail;
	attempt_phase_enter(a->session, PHASE_WAITING);
	(void)uv_timer_start(&a->timer, on_pause, beat - spent % beat, 0);
}

/* The peer's: one more failure of this session. */
static void
count_failure(struct attempt *a, enum fail fail)
{
	answer_later(a, fail);
	if (a->session->failures < UINT8_MAX)
		a->session->failures++;
}

static void
refuse(struct attempt *a, enum fail fail, const char *reason)
{
	say(a, LOG_NOTE, login_said(a), "fail", reason);
	count_failure(a, fail);
}

/* No secret was said: no budget bounds how often, so there is no line for each. */
static void
refuse_malformed(struct attempt *a, enum fail fail, const char *reason)
{
	ledger_say(a->auth, LEDGER_MALFORMED, &a->guesser, a->peer, reason);
	count_failure(a, fail);
}

/* Ours: no failure is counted (4954-31), and it is not told apart from one by its time. */
static void
cannot(struct attempt *a, const char *reason)
{
	say(a, LOG_WARN, a->begun ? login_said(a) : (struct span){ NULL, 0 }, "cannot", reason);
	answer_later(a, FAIL_AUTH_BACKEND);
}

static void
crowded_out(struct attempt *a)
{
	ledger_say(a->auth, LEDGER_CROWDED, &a->guesser, a->peer, "too many logins wait for a worker: 454");
	answer_later(a, FAIL_AUTH_BACKEND);
}

/* The secret was right. What the account says now decides. */
static void
matched(struct attempt *a)
{
	struct span login = span_of(a->candidate.login);
	const struct user *user;
	const struct user_key *key;
	enum standing standing = accounts_standing(&a->auth->accounts, login, &user, &key);

	if (standing != STANDING_GOOD) {
		refuse(a, standing == STANDING_UNKNOWN ? FAIL_CREDENTIALS : FAIL_DISABLED, standing_words(standing));
		return;
	}
	if (habits_login(a->auth, login, &a->session->origin) != OK) {
		refuse(a, FAIL_DISABLED, "locked: postern user locks says why");
		return;
	}
	a->session->login = strdup(a->candidate.login);
	if (a->session->login == NULL) {
		cannot(a, "out of memory");
		return;
	}
	recall_keep(&a->auth->accounts.recall, &a->candidate);
	ledger_passed(a->auth, &a->guesser);
	auth_note_use(a->auth, login, span_of(a->peer));
	say(a, LOG_NOTE, login, "ok", NULL);
	send_result(a, OK, login);
	part(a, PHASE_PROVED);
}

static struct attempt *
attempt_of(struct hash_job *job)
{
	return (struct attempt *)((char *)job - offsetof(struct attempt, job));
}

/* While it stood in line, the others from there may have used up what there was; or nobody waits for it any more. */
static bool
may_still(struct hash_job *job)
{
	struct attempt *a = attempt_of(job);

	return a->session != NULL && ledger_ask_again(a->auth, &a->guesser);
}

static void
wrong(struct attempt *a, const char *reason)
{
	ledger_failed(a->auth, &a->guesser, a->peer);
	/* Who hangs up before the answer has guessed all the same. */
	if (a->session != NULL)
		refuse(a, FAIL_CREDENTIALS, reason);
	else
		release(a);
}

static void
hashed(struct hash_job *job)
{
	struct attempt *a = attempt_of(job);

	a->working = false;
	if (job->fate == HASH_DONE && !job->matched)
		wrong(a, a->candidate.fake ? "no such login" : "wrong secret");
	else if (a->session == NULL)
		release(a);
	else if (job->fate == HASH_STOPPED)
		turn_away(a);
	else if (job->fate == HASH_CROWDED)
		crowded_out(a);
	else if (job->fate == HASH_UNABLE)
		cannot(a, "no memory to check the secret (a limit such as MemoryMax or ulimit -v?), or a damaged hash in passwd-file");
	else
		matched(a);
}

static void
check_password(struct attempt *a)
{
	struct candidate *c = &a->candidate;
	struct span said = { a->sasl.password.p, a->sasl.password.len };
	bool may;

	accounts_for_password(&a->auth->accounts, login_said(a), said, c);
	a->job.candidate = c;
	a->job.secret = c->check == CHECK_KEY && c->key[0] != 0 ? span_of(c->key) : said;
	may = ledger_ask(a->auth, &a->guesser, login_said(a), c, &a->job.secret);
	/* A key that is known to be right is no guess, whatever its neighbours do. */
	if (recall_has(&a->auth->accounts.recall, c)) {
		matched(a);
		return;
	}
	if (!may) {
		turn_away(a);
		return;
	}
	a->job.rank = a->guesser.word.lane ? HASH_KNOWN : a->guesser.word.clean ? HASH_CLEAN : HASH_TAINTED;
	a->job.share = ledger_share(a->auth, &a->guesser);
	a->job.may = may_still;
	a->job.done = hashed;
	a->working = hasher_begin(&a->auth->hasher, &a->job);
	if (a->working)
		attempt_phase_enter(a->session, PHASE_WAITING);
	else
		crowded_out(a);
}

static void
verifier_of(void *arg, struct span login, struct verifier *out)
{
	struct attempt *a = arg;

	accounts_for_scram(&a->auth->accounts, login, &a->candidate);
	(void)ledger_ask(a->auth, &a->guesser, login, &a->candidate, NULL);
	*out = a->candidate.verifier;
}

/* SCRAM: GNU SASL says only that the proof was wrong; the operator may know whose it was. */
static void
refused(struct attempt *a)
{
	if (a->sasl.said_last) {
		say_left(a);
		count_failure(a, FAIL_CREDENTIALS);
	} else if (a->sasl.has_verifier && strcmp(a->sasl.why, "GSASL_AUTHENTICATION_ERROR") == 0) {
		wrong(a, a->candidate.fake ? "no such login" : "wrong secret");
	} else if (strcmp(a->sasl.why, "GSASL_MALLOC_ERROR") == 0) {
		cannot(a, "no memory for SCRAM");
	} else {
		refuse_malformed(a, FAIL_CREDENTIALS, a->sasl.why);
	}
}

/* A name has been said that may not be tried from there now. Asked before the proof is looked at, and again when it comes. */
static bool
is_turned_away(struct attempt *a)
{
	if (!a->sasl.has_verifier || a->sasl.said_last || ledger_ask_again(a->auth, &a->guesser))
		return false;
	turn_away(a);
	return true;
}

static void
step(struct attempt *a, bool has_input, struct span input)
{
	uint8_t room[6144];
	struct buf out = BUF_OVER(room);

	a->asked = uv_now(a->auth->loop);
	if (is_turned_away(a))
		return;
	switch (sasl_server_step(&a->sasl, has_input, input, &out)) {
	case SASL_CHALLENGE:
		if (a->guesser.word.stop) {
			turn_away(a);
			break;
		}
		attempt_phase_enter(a->session, PHASE_PROVING);
		(void)channel_send_octets(a->front->channel, AUTH_CHALLENGE, a->session->id, buf_span(&out));
		break;
	case SASL_PASSWORD:
		check_password(a);
		break;
	case SASL_PROVED:
		matched(a);
		break;
	case SASL_REFUSED:
		refused(a);
		break;
	}
}

/* A proxy that asks for others and does not say for whom is nowhere. */
static struct origin
origin_of(const struct country *countries, const char *peer, const struct auth_start *start)
{
	struct origin o = { ORIGIN_UNKNOWN, origin_client(start->helo, start->mechanism), 0 };

	if (start->flags & AUTH_PEER_IS_PROXY)
		return o;
	o.network = origin_network(span_of(peer));
	o.country = country_of(countries, peer);
	return o;
}

static struct attempt *
make(struct front *f, struct session *s, const struct auth_start *start)
{
	struct attempt *a = calloc(1, sizeof *a);
	struct buf peer;

	if (a == NULL)
		return NULL;
	peer = (struct buf){ (uint8_t *)a->peer, 0, sizeof a->peer - 1 };
	(void)buf_put(&peer, span_head(start->peer, sizeof a->peer - 1));
	a->auth = f->auth;
	a->front = f;
	a->session = s;
	a->asked = uv_now(f->auth->loop);
	(void)uv_timer_init(f->auth->loop, &a->timer);
	a->timer.data = a;
	a->guesser.try.place = ledger_place(a->peer, (start->flags & AUTH_PEER_IS_PROXY) != 0);
	s->origin = origin_of(f->auth->country, a->peer, start);
	s->attempt = a;
	f->auth->attempts++;
	return a;
}

void
attempt_begin(struct front *f, struct session *s, const struct auth_start *start)
{
	struct attempt *a = make(f, s, start);
	enum smtp_mechanism mechanism = (enum smtp_mechanism)start->mechanism;
	struct auth_result busy = { FAIL_AUTH_BACKEND, { NULL, 0 } };

	if (a == NULL) {
		(void)channel_send(f->channel, AUTH_RESULT, s->id, auth_result_layout, &busy);
		return;
	}
	a->sasl.mechanism = mechanism;
	if (s->failures >= AUTH_FAILURES_MAX) {
		refuse_malformed(a, FAIL_CREDENTIALS, "too many failures in this session");
	} else if (mechanism == SMTP_AUTH_LOGIN && !f->auth->offer_login) {
		refuse_malformed(a, FAIL_MECHANISM, "LOGIN is not offered");
	} else {
		a->begun = sasl_server_begin(&a->sasl, mechanism, (int)start->binding_type, start->binding, verifier_of, a);
		if (a->begun)
			step(a, start->has_initial != 0, start->initial);
		else
			cannot(a, "GNU SASL cannot begin");
	}
}

void
attempt_next(struct front *f, struct session *s, struct span response)
{
	(void)f;
	step(s->attempt, true, response);
}
