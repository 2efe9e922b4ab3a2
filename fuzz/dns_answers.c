/*
 * fuzz/dns_answers.c - what whoever runs a domain's DNS can answer to the questions about it, in any order, and when it is cancelled
 * or takes too long.
 *
 * libunbound is replaced: it hands out what the input says. Input: settings (below), the name up to LF, then answers: which of the
 * questions that wait, marks (below), rcode, how many records; a length octet and so many octets for each; the same for the
 * canonical name when there is one.
 *
 * Whatever comes: the look-up ends once, its list is within its bounds, nothing counts as validated that no validated answer has
 * said, and the questions are few.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dns/resolver.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { HOST_ONLY = 1, TLSA = 2, SELF = 4, TEXT = 8 };
enum { FAILED = 1, BOGUS = 2, SECURE = 4, NO_NAME = 8, DATA = 16, CANONICAL = 32, LATE = 64, CANCELLED = 128 };
enum { WAITING_MAX = 64 };

struct ub_ctx { int fd; };

static struct ub_ctx unbound;
static struct question {
	int id;
	int type;
	void *arg;
	ub_callback_type callback;
} waiting[WAITING_MAX];
static unsigned waits, asked, ended;
static bool secure[64];                 /* by type: a validated answer has come */
static bool host_only;

static void
insist(bool good)
{
	if (!good)
		abort();
}

/* ---- in place of libunbound ---- */
struct ub_ctx *
ub_ctx_create(void)
{
	unbound.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return &unbound;
}

void
ub_ctx_delete(struct ub_ctx *ctx)
{
	(void)close(ctx->fd);
}

int
ub_ctx_set_option(struct ub_ctx *ctx, const char *name, const char *value)
{
	(void)ctx, (void)name, (void)value;
	return 0;
}

int
ub_ctx_debugout(struct ub_ctx *ctx, void *out)
{
	(void)ctx, (void)out;
	return 0;
}

int
ub_ctx_resolvconf(struct ub_ctx *ctx, const char *name)
{
	(void)ctx, (void)name;
	return 0;
}

int
ub_ctx_hosts(struct ub_ctx *ctx, const char *name)
{
	(void)ctx, (void)name;
	return 0;
}

int
ub_ctx_async(struct ub_ctx *ctx, int thread)
{
	(void)ctx, (void)thread;
	return 0;
}

int
ub_fd(struct ub_ctx *ctx)
{
	return ctx->fd;
}

int
ub_resolve_async(struct ub_ctx *ctx, const char *name, int type, int class, void *arg, ub_callback_type callback, int *id)
{
	(void)ctx, (void)class;
	insist(strlen(name) < MX_NAME_MAX && !(host_only && type == DNS_TYPE_MX));
	/* The list of questions grows with the hosts, and those are few. */
	insist(++asked <= 1 + 5 * MX_HOSTS_MAX && waits < WAITING_MAX);
	*id = (int)asked;
	waiting[waits++] = (struct question){ *id, type, arg, callback };
	return 0;
}

int
ub_cancel(struct ub_ctx *ctx, int id)
{
	(void)ctx;
	for (unsigned i = 0; i < waits; i++)
		if (waiting[i].id == id) {
			waiting[i] = waiting[--waits];
			return 0;
		}
	abort();                        /* it had been answered, or cancelled, before */
}

void
ub_resolve_free(struct ub_result *result)
{
	if (result == NULL)
		return;
	for (int i = 0; result->data[i] != NULL; i++)
		free(result->data[i]);
	free(result->data);
	free(result->len);
	free(result->canonname);
	free(result->why_bogus);
	free(result);
}

const char *
ub_strerror(int err)
{
	return err == UB_NOMEM ? "out of memory" : "some failure";
}

/* ---- what is answered ---- */
static uint8_t
octet(struct span *in)
{
	uint8_t o = in->len > 0 ? in->p[0] : 0;

	span_skip(in, 1);
	return o;
}

static char *
text(struct span *in, int *len)
{
	size_t wanted = octet(in);
	struct span s = span_head(*in, wanted);
	char *copy;

	span_skip(in, s.len);
	/* Exactly as long as it is, so that a look beyond its end is seen. */
	copy = malloc(s.len > 0 ? s.len : 1);
	insist(copy != NULL);
	memcpy(copy, s.p, s.len);
	*len = (int)s.len;
	return copy;
}

static char *
name(struct span *in)
{
	int len;
	char *octets = text(in, &len), *copy = strndup(octets, (size_t)len);

	free(octets);
	return copy;
}

static struct ub_result *
result_of(struct span *in, unsigned marks)
{
	struct ub_result *r = calloc(1, sizeof *r);
	unsigned records;

	insist(r != NULL);
	r->rcode = octet(in);
	records = octet(in);
	r->data = calloc(records + 1u, sizeof *r->data);
	r->len = calloc(records + 1u, sizeof *r->len);
	insist(r->data != NULL && r->len != NULL);
	/* As the library has it: data or none, and what is bogus is not secure. */
	r->havedata = (marks & DATA) != 0 && records > 0;
	for (unsigned i = 0; r->havedata && i < records; i++)
		r->data[i] = text(in, &r->len[i]);
	if (marks & CANONICAL)
		r->canonname = name(in);
	r->nxdomain = (marks & NO_NAME) != 0 && !r->havedata;
	r->bogus = (marks & BOGUS) != 0;
	r->secure = (marks & SECURE) != 0 && !r->bogus;
	r->why_bogus = r->bogus ? strdup("no signatures") : NULL;
	r->ttl = r->rcode * 100 - 50;
	return r;
}

