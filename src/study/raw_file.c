#include "study/raw_file.h"

#include "base/log.h"
#include "base/status.h"
#include "study/raw_row.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 64 << 20 };
static const char head_mark[] = "# shoal study scaling: ";

const char *raw_settings_differ(const char *a, const char *b, char was[], char is[], size_t n)
{
    while (*a || *b) {
        const size_t n_a = strcspn(a, " "), n_b = strcspn(b, " ");
        if (n_a != n_b || memcmp(a, b, n_a) != 0) {
            snprintf(was, n, "%.*s", n_a ? (int)n_a : (int)n, n_a ? a : "nothing");
            snprintf(is, n, "%.*s", n_b ? (int)n_b : (int)n, n_b ? b : "nothing");
            return was;
        }
        a += n_a + (a[n_a] == ' ');
        b += n_b + (b[n_b] == ' ');
    }
    return NULL;
}

static enum shoal_status write_all(const struct raw_file *f, const struct text *t,
                                   struct shoal_error *err)
{
    size_t n = 0;

    if (t->failed)
        return shoal_fail_memory(err, "a line of raw.csv", t->n);
    while (n < t->n) {
        const ssize_t n_written = write(f->fd, t->bytes + n, t->n - n);
        if (n_written < 0 && errno == EINTR)
            continue;
        if (n_written <= 0)
            return shoal_fail(err, SHOAL_E_IO, "cannot write raw.csv: %s", strerror(errno));
        n += (size_t)n_written;
    }
    return SHOAL_OK;
}

static enum shoal_status read_all(const struct raw_file *f, struct text *t, struct shoal_error *err)
{
    char bytes[1 << 14];
    ssize_t n;

    while ((n = read(f->fd, bytes, sizeof bytes)) > 0 && t->n < MAX_FILE_BYTES)
        text_add(t, bytes, (size_t)n);
    if (n < 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot read raw.csv: %s", strerror(errno));
    if (t->failed || n > 0)
        return shoal_fail_memory(err, "raw.csv", t->n);
    return SHOAL_OK;
}

static enum shoal_status begin(const struct raw_file *f, const char *settings,
                               struct shoal_error *err)
{
    struct text t = {0};
    enum shoal_status status;

    text_printf(&t, "%s%s\n", head_mark, settings);
    raw_row_head(&t);
    status = write_all(f, &t, err);
    text_fini(&t);
    return status;
}

static enum shoal_status check_head(char *line, const char *settings, const char *folder,
                                    struct shoal_error *err)
{
    const size_t n_mark = strlen(head_mark);
    char was[200], is[200];

    if (strncmp(line, head_mark, n_mark) != 0)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s/raw.csv is not of a study: give another folder as --out", folder);
    if (raw_settings_differ(line + n_mark, settings, was, is, sizeof was))
        return shoal_fail(err, SHOAL_E_MISMATCH,
                          "%s/raw.csv was measured with %s, and this is %s: give another folder as "
                          "--out, or the settings that it was begun with",
                          folder, was, is);
    return SHOAL_OK;
}

/* The lines behind the two of the head. */
static enum shoal_status read_rows(char *rest, const struct study_plan *plan, const char *folder,
                                   struct results *results, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;
    char *line;

    for (int i = 3; !status && (line = strsep(&rest, "\n")) && (*line || rest); i++) {
        struct result r;
        status = raw_row_parse(&r, plan, line, err);
        if (status) {
            shoal_error_prefix(err, "%s/raw.csv, line %d", folder, i);
            return status;
        }
        if (!results_has(results, r.point, r.repetition))
            status = results_add(results, &r, err);
    }
    return status;
}

/* Drops a last line without an end. The text is cut by it. */
static enum shoal_status drop_cut_line(const struct raw_file *f, struct text *t,
                                       struct shoal_error *err)
{
    size_t n = t->n;

    while (n > 0 && t->bytes[n - 1] != '\n')
        n--;
    if (n == t->n)
        return SHOAL_OK;
    log_warn("raw.csv ends in the middle of a line, which is dropped and measured again");
    if (ftruncate(f->fd, (off_t)n) != 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot cut raw.csv: %s", strerror(errno));
    t->n = n;
    t->bytes[n] = '\0';
    return SHOAL_OK;
}

static enum shoal_status go_on(const struct raw_file *f, const char *folder, const char *settings,
                               struct results *results, struct shoal_error *err)
{
    struct text t = {0};
    enum shoal_status status = read_all(f, &t, err);
    const char *columns;
    char *rest;

    if (!status && t.n > 0)
        status = drop_cut_line(f, &t, err);
    if (status || t.n == 0) {
        text_fini(&t);
        return status ? status : begin(f, settings, err);
    }
    rest = t.bytes;
    status = check_head(strsep(&rest, "\n"), settings, folder, err);
    columns = strsep(&rest, "\n");
    if (!status && (!columns || !*columns))
        status = shoal_fail(err, SHOAL_E_FORMAT, "%s/raw.csv has no columns: remove it", folder);
    if (!status && rest)
        status = read_rows(rest, f->plan, folder, results, err);
    text_fini(&t);
    return status;
}

enum shoal_status raw_file_open(struct raw_file *f, const char *folder, const char *settings,
                                const struct study_plan *plan, struct results *results,
                                struct shoal_error *err)
{
    char name[4096];
    enum shoal_status status;

    *f = (struct raw_file){.fd = -1, .plan = plan};
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return shoal_fail(err, SHOAL_E_IO, "cannot make the folder %s: %s", folder,
                          strerror(errno));
    if ((size_t)snprintf(name, sizeof name, "%s/raw.csv", folder) >= sizeof name)
        return shoal_fail(err, SHOAL_E_INVALID, "the name of the folder is too long");
    f->fd = open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (f->fd < 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot write %s: %s", name, strerror(errno));
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        status = shoal_fail(err, SHOAL_E_LIMIT, "another study is writing %s", name);
    else
        status = go_on(f, folder, settings, results, err);
    if (status)
        raw_file_close(f);
    return status;
}

enum shoal_status raw_file_add(struct raw_file *f, const struct result *result,
                               struct shoal_error *err)
{
    struct text t = {0};
    enum shoal_status status;

    raw_row_print(&f->plan->points[result->point], result, &t);
    status = write_all(f, &t, err);
    text_fini(&t);
    return status;
}

void raw_file_close(struct raw_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
