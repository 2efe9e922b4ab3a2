/*
 * run_dialog - plays conversations against the server's half, purely: no socket, no process, no clock.
 *
 * usage: run_dialog FILE...
 *        run_dialog -s FOLDER FILE...     write what the client says as seeds for fuzz/server.c
 *
 * Each file is played whole, octet by octet and in random pieces. Its expectations must hold in every way, and the three
 * streams (replies, questions, stored messages) must be the same in all of them. README.md has the format.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "talk.h"

enum {
	GROUP_MAX = 4 << 20,
	FILE_MAX = 1 << 20,
	PATTERN_MAX = 65536,
	SEED_MAX = 32768,
	WAYS = 5,
	STAR = 256,             /* in a pattern: any octets */
};

struct pattern {
	uint16_t p[PATTERN_MAX];
	size_t len;
};

struct play {
	struct talk talk;
	struct talk_setup setup;
	struct talk_rules rules;
	const char *path;
	unsigned line, way;
	uint64_t seed;
	bool begun, bad;
	uint8_t *group;
	size_t group_len;
	uint8_t *said;                  /* all that went out, for a seed */
	size_t said_len;
	size_t reply_at, last_at;       /* replies already matched; where the last S began */
	uint8_t words[TALK_REFUSALS_MAX][2][256];
	char why[512];
};

static const struct { const char *name; enum fail fail; } fail_names[] = {
	{ "DISK_FULL", FAIL_DISK_FULL }, { "DOUBT", FAIL_DOUBT }, { "BUSY", FAIL_BUSY }, { "LOCAL", FAIL_LOCAL },
	{ "AUTH_BACKEND", FAIL_AUTH_BACKEND }, { "GUESSING", FAIL_GUESSING }, { "DISABLED", FAIL_DISABLED }, { "MECHANISM_WEAK", FAIL_MECHANISM_WEAK },
	{ "SENDER_DENIED", FAIL_SENDER_DENIED }, { "AUTHOR_DENIED", FAIL_AUTHOR_DENIED },
	{ "CREDENTIALS", FAIL_CREDENTIALS }, { "TOO_BIG", FAIL_TOO_BIG }, { "HELD_MANY", FAIL_HELD_MANY },
};
static const struct { const char *name; enum smtp_mechanism bit; } mechanism_names[] = {
	{ "PLAIN", SMTP_AUTH_PLAIN }, { "LOGIN", SMTP_AUTH_LOGIN }, { "SCRAM-SHA-256", SMTP_AUTH_SCRAM_SHA_256 },
	{ "SCRAM-SHA-256-PLUS", SMTP_AUTH_SCRAM_SHA_256_PLUS },
};
static const struct { const char *name; enum smtp_ask_kind kind; } kinds[] = {
	{ "auth", SMTP_ASK_AUTH_START }, { "next", SMTP_ASK_AUTH_NEXT }, { "sender", SMTP_ASK_SENDER },
	{ "rcpt", SMTP_ASK_RCPT }, { "data", SMTP_ASK_DATA }, { "author", SMTP_ASK_AUTHOR }, { "commit", SMTP_ASK_COMMIT },
};
#define COUNT(array) (sizeof (array) / sizeof (array)[0])

static void __attribute__((format(printf, 2, 3)))
complain(struct play *p, const char *format, ...)
{
	int n;
	va_list ap;

	if (p->bad)
		return;
	p->bad = true;
	n = snprintf(p->why, sizeof p->why, "%s:%u (way %u): ", p->path, p->line, p->way);
	va_start(ap, format);
	(void)vsnprintf(p->why + n, sizeof p->why - (size_t)n, format, ap);
	va_end(ap);
}

