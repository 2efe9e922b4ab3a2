#include "cmd/when.h"


#include "conf/value.h"

bool
when_parse(struct span text, uint64_t now, uint64_t *when)
{
	uint8_t words[200];
	struct buf why = BUF_OVER(words);
	uint32_t seconds;

	if (span_same(text, SPAN("now"))) {
		*when = now;
		return true;
	}
	if (timestamp_parse(text, when))
		return true;
	(void)span_take_byte(&text, '+');
	if (!duration_parse(text, &seconds, &why) || seconds == 0)
		return false;
	*when = now + seconds * UINT64_C(1000);
	return true;
}

void
when_format(uint64_t ms, char out[WHEN_ROOM])
{
	struct buf b = { (uint8_t *)out, 0, WHEN_ROOM - 1 };

	if (ms > 0)
		(void)timestamp_format(ms, &b);
	out[b.len] = '\0';
}
