/*
 * fuzz/tlsrpt.c - what any domain may publish at _smtp._tls (RFC 8460 3), and what may stand in the file of a day: the first line is the
 * record, the rest the file. A file that is taken is written again, and that is taken and written to the same octets.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/tlsrpt.h"
#include "policy/tlsrpt_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
insist(bool good)
{
	if (!good)
		abort();
}

static void
check_uri(const struct tlsrpt_uri *uri)
{
	size_t to = strnlen(uri->to, sizeof uri->to), path = strnlen(uri->path, sizeof uri->path);

	insist(to > 0 && to < sizeof uri->to && path < sizeof uri->path);
	for (size_t i = 0; i < to; i++)
		insist(ascii_is_graph((uint8_t)uri->to[i]));
	for (size_t i = 0; i < path; i++)
		insist(ascii_is_graph((uint8_t)uri->path[i]));
	if (uri->scheme == TLSRPT_MAILTO)
		insist(memchr(uri->to, '@', to) != NULL && path == 0);
	else
		insist(uri->port > 0 && uri->path[0] == '/' && memchr(uri->to, '@', to) == NULL && memchr(uri->to, '/', to) == NULL);
}

static void
check_record(struct span txt)
{
	static struct tlsrpt_record record;

	if (!tlsrpt_record_parse(txt, &record))
		return;
	insist(tlsrpt_record_claims(txt) && record.uris <= TLSRPT_URIS_MAX);
	for (uint32_t i = 0; i < record.uris; i++)
		check_uri(&record.uri[i]);
}

static struct buf
written(const struct tlsrpt *t)
{
	struct buf b = { malloc(tlsrpt_store_size(t)), 0, tlsrpt_store_size(t) };

	insist(b.p != NULL && tlsrpt_format(t, &b));
	return b;
}

static void
check_file(struct span file)
{
	static struct tlsrpt one, two;
	static const uint8_t key[SIPHASH_KEY] = { 1, 2, 3 };
	struct buf first, second;

	tlsrpt_init(&one, key, 20000);
	if (!tlsrpt_parse(&one, file)) {
		insist(one.domains == 0 && one.policies == 0 && one.failures == 0);
		return;
	}
	first = written(&one);
	tlsrpt_init(&two, key, 20000);
	insist(tlsrpt_parse(&two, buf_span(&first)));
	second = written(&two);
	insist(span_eq(buf_span(&first), buf_span(&second)));
	free(first.p);
	free(second.p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest = { p, n };

	check_record(span_take_until(&rest, '\n'));
	(void)span_take_byte(&rest, '\n');
	check_file(rest);
	return 0;
}
