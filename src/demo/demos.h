/* demo/demos.h - the demos, which demo.c lists and calls */
#ifndef DEMO_DEMOS_H
#define DEMO_DEMOS_H

#include "demo/options.h"

struct demo {
    const char *name, *about; /* about: one line */
    const char *explains;     /* a sentence or two more, for --help */
    struct demo_defaults defaults;
    const struct setting_table *more; /* options of its own (fields of struct demo_options) */
    bool takes_ranks;                 /* runs on more than one rank */
    const char *examples;
    /* Reads a file of --session into the options, before the command line is; or NULL. */
    enum shoal_status (*load)(struct demo_options *o, const char *path, struct shoal_error *err);
    /* Rank 0, and where takes_ranks the others too. Errors are said by the caller. */
    enum shoal_status (*run)(const struct demo_options *o, struct shoal_error *err);
};

extern const struct demo demo_ragged_mask, demo_prefill_only, demo_prefill_decode_mix,
    demo_scheduler_timeline, demo_paged_attention, demo_visualization, demo_interactive;

#endif
