/* `postern user locks` and `unlock`: who sends as never before, as 3_auth sees it. */
#include <jansson.h>
#include <stdio.h>

#include "cmd/json_words.h"
#include "cmd/ledger.h"
#include "cmd/user.h"
#include "cmd/when.h"

struct locks {
	json_t *all;                    /* NULL: for people, printed as they come */
	uint32_t count;
};

static const char *
step_name(uint32_t step)
{
	return step == 1 ? "slowed" : step == 2 ? "held" : "locked";
}

static bool
on_row(void *arg, const struct frame *f)
{
	struct locks *l = arg;
	struct ledger_lock m;
	char since[WHEN_ROOM];

	if (f->type != LEDGER_LOCK || !fields_parse(ledger_lock_layout, f->body, &m) || m.step < 1 || m.step > 3)
		return false;
	when_format(m.since, since);
	l->count++;
	if (l->all == NULL)
		return printf("%.*s: %s since %s: %.*s\n", (int)m.login.len, (const char *)m.login.p, step_name(m.step), since,
		    (int)m.words.len, (const char *)m.words.p) > 0;
	return json_array_append_new(l->all, json_pack("{s:s%, s:s, s:s, s:s%}", "login", (const char *)m.login.p, m.login.len,
	    "step", step_name(m.step), "since", since, "reason", (const char *)m.words.p, m.words.len)) == 0;
}

bool
user_locks(struct user_command *c, struct buf *why)
{
	struct locks l = { c->json ? json_array() : NULL, 0 };
	struct ledger_which which = { .login = span_of(c->words > 0 ? c->word[0] : "") };
	struct ledger_question q = { c->settings.conf.ledger_socket.p, LEDGER_LOCKS, which, on_row, &l };
	uint32_t count;
	bool done;

	c->status = ledger_query(&q, &count, why);
	done = c->status == LEDGER_FINE;
	if (done && c->json)
		done = json_show(l.all) && putchar('\n') != EOF;
	else if (done && l.count == 0)
		done = puts("nobody is slowed, held or locked") != EOF;
	json_decref(l.all);
	return done && fflush(stdout) == 0;
}

bool
user_unlock(struct user_command *c, struct buf *why)
{
	struct ledger_which which = { span_of(c->word[0]), span_of(c->network) };
	struct ledger_question q = { c->settings.conf.ledger_socket.p, LEDGER_UNLOCK, which, NULL, NULL };
	uint32_t count;

	c->status = ledger_query(&q, &count, why);
	if (c->status == LEDGER_FINE)
		(void)printf("%s is free. What is held in the queue stays there: postern queue release, or purge.\n", c->word[0]);
	return c->status == LEDGER_FINE && fflush(stdout) == 0;
}
