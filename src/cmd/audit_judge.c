/* --judge: transcripts that were kept, one behind the other in a file that anybody may have written. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/audit.h"

/* Pipes too. NULL with errno. One octet more than the ceiling: there is more. */
static uint8_t *
read_all(const char *file, size_t *len)
{
	uint8_t *text = malloc(AUDIT_JUDGE_MAX + 1);
	FILE *f = text != NULL ? fopen(file, "rbe") : NULL;
	int error;

	if (f == NULL) {
		free(text);
		return NULL;
	}
	*len = fread(text, 1, AUDIT_JUDGE_MAX + 1, f);
	error = ferror(f) != 0 ? errno : 0;
	(void)fclose(f);
	if (error == 0)
		return text;
	free(text);
	errno = error;
	return NULL;
}

/* What no transcript has (transcript.h): it would steer the terminal, or be no UTF-8 in JSON. */
static void
clean(uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != '\n' && (text[i] < 32 || text[i] > 126))
			text[i] = '?';
}

bool
audit_judge_file(const char *file, void (*judge)(void *arg, struct span transcript), void *arg)
{
	size_t len = 0;
	uint8_t *text = read_all(file, &len);
	bool more = len > AUDIT_JUDGE_MAX;
	struct span all = { text, more ? AUDIT_JUDGE_MAX : len }, one;

	if (text == NULL)
		return false;
	clean(text, len);
	/* The last one goes on behind the ceiling: half of it would be judged wrongly. */
	while (transcript_take(&all, &one) && !(more && span_done(all)))
		judge(arg, one);
	free(text);
	errno = more ? EFBIG : ENODATA;
	return len > 0 && !more;
}