/* ---- escapes ---- */

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One octet, escaped or not; false at the end. */
static bool
octet(const char **s, uint8_t *c)
{
	static const char from[] = "rn0t\\*/", to[] = "\r\n\0\t\\*/";
	const char *hit;

	if (**s == 0)
		return false;
	if (**s != '\\') {
		*c = (uint8_t)*(*s)++;
		return true;
	}
	++*s;
	if (**s == 'x' && hex((*s)[1]) >= 0 && hex((*s)[2]) >= 0) {
		*c = (uint8_t)(hex((*s)[1]) << 4 | hex((*s)[2]));
		*s += 3;
		return true;
	}
	hit = **s == 0 ? NULL : strchr(from, **s);
	if (hit == NULL)
		return false;
	*c = (uint8_t)to[hit - from];
	++*s;
	return true;
}

static void
group_put(struct play *p, uint8_t c)
{
	if (p->group_len == GROUP_MAX)
		complain(p, "group too long");
	else
		p->group[p->group_len++] = c;
}

/* "\*N{text}" puts text N times. */
static const char *
repeat(struct play *p, const char *s)
{
	char *brace;
	unsigned long n = strtoul(s + 2, &brace, 10);
	const char *end = NULL;

	for (unsigned long i = 0; i < n && !p->bad; i++) {
		const char *inner = brace + 1;
		uint8_t c;

		while (*inner != '}' && octet(&inner, &c))
			group_put(p, c);
		end = inner;
	}
	if (*brace != '{' || end == NULL || *end != '}') {
		complain(p, "\\*N{text} is the form");
		return "";
	}
	return end + 1;
}

static void
say(struct play *p, const char *s, bool with_crlf)
{
	uint8_t c;

	while (*s != 0 && !p->bad) {
		if (s[0] == '\\' && s[1] == '*' && hex(s[2]) >= 0)
			s = repeat(p, s);
		else if (octet(&s, &c))
			group_put(p, c);
		else
			complain(p, "bad escape");
	}
	if (with_crlf) {
		group_put(p, '\r');
		group_put(p, '\n');
	}
}

/* ---- patterns ---- */

static void
pattern_parse(struct play *p, const char *s, size_t len, struct pattern *out)
{
	char text[8192];
	const char *at = text;
	uint8_t c;

	if (len >= sizeof text) {
		complain(p, "pattern too long");
		len = 0;
	}
	memcpy(text, s, len);
	text[len] = 0;
	out->len = 0;
	while (*at != 0) {
		if (*at == '*') {
			out->p[out->len++] = STAR;
			at++;
		} else if (octet(&at, &c)) {
			out->p[out->len++] = c;
		} else {
			complain(p, "bad escape in pattern");
			return;
		}
	}
}

static bool
matches(const uint16_t *pat, size_t pat_len, struct span s)
{
	size_t star = SIZE_MAX, star_s = 0, i = 0, k = 0;

	while (k < s.len) {
		if (i < pat_len && pat[i] == STAR) {
			star = ++i;
			star_s = k;
		} else if (i < pat_len && pat[i] == s.p[k]) {
			i++;
			k++;
		} else if (star != SIZE_MAX) {
			i = star;
			k = ++star_s;
		} else {
			return false;
		}
	}
	while (i < pat_len && pat[i] == STAR)
		i++;
	return i == pat_len;
}

static bool
text_matches(struct play *p, const char *text, size_t len, struct span s)
{
	static struct pattern pat;

	pattern_parse(p, text, len, &pat);
	return matches(pat.p, pat.len, s);
}

/* ---- sending ---- */

static void
begin(struct play *p)
{
	static const size_t out_rooms[WAYS] = { TALK_OUT_MAX, SMTP_REPLY_ROOM, 1500, 2048, 4096 };
	static const size_t content_rooms[WAYS] = { TALK_CONTENT_MAX, SMTP_CONTENT_ROOM, SMTP_CONTENT_ROOM + 1, 8000, 10000 };

	if (p->begun)
		return;
	p->begun = true;
	p->rules.out_room = out_rooms[p->way];
	p->rules.content_room = content_rooms[p->way];
	talk_begin(&p->talk, &p->setup, &p->rules);
}

