/* study/report.h - report.md, report.html and results.json */
#ifndef STUDY_REPORT_H
#define STUDY_REPORT_H

#include "study/figure.h"
#include "study/figures.h"

enum shoal_status report_write(const struct scaling_study *s, const struct figure_files files[],
                               int32_t n_files, struct shoal_error *err);
enum shoal_status results_json_write(const struct scaling_study *s, struct shoal_error *err);

/* The parts of the report, in report_tables.c. */
struct page;
/* Medians and ranges of what the experiment is about, a row a point. */
void report_metrics(struct page *page, const struct scaling_study *s, const char *experiment);
/* Speed-up, efficiency, serial fraction, a row a point. */
void report_scaling(struct page *page, const struct scaling_study *s, const char *experiment);
/* Seconds and bytes of each rank of each point with several. */
void report_ranks(struct page *page, const struct scaling_study *s, const char *experiment);

#endif
