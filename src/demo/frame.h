/* demo/frame.h - a demo that runs its requests to the end, and then prints what happened */
#ifndef DEMO_FRAME_H
#define DEMO_FRAME_H

#include "demo/show.h"

/* Prints into s, which is written when it returns SHOAL_OK. */
typedef enum shoal_status (*demo_print_t)(struct show *s, const struct demo_run *r,
                                          const struct demo_options *o, struct shoal_error *err);

/* Opens an engine, runs the requests of the options and prints; ranks other than 0 serve. */
enum shoal_status demo_run_and_print(const struct demo_options *o, demo_print_t print,
                                     struct shoal_error *err);

#endif