static size_t
piece(struct play *p)
{
	if (p->way == 0)
		return SIZE_MAX;
	if (p->way == 1)
		return 1;
	p->seed = p->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return 1 + (size_t)(p->seed >> 33) % (p->way == 2 ? 7 : p->way == 3 ? 90 : 3000);
}

static void
send_group(struct play *p)
{
	size_t at = 0;

	begin(p);
	if (p->group_len > 0 && p->reply_at < p->talk.replies.len)
		complain(p, "a reply that nobody expected: %.*s", (int)(p->talk.replies.len - p->reply_at),
		    (char *)p->talk.replies.p + p->reply_at);
	if (p->said != NULL && p->group_len < GROUP_MAX - p->said_len) {
		memcpy(p->said + p->said_len, p->group, p->group_len);
		p->said_len += p->group_len;
	}
	while (at < p->group_len) {
		size_t n = piece(p), left = p->group_len - at;

		n = n < left ? n : left;
		talk_send(&p->talk, p->group + at, n);
		/* What comes behind STARTTLS in one segment is dropped, however it was split (3207-7). */
		if (p->talk.want == SMTP_WANT_STARTTLS)
			break;
		at += n;
	}
	p->group_len = 0;
}

/* ---- expectations ---- */

static bool
reply_line(struct play *p, struct span *line)
{
	struct span left = { p->talk.replies.p + p->reply_at, p->talk.replies.len - p->reply_at };
	size_t n = left.len == 0 ? 0 : span_find(left, '\n');

	if (n == left.len)
		return false;
	*line = span_head(left, n > 0 ? n - 1 : 0);
	return true;
}

/* "S a" or "S a / b": lines like a, any number, then one like b. */
static void
expect(struct play *p, const char *text)
{
	const char *last = strstr(text, " / ");
	struct span line;

	send_group(p);
	p->last_at = p->reply_at;
	while (!p->bad) {
		if (!reply_line(p, &line)) {
			complain(p, "no reply, expected %s", text);
			return;
		}
		if (last != NULL && text_matches(p, text, (size_t)(last - text), line)) {
			p->reply_at += line.len + 2;
			continue;
		}
		if (!text_matches(p, last == NULL ? text : last + 3, strlen(last == NULL ? text : last + 3), line))
			complain(p, "expected %s, got %.*s", text, (int)line.len, (const char *)line.p);
		p->reply_at += line.len + 2;
		return;
	}
}

static void
expect_has(struct play *p, const char *text, bool wanted)
{
	struct span left = { p->talk.replies.p + p->last_at, p->reply_at - p->last_at };
	bool has = false;

	while (!span_done(left)) {
		struct span line = span_take_until(&left, '\n');

		span_skip(&left, 1);
		line.len -= line.len > 0;
		if (line.len > 4 && text_matches(p, text, strlen(text), (struct span){ line.p + 4, line.len - 4 }))
			has = true;
	}
	if (has != wanted)
		complain(p, "the last reply %s a line %s", wanted ? "lacks" : "has", text);
}

/* First words of the questions so far, separated by spaces. */
static void
question_kinds(struct play *p, char *out, size_t max)
{
	struct span left = { p->talk.questions.p, p->talk.questions.len };
	size_t at = 0;

	while (!span_done(left) && at + 16 < max) {
		struct span line = span_take_until(&left, '\n'), word = span_take_word(&line);

		span_skip(&left, 1);
		memcpy(out + at, word.p, word.len);
		at += word.len;
		out[at++] = ' ';
	}
	out[at > 0 ? at - 1 : 0] = 0;
}

static bool
question_seen(struct play *p, const char *text)
{
	struct span left = { p->talk.questions.p, p->talk.questions.len };

	while (!span_done(left)) {
		struct span line = span_take_until(&left, '\n');

		if (text_matches(p, text, strlen(text), line))
			return true;
		span_skip(&left, 1);
	}
	return false;
}

