/*
 * The lines that travel between processes: what is taken goes out as text that is taken again and says the same.
 * (An attacker who has a front in hand could send such lines nowhere; an operator's typing reaches the same parsers.)
 */
#include <stdlib.h>

#include "conf/conf.h"
#include "conf/nearest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct conf conf, back;
	static uint8_t first[65536], second[65536], words[500];
	struct buf one = BUF_OVER(first), two = BUF_OVER(second), why = BUF_OVER(words);
	struct span text = { p, n };

	(void)conf_nearest(text);
	if (!conf_parse(&conf, text, &why)) {
		if (why.len == 0)
			abort();
		return 0;
	}
	if (!conf_format(&conf, &one) || !conf_parse(&back, buf_span(&one), &why) || !conf_format(&back, &two) ||
	    !span_eq(buf_span(&one), buf_span(&two)))
		abort();
	why.len = 0;
	(void)conf_finish(&conf, &why);
	return 0;
}
