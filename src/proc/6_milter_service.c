/* Services: which message goes over which connection, and for how long. */
#include "conf/milter.h"
#include "proc/6_milter.h"

/* The one that is in the middle of this transaction. */
static struct milter_link *
link_about(const struct milter_service *s, uint64_t talk)
{
	struct milter_link *l = s->links;

	while (l != NULL && (l->state != LINK_IDLE || l->about != talk))
		l = l->next;
	return l;
}

/* One that is idle and good for this message. NULL: none is. */
static struct milter_link *
idle_link(const struct milter_service *s, const struct milter_job *j)
{
	struct milter_link *l = j->facts.talk != 0 ? link_about(s, j->facts.talk) : NULL;

	/* What it has heard must be what there is: another milter may have changed something, or it may have been away meanwhile. */
	if (l != NULL && (j->probe || l->accepted == j->facts.rcpts))
		return l;
	if (l != NULL)
		milter_link_leave(l);
	for (l = s->links; l != NULL; l = l->next)
		if (l->state == LINK_IDLE && l->about == 0 && milter_suits(&l->talk, &j->mail))
			return l;
	return NULL;
}

/* Of those that are idle the one that is missed least: in no transaction, else in one that has not come on for longest. */
static struct milter_link *
spare_link(const struct milter_service *s)
{
	struct milter_link *best = NULL;

	for (struct milter_link *l = s->links; l != NULL; l = l->next)
		if (l->state == LINK_IDLE && (best == NULL || (best->about != 0 && (l->about == 0 || l->deadline < best->deadline))))
			best = l;
	return best;
}

/* A place for a new link. False: all are busy. */
static bool
make_place(struct milter_service *s)
{
	struct milter_link *l;

	if (s->open < s->conf.connections)
		return true;
	l = spare_link(s);
	if (l == NULL)
		return false;
	milter_link_leave(l);
	return true;
}

static void
put_back(struct milter_service *s, struct milter_job *j)
{
	j->next = s->first;
	s->first = j;
	if (j->next == NULL)
		s->last = &j->next;
}

void
milter_service_pump(struct milter_service *s)
{
	while (s->first != NULL && milters.spool != NULL) {
		struct milter_job *j = s->first;
		struct milter_link *l = j->stale ? NULL : idle_link(s, j);

		if (l == NULL && !make_place(s))
			return;
		milter_service_remove(s, j);
		if (l == NULL && !milter_link_open(s, j)) {
			/* The sweep tries again. */
			put_back(s, j);
			return;
		}
		if (l != NULL && !milter_link_take(l, j))
			milter_job_fail(j, "out of memory");
	}
}

void
milter_service_add(struct milter_service *s, struct milter_job *j)
{
	j->service = s;
	j->next = NULL;
	*s->last = j;
	s->last = &j->next;
	milters_busy();
	milter_service_pump(s);
}

void
milter_service_remove(struct milter_service *s, struct milter_job *j)
{
	struct milter_job **at = &s->first;

	while (*at != NULL && *at != j)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = j->next;
	if (j->next == NULL)
		s->last = at;
	j->next = NULL;
}

struct milter_service *
milter_service_find(struct span text)
{
	for (uint32_t i = 0; i < milters.services; i++) {
		uint8_t room[MILTER_TEXT_ROOM];
		struct buf b = BUF_OVER(room);

		if (conf_milter_format(&milters.service[i].conf, &b) && span_eq(buf_span(&b), text))
			return &milters.service[i];
	}
	return NULL;
}

void
milter_services_begin(const struct conf *c)
{
	milters.services = c->milters;
	for (uint32_t i = 0; i < c->milters; i++) {
		struct milter_service *s = &milters.service[i];
		struct buf name = BUF_OVER(s->name);

		*s = (struct milter_service){ .conf = c->milter[i], .last = &s->first };
		(void)conf_milter_name(&s->conf, &name);
		(void)buf_terminate(&name);
	}
}

/* ---- time ---- */

static struct milter_link *
expired_link(const struct milter_service *s, uint64_t now)
{
	struct milter_link *l = s->links;

	/* One that waits for 4_spool is not late by its own fault. */
	while (l != NULL && (now < l->deadline || l->stalled) && (l->job == NULL || now < l->job->deadline))
		l = l->next;
	return l;
}

static struct milter_job *
expired_job(const struct milter_service *s, uint64_t now)
{
	struct milter_job *j = s->first;

	while (j != NULL && now < j->deadline)
		j = j->next;
	return j;
}

static bool
service_sweep(struct milter_service *s, uint64_t now)
{
	struct milter_link *l;
	struct milter_job *j;

	/* The end of one may be the end, or the beginning, of others. */
	while ((l = expired_link(s, now)) != NULL)
		milter_link_expire(l, now);
	while ((j = expired_job(s, now)) != NULL) {
		milter_service_remove(s, j);
		milter_job_fail(j, "milter-deadline is over, and all connections to it were busy");
	}
	milter_service_pump(s);
	return s->links != NULL || s->first != NULL;
}

bool
milter_links_sweep(void)
{
	bool busy = false;

	for (uint32_t i = 0; i < milters.services; i++)
		busy = service_sweep(&milters.service[i], milters_now()) || busy;
	return busy;
}

void
milter_links_leave(uint64_t talk)
{
	for (uint32_t i = 0; i < milters.services; i++) {
		struct milter_link *l = link_about(&milters.service[i], talk);

		if (l != NULL)
			milter_link_leave(l);
	}
}

static struct milter_link *
stalled_link(void)
{
	for (uint32_t i = 0; i < milters.services; i++)
		for (struct milter_link *l = milters.service[i].links; l != NULL; l = l->next)
			if (l->stalled)
				return l;
	return NULL;
}

void
milter_links_go_on(void)
{
	struct milter_link *l;

	while (milters.spool != NULL && !channel_congested(milters.spool) && (l = stalled_link()) != NULL)
		milter_link_go_on(l);
}

void
milter_links_drop(void)
{
	for (uint32_t i = 0; i < milters.services; i++)
		while (milters.service[i].links != NULL)
			milter_link_drop(milters.service[i].links);
}
