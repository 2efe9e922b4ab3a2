#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/log.h"
#include "policy/sender.h"
#include "proc/3_auth.h"

#define BIT(phase) (1U << (phase))

void
attempt_phase_enter(struct session *s, enum phase phase)
{
	assert(phase != PHASE_PROVED || s->login != NULL);
	assert((phase == PHASE_PROVING || phase == PHASE_WAITING) == (s->attempt != NULL));
	s->phase = (uint8_t)phase;
}

/* ---- the sessions of a front ---- */

static struct session **
place_of(const struct front *f, uint32_t id)
{
	struct session **at = &f->bucket[siphash_u32(f->auth->table_key, id) & (f->buckets - 1)];

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

struct session *
front_find(const struct front *f, uint32_t id)
{
	return f->buckets == 0 ? NULL : *place_of(f, id);
}

static bool
more_buckets(struct front *f)
{
	struct front bigger = { .auth = f->auth, .buckets = f->buckets == 0 ? 64 : f->buckets * 2 };
	struct session *s, *next;

	bigger.bucket = calloc(bigger.buckets, sizeof *bigger.bucket);
	if (bigger.bucket == NULL)
		return f->buckets > 0;
	for (size_t i = 0; i < f->buckets; i++)
		for (s = f->bucket[i]; s != NULL; s = next) {
			struct session **at = place_of(&bigger, s->id);

			next = s->next;
			s->next = NULL;
			*at = s;
		}
	free(f->bucket);
	f->bucket = bigger.bucket;
	f->buckets = bigger.buckets;
	return true;
}

static struct session *
add_session(struct front *f, uint32_t id)
{
	struct session *s;

	if (f->count >= f->buckets && !more_buckets(f))
		return NULL;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->id = id;
	*place_of(f, id) = s;
	f->count++;
	return s;
}

static void
drop_session(struct session *s)
{
	attempt_abandon(s);
	spend_abandon(s);
	free(s->login);
	free(s);
}

static void
remove_session(struct front *f, uint32_t id)
{
	struct session **at = place_of(f, id), *s = *at;

	*at = s->next;
	f->count--;
	drop_session(s);
}

void
front_end(struct front *f)
{
	struct session *s, *next;

	for (size_t i = 0; i < f->buckets; i++)
		for (s = f->bucket[i]; s != NULL; s = next) {
			next = s->next;
			drop_session(s);
		}
	free(f->bucket);
	f->bucket = NULL;
	f->buckets = f->count = 0;
	channel_close(f->channel);
	f->channel = NULL;
}

void
front_broken(struct front *f, uint16_t type, const char *why)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, "front-broken");
	log_u64(&l, "front", f->slot);
	log_u64(&l, "type", type);
	log_text(&l, "reason", why);
	log_end(&l);
	front_end(f);
	if (f->auth->broken != NULL)
		f->auth->broken(f->auth->arg, f->slot);
	auth_rest(f->auth);
}

/* ---- what a front may ask, and when ---- */

static bool
mechanism_known(uint32_t m)
{
	return m == SMTP_AUTH_PLAIN || m == SMTP_AUTH_LOGIN || m == SMTP_AUTH_SCRAM_SHA_256 || m == SMTP_AUTH_SCRAM_SHA_256_PLUS;
}

/* It comes to be a word of a file and of the log. */
static bool
is_word(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return true;
}

static bool
answer_start(struct front *f, struct session *s, struct span body)
{
	struct auth_start start;

	if (!fields_parse(auth_start_layout, body, &start) || !mechanism_known(start.mechanism) || start.has_initial > 1
	    || start.binding_type > SASL_BINDING_EXPORTER || !is_word(start.peer) || (start.flags & ~(uint32_t)AUTH_PEER_IS_PROXY) != 0)
		return false;
	accounts_refresh(&f->auth->accounts, uv_now(f->auth->loop));
	attempt_begin(f, s, &start);
	return true;
}

static bool
answer_next(struct front *f, struct session *s, struct span body)
{
	attempt_next(f, s, body);
	return true;
}

static bool
answer_cancel(struct front *f, struct session *s, struct span body)
{
	(void)f;
	(void)body;
	attempt_abandon(s);
	return true;
}

/* "the sender key alice/laptop is revoked" */
static void
put_standing(struct buf *words, const struct session *s, enum standing standing)
{
	(void)(buf_put_text(words, "the login ") && buf_put_text(words, s->login) && buf_put_text(words, " is ")
	    && buf_put_text(words, standing_words(standing)));
}

/* What the principal may send as, and within that what the sender key may. */
static enum fail
check_address(struct front *f, const struct session *s, struct span address, enum sender_use use, struct buf *words)
{
	const struct user *user;
	const struct user_key *key;
	enum standing standing;
	enum fail fail = OK;

	accounts_refresh(&f->auth->accounts, uv_now(f->auth->loop));
	standing = accounts_standing(&f->auth->accounts, span_of(s->login), &user, &key);
	if (standing != STANDING_GOOD) {
		put_standing(words, s, standing);
		return use == SENDER_AUTHOR ? FAIL_AUTHOR_DENIED : FAIL_SENDER_DENIED;
	}
	if (use == SENDER_REVERSE_PATH && habits_locked(f->auth, span_of(s->login), &s->origin))
		return FAIL_LOCKED;
	if (key != NULL && key->from.len > 0)
		fail = sender_check(key->from, address, use, words);
	return fail == OK ? sender_check(user->grants, address, use, words) : fail;
}

