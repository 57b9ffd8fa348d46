/* demo/engine_paging.h - blocks and block tables of a whole model, as the engine hands them out */
#ifndef DEMO_ENGINE_PAGING_H
#define DEMO_ENGINE_PAGING_H

#include "demo/options.h"

/* Runs the requests with a paged and with a dense KV cache, and prints where their blocks lie when
 * most are taken, what is wasted, and that the tokens are the same. */
enum shoal_status engine_paging_show(const struct demo_options *o, struct shoal_error *err);

#endif
