/* What a next hop says with its 4yz or 5yz: two octets of code, a line of status, the rest is the text. */
#include <stdlib.h>

#include "policy/reply_class.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
insist(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest = { p, n };
	struct reply_facts f = { 0 };
	enum reply_class class;

	if (n < 2)
		return 0;
	f.code = (uint32_t)(p[0] << 8 | p[1]) % 600;
	span_skip(&rest, 2);
	f.enhanced = span_take_until(&rest, '\n');
	(void)span_take_byte(&rest, '\n');
	f.text = span_head(rest, 4096);
	class = reply_class(&f);
	insist(class < REPLY_CLASSES && reply_class_name(class)[0] != '\0');
	/* Only who answers well has delivered, and only silence is no answer. */
	insist((class == REPLY_DELIVERED) == (f.code != 0 && f.code < 400));
	insist(class != REPLY_UNREACHED || f.code == 0);
	insist(reply_wait(f.text) <= 86400);
	return 0;
}
