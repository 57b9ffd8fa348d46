/* study/figure.h - what a plot shows, and its data and script as text
 *
 * A figure is a row of panels, each with its own y axis; a panel has a line a series and metric,
 * with bars for the ranges. */
#ifndef STUDY_FIGURE_H
#define STUDY_FIGURE_H

#include "study/study_state.h"

enum panel_kind {
    PANEL_METRICS,    /* of the points as they are */
    PANEL_SPEEDUP,    /* against one worker, with the ideal */
    PANEL_EFFICIENCY, /* the same, divided by the workers */
    PANEL_RANKS       /* bars: seconds of each rank of one point */
};
enum panel_way { WAY_ALL, WAY_THREADS, WAY_RANKS }; /* one rank's threads; ranks of one thread */

struct panel {
    enum panel_kind kind;
    enum panel_way way;
    const char *title, *y_label;
    enum study_metric metrics[2];
    int32_t n_metrics;
    bool is_log_y;
};

struct figure {
    const char *name, *experiment, *caption, *x_label;
    bool is_log_x;
    struct panel panels[4];
    int32_t n_panels;
};

/* NULL past the end. */
const struct figure *figure_at(int32_t i);

/* The data (blocks of lines, numbered from 0) and the script that draws them into NAME.svg. */
void figure_print(const struct scaling_study *s, const struct figure *f, struct text *data,
                  struct text *script);

/* The point whose ranks PANEL_RANKS shows: the largest batch on most ranks; -1: none. */
int32_t figure_ranks_point(const struct scaling_study *s, const char *experiment);

#endif
