/* A registry file as anybody may hand it to us, and the packed image: what is read lies inside, and it ends. */
#include <stdlib.h>

#include "registry/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
check(const struct registry_row *row)
{
	if ((row->has_port && row->first > row->last) || row->protocol >= REGISTRY_PROTOCOLS || row->registered.len >= REGISTRY_DATE)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct registry_csv csv;
	struct registry_reader reader = registry_begin((struct span){ p, n });
	struct registry_row row;
	uint8_t text[256];
	struct buf why = BUF_OVER(text);
	enum registry_step step;
	unsigned line = 0;

	while (registry_next(&reader, &row))
		check(&row);
	if (!registry_csv_begin(&csv, (struct span){ p, n }, &why))
		return 0;
	while ((step = registry_csv_next(&csv, &row, &why)) != REGISTRY_END) {
		if (step == REGISTRY_ROW)
			check(&row);
		if (csv.line <= line)
			abort();
		line = csv.line;
		why.len = 0;
	}
	return 0;
}
