/* observe/exposition.h - reads Prometheus's text exposition format 0.0.4, and is strict about it */
#ifndef TESTS_OBSERVE_EXPOSITION_H
#define TESTS_OBSERVE_EXPOSITION_H

#include <stdbool.h>

enum { EXPOSITION_WHY_BYTES = 256 };

/* False with a sentence in why: HELP and TYPE before the samples of a metric and once, its lines
 * together, names and escapes as the format has them, no sample twice, counters not negative,
 * buckets rising and cumulative up to le="+Inf", which is _count. */
bool exposition_check(const char *text, char why[EXPOSITION_WHY_BYTES]);

/* The value of a sample, spelled as in the text: `name{label="value"}`; NaN when there is none. */
double exposition_value(const char *text, const char *sample);

#endif
