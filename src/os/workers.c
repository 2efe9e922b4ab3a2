#include "os/workers.h"

#include "os/log.h"

enum { WORKERS = 4 };           /* libuv's own number */

/* All of them are there at once, as they will be later. */
static void
wait_for_others(void *arg)
{
	uv_sem_wait(arg);
}

static int
try_threads(void)
{
	uv_thread_t thread[WORKERS];
	int made = 0, error;
	uv_sem_t end;

	error = uv_sem_init(&end, 0);
	if (error != 0)
		return error;
	while (made < WORKERS && (error = uv_thread_create(&thread[made], wait_for_others, &end)) == 0)
		made++;
	for (int i = 0; i < made; i++)
		uv_sem_post(&end);
	for (int i = 0; i < made; i++)
		(void)uv_thread_join(&thread[i]);
	uv_sem_destroy(&end);
	return error;
}

static void
nothing(uv_work_t *work)
{
	(void)work;
}

bool
workers_start(uv_loop_t *loop)
{
	static uv_work_t first;         /* libuv makes its threads with it */
	static bool started;
	struct log_line l;
	int error = started ? 0 : try_threads();

	if (error == 0 && !started)
		error = uv_queue_work(loop, &first, nothing, NULL);
	started = error == 0;
	if (started)
		return true;
	log_begin(&l, LOG_FAULT, "threads");
	log_text(&l, "why", uv_strerror(error));
	log_text(&l, "remedy", "raise RLIMIT_NPROC, or TasksMax= in the service's unit; or give it more memory");
	log_end(&l);
	return false;
}
