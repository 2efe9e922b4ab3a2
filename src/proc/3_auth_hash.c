#include <assert.h>

#include "proc/3_auth.h"
#include "sasl/crypt.h"

static void start(struct hasher *, struct hash_job *);

void
hasher_init(struct hasher *h, uv_loop_t *loop)
{
	unsigned cores = uv_available_parallelism();

	/* libuv has four threads; one stays for what is cheap. */
	*h = (struct hasher){ .loop = loop, .most = cores < 3 ? cores : 3 };
}

/* A worker's thread: touches the job and what it points to, nothing else. */
static void
check(uv_work_t *work)
{
	struct hash_job *job = work->data;
	const struct candidate *c = job->candidate;

	if (c->check == CHECK_CRYPT)
		job->matched = crypt_check(span_of(c->crypt), job->secret);
	else
		job->matched = verifier_check(&c->verifier, job->secret);
	job->matched &= !c->fake;
}

static void
checked(uv_work_t *work, int status)
{
	struct hash_job *job = work->data;
	struct hasher *h = job->hasher;
	struct hash_job *next = h->first;

	job->matched &= status == 0;
	if (!job->expensive) {
		h->cheap--;
	} else {
		h->running--;
		if (next != NULL) {
			h->first = next->next;
			h->waiting--;
			start(h, next);
		}
	}
	job->done(job);
}

static void
start(struct hasher *h, struct hash_job *job)
{
	*(job->expensive ? &h->running : &h->cheap) += 1;
	/* Fails only for a NULL function. */
	(void)uv_queue_work(h->loop, &job->work, check, checked);
}

bool
hasher_begin(struct hasher *h, struct hash_job *job)
{
	job->work.data = job;
	job->hasher = h;
	job->next = NULL;
	job->matched = false;
	job->expensive = job->candidate->check != CHECK_KEY;
	if (!job->expensive ? h->cheap < AUTH_CHEAP_MAX : h->running < h->most) {
		start(h, job);
		return true;
	}
	if (!job->expensive || h->waiting >= AUTH_EXPENSIVE_WAITING_MAX)
		return false;
	if (h->first == NULL)
		h->first = job;
	else
		h->last->next = job;
	h->last = job;
	h->waiting++;
	return true;
}

void
hasher_forget(struct hasher *h)
{
	struct hash_job *job = h->first;

	h->first = NULL;
	h->waiting = 0;
	while (job != NULL) {
		struct hash_job *next = job->next;

		job->done(job);
		job = next;
	}
}
