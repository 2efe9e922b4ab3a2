/* A server's first flight, cut anywhere: never more of an answer than there are octets. */
#include <stdlib.h>

#include "audit/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct hello_reply r;
	enum hello_step whole = hello_parse((struct span){ p, n }, &r), part;

	for (size_t cut = 0; cut < n && cut < 300; cut++) {
		part = hello_parse((struct span){ p, cut }, &r);
		/* More octets may bring an answer, they do not take one back. */
		if (part == HELLO_SERVER && whole != HELLO_SERVER && n <= HELLO_REPLY_MAX / 4)
			abort();
	}
	return 0;
}
