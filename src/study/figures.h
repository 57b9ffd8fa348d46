/* study/figures.h - the plots: data and a gnuplot script for each, kept under DIR/plots */
#ifndef STUDY_FIGURES_H
#define STUDY_FIGURES_H

#include "study/study_state.h"

enum { FIGURES_MAX = 16 };

struct figure_files {
    const char *name; /* "strong": plots/strong.{gp,dat,svg} */
    const char *experiment;
    const char *caption;
    bool is_drawn; /* the SVG is there */
};

/* Writes data and scripts of all experiments that have results, and draws them where there is
 * gnuplot. n becomes their number. A plot that gnuplot fails at is logged and not drawn. */
enum shoal_status figures_write(const struct scaling_study *s, const struct stop_signals *stop,
                                struct figure_files files[FIGURES_MAX], int32_t *n,
                                struct shoal_error *err);

#endif
