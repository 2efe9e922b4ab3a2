#include "os/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <termios.h>

static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP };

enum { SIGNALS = sizeof signals / sizeof signals[0] };

static int terminal = -1;
static struct termios shown, hidden;
static struct sigaction before[SIGNALS];

/* tcsetattr() may be called here (POSIX 2.4.3). Only what stops us lets raise() return. */
static void
on_signal(int number)
{
	int error = errno;
	struct sigaction usual, ours;

	memset(&usual, 0, sizeof usual);
	usual.sa_handler = SIG_DFL;
	(void)tcsetattr(terminal, TCSANOW, &shown);
	(void)sigaction(number, &usual, &ours);
	(void)raise(number);
	(void)sigaction(number, &ours, NULL);
	(void)tcsetattr(terminal, TCSANOW, &hidden);
	errno = error;
}

bool
terminal_hide(int fd)
{
	struct sigaction ours;

	if (tcgetattr(fd, &shown) == -1)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	hidden.c_lflag |= ECHONL;
	terminal = fd;
	memset(&ours, 0, sizeof ours);
	ours.sa_handler = on_signal;
	ours.sa_flags = SA_RESTART | SA_NODEFER;
	for (size_t i = 0; i < SIGNALS; i++) {
		(void)sigaction(signals[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &ours, NULL);
	}
	(void)tcsetattr(fd, TCSAFLUSH, &hidden);
	return true;
}

void
terminal_show(void)
{
	(void)tcsetattr(terminal, TCSAFLUSH, &shown);
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaction(signals[i], &before[i], NULL);
	terminal = -1;
}