static bool
after(const char *text, const char *word, const char **rest)
{
	size_t n = strlen(word);

	if (strncmp(text, word, n) != 0 || (text[n] != 0 && text[n] != ' '))
		return false;
	*rest = text + n + (text[n] == ' ');
	return true;
}

static void
expect_want(struct play *p, const char *text)
{
	struct talk *t = &p->talk;
	char asked[4096];
	const char *rest;

	send_group(p);
	if (after(text, "stored", &rest)) {
		if (t->messages != strtoul(rest, NULL, 10))
			complain(p, "%u messages stored", t->messages);
	} else if (after(text, "content", &rest)) {
		if (!text_matches(p, rest, strlen(rest), (struct span){ t->last_content.p, t->last_content.len }))
			complain(p, "stored content is %.*s", (int)t->last_content.len, (char *)t->last_content.p);
	} else if (after(text, "envelope", &rest)) {
		if (!text_matches(p, rest, strlen(rest), (struct span){ t->last_envelope.p, t->last_envelope.len }))
			complain(p, "envelope is %.*s", (int)t->last_envelope.len, (char *)t->last_envelope.p);
	} else if (after(text, "questions", &rest)) {
		question_kinds(p, asked, sizeof asked);
		if (strcmp(asked, rest) != 0)
			complain(p, "questions were %s", asked);
	} else if (after(text, "question", &rest)) {
		if (!question_seen(p, rest))
			complain(p, "questions were %.*s", (int)t->questions.len, (char *)t->questions.p);
	} else if (after(text, "close", &rest)) {
		if (t->want != SMTP_WANT_CLOSE)
			complain(p, "still open");
	} else if (after(text, "open", &rest)) {
		if (t->want == SMTP_WANT_CLOSE)
			complain(p, "closed");
	} else {
		complain(p, "want what?");
	}
	if (p->reply_at < t->replies.len)
		complain(p, "a reply that nobody expected: %.*s", (int)(t->replies.len - p->reply_at),
		    (char *)t->replies.p + p->reply_at);
}

/* ---- directives ---- */

static void
secure(struct play *p)
{
	send_group(p);
	if (p->talk.want != SMTP_WANT_STARTTLS)
		complain(p, "TLS is not awaited");
	else
		talk_secure(&p->talk);
}

static void
log_in(struct play *p)
{
	begin(p);
	if (p->reply_at == 0)
		expect(p, "220 *");
	if (p->setup.starttls) {
		say(p, "EHLO laptop", true);
		expect(p, "250-* / 250 *");
		say(p, "STARTTLS", true);
		expect(p, "220 *");
		secure(p);
	}
	say(p, "EHLO laptop", true);
	expect(p, "250-* / 250 *");
	say(p, "AUTH PLAIN AGFsaWNlAHNlY3JldA==", true);
	expect(p, "235 2.7.0 *");
}

static void
set_mechanisms(struct play *p, const char *text)
{
	struct span left = span_of(text);

	p->setup.mechanisms = 0;
	while (!span_done(left)) {
		struct span word = span_take_word(&left);

		for (size_t i = 0; i < COUNT(mechanism_names); i++)
			if (span_eq(word, span_of(mechanism_names[i].name)))
				p->setup.mechanisms |= mechanism_names[i].bit;
	}
}

static void
set_listener(struct play *p, const char *text)
{
	p->setup.tls = strcmp(text, "submissions") == 0;
	p->setup.starttls = strcmp(text, "submission") == 0;
	p->setup.local = strcmp(text, "local") == 0;
	if (!p->setup.tls && !p->setup.starttls && !p->setup.local && strcmp(text, "clear") != 0)
		complain(p, "listener submissions, submission, clear or local");
}

