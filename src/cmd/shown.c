#include "cmd/shown.h"

#include <stdio.h>

#include "base/utf8.h"

size_t
shown_width(struct span s)
{
	size_t width = utf8_width(s);
	bool controls = s.p[0] < 32 || s.p[0] == 127 || (width == 2 && s.p[0] == 0xc2 && s.p[1] < 0xa0);

	return controls ? 0 : width;
}

void
shown_put(struct span s)
{
	while (!span_done(s)) {
		size_t width = shown_width(s);

		if (width == 0)
			(void)putchar('?');
		else
			(void)fwrite(s.p, 1, width, stdout);
		span_skip(&s, width == 0 ? 1 : width);
	}
}
