#include "base/base64.h"

static int
sextet(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t
padding(struct span text)
{
	if (text.len == 0 || text.p[text.len - 1] != '=')
		return 0;
	return text.p[text.len - 2] == '=' ? 2 : 1;
}

bool
base64_valid(struct span text)
{
	size_t pad;

	if (text.len % 4 != 0)
		return false;
	pad = padding(text);
	for (size_t i = 0; i < text.len - pad; i++)
		if (sextet(text.p[i]) < 0)
			return false;
	if (pad == 0)
		return true;
	/* Bits that no octet uses must be zero, or two texts would mean one secret. */
	return (sextet(text.p[text.len - pad - 1]) & (pad == 2 ? 15 : 3)) == 0;
}

bool
base64_parse(struct span text, struct buf *out)
{
	size_t pad = text.len % 4 == 0 ? padding(text) : 0;
	uint32_t bits = 0;
	unsigned have = 0;

	if (!base64_valid(text) || text.len / 4 * 3 - pad > buf_room(out))
		return false;
	for (size_t i = 0; i < text.len - pad; i++) {
		bits = (bits << 6 | (uint32_t)sextet(text.p[i])) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			(void)buf_put_byte(out, (uint8_t)(bits >> have));
		}
	}
	return true;
}

bool
base64_format(struct span in, struct buf *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (BASE64_LEN(in.len) > buf_room(out))
		return false;
	for (size_t i = 0; i < in.len; i += 3) {
		size_t n = in.len - i < 3 ? in.len - i : 3;
		uint32_t bits = (uint32_t)in.p[i] << 16;

		if (n > 1)
			bits |= (uint32_t)in.p[i + 1] << 8;
		if (n > 2)
			bits |= in.p[i + 2];
		for (size_t k = 0; k < 4; k++)
			(void)buf_put_byte(out, k > n ? '=' : (uint8_t)alphabet[bits >> (18 - 6 * k) & 63]);
	}
	return true;
}
