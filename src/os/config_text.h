/*
 * os/config_text.h - the text of a configuration file, its comments made blanks.
 *
 * libconfuse 3.3 counts two lines too many for each comment, and an error that names the wrong line is worse than none. So
 * comments go before it reads; line ends stay.
 *
 * Owner     the caller, of text: free(). Blocks on the disk.
 * Fails     NULL with errno; a file over CONFIG_TEXT_MAX is EFBIG, one with a NUL in it EILSEQ.
 */
#ifndef POSTERN_OS_CONFIG_TEXT_H
#define POSTERN_OS_CONFIG_TEXT_H

#include <stddef.h>

enum { CONFIG_TEXT_MAX = 1024 * 1024 };

char *config_text_read(const char *path, size_t *len);

/* Blank `#...`, `//...` and C comments outside quotes, in place. */
void config_text_blank(char *text, size_t len);

#endif
