/* study/raw_row.h - a run as a line of raw.csv, there and back */
#ifndef STUDY_RAW_ROW_H
#define STUDY_RAW_ROW_H

#include "study/results.h"

/* The line with the names of the columns, with its end. */
void raw_row_head(struct text *out);
/* A line with its end. What a point does not have is an empty cell; what each rank has is one cell,
 * with semicolons between. */
void raw_row_print(const struct study_point *p, const struct result *r, struct text *out);
/* Reads a line without its end, which is changed. SHOAL_E_FORMAT says what is wrong with it. A line
 * whose point is not in the plan is one that does not belong there. */
enum shoal_status raw_row_parse(struct result *r, const struct study_plan *plan, char *line,
                                struct shoal_error *err);

#endif
