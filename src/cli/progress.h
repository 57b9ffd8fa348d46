/* cli/progress.h - one line on stderr that says how far a run is; only where stderr is a terminal
 *
 * Log lines on the same terminal clear it first and draw it again (base/log.h); results on standard
 * output clear it, if that is a terminal too. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "shoal/shoal.h"

struct progress {
    bool is_on, is_drawn;
    bool shares_stdout; /* standard output is a terminal too */
    int64_t drawn_ns;
    int64_t rate_ns, rate_tokens; /* the last moment from which the rate is counted */
    double rate;                  /* tokens a second, smoothed */
    char line[128];
};

enum { PROGRESS_MS = 200 };

void progress_begin(struct progress *p, bool is_wanted);
/* Draw, if it is time to. n_done: requests that have ended. n_held: read, but not yet submitted. */
void progress_update(struct progress *p, const struct shoal_engine *engine, int64_t n_done,
                     int64_t n_held);
/* Before something is written to standard output: away with the line until the next update. */
void progress_clear(struct progress *p);
void progress_end(struct progress *p);

#endif
