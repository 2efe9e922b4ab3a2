#include "sasl/key.h"

#include <openssl/rand.h>

#include "base/secret.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void
put_digit(char text[SENDER_KEY_ROOM], size_t index, char digit)
{
	text[index + index / 4] = digit;
	if (index % 4 == 3)
		text[index + index / 4 + 1] = index + 1 < SENDER_KEY_DIGITS ? '-' : 0;
}

bool
sender_key_make(char text[SENDER_KEY_ROOM])
{
	uint8_t random[SENDER_KEY_DIGITS];

	if (RAND_bytes(random, sizeof random) != 1)
		return false;
	for (size_t i = 0; i < SENDER_KEY_DIGITS; i++)
		put_digit(text, i, alphabet[random[i] & 31]);
	wipe(random, sizeof random);
	return true;
}

/* The digit that c stands for, or 0 (NUL) when it stands for none. */
static char
digit_of(uint8_t c)
{
	c = ascii_lower(c);
	if (c == 'o')
		return '0';
	if (c == 'i' || c == 'l')
		return '1';
	for (size_t i = 0; i < sizeof alphabet - 1; i++)
		if (c == (uint8_t)alphabet[i])
			return alphabet[i];
	return 0;
}

bool
sender_key_parse(struct span typed, char text[SENDER_KEY_ROOM])
{
	size_t digits = 0;
	char digit;

	for (size_t i = 0; i < typed.len; i++) {
		if (typed.p[i] == '-' || typed.p[i] == ' ')
			continue;
		digit = digit_of(typed.p[i]);
		if (digit == 0 || digits == SENDER_KEY_DIGITS)
			return false;
		put_digit(text, digits++, digit);
	}
	return digits == SENDER_KEY_DIGITS;
}

bool
sender_key_id_valid(struct span id)
{
	for (size_t i = 0; i < id.len; i++)
		if (digit_of(id.p[i]) != (char)id.p[i])
			return false;
	return id.len == SENDER_KEY_ID;
}
