/* draw/svg.h - what the SVG pictures share: frame, colours in light and dark, escaped text
 *
 * Colours are classes of one style sheet that every picture carries, so that a picture follows the
 * reader's light or dark theme, as a file of its own and inside a page. Lengths are pixels. */
#ifndef DRAW_SVG_H
#define DRAW_SVG_H

#include "base/text.h"

/* Classes of shapes: s-bg, s-cell (an empty cell), s-prefill, s-decode, s-wait, s-preempted,
 * s-hatch (waste), s-limit (a dashed line), s-axis, s-grid, and s-0 .. s-7 for requests.
 * Classes of text: s-ink, s-mut (small and grey), s-head, s-end and s-mid (anchored there). */
enum { SVG_COLOURS = 8 };

/* One colour for lane i, the same in all pictures: "s-3". */
const char *svg_lane_class(int32_t i);

void svg_begin(struct text *out, double width, double height, const char *title);
void svg_end(struct text *out);

/* tip, or NULL, is what a pointer over the shape shows. */
void svg_rect(struct text *out, double x, double y, double width, double height,
              const char *classes, const char *tip);
void svg_line(struct text *out, double x1, double y1, double x2, double y2, const char *classes);
void svg_text(struct text *out, double x, double y, const char *classes, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* A square of the class with a label beside it; returns where the next one may begin. */
double svg_legend(struct text *out, double x, double y, const char *classes, const char *label);

/* At most n bytes of s; a longer one ends in "..". */
void svg_escape(struct text *out, const char *s, size_t n);
/* A step of 1, 2 or 5 times a power of ten that cuts `range` into at most n parts; at least 1. */
int32_t svg_tick(int32_t range, int32_t n);

#endif
