/*
 * os/terminal.h - a terminal that does not show what is typed while a secret is asked for, and shows it again whatever happens then.
 *
 *	if (terminal_hide(fd)) { ask, read; terminal_show(); }
 *
 * A signal that ends or stops the process in between gives the terminal its settings back before it does its work; one that is ignored stays so.
 *
 * Owner     the process: one terminal at a time. fd stays the caller's and open until terminal_show().
 * Blocks    until what was written to the terminal is out.
 * Fails     false: it is no terminal, and nothing has changed.
 */
#ifndef POSTERN_OS_TERMINAL_H
#define POSTERN_OS_TERMINAL_H

#include <stdbool.h>

bool terminal_hide(int fd);
void terminal_show(void);

#endif