static void
add_refusal(struct play *p, enum smtp_ask_kind kind, struct span about, enum fail fail, struct span words, bool once)
{
	size_t i = p->rules.refusals;

	if (i == TALK_REFUSALS_MAX || about.len > 255 || words.len > 255) {
		complain(p, "too many refusals");
		return;
	}
	memcpy(p->words[i][0], about.p, about.len);
	memcpy(p->words[i][1], words.p, words.len);
	p->rules.refusal[i] = (struct talk_refusal){
		.kind = kind, .about = { p->words[i][0], about.len }, .fail = fail, .words = { p->words[i][1], words.len },
		.once = once,
	};
	p->rules.refusals++;
}

static void
deny(struct play *p, enum smtp_ask_kind kind, enum fail fail, const char *text)
{
	struct span words = span_of(text), about = span_take_word(&words);

	add_refusal(p, kind, about, fail, words, false);
}

/* "answer KIND FAILURE [words]": the next question of that kind, once. */
static void
add_answer(struct play *p, const char *text)
{
	struct span left = span_of(text), kind = span_take_word(&left), fail = span_take_word(&left);

	for (size_t i = 0; i < COUNT(kinds); i++)
		for (size_t k = 0; k < COUNT(fail_names); k++)
			if (span_eq(kind, span_of(kinds[i].name)) && span_eq(fail, span_of(fail_names[k].name))) {
				add_refusal(p, kinds[i].kind, SPAN(""), fail_names[k].fail, left, true);
				return;
			}
	complain(p, "answer KIND FAILURE");
}

static bool
setting(struct play *p, const char *text)
{
	const char *rest;

	if (after(text, "listener", &rest))
		set_listener(p, rest);
	else if (after(text, "size", &rest))
		p->setup.size_max = strtoull(rest, NULL, 10);
	else if (after(text, "rcpts", &rest))
		p->setup.rcpt_max = (uint32_t)strtoul(rest, NULL, 10);
	else if (after(text, "mechanisms", &rest))
		set_mechanisms(p, rest);
	else if (after(text, "hold", &rest))
		p->setup.hold_max = (uint32_t)strtoul(rest, NULL, 10);
	else if (after(text, "by-least", &rest))
		p->setup.by_least = (uint32_t)strtoul(rest, NULL, 10);
	else if (after(text, "priority-least", &rest))
		p->setup.priority_least = (int8_t)strtol(rest, NULL, 10);
	else if (after(text, "priority-most", &rest))
		p->setup.priority_most = (int8_t)strtol(rest, NULL, 10);
	else if (after(text, "priority-size", &rest))
		p->setup.priority_size_max = strtoull(rest, NULL, 10);
	else if (after(text, "no-terms", &rest))
		p->setup.terms = false;
	else if (after(text, "deny-sender", &rest))
		deny(p, SMTP_ASK_SENDER, FAIL_SENDER_DENIED, rest);
	else if (after(text, "deny-rcpt", &rest))
		deny(p, SMTP_ASK_RCPT, FAIL_SENDER_DENIED, rest);
	else if (after(text, "deny-author", &rest))
		deny(p, SMTP_ASK_AUTHOR, FAIL_AUTHOR_DENIED, rest);
	else if (after(text, "answer", &rest))
		add_answer(p, rest);
	else if (after(text, "no-memory", &rest))
		p->rules.no_memory = true;
	else
		return false;
	if (p->begun)
		complain(p, "settings come before the conversation");
	return true;
}

static void
line_play(struct play *p, const char *text)
{
	const char *rest;

	if (*text == 0 || *text == '#' || after(text, "only", &rest) || setting(p, text))
		return;
	if (after(text, "C", &rest))
		say(p, rest, true);
	else if (after(text, "c", &rest))
		say(p, rest, false);
	else if (after(text, "S", &rest))
		expect(p, rest);
	else if (after(text, "has", &rest))
		expect_has(p, rest, true);
	else if (after(text, "lacks", &rest))
		expect_has(p, rest, false);
	else if (after(text, "want", &rest))
		expect_want(p, rest);
	else if (after(text, "login", &rest))
		log_in(p);
	else if (after(text, "split", &rest))
		send_group(p);
	else if (after(text, "tls", &rest))
		secure(p);
	else
		complain(p, "what is %s", text);
}

