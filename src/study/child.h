/* study/child.h - programs that the study starts: one at a time, stopped by a signal or in time
 *
 * A child has a process group of its own, so that an interrupt typed at a terminal reaches the
 * study alone, which then ends the child. It ends too when the study is killed. */
#ifndef STUDY_CHILD_H
#define STUDY_CHILD_H

#include "base/status.h"
#include "base/text.h"

#include <signal.h>
#include <stdbool.h>

/* SIGINT and SIGTERM, while children run: kept back, and read from fd. */
struct stop_signals {
    int fd;
    sigset_t before;
};
enum shoal_status stop_signals_begin(struct stop_signals *s, struct shoal_error *err);
void stop_signals_end(struct stop_signals *s);
bool stop_signals_came(const struct stop_signals *s); /* takes it */

struct child_output {
    struct text out, err; /* what it wrote, at most CHILD_MAX_BYTES each */
    int code;             /* its exit code; 128 and more: the signal that ended it */
};
enum { CHILD_MAX_BYTES = 1 << 20 };

/* Runs argv (ends in NULL; argv[0] is found by $PATH) in `folder` (NULL: here) to its end, with
 * /dev/null as standard input. SHOAL_E_INTERRUPTED: a signal came, and the child has been ended.
 * SHOAL_E_LIMIT: it took longer than max_seconds, or wrote too much, and has been ended. A child
 * that fails is SHOAL_OK and a code. */
enum shoal_status child_run(struct child_output *output, const char *const argv[],
                            const char *folder, double max_seconds, const struct stop_signals *stop,
                            struct shoal_error *err);
void child_output_fini(struct child_output *output);

/* True when $PATH has a program of this name. */
bool child_exists(const char *name);
/* The last line of what it said that is not empty, without its end, for messages. */
const char *child_last_words(const struct child_output *output, char *buffer, size_t n);

#endif
