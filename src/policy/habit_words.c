#include <string.h>

#include "policy/habit_parts.h"

static struct buf
begin(struct habit *h)
{
	return (struct buf){ h->words, 0, sizeof h->words };
}

static void
end(struct habit *h, const struct buf *b)
{
	h->words_len = (uint32_t)b->len;
}

/* "1 recipient", "7 recipients". */
static void
put_count(struct buf *b, uint64_t n, const char *what)
{
	(void)(buf_put_u64(b, n) && buf_put_byte(b, ' ') && buf_put_text(b, what) && (n == 1 || buf_put_byte(b, 's')));
}

static void
put_while(struct buf *b, uint64_t since, uint64_t now)
{
	uint64_t minutes = now > since ? (now - since) / 60000 : 0;     /* a clock may be set back */

	if (minutes < 120)
		put_count(b, minutes < 1 ? 1 : minutes, "minute");
	else
		put_count(b, minutes / 60, "hour");
}

static void
put_networks(struct buf *b, const struct habit *h, const struct habit_view *v)
{
	uint32_t networks = habit_strange_networks(h);

	if (networks > 1) {
		put_count(b, networks, "network");
		(void)buf_put_text(b, " that it is not used to (the last one ");
	} else {
		(void)buf_put_text(b, v->new_network ? "a network never seen before (" : "a network that it is not used to (");
	}
	(void)(origin_format(v->origin->network, b) && buf_put_byte(b, ')'));
}

/* From a file that may have been damaged in a way that nobody noticed. */
static bool
put_code(struct buf *b, uint16_t country)
{
	uint8_t letters[2] = { (uint8_t)(country >> 8), (uint8_t)country };

	return buf_put(b, ascii_is_alpha(letters[0]) && ascii_is_alpha(letters[1]) ? (struct span){ letters, 2 } : SPAN("??"));
}

static void
put_country(struct buf *b, const struct habit *h, const struct habit_view *v)
{
	if (v->new_country)
		(void)(buf_put_text(b, ", from a new country (") && put_code(b, v->origin->country) && buf_put_text(b, "; usual is ")
		    && put_code(b, habit_usual_country(h)) && buf_put_byte(b, ')'));
}

static void
put_usual(struct buf *b, const struct habit *h)
{
	if (h->active == 0)
		(void)buf_put_text(b, ", and it has no history");
	else
		(void)(buf_put_text(b, ", usual is ") && buf_put_u64(b, habit_usual(h)) && buf_put_text(b, " a day"));
}

void
habit_say_strange(struct habit *h, const struct habit_view *v)
{
	struct buf b = begin(h);

	put_count(&b, (uint64_t)h->raw + v->rcpts, "recipient");
	(void)buf_put_text(&b, " in ");
	put_while(&b, h->strange_since, v->now);
	(void)buf_put_text(&b, " from ");
	put_networks(&b, h, v);
	put_country(&b, h, v);
	(void)buf_put_text(&b, v->new_client ? ", by a program never seen before" : "");
	(void)buf_put_text(&b, v->bouncing ? ", many of them bounce" : "");
	put_usual(&b, h);
	end(h, &b);
}

void
habit_say_networks(struct habit *h, const struct habit_view *v)
{
	struct buf b = begin(h);

	(void)buf_put_text(&b, "logged in within a day from ");
	put_networks(&b, h, v);
	put_country(&b, h, v);
	end(h, &b);
}

void
habit_say_home(struct habit *h, const struct habit_view *v, uint32_t sum, uint32_t allowed, const char *unit)
{
	struct buf b = begin(h);

	put_count(&b, (uint64_t)sum + v->rcpts, "recipient");
	(void)(buf_put_text(&b, " from its own network ") && origin_format(v->origin->network, &b));
	(void)(buf_put_text(&b, ", and ") && buf_put_u64(&b, allowed) && buf_put_byte(&b, ' ') && buf_put_text(&b, unit));
	(void)buf_put_text(&b, v->limits->own > 0 ? " is its limit" : " is the most that its past explains");
	put_usual(&b, h);
	end(h, &b);
}

void
habit_say_bounces(struct habit *h)
{
	struct buf b = begin(h);

	put_count(&b, h->bounced, "recipient");
	(void)(buf_put_text(&b, " of the last ") && buf_put_u64(&b, (uint64_t)h->bounced + h->delivered));
	(void)buf_put_text(&b, " do not exist or refuse the mail");
	end(h, &b);
}

void
habit_say_lock(struct habit *h, const struct habit_view *v)
{
	struct buf b = begin(h);

	put_count(&b, h->held, "recipient");
	(void)buf_put_text(&b, " more in ");
	put_while(&b, h->since, v->now);
	(void)buf_put_text(&b, " after its mail was held, from ");
	if (v->home)
		(void)(buf_put_text(&b, "its own network ") && origin_format(v->origin->network, &b));
	else
		put_networks(&b, h, v);
	end(h, &b);
}