/* That of the sender key goes before its principal's. */
static uint32_t
priority_of(struct front *f, const struct session *s)
{
	const struct user *user;
	const struct user_key *key;

	(void)accounts_standing(&f->auth->accounts, span_of(s->login), &user, &key);
	if (key != NULL && key->ranked)
		return (uint32_t)(int32_t)key->priority;
	return user != NULL && user->ranked ? (uint32_t)(int32_t)user->priority : AUTH_PRIORITY_UNSAID;
}

/* 4_spool takes nobody's mail without it. */
static void
give_warrant(const struct front *f, const struct session *s, struct span address, struct auth_verdict *v)
{
	struct warrant_sender w = { front_warranted(f), span_of(s->login), address, uv_now(f->auth->loop), habits_unwatched(f->auth, &s->origin) };

	v->warrant = warrant_sender(f->auth->warrant_key, &w);
	v->when = w.when;
	v->unwatched = w.unwatched;
}

static void
say_denied(const struct front *f, struct session *s, struct span address, enum sender_use use)
{
	struct log_line l;

	if (s->denied == AUTH_DENIED_SAID)
		return;
	log_begin(&l, LOG_NOTE, use == SENDER_AUTHOR ? "author-denied" : "sender-denied");
	log_text(&l, "login", s->login);
	log_span(&l, "address", span_head(address, 320));
	log_u64(&l, "front", f->slot);
	log_u64(&l, "session", s->id);
	if (++s->denied == AUTH_DENIED_SAID)
		log_text(&l, "further", "of this session are not said");
	log_end(&l);
}

static bool
answer_address(struct front *f, struct session *s, struct span address, enum sender_use use)
{
	uint8_t room[SENDER_WORDS_MAX];
	struct buf words = BUF_OVER(room);
	struct auth_verdict v = { .fail = (uint32_t)check_address(f, s, address, use, &words), .priority = AUTH_PRIORITY_UNSAID };

	v.words = buf_span(&words);
	if (v.fail == OK && use == SENDER_REVERSE_PATH) {
		v.priority = priority_of(f, s);
		give_warrant(f, s, address, &v);
	}
	if (v.fail != OK)
		say_denied(f, s, address, use);
	return channel_send(f->channel, AUTH_VERDICT, s->id, auth_verdict_layout, &v);
}

static bool
answer_sender(struct front *f, struct session *s, struct span body)
{
	return answer_address(f, s, body, SENDER_REVERSE_PATH);
}

static bool
answer_author(struct front *f, struct session *s, struct span body)
{
	return answer_address(f, s, body, SENDER_AUTHOR);
}

static bool
answer_end(struct front *f, struct session *s, struct span body)
{
	(void)body;
	remove_session(f, s->id);
	return true;
}

static const struct call {
	unsigned when;                  /* phases in which it may be asked */
	size_t max;                     /* longest body */
	bool (*answer)(struct front *, struct session *, struct span body);     /* false: malformed */
} calls[] = {
	[AUTH_START - AUTH_START] = { BIT(PHASE_FRESH), 9600, answer_start },
	[AUTH_NEXT - AUTH_START] = { BIT(PHASE_PROVING), 9216, answer_next },
	[AUTH_CANCEL - AUTH_START] = { BIT(PHASE_PROVING), 0, answer_cancel },
	[AUTH_SENDER - AUTH_START] = { BIT(PHASE_PROVED), 320, answer_sender },
	[AUTH_AUTHOR - AUTH_START] = { BIT(PHASE_PROVED), 320, answer_author },
	[AUTH_SPEND - AUTH_START] = { BIT(PHASE_PROVED), 12, answer_spend },
	[AUTH_END - AUTH_START] = { BIT(PHASE_FRESH) | BIT(PHASE_PROVING) | BIT(PHASE_WAITING) | BIT(PHASE_PROVED), 0, answer_end },
};

/* A session that we have not heard of is FRESH; it takes memory from its first START on. */
static void
serve(struct front *f, const struct frame *frame)
{
	const struct call *call = &calls[frame->type - AUTH_START];
	struct session *s = front_find(f, frame->session);
	struct auth_result busy = { FAIL_AUTH_BACKEND, { NULL, 0 } };

	if (frame->body.len > call->max) {
		front_broken(f, frame->type, "body too long");
	} else if (!(call->when & BIT(s == NULL ? PHASE_FRESH : s->phase))) {
		front_broken(f, frame->type, "out of order");
	} else if (s == NULL && frame->type == AUTH_END) {
		return;
	} else if (s == NULL && (f->count >= f->auth->sessions_max || (s = add_session(f, frame->session)) == NULL)) {
		/* Too many is no proof of a broken front: it may have had them before a reload lowered sessions-max. */
		(void)channel_send(f->channel, AUTH_RESULT, frame->session, auth_result_layout, &busy);
	} else if (!call->answer(f, s, frame->body)) {
		front_broken(f, frame->type, "malformed");
	}
}

void
front_message(struct front *f, const struct frame *frame)
{
	if (frame->type < AUTH_START || frame->type > AUTH_SPEND)
		front_broken(f, frame->type, "unknown message");
	else
		serve(f, frame);
}
