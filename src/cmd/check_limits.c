#include "cmd/check_limits.h"

#include <stdio.h>
#include <string.h>

#include "conf/value.h"
#include "proc/ceilings.h"

static const struct limit_page *const pages[] = {
	&front_limits, &talk_limits, &signer_limits, &auth_limits, &spool_limits, &relay_limits, &milter_limits, &history_limits,
};

/* ---- figures ---- */

/* In the biggest unit that leaves a whole number. */
static void
octets_text(uint64_t octets, char *out, size_t max)
{
	uint8_t text[40];
	struct buf b = { text, 0, sizeof text - 1 };

	(void)size_format(octets, &b);
	text[b.len] = '\0';
	if (octets < 1024)
		(void)snprintf(out, max, "%llu octets", (unsigned long long)octets);
	else
		(void)snprintf(out, max, "%s", (const char *)text);
}

/* The same, rounded, for sums. */
static void
about_text(uint64_t octets, char *out, size_t max)
{
	static const char *const units[] = { "octets", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)octets;
	size_t unit = 0;

	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	(void)snprintf(out, max, "%.*f %s", unit > 0 && value < 100 ? 1 : 0, value, units[unit]);
}

static void
value_text(const struct conf *c, const struct limit *l, char *out, size_t max)
{
	uint8_t text[CONF_TEXT_MAX];
	struct buf b = { text, 0, sizeof text - 1 };

	if (l->setting != NULL) {
		(void)conf_value(c, conf_find(span_of(l->setting)), 0, &b);
		/* What 0 stands for. */
		if (strcmp(l->setting, "unauthenticated-max") == 0) {
			b.len = 0;
			(void)buf_put_u64(&b, conf_unauthenticated_max(c));
		}
		text[b.len] = '\0';
		(void)snprintf(out, max, "%s", (const char *)text);
	} else if (l->unit == LIMIT_OCTETS) {
		octets_text(l->most, out, max);
	} else if (l->unit == LIMIT_MS) {
		(void)snprintf(out, max, "%llu s", (unsigned long long)l->most / 1000);
	} else {
		(void)snprintf(out, max, "%llu", (unsigned long long)l->most);
	}
}

/* ---- the page ---- */

static void
print_page(const struct conf *c, const struct limit_page *p)
{
	char value[CONF_TEXT_MAX];

	(void)printf("\n## %s\n\n| what | at most | of each | then |\n| --- | --- | --- | --- |\n", p->title);
	for (size_t i = 0; i < p->count; i++) {
		const struct limit *l = &p->limits[i];

		value_text(c, l, value, sizeof value);
		(void)printf("| %s | %s%s%s%s | %s | %s |\n", l->what, value, l->setting != NULL ? " (`" : "",
		    l->setting != NULL ? l->setting : "", l->setting != NULL ? "`)" : "", l->of, l->then);
	}
}

static void
print_session(const char *name, enum session_age age)
{
	char idle[40], most[40];
	struct session_memory m = front_session_memory(age);

	about_text(m.idle, idle, sizeof idle);
	about_text(m.most, most, sizeof most);
	(void)printf("| %s | %s | %s |\n", name, idle, most);
}

static void
print_sessions(void)
{
	(void)fputs("\n## Memory of one session in `1_front`\n\n"
	    "Computed from the structures, and from what OpenSSL takes, which is measured (`src/tls/cost.h`). Beside it `3_auth` keeps\n"
	    "less than half a KiB of a session that has authenticated.\n\n| a session that | idle | at most |\n| --- | --- | --- |\n", stdout);
	print_session("shakes hands", SESSION_SHAKING);
	print_session("has not authenticated", SESSION_UNKNOWN);
	print_session("has authenticated", SESSION_KNOWN);
}

/* ---- memory ---- */

/* Of those processes with a sum worth printing. */
enum { MEMORIES = 7 };

static void
gather(const struct conf *c, struct memory m[MEMORIES])
{
	uint32_t fronts = memory_fronts(c);

	front_memory(c, &m[0]);
	auth_memory(c, fronts, &m[1]);
	spool_memory(c, fronts, &m[2]);
	relay_memory(c, &m[3]);
	milter_memory(c, &m[4]);
	history_memory(c, &m[5]);
	hook_memory(c, &m[6]);
}

static void
print_process(const char *before, const struct memory *m)
{
	char each[40], sum[40];

	if (m->processes == 0)
		return;
	about_text(memory_sum(m), sum, sizeof sum);
	(void)printf("%s%-9s %s%s\n", before, m->process, sum, m->processes > 1 ? ", each of them:" : ":");
	for (size_t i = 0; i < m->rows; i++) {
		about_text(m->row[i].each, each, sizeof each);
		about_text(m->row[i].each * m->row[i].times, sum, sizeof sum);
		(void)printf("%s  %10s  %s", before, sum, m->row[i].what);
		if (m->row[i].times > 1)
			(void)printf(" (%llu x %s)", (unsigned long long)m->row[i].times, each);
		(void)printf("\n");
	}
}

void
limits_print_memory(const struct conf *c, const char *before)
{
	struct memory m[MEMORIES];
	uint64_t all = 0;
	char sum[40];

	gather(c, m);
	for (size_t i = 0; i < MEMORIES; i++)
		all += memory_sum(&m[i]) * m[i].processes;
	about_text(all, sum, sizeof sum);
	(void)printf("%sMemory with everything at its ceiling at once: %s in all processes, with %llu front%s. Most of it nobody ever sees;\n"
	    "%swhat bounds it is on the page of ceilings (`postern check --limits`). 4_spool takes 150 octets more for each message that waits,\n"
	    "%sand up to 230 for each recipient when there are several at destinations of their own; 0_master and 2_signer take 16 MiB each.\n%s\n",
	    before, sum, (unsigned long long)m[0].processes, m[0].processes == 1 ? "" : "s", before, before, before);
	for (size_t i = 0; i < MEMORIES; i++)
		print_process(before, &m[i]);
}

void
limits_print(void)
{
	static struct conf c;

	conf_defaults(&c);
	c.fronts = 1;
	(void)fputs("# Ceilings\n\n"
	    "Everything that a stranger, or a user with an account, can make grow, loop or wait has a ceiling; this page is made from the code by\n"
	    "`postern check --limits`, and `make lint` fails when it is out of date. What stands in brackets is a setting, here with its default,\n"
	    "see postern.conf(5). A front is a process that talks to clients; there is one for each core.\n", stdout);
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
		print_page(&c, pages[i]);
	print_sessions();
	(void)fputs("\n## Memory of the whole\n\nWith the defaults and one front; `postern check --explain` computes it for a configuration.\n\n```text\n",
	    stdout);
	limits_print_memory(&c, "");
	(void)fputs("```\n", stdout);
}
