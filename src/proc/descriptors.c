#include "proc/descriptors.h"

#include <string.h>
#include <sys/resource.h>

#include "dns/lookup.h"
#include "os/log.h"
#include "proc/1_front_limits.h"
#include "proc/ceilings.h"

enum {
	OF_EVERYBODY = 64,              /* standard ones, libuv's, channels: 15 to 25 counted */
	OF_FILES = 64,                  /* segments of the log, the Maildir, kept policies */
	LEAST = 256,                    /* beside one for each front and listener */
};

/* Behind what the process needs for itself; at least one. */
static uint64_t
room(uint64_t limit, uint64_t taken)
{
	return limit > taken ? limit - taken : 1;
}

static uint64_t
of_front(const struct conf *c)
{
	return OF_EVERYBODY + FRONT_PROXY_BEYOND + c->listens;
}

/* libunbound takes a quarter at the most (dns/resolver). */
static uint64_t
of_relay(uint64_t limit)
{
	return OF_EVERYBODY + OF_FILES + (limit / 4 < RESOLVER_QUESTIONS ? limit / 4 : RESOLVER_QUESTIONS);
}

static bool
lower(uint32_t *value, uint64_t limit, uint64_t taken, struct descriptors_short *out)
{
	uint64_t fits = room(limit, taken);

	if (*value <= fits)
		return false;
	*out = (struct descriptors_short){ .wanted = *value, .fits = fits };
	*value = (uint32_t)fits;
	return true;
}

/* Each milter gives up its share, and keeps one. */
static bool
lower_milters(struct conf *c, uint64_t limit, struct descriptors_short *out)
{
	uint64_t fits = room(limit, OF_EVERYBODY + OF_FILES), wanted = 0, left = 0;

	for (uint32_t i = 0; i < c->milters; i++)
		wanted += c->milter[i].connections;
	if (wanted <= fits)
		return false;
	for (uint32_t i = 0; i < c->milters; i++) {
		uint64_t share = c->milter[i].connections * fits / wanted;

		c->milter[i].connections = share > 0 ? (uint32_t)share : 1;
		left += c->milter[i].connections;
	}
	*out = (struct descriptors_short){ .setting = "connections= of all milters", .process = "6_milter", .wanted = wanted, .fits = left,
		.needs = wanted + OF_EVERYBODY + OF_FILES };
	return true;
}

size_t
descriptors_fit(struct conf *c, uint64_t limit, struct descriptors_short out[DESCRIPTORS_SETTINGS])
{
	size_t n = 0;

	if (lower(&c->sessions_max, limit, of_front(c), &out[n])) {
		out[n].setting = "sessions-max";
		out[n].process = "1_front";
		out[n].needs = out[n].wanted + of_front(c);
		n++;
	}
	if (lower(&c->relay_connections, limit, of_relay(limit), &out[n])) {
		out[n].setting = "relay-connections";
		out[n].process = "5_relay";
		out[n].needs = out[n].wanted + of_relay(UINT64_MAX);
		n++;
	}
	return n + lower_milters(c, limit, &out[n]);
}

bool
descriptors_suffice(const struct conf *c, uint64_t limit, struct buf *why)
{
	uint64_t least = LEAST + memory_fronts(c) + c->listens;

	if (limit >= least)
		return true;
	buf_put_text(why, "a process may open ");
	buf_put_u64(why, limit);
	buf_put_text(why, " file descriptors here (RLIMIT_NOFILE), and ");
	buf_put_u64(why, least);
	buf_put_text(why, " are the least to serve with; raise it with LimitNOFILE= in the service's unit, or ulimit -n");
	buf_end_words(why);
	return false;
}

uint64_t
descriptors_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 1024;
}

void
descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

void
descriptors_fit_and_say(struct conf *c)
{
	struct descriptors_short lowered[DESCRIPTORS_SETTINGS];
	uint64_t limit = descriptors_limit();
	size_t n = descriptors_fit(c, limit, lowered);

	for (size_t i = 0; i < n; i++) {
		struct log_line l;

		log_begin(&l, LOG_WARN, "descriptors");
		log_text(&l, "setting", lowered[i].setting);
		log_text(&l, "of", lowered[i].process);
		log_u64(&l, "configured", lowered[i].wanted);
		log_u64(&l, "in-force", lowered[i].fits);
		log_u64(&l, "limit", limit);
		log_u64(&l, "needs", lowered[i].needs);
		log_text(&l, "remedy", "raise RLIMIT_NOFILE to what is needed (LimitNOFILE= in the service's unit), or lower the setting");
		log_end(&l);
	}
}
