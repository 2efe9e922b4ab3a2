/*
 * os/config_text.h - the text of a configuration file for libconfuse: comments made blanks, included files put in place.
 *
 * libconfuse 3.3 counts two lines too many for each comment, and an error that names the wrong line is worse than none; and
 * an error inside an included file leaves it unable to include anything at the next reading, which is what SIGHUP does. So
 * both are done here, and config_text_where() knows which line of which file a line of the whole was.
 *
 * Owner     struct config_text owns its text until config_text_free().
 * Blocks    on the disk.
 * Fails     false with words in why, not terminated: `FILE: words`, `FILE:LINE: words`, or `FILE:LINE: key "include": words`.
 */
#ifndef POSTERN_OS_CONFIG_TEXT_H
#define POSTERN_OS_CONFIG_TEXT_H

#include "conf/conf.h"

enum {
	CONFIG_TEXT_MAX = 1024 * 1024,          /* octets, of each file and of the whole */
	CONFIG_PARTS_MAX = 65,                  /* so 32 includes */
	CONFIG_DEPTH_MAX = 8,
};

/* From this line of the whole on, lines are those of file, counting from line. */
struct config_part {
	char file[CONF_TEXT_MAX];
	uint32_t whole, line;
};

struct config_text {
	char *text;
	size_t len;
	struct config_part part[CONFIG_PARTS_MAX];
	size_t parts;
};

bool config_text_read(struct config_text *, const char *path, struct buf *why);
void config_text_free(struct config_text *);
const char *config_text_where(const struct config_text *, uint32_t whole, uint32_t *line);

/* Blank `#...`, `//...` and C comments outside quotes, in place. The offset of the first quote or comment that is never closed (a blank stands
 * where the comment began); len: all are. */
size_t config_text_blank(char *text, size_t len);
/* The offset of the first ${NAME} without a default (${NAME:-words}) that the environment has not, outside single quotes, in text without
 * comments; len: there is none. libconfuse would read an empty value. */
size_t config_text_unset(const char *text, size_t len, struct span *name);
/* Which line it is on, from 1. */
uint32_t config_text_line(const char *text, size_t at);

#endif
