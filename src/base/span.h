/*
 * base/span.h - a cursor over bytes that somebody else owns.
 *
 * Owner     whoever owns the bytes; a span never frees and never outlives them.
 * Blocks    never.
 * Rule      a parser takes from the front and must end with span_done(): what is left over is an error.
 */
#ifndef POSTERN_BASE_SPAN_H
#define POSTERN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const uint8_t *p;
	size_t len;
};

/* A string literal as a span, without its NUL. */
#define SPAN(literal) ((struct span){ (const uint8_t *)("" literal), sizeof(literal) - 1 })
/* The same where the compiler wants a constant initialiser. */
#define SPAN_INIT(literal) { (const uint8_t *)("" literal), sizeof(literal) - 1 }

static inline bool
span_done(struct span s)
{
	return s.len == 0;
}

/* A NUL-terminated string as a span; NULL gives the empty span. */
struct span span_of(const char *text);

/* The first n bytes of s, fewer when s is shorter. */
struct span span_head(struct span s, size_t n);

/* Drop n bytes (at most s->len) off the front. */
void span_skip(struct span *s, size_t n);

/* Octet-equal. */
bool span_eq(struct span a, struct span b);

/* Equal but for the case of ASCII letters. */
bool span_same(struct span a, struct span b);

/* True when s ends in tail, ignoring the case of ASCII letters. */
bool span_ends(struct span s, struct span tail);

/* Is name this domain, or a name below it? Ignores the case of ASCII letters. */
bool span_is_within(struct span name, struct span domain);

/* Take literal off the front ignoring ASCII case, or leave s as it was and say false. */
bool span_take(struct span *s, struct span literal);

/* Take one byte c off the front, or leave s as it was and say false. */
bool span_take_byte(struct span *s, uint8_t c);

/* Take everything before the first stop byte (the stop byte stays), or everything when there is none. */
struct span span_take_until(struct span *s, uint8_t stop);

/* Take spaces (SP only, as RFC 5321 2.3.8 has it) off the front; how many there were. */
size_t span_take_spaces(struct span *s);

/* Take 1 to 20 decimal digits off the front; false, and s untouched, when there is none or it overflows. */
bool span_take_u64(struct span *s, uint64_t *value);

/* Take the next word (no SP inside) with the spaces around it; empty at the end. */
struct span span_take_word(struct span *s);

/* Without the blanks (SP, HTAB) at both ends. */
struct span span_trim(struct span s);

/* Copy s to *at and move *at behind it; what comes back points to the copy. There must be room. */
struct span span_settle(uint8_t **at, struct span s);

/* As a C string of at most room octets, its NUL included; what is longer is cut. room is not 0. */
void span_text(struct span s, char *out, size_t room);

/* Offset of the first byte c, or s.len. */
size_t span_find(struct span s, uint8_t c);

/* ASCII only, never the locale. */
uint8_t ascii_lower(uint8_t c);
bool ascii_is_alpha(uint8_t c);
bool ascii_is_digit(uint8_t c);
bool ascii_is_alnum(uint8_t c);
/* SP or HTAB: WSP of RFC 5234. */
bool ascii_is_blank(uint8_t c);
/* Of a hexadecimal digit in either case; 16 when it is none. */
unsigned ascii_hex_value(uint8_t c);
/* Printable US-ASCII without the space, 33 to 126. */
bool ascii_is_graph(uint8_t c);

#endif
