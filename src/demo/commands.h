/* demo/commands.h - what can be typed in the interactive demo: step, run, set, ... */
#ifndef DEMO_COMMANDS_H
#define DEMO_COMMANDS_H

#include "demo/session.h"

/* Run one line, which is changed; what it says is printed or stands in s->show. An empty line and
 * one that begins with # do nothing. *is_over: it was quit. */
enum shoal_status commands_run(struct session *s, char *line, bool *is_over,
                               struct shoal_error *err);

#endif
