/* cli/result_file.h - lines written whole, one at a time, to a file or standard output
 *
 * A line that cannot be written (full disk) is kept and tried again with the next one, so that a
 * disk which is made room on loses nothing; a part that was written is cut off again where the
 * output is a file. */
#ifndef CLI_RESULT_FILE_H
#define CLI_RESULT_FILE_H

#include "base/status.h"
#include "base/text.h"

enum { RESULT_BACKLOG_BYTES = 64 << 20 };

struct result_file {
    const char *path; /* for messages; borrowed */
    int fd;           /* -1: nothing is written */
    bool owns_fd, is_regular;
    bool has_said;       /* that writing fails */
    bool is_gone;        /* nobody reads any more: writing again is of no use */
    struct text backlog; /* lines that could not be written yet */
    int64_t n_kept;      /* how many these are */
    int64_t n_lost;
};

/* path NULL: standard output. The file is emptied only by result_file_begin, so that a run that
 * cannot start leaves what was there. */
enum shoal_status result_file_open(struct result_file *f, const char *path,
                                   struct shoal_error *err);
enum shoal_status result_file_begin(struct result_file *f, struct shoal_error *err);

/* Write one line, its end included. The first failure is logged. */
void result_file_write(struct result_file *f, const char *line, size_t n);
/* Tries once more what is left, and closes. False when a line was lost, which is said. Once closed,
 * closing does nothing. */
bool result_file_close(struct result_file *f);

#endif
