/* demo/options.h - what every demo can be told, and what each one begins with */
#ifndef DEMO_OPTIONS_H
#define DEMO_OPTIONS_H

#include "base/command_line.h"
#include "shoal/shoal.h"

enum { DEMO_MAX_REQUESTS = 256, DEMO_ENGINE_OPTIONS = 13 };

struct json_t;

struct demo_options {
    struct shoal_options engine;
    int32_t n_requests, max_tokens;
    const char *prompt_len;          /* "4-20", or "12" */
    int32_t prompt_low, prompt_high; /* the same, once demo_options_check has been called */
    const char *out;                 /* visualization: the folder */
    int32_t layer, head;             /* visualization: whose attention */
    const char *session;             /* interactive: a JSON file */
    bool non_interactive;            /* interactive: no line editing, no prompt */
    bool verbose, metrics;           /* interactive: more of each step */
    struct json_t *kept;             /* interactive: an array that owns strings of the options */
};

/* What a demo begins with, where the engine's default would be too large to look at. */
struct demo_defaults {
    int32_t budget, chunk, block_size, n_blocks, max_seqs;
    int32_t n_requests, max_tokens;
    const char *prompt_len;
};

/* The tables of the options that all demos take; the options are set to the defaults. own: room
 * for the engine's part (DEMO_ENGINE_OPTIONS). */
void demo_options_tables(struct demo_options *o, const struct demo_defaults *defaults,
                         struct setting own[], struct setting_table tables[2]);
/* What a name means in either table, or NULL; for `load` and `set`. */
const struct setting *demo_options_find(struct demo_options *o, const char *name,
                                        struct setting_table *table);

/* Reads prompt_len. */
enum shoal_status demo_options_check(struct demo_options *o, struct shoal_error *err);

#endif
