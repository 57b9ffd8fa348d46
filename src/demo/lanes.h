/* demo/lanes.h - what was watched, as lanes over steps: for the terminal and for a picture */
#ifndef DEMO_LANES_H
#define DEMO_LANES_H

#include "demo/show.h"
#include "draw/timeline.h"

/* The cells of all steps, one a request that ran or waited in them; a request that waits is shown
 * in the steps of the rank that ran it in the end. *cells is freed with mem_free. False: out of
 * memory. */
bool lanes_cells(const struct demo_run *r, struct timeline_cell **cells, size_t *n);

/* Of each rank: a lane a request, a column a step, and how full the step was. */
bool lanes_show(struct show *s, const struct demo_run *r);

#endif