/* ---- files ---- */

static bool
play(struct play *p, const char *path, const char *text, unsigned way)
{
	uint8_t *group = p->group, *said = p->said;
	const char *end;

	memset(p, 0, sizeof *p);
	p->group = group;
	p->said = said;
	p->path = path;
	p->way = way;
	p->seed = way;
	p->setup = (struct talk_setup){
		.size_max = 1 << 20, .rcpt_max = 100, .mechanisms = SMTP_AUTH_PLAIN | SMTP_AUTH_SCRAM_SHA_256, .tls = true,
		.terms = true, .hold_max = 30 * 86400, .priority_least = -9,
	};
	for (; *text != 0 && !p->bad; text = end + (*end == '\n')) {
		static char line[PATTERN_MAX];

		end = text + strcspn(text, "\n");
		p->line++;
		(void)snprintf(line, sizeof line, "%.*s", (int)(end - text), text);
		line_play(p, line);
	}
	if (!p->bad && p->group_len > 0)
		send_group(p);
	if (!p->bad && p->reply_at < p->talk.replies.len)
		complain(p, "a reply that nobody expected: %.*s", (int)(p->talk.replies.len - p->reply_at),
		    (char *)p->talk.replies.p + p->reply_at);
	return !p->bad;
}

/* A conversation says what it proves: "# ids: 5321-1". */
static bool
names_an_id(const char *text)
{
	const char *ids = strstr(text, "# ids: ");

	return ids != NULL && strcspn(ids + 7, "-\n") < strcspn(ids + 7, "\n");
}

/* The first octet is what fuzz/server.c takes as its settings. */
static void
write_seed(const struct play *p, const char *folder)
{
	const char *name = strrchr(p->path, '/');
	char path[4096];
	FILE *f;

	name = name == NULL ? p->path : name + 1;
	(void)snprintf(path, sizeof path, "%s/%.*s", folder, (int)strcspn(name, "."), name);
	f = fopen(path, "wb");
	if (f == NULL) {
		perror(path);
		return;
	}
	(void)fputc(p->setup.tls ? 0 : p->setup.starttls ? 1 : p->setup.local ? 3 : 2, f);
	(void)fwrite(p->said, 1, p->said_len, f);
	(void)fclose(f);
}

static bool
play_file(const char *path, const char *seeds)
{
	static char text[FILE_MAX];
	static struct play first, other;
	FILE *f = fopen(path, "rb");
	bool good;

	if (f == NULL) {
		perror(path);
		return false;
	}
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	(void)fclose(f);
	if (!names_an_id(text)) {
		printf("%s: no \"# ids:\" line\n", path);
		return false;
	}
	if (strstr(text, "\nonly tls") != NULL)
		return true;
	if (first.group == NULL) {
		first.group = malloc(GROUP_MAX);
		first.said = malloc(GROUP_MAX);
		other.group = malloc(GROUP_MAX);
	}
	good = play(&first, path, text, 0);
	if (!good)
		printf("%s\n", first.why);
	for (unsigned way = 1; way < WAYS && good; way++) {
		good = play(&other, path, text, way);
		if (!good)
			printf("%s\n", other.why);
		else if (!(good = talk_equal(&first.talk, &other.talk)))
			printf("%s: another talk in way %u\n", path, way);
		talk_end(&other.talk);
	}
	talk_end(&first.talk);
	if (seeds != NULL && good && first.said_len < SEED_MAX)
		write_seed(&first, seeds);
	return good;
}

int
main(int argc, char **argv)
{
	const char *seeds = argc > 2 && strcmp(argv[1], "-s") == 0 ? argv[2] : NULL;
	unsigned passed = 0, failed = 0;

	for (int i = seeds == NULL ? 1 : 3; i < argc; i++) {
		if (play_file(argv[i], seeds))
			passed++;
		else
			failed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0 || passed == 0;
}
