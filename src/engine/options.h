/* engine/options.h - the engine's options on a command line */
#ifndef ENGINE_OPTIONS_H
#define ENGINE_OPTIONS_H

#include "base/command_line.h"
#include "shoal/shoal.h"

/* The table of the options, which are set to their defaults. */
struct setting_table engine_options_table(struct shoal_options *options);

/* After the command line was read: what can be refused before an engine is opened. 0, or the exit
 * code after saying why. */
int engine_options_check(const struct command_line *cl, const struct shoal_options *options);

/* Says, on rank 0, why an engine (or a file before it) could not be opened. Returns the exit code.
 */
int engine_options_failed(const struct command_line *cl, const struct shoal_error *err);

#endif
