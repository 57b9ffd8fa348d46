/* demo/attention_watch.h - an attention plugin of the demos: keeps the weights of one head */
#ifndef DEMO_ATTENTION_WATCH_H
#define DEMO_ATTENTION_WATCH_H

#include "shoal/plugin.h"

struct attention_watch {
    uint64_t request; /* set before the engine runs */
    int32_t layer, head;
    int32_t n;      /* positions that are kept, 0 .. n - 1 */
    float *weights; /* (n, n) row attends to column; NaN where it does not */
};

/* Hand it to an engine with user = a struct attention_watch. */
extern const struct shoal_plugin attention_watch_plugin;

/* Room for n positions, all NaN. */
enum shoal_status attention_watch_init(struct attention_watch *w, int32_t n,
                                       struct shoal_error *err);
void attention_watch_fini(struct attention_watch *w);

#endif
