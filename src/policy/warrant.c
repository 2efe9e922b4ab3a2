#include "policy/warrant.h"

#include "base/buf.h"
#include "base/fields.h"

enum { HEAD = 64 };

/* Two kinds of warrant must never be the same octets. */
static void
begin(struct buf *b, uint8_t kind, const struct warrant_front *front)
{
	(void)(buf_put_byte(b, kind) && u64_append(b, (uint64_t)front->life << 32 | front->slot));
}

uint64_t
warrant_sender(const uint8_t key[SIPHASH_KEY], const struct warrant_sender *w)
{
	uint8_t octets[HEAD + WARRANT_LOGIN_MAX + WARRANT_PATH_MAX];
	struct buf b = BUF_OVER(octets);
	struct span login = span_head(w->login, WARRANT_LOGIN_MAX);

	begin(&b, 'm', &w->front);
	(void)(u64_append(&b, w->when) && u64_append(&b, w->unwatched) && u64_append(&b, login.len) && buf_put(&b, login)
	    && buf_put(&b, span_head(w->reverse_path, WARRANT_PATH_MAX)));
	return siphash(key, buf_span(&b));
}

uint64_t
warrant_spent(const uint8_t key[SIPHASH_KEY], const struct warrant_spent *w)
{
	uint8_t octets[HEAD];
	struct buf b = BUF_OVER(octets);

	begin(&b, 's', &w->front);
	(void)(u64_append(&b, w->queue_id) && u64_append(&b, (uint64_t)w->rcpts << 1 | w->hold) && u64_append(&b, w->when));
	return siphash(key, buf_span(&b));
}
