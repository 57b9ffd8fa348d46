/* engine/command.h - an engine for the time of one command: rank 0 works with it, the others serve
 *
 * Every rank. Exit codes: 0 all well, 1 something failed and was said, 130 interrupted. */
#ifndef ENGINE_COMMAND_H
#define ENGINE_COMMAND_H

#include "base/command_line.h"
#include "shoal/shoal.h"

typedef enum shoal_status (*engine_work_t)(struct shoal_engine *engine, void *user,
                                           struct shoal_error *err);

/* Open an engine, call work with it on rank 0, where a signal interrupts it, while the other ranks
 * serve; close it. Says what went wrong; returns the exit code. */
int engine_command(const struct command_line *cl, const struct shoal_options *options,
                   engine_work_t work, void *user);

/* Its parts, for a command that does more. Ranks other than 0, until rank 0 ends: */
int engine_command_serve(struct shoal_engine *engine);
/* NULL is closed. A failure, which was said, makes a good exit code a bad one. */
int engine_command_close(struct shoal_engine *engine, int code);
/* What a status comes to, with err said where it is a failure. */
int engine_command_code(const struct command_line *cl, enum shoal_status status,
                        const struct shoal_error *err);

#endif
