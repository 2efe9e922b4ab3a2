#include <assert.h>
#include <string.h>

#include "proc/3_auth.h"
#include "sasl/crypt.h"

static void start_next(struct hasher *, enum hash_cost);

void
hasher_init(struct hasher *h, uv_loop_t *loop)
{
	unsigned cores = uv_available_parallelism();

	/* libuv has four threads; one stays for what is cheap. */
	*h = (struct hasher){ .loop = loop };
	h->most[HASH_EXPENSIVE] = cores < 3 ? cores : 3;
	h->most[HASH_CHEAP] = 4;
	/* Strangers never have every thread: whoever is known here waits for nobody's guess but the one under way. */
	h->strangers_most[HASH_EXPENSIVE] = h->most[HASH_EXPENSIVE] > 1 ? h->most[HASH_EXPENSIVE] - 1 : 1;
	h->strangers_most[HASH_CHEAP] = 2;
}

/* ---- the work ---- */

/* A worker's thread: touches the job and what it points to, nothing else. */
static void
check(uv_work_t *work)
{
	struct hash_job *job = work->data;
	const struct candidate *c = job->candidate;
	enum match match = c->check == CHECK_CRYPT ? crypt_check(span_of(c->crypt), job->secret) : verifier_check(&c->verifier, job->secret);

	job->matched = match == MATCH_YES && !c->fake;
	job->fate = match == MATCH_UNKNOWN ? HASH_UNABLE : HASH_DONE;
}

static void
checked(uv_work_t *work, int status)
{
	struct hash_job *job = work->data;
	struct hasher *h = job->hasher;

	job->matched &= status == 0;
	h->running[job->cost]--;
	if (job->rank != HASH_KNOWN)
		h->strangers[job->cost]--;
	start_next(h, job->cost);
	job->done(job);
}

static void
start(struct hasher *h, struct hash_job *job)
{
	h->running[job->cost]++;
	if (job->rank != HASH_KNOWN)
		h->strangers[job->cost]++;
	/* Fails only for a NULL function. */
	(void)uv_queue_work(h->loop, &job->work, check, checked);
}

/* ---- lines ---- */

static struct hash_line *
line_of(struct hasher *h, const struct hash_job *job)
{
	return &h->line[job->cost][job->rank];
}

static void
line_put(struct hash_line *l, struct hash_job *job)
{
	job->next = NULL;
	if (l->first == NULL)
		l->first = job;
	else
		l->last->next = job;
	l->last = job;
	l->waiting++;
	l->share[job->share % HASH_SHARES]++;
}

/* The one behind `before`, or the first. */
static struct hash_job *
line_take(struct hash_line *l, struct hash_job *before)
{
	struct hash_job *job = before == NULL ? l->first : before->next;

	if (before == NULL)
		l->first = job->next;
	else
		before->next = job->next;
	if (l->last == job)
		l->last = before;
	l->waiting--;
	l->share[job->share % HASH_SHARES]--;
	return job;
}

/* The last of a share, or the first; *before is the one in front of it. There is one. */
static struct hash_job *
line_find(const struct hash_line *l, unsigned share, bool last, struct hash_job **before)
{
	struct hash_job *found = NULL;

	for (struct hash_job *j = l->first, *b = NULL; j != NULL && (found == NULL || last); b = j, j = j->next)
		if (j->share % HASH_SHARES == share) {
			*before = b;
			found = j;
		}
	assert(found != NULL);
	return found;
}

/* One of each share in turn: whoever asks often waits for himself. */
static struct hash_job *
line_next(struct hash_line *l)
{
	struct hash_job *before;

	do
		l->turn = (l->turn + 1) % HASH_SHARES;
	while (l->share[l->turn] == 0);
	(void)line_find(l, l->turn, false, &before);
	return line_take(l, before);
}

static bool
has_room(const struct hasher *h, enum hash_cost cost, enum hash_rank rank)
{
	return h->running[cost] < h->most[cost] && (rank == HASH_KNOWN || h->strangers[cost] < h->strangers_most[cost]);
}

static void
end_unseen(struct hash_job *job, enum hash_fate fate)
{
	job->fate = fate;
	job->done(job);
}

/* Rank by rank. What may not be looked at any more by now costs no work. */
static void
start_next(struct hasher *h, enum hash_cost cost)
{
	for (enum hash_rank rank = HASH_KNOWN; rank < HASH_RANKS; rank++) {
		struct hash_line *l = &h->line[cost][rank];

		while (l->first != NULL && has_room(h, cost, rank)) {
			struct hash_job *job = line_next(l);

			if (job->may(job))
				start(h, job);
			else
				end_unseen(job, HASH_STOPPED);
		}
	}
}

/*
 * A full line is shared out: whoever has most in it loses his newest. So one network that asks a thousand times a second keeps nobody
 * else out, and an office that comes to work all at once has the whole line.
 */
static bool
make_room(struct hash_line *l, unsigned most, const struct hash_job *job)
{
	unsigned heaviest = 0, mine = job->share % HASH_SHARES;
	struct hash_job *before;

	if (l->waiting < most)
		return true;
	for (unsigned i = 0; i < HASH_SHARES; i++)
		if (l->share[i] > l->share[heaviest])
			heaviest = i;
	if (l->share[mine] + 1 >= l->share[heaviest])
		return false;
	(void)line_find(l, heaviest, true, &before);
	end_unseen(line_take(l, before), HASH_CROWDED);
	return true;
}

bool
hasher_begin(struct hasher *h, struct hash_job *job)
{
	static const unsigned most[] = { [HASH_CHEAP] = AUTH_CHEAP_MAX, [HASH_EXPENSIVE] = AUTH_EXPENSIVE_WAITING_MAX };

	job->work.data = job;
	job->hasher = h;
	job->matched = false;
	job->fate = HASH_DONE;
	job->cost = job->candidate->check == CHECK_KEY ? HASH_CHEAP : HASH_EXPENSIVE;
	if (has_room(h, job->cost, job->rank)) {
		start(h, job);
		return true;
	}
	if (!make_room(line_of(h, job), most[job->cost], job))
		return false;
	line_put(line_of(h, job), job);
	return true;
}
