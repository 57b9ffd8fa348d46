/* observe/metrics_file.h - metrics in a file: at the end, every so often, and when asked by SIGUSR1
 *
 * The suffix says what is written. .prom and .json hold the metrics as they were at one moment:
 * they are written beside the file and renamed, so that nobody reads a half. .csv gets a row a
 * step, as steps come; readers see whole rows. Memory is taken at open. Leader's thread, between
 * steps. */
#ifndef OBSERVE_METRICS_FILE_H
#define OBSERVE_METRICS_FILE_H

#include "observe/metrics.h"

struct metrics_file;

/* SHOAL_E_INVALID for a name whose suffix is none of .prom, .json and .csv. */
enum shoal_status metrics_file_check(const char *path, struct shoal_error *err);

/* interval: seconds, 0: no interval. Fails where the file cannot be written, before anything runs.
 * metrics is borrowed. now_ns: of the clock that steps are told by. */
enum shoal_status metrics_file_open(struct metrics_file **out, const char *path, double interval,
                                    const struct metrics *metrics, int64_t now_ns,
                                    struct shoal_error *err);
void metrics_file_add_step(struct metrics_file *f, const struct metrics_step *step);
/* True when somebody asked or the interval is over: set the gauges, then write. */
bool metrics_file_is_due(struct metrics_file *f, int64_t now_ns);
/* A failure is logged once; the next write tries again. Rows of a CSV that are lost stay lost. */
void metrics_file_write(struct metrics_file *f, int64_t now_ns);
/* Writes a last time and frees f (NULL is fine). Fails when the file is not what it should be. */
enum shoal_status metrics_file_close(struct metrics_file *f, struct shoal_error *err);

/* SIGUSR1 asks every open file, until _end; without this the signal ends the process. Calls are
 * counted. On ranks other than 0, which get the signal of mpirun too, it is then without effect. */
void metrics_signal_begin(void);
void metrics_signal_end(void);

#endif
