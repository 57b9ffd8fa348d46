#include "observe/metrics_file.h"

#include "base/log.h"
#include "base/mem.h"
#include "observe/metrics_signal.h"
#include "observe/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Rows wait here until there are so many bytes of them; a row is much shorter than the reserve. */
enum { ROWS_BYTES = 1 << 16, ROW_RESERVE = 1 << 10, TEXT_BYTES = 1 << 17 };

struct metrics_file {
    char *path;
    void (*print)(const struct metrics *m, struct text *out); /* NULL: rows */
    const struct metrics *metrics;
    int64_t interval_ns, start_ns, written_ns;
    int n_signals;              /* that were answered */
    struct text text;           /* what is about to be written */
    int fd;                     /* of rows; else -1 */
    off_t n_whole;              /* bytes of rows in the file */
    bool has_said;              /* that writing fails */
    struct shoal_error failure; /* of the last write; of rows: the first */
};

static bool is_csv(const char *path)
{
    return has_suffix(path, ".csv");
}

enum shoal_status metrics_file_check(const char *path, struct shoal_error *err)
{
    if (is_csv(path) || has_suffix(path, ".prom") || has_suffix(path, ".json"))
        return SHOAL_OK;
    return shoal_fail(err, SHOAL_E_INVALID,
                      "--metrics-file %.200s: the name has to end in .prom, .json or .csv, which "
                      "says what is written",
                      path);
}

static void destroy(struct metrics_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    text_fini(&f->text);
    mem_free(f->path);
    mem_free(f);
}

static enum shoal_status open_rows(struct metrics_file *f, struct shoal_error *err)
{
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (f->fd < 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot write the metrics to %.200s: %s", f->path,
                          strerror(errno));
    metrics_print_csv_head(&f->text);
    return SHOAL_OK;
}

enum shoal_status metrics_file_open(struct metrics_file **out, const char *path, double interval,
                                    const struct metrics *metrics, int64_t now_ns,
                                    struct shoal_error *err)
{
    enum shoal_status status = metrics_file_check(path, err);
    struct metrics_file *f;

    *out = NULL;
    if (status)
        return status;
    f = mem_new(1, sizeof *f);
    if (!f)
        return shoal_fail_memory(err, "a metrics file", sizeof *f);
    *f = (struct metrics_file){
        .path = mem_strdup(path),
        .print = is_csv(path)                ? NULL
                 : has_suffix(path, ".prom") ? metrics_print_prometheus
                                             : metrics_print_json,
        .metrics = metrics,
        .interval_ns = (int64_t)(interval * 1e9),
        .start_ns = now_ns,
        .written_ns = now_ns,
        .n_signals = metrics_signal_count(),
        .fd = -1,
    };
    if (!f->path || !text_reserve(&f->text, f->print ? TEXT_BYTES : ROWS_BYTES + ROW_RESERVE))
        status = shoal_fail_memory(err, "a metrics file", TEXT_BYTES);
    else
        status = f->print ? whole_file_check(path, "metrics", err) : open_rows(f, err);
    if (status) {
        destroy(f);
        return status;
    }
    *out = f;
    return SHOAL_OK;
}

static void say_failure(struct metrics_file *f)
{
    if (!f->has_said)
        log_error("%s", f->failure.text);
    f->has_said = true;
}

/* What could not be written whole is cut off again, so that the file ends with a row. */
static void write_rows(struct metrics_file *f)
{
    if (f->failure.status == SHOAL_OK && !whole_write(f->fd, f->text.bytes, f->text.n)) {
        shoal_fail(&f->failure, SHOAL_E_IO,
                   "cannot write the metrics to %.200s: %s; rows after %lld bytes are lost",
                   f->path, strerror(errno), (long long)f->n_whole);
        if (ftruncate(f->fd, f->n_whole) != 0) {
            /* no regular file: there is nothing to cut */
        }
        say_failure(f);
    }
    f->n_whole += (off_t)f->text.n;
    text_clear(&f->text);
}

void metrics_file_add_step(struct metrics_file *f, const struct metrics_step *step)
{
    if (f->print || f->failure.status)
        return;
    metrics_print_csv_row(step, f->start_ns, &f->text);
    if (f->text.n >= ROWS_BYTES)
        write_rows(f);
}

bool metrics_file_is_due(struct metrics_file *f, int64_t now_ns)
{
    const int n = metrics_signal_count();
    const bool is_asked = n != f->n_signals;

    f->n_signals = n;
    return is_asked || (f->interval_ns > 0 && now_ns - f->written_ns >= f->interval_ns);
}

void metrics_file_write(struct metrics_file *f, int64_t now_ns)
{
    f->written_ns = now_ns;
    if (!f->print) {
        write_rows(f);
        return;
    }
    f->failure.status = SHOAL_OK;
    text_clear(&f->text);
    f->print(f->metrics, &f->text);
    if (whole_file_write(f->path, "metrics", &f->text, &f->failure))
        say_failure(f);
}

enum shoal_status metrics_file_close(struct metrics_file *f, struct shoal_error *err)
{
    enum shoal_status status;

    if (!f)
        return SHOAL_OK;
    metrics_file_write(f, f->written_ns);
    status = f->failure.status;
    if (status && err)
        *err = f->failure;
    destroy(f);
    return status;
}
