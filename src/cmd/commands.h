/*
 * cmd/commands.h - the subcommands: argv[0] is the subcommand's own name, the result is the exit status (sysexits(3)).
 *
 * src/main.c has the table that chooses one. Each blocks until it is done.
 */
#ifndef POSTERN_CMD_COMMANDS_H
#define POSTERN_CMD_COMMANDS_H

int command_serve(int argc, char **argv);
int command_check(int argc, char **argv);
int command_send(int argc, char **argv);
/* sendmail -t -f -i -oi -bs -bp, and under the names mailq and newaliases. */
int command_sendmail(int argc, char **argv);
int command_queue(int argc, char **argv);
int command_user(int argc, char **argv);
int command_audit(int argc, char **argv);
int command_port(int argc, char **argv);

#endif
