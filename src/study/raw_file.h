/* study/raw_file.h - DIR/raw.csv: every run as it comes, and what a later study goes on from
 *
 * Its first line is a comment with the settings that it was measured with; what was measured with
 * others does not belong into the same file. A line that was cut off by a crash is dropped. */
#ifndef STUDY_RAW_FILE_H
#define STUDY_RAW_FILE_H

#include "study/results.h"

struct raw_file {
    int fd;                        /* -1: not open */
    const struct study_plan *plan; /* borrowed */
};

/* Makes DIR where it is missing. settings: words "name=value" with blanks between. Reads what is
 * there into *results. Refused: settings that differ, a file that is something else, and one that
 * another study is writing (SHOAL_E_MISMATCH, SHOAL_E_FORMAT, SHOAL_E_LIMIT). */
enum shoal_status raw_file_open(struct raw_file *f, const char *folder, const char *settings,
                                const struct study_plan *plan, struct results *results,
                                struct shoal_error *err);
/* Appends a line, in one write. */
enum shoal_status raw_file_add(struct raw_file *f, const struct result *result,
                               struct shoal_error *err);
void raw_file_close(struct raw_file *f);

/* The words of the settings by which two lines of them differ: NULL when they do not; else what the
 * first one says in `was` and the second in `is` (n bytes each). */
const char *raw_settings_differ(const char *a, const char *b, char was[], char is[], size_t n);

#endif
