#include "dns/ask.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/resolver.h"
#include "os/clock.h"

struct dns_asker {
	struct ub_ctx *ctx;
	struct ub_result *result;       /* of the last question */
	int err;
	bool came;
	char asked[ASKED_MAX], words[MX_WORDS_MAX];
};

struct dns_asker *
dns_asker_open(const struct resolver_conf *conf, struct buf *why)
{
	struct dns_asker *a = calloc(1, sizeof *a);
	int err = UB_NOMEM;

	if (a != NULL && (a->ctx = ub_ctx_create()) != NULL)
		err = resolver_configure(a->ctx, conf, a->asked);
	if (err == 0)
		return a;
	(void)(buf_put_text(why, ub_strerror(err)) && buf_terminate(why));
	dns_asker_close(a);
	return NULL;
}

void
dns_asker_close(struct dns_asker *a)
{
	if (a == NULL)
		return;
	ub_resolve_free(a->result);
	if (a->ctx != NULL)
		ub_ctx_delete(a->ctx);
	free(a);
}

static void
on_result(void *arg, int err, struct ub_result *result)
{
	struct dns_asker *a = arg;

	a->err = err;
	a->result = result;
	a->came = true;
}

/* False: the time is over, and on_result() will not be called any more. */
static bool
await(struct dns_asker *a, int id, uint64_t end)
{
	struct pollfd p = { ub_fd(a->ctx), POLLIN, 0 };

	while (!a->came) {
		uint64_t at = clock_run();

		if (at >= end) {
			ub_cancel(a->ctx, id);
			return false;
		}
		if (poll(&p, 1, (int)(end - at)) == 1)
			ub_process(a->ctx);
	}
	return true;
}

static void
fail(struct dns_asker *a, const char *name, const char *why, const char *detail, struct dns_answer *answer)
{
	(void)snprintf(a->words, sizeof a->words, "%.255s: %s%.120s", name, why, detail);
	answer->verdict = DNS_FAILED;
	answer->words = a->words;
}

static void
take(struct dns_asker *a, const char *name, struct dns_answer *answer)
{
	static const enum dns_verdict verdicts[] = {
		[ANSWER_DATA] = DNS_DATA, [ANSWER_NOTHING] = DNS_NOTHING, [ANSWER_NO_NAME] = DNS_NO_NAME,
	};
	const struct ub_result *r = a->result;
	const char *why, *detail;
	enum answer kind = answer_classify(a->asked, a->err, r, &why, &detail);

	if (kind == ANSWER_LATER) {
		fail(a, name, why, detail, answer);
		return;
	}
	answer->verdict = verdicts[kind];
	answer->secure = r->secure;
	for (int i = 0; kind == ANSWER_DATA && r->data[i] != NULL && answer->records < DNS_RECORDS_MAX; i++)
		answer->record[answer->records++] = (struct span){ (const uint8_t *)r->data[i], (size_t)r->len[i] };
}

void
dns_ask(struct dns_asker *a, const char *name, enum dns_type type, unsigned milliseconds, struct dns_answer *answer)
{
	int id = 0, err;

	ub_resolve_free(a->result);
	a->result = NULL;
	a->came = false;
	*answer = (struct dns_answer){ .words = "" };
	err = ub_resolve_async(a->ctx, name, type, DNS_CLASS_IN, a, on_result, &id);
	if (err != 0)
		fail(a, name, ub_strerror(err), "", answer);
	else if (!await(a, id, clock_run() + milliseconds))
		fail(a, name, "no answer in time", a->asked, answer);
	else
		take(a, name, answer);
}