static void
answer(struct question *q, struct span *in, unsigned marks)
{
	struct question one = *q;
	struct ub_result *r = marks & FAILED ? NULL : result_of(in, marks);

	*q = waiting[--waits];
	if (r != NULL && r->secure)
		secure[one.type] = true;
	one.callback(one.arg, r == NULL ? UB_SERVFAIL : 0, r);
}

/* ---- what comes of it ---- */
static void
ended_mx(void *arg, const struct mx_list *l)
{
	(void)arg;
	ended++;
	insist(waits == 0);
	insist(l->hosts <= MX_HOSTS_MAX && l->addresses <= MX_ADDRESSES_MAX && l->tlsas <= MX_TLSA_MAX);
	insist(l->tlsa_used <= MX_TLSA_OCTETS && (l->verdict != MX_FOUND || l->addresses > 0));
	insist(strnlen(l->words, MX_WORDS_MAX) < MX_WORDS_MAX && strnlen(l->tlsa_words, MX_WORDS_MAX) < MX_WORDS_MAX);
	insist((l->verdict == MX_FOUND) == (l->words[0] == '\0'));
	insist(l->mx != TRANSPORT_DNS_SECURE || secure[DNS_TYPE_MX]);
	for (uint32_t i = 0; i < l->addresses; i++)
		insist(l->address[i].host < l->hosts);
	for (uint32_t i = 0; i < l->tlsas; i++)
		insist(l->tlsa[i].host < l->hosts && l->tlsa[i].at + l->tlsa[i].len <= l->tlsa_used &&
		    l->host[l->tlsa[i].host].tlsa == TRANSPORT_DNS_SECURE);
	for (uint32_t i = 0; i < l->hosts; i++) {
		const struct mx_host *h = &l->host[i];

		insist(strnlen(h->name, MX_NAME_MAX) < MX_NAME_MAX && strnlen(h->base, MX_NAME_MAX) < MX_NAME_MAX && h->name[0] != '\0');
		insist(h->address != TRANSPORT_DNS_SECURE || secure[DNS_TYPE_A] || secure[DNS_TYPE_AAAA] || secure[DNS_TYPE_CNAME]);
		insist((h->tlsa != TRANSPORT_DNS_SECURE && h->tlsa != TRANSPORT_DNS_ABSENT) || secure[DNS_TYPE_TLSA]);
		insist(!h->tlsa_usable || h->tlsa == TRANSPORT_DNS_SECURE);
	}
}

static void
ended_txt(void *arg, const struct txt_list *l)
{
	(void)arg;
	ended++;
	insist(waits == 0 && l->records <= TXT_RECORDS_MAX && (l->verdict == TXT_FOUND) == (l->records > 0));
	insist(!l->secure || secure[DNS_TYPE_TXT]);
	for (uint32_t i = 0; i < l->records; i++)
		insist(l->record[i].len <= TXT_OCTETS_MAX);
	insist((l->verdict == TXT_LATER) == (l->words[0] != '\0'));
}

static void
play(uv_loop_t *loop, struct resolver *r, struct span in)
{
	unsigned settings = octet(&in), cancelled = 0;
	struct span domain = span_take_until(&in, '\n');
	struct mx_question question = { .domain = domain, .self = settings & SELF ? SPAN("us.example") : SPAN(""),
		.host_only = (settings & HOST_ONLY) != 0, .tlsa_port = settings & TLSA ? 25 : 0 };
	struct txt_lookup *t = NULL;
	struct mx_lookup *l = NULL;
	char owner[MX_NAME_MAX];

	(void)octet(&in);
	host_only = question.host_only;
	if ((settings & TEXT) == 0)
		l = mx_lookup_begin(r, &question, ended_mx, NULL);
	else if (dns_ascii(domain, owner))
		t = txt_lookup_begin(r, owner, ended_txt, NULL);
	else
		return;
	insist(ended == 0 && (l != NULL || t != NULL));
	(void)uv_run(loop, UV_RUN_NOWAIT);
	while (ended + cancelled == 0) {
		unsigned which = octet(&in), marks = octet(&in);

		if (marks & CANCELLED) {
			mx_lookup_cancel(l);
			txt_lookup_cancel(t);
			insist(waits == 0);
			cancelled++;
		} else if ((marks & LATE) || in.len == 0) {
			insist(l != NULL ? mx_lookup_tick(l, UINT64_MAX) : txt_lookup_tick(t, UINT64_MAX));
		} else {
			insist(waits > 0);
			answer(&waiting[which % waits], &in, marks);
		}
	}
	insist(ended + cancelled == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct resolver_conf conf = { .server = NULL };
	char words[200];
	struct buf why = BUF_OVER(words);
	struct resolver *r;
	uv_loop_t loop;

	waits = asked = ended = 0;
	memset(secure, 0, sizeof secure);
	insist(uv_loop_init(&loop) == 0);
	r = resolver_open(&loop, &conf, &why);
	insist(r != NULL);
	play(&loop, r, (struct span){ p, n });
	resolver_close(r);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	insist(uv_loop_close(&loop) == 0);
	return 0;
}
