/* RFC 8460 4.4, in I-JSON; then gzip (RFC 1952). Every text is printable ASCII: policy/tlsrpt.c and conf/ see to that. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proc/5_relay_report.h"

enum { GZIP_WINDOW = 15 + 16, GZIP_MEMORY = 8 };        /* + 16: a gzip header, not zlib's */

/* ---- JSON ---- */

/* Takes value in any case; NULL is memory that was short. */
static bool
set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

static bool
set_text(json_t *object, const char *key, struct span text)
{
	return set(object, key, json_stringn((const char *)text.p, text.len));
}

static bool
set_if_known(json_t *object, const char *key, struct span text)
{
	return span_done(text) || set_text(object, key, text);
}

/* A count that a receiver's double would round is none that anybody reaches. */
static bool
set_count(json_t *object, const char *key, uint64_t count)
{
	const uint64_t most = UINT64_C(1) << 53;

	return set(object, key, json_integer((json_int_t)(count < most ? count : most)));
}

/* An array of the strings that begin so, without that beginning; TAB stands between two. */
static json_t *
strings_array(struct span strings, struct span begin)
{
	json_t *array = json_array();

	while (!span_done(strings)) {
		struct span one = span_take_until(&strings, '\t');

		(void)span_take_byte(&strings, '\t');
		if (span_take(&one, begin) && json_array_append_new(array, json_stringn((const char *)one.p, one.len)) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *
policy_object(const struct tlsrpt *t, const struct tlsrpt_policy *p)
{
	struct span strings = tlsrpt_text(t, p->strings);
	json_t *policy = json_object();
	bool good = set_text(policy, "policy-type", span_of(tlsrpt_type_name(p->type)));

	if (!span_done(strings))
		good = good && set(policy, "policy-string", strings_array(strings, SPAN("")));
	good = good && set_text(policy, "policy-domain", tlsrpt_text(t, p->domain));
	/* The patterns of the policy; TLSA records have none. */
	if (!span_done(strings) && p->type == TLSRPT_STS)
		good = good && set(policy, "mx-host", strings_array(strings, SPAN("mx: ")));
	if (good)
		return policy;
	json_decref(policy);
	return NULL;
}

static json_t *
summary_object(const struct tlsrpt_policy *p)
{
	json_t *summary = json_object();

	if (set_count(summary, "total-successful-session-count", p->successful) &&
	    set_count(summary, "total-failure-session-count", p->failed))
		return summary;
	json_decref(summary);
	return NULL;
}

static json_t *
failure_object(const struct tlsrpt *t, const struct tlsrpt_failure *f)
{
	json_t *failure = json_object();

	if (set_text(failure, "result-type", span_of(transport_result_name(f->result))) &&
	    set_if_known(failure, "sending-mta-ip", tlsrpt_text(t, f->from)) &&
	    set_if_known(failure, "receiving-mx-hostname", tlsrpt_text(t, f->mx)) &&
	    set_if_known(failure, "receiving-ip", tlsrpt_text(t, f->ip)) &&
	    set_count(failure, "failed-session-count", f->sessions) &&
	    set_if_known(failure, "failure-reason-code", tlsrpt_text(t, f->reason)))
		return failure;
	json_decref(failure);
	return NULL;
}

static json_t *
failures_array(const struct tlsrpt *t, const struct tlsrpt_policy *p)
{
	json_t *array = json_array();

	for (uint32_t i = p->failures; i != TLSRPT_NOTHING; i = t->failure[i].next)
		if (json_array_append_new(array, failure_object(t, &t->failure[i])) != 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *
entry_object(const struct tlsrpt *t, const struct tlsrpt_policy *p)
{
	json_t *entry = json_object();

	if (set(entry, "policy", policy_object(t, p)) && set(entry, "summary", summary_object(p)) &&
	    (p->failures == TLSRPT_NOTHING || set(entry, "failure-details", failures_array(t, p))))
		return entry;
	json_decref(entry);
	return NULL;
}

/* 4: always an array. */
static json_t *
policies_array(const struct tlsrpt *t, uint32_t domain)
{
	json_t *array = json_array();

	for (uint32_t i = t->domain[domain].policies; i != TLSRPT_NOTHING; i = t->policy[i].next)
		if (json_array_append_new(array, entry_object(t, &t->policy[i])) != 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *
range_object(uint32_t day)
{
	char begin[TLSRPT_TIME + 1], end[TLSRPT_TIME + 1];
	json_t *range = json_object();

	tlsrpt_time(day, false, begin);
	tlsrpt_time(day, true, end);
	if (set_text(range, "start-datetime", span_of(begin)) && set_text(range, "end-datetime", span_of(end)))
		return range;
	json_decref(range);
	return NULL;
}

static json_t *
report_object(const struct tlsrpt *t, uint32_t domain, const struct conf *conf)
{
	struct tlsrpt_names names = { t->day, tlsrpt_text(t, t->domain[domain].name), span_of(conf->hostname.p),
		span_of(conf->tls_report_contact.p) };
	char id[TLSRPT_NAMES_ROOM];
	json_t *report = json_object();

	tlsrpt_report_id(&names, id);
	if (set_text(report, "organization-name", span_of(conf->tls_report_organization.p)) &&
	    set(report, "date-range", range_object(t->day)) && set_text(report, "contact-info", names.contact) && set_text(report, "report-id", span_of(id)) &&
	    set(report, "policies", policies_array(t, domain)))
		return report;
	json_decref(report);
	return NULL;
}

/* ---- gzip ---- */

static bool
deflate_all(z_stream *z, const char *text, size_t len, uint8_t *out, size_t room)
{
	z->next_in = (z_const Bytef *)text;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)room;
	return deflate(z, Z_FINISH) == Z_STREAM_END;
}

static bool
gzip(const char *text, size_t len, uint8_t **octets, size_t *out_len)
{
	z_stream z = { .zalloc = Z_NULL };
	uint8_t *out = malloc(RELAY_REPORT_MAX);
	bool good = false;

	if (out != NULL && deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK) {
		good = deflate_all(&z, text, len, out, RELAY_REPORT_MAX);
		*out_len = z.total_out;
		(void)deflateEnd(&z);
	}
	if (good)
		*octets = out, out = NULL;
	free(out);
	return good;
}

bool
report_compose(const struct tlsrpt *t, uint32_t domain, const struct conf *conf, uint8_t **octets, size_t *len)
{
	json_t *report = report_object(t, domain, conf);
	char *text = report != NULL ? json_dumps(report, JSON_COMPACT) : NULL;
	bool good = text != NULL && gzip(text, strlen(text), octets, len);

	json_decref(report);
	free(text);
	return good;
}
