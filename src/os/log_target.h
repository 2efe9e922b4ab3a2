/*
 * os/log_target.h - where the log goes, as the configuration says: stderr, or the syslog socket (stderr while there is none).
 */
#ifndef POSTERN_OS_LOG_TARGET_H
#define POSTERN_OS_LOG_TARGET_H

#include "conf/conf.h"

/* Opens the log for this process; may be called again after a reload. */
void log_target_open(const struct conf *, const char *who);

#endif
