/* The metrics file: when it is due, whole at every moment, and what is said where it cannot be. */
#include "observe/metrics_file.h"

#include "support/suite.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static struct metrics *begin(void)
{
    const struct metrics_options options = {.model = "m",
                                            .n_ranks = 1,
                                            .max_model_len = 100,
                                            .n_blocks = 1,
                                            .cache_dtype = "f16",
                                            .layout = "paged"};
    struct metrics *m;

    strcpy(folder, "/tmp/shoal-metrics-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(metrics_create(&m, &options, NULL), SHOAL_OK);
    return m;
}

static void end(struct metrics *m, const char *const files[], int n)
{
    for (int i = 0; i < n; i++)
        ck_assert_msg(unlink(files[i]) == 0, "%s is not there", files[i]);
    ck_assert_msg(rmdir(folder) == 0, "other files are left in %s", folder);
    metrics_destroy(m);
}

static int lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    int n = 0;

    ck_assert_ptr_nonnull(file);
    for (int c; (c = getc(file)) != EOF;)
        n += c == '\n';
    fclose(file);
    return n;
}

START_TEST(suffixes)
{
    static const struct {
        const char *path;
        enum shoal_status status;
    } table[] = {
        {"a.prom", SHOAL_OK},       {"a.json", SHOAL_OK},        {"x/a.csv", SHOAL_OK},
        {"a.txt", SHOAL_E_INVALID}, {"a", SHOAL_E_INVALID},      {"", SHOAL_E_INVALID},
        {".prom", SHOAL_E_INVALID}, {"x/.csv", SHOAL_E_INVALID}, {"a.prom.gz", SHOAL_E_INVALID},
        {"prom", SHOAL_E_INVALID},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(metrics_file_check(table[i].path, NULL) == table[i].status, "%s",
                      table[i].path);
}
END_TEST

START_TEST(due_by_interval_and_signal)
{
    struct metrics *m = begin();
    struct metrics_file *f;

    metrics_signal_begin();
    ck_assert_int_eq(metrics_file_open(&f, "a.prom", 2, m, 1000, NULL), SHOAL_OK);
    ck_assert(access("a.prom", F_OK) != 0);
    ck_assert(!metrics_file_is_due(f, 1000 + 1999999999));
    ck_assert(metrics_file_is_due(f, 1000 + 2000000000));
    metrics_file_write(f, 1000 + 2000000000);
    ck_assert(access("a.prom", F_OK) == 0);
    ck_assert(!metrics_file_is_due(f, 1000 + 2000000001));
    raise(SIGUSR1);
    ck_assert(metrics_file_is_due(f, 1000 + 2000000002));
    ck_assert(!metrics_file_is_due(f, 1000 + 2000000003));
    ck_assert_int_eq(metrics_file_close(f, NULL), SHOAL_OK);
    metrics_signal_end();
    end(m, (const char *const[]){"a.prom"}, 1);
}
END_TEST

/* Who has the old file open goes on reading it whole. */
START_TEST(replaced_at_once)
{
    struct metrics *m = begin();
    struct metrics_file *f;
    struct stat before, after;

    ck_assert_int_eq(metrics_file_open(&f, "a.json", 0, m, 0, NULL), SHOAL_OK);
    ck_assert(!metrics_file_is_due(f, INT64_MAX / 2)); /* no interval */
    metrics_file_write(f, 1);
    FILE *old = fopen("a.json", "r");
    ck_assert_ptr_nonnull(old);
    ck_assert_int_eq(stat("a.json", &before), 0);
    metrics_file_write(f, 2);
    ck_assert_int_eq(stat("a.json", &after), 0);
    ck_assert(before.st_ino != after.st_ino);
    fclose(old);
    ck_assert_int_eq(metrics_file_close(f, NULL), SHOAL_OK);
    end(m, (const char *const[]){"a.json"}, 1);
}
END_TEST

START_TEST(rows_are_whole)
{
    struct metrics *m = begin();
    struct metrics_file *f;

    ck_assert_int_eq(metrics_file_open(&f, "a.csv", 0, m, 0, NULL), SHOAL_OK);
    for (int i = 0; i < 1000; i++) { /* more than the buffer has room for */
        metrics_file_add_step(f, &(struct metrics_step){.step = (uint64_t)i});
        FILE *file = fopen("a.csv", "r");
        int last = '\n';
        for (int c; (c = getc(file)) != EOF;)
            last = c;
        fclose(file);
        ck_assert_int_eq(last, '\n');
    }
    ck_assert_int_ge(lines_of("a.csv"), 2);
    metrics_file_write(f, 5);
    ck_assert_int_eq(lines_of("a.csv"), 1001);
    ck_assert_int_eq(metrics_file_close(f, NULL), SHOAL_OK);
    ck_assert_int_eq(lines_of("a.csv"), 1001);
    end(m, (const char *const[]){"a.csv"}, 1);
}
END_TEST

START_TEST(refused_at_open)
{
    static const struct {
        const char *path, *part;
        enum shoal_status status;
    } table[] = {
        {"a.txt", ".prom, .json or .csv", SHOAL_E_INVALID},
        {"none/a.prom", "No such file or directory", SHOAL_E_IO},
        {"none/a.csv", "No such file or directory", SHOAL_E_IO},
    };
    struct metrics *m = begin();
    struct metrics_file *f;
    struct shoal_error err;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ck_assert_int_eq(metrics_file_open(&f, table[i].path, 0, m, 0, &err), table[i].status);
        ck_assert_msg(strstr(err.text, table[i].part) != NULL, "%s", err.text);
    }
    end(m, NULL, 0);
}
END_TEST

/* A disk that is full: the close says so, whatever the kind. */
START_TEST(full_disk)
{
    static const char *const paths[] = {"a.prom", "a.json", "a.csv"};
    struct metrics *m = begin();

    if (access("/dev/full", W_OK) != 0) {
        end(m, NULL, 0);
        return;
    }
    for (int i = 0; i < 3; i++) {
        struct metrics_file *f;
        struct shoal_error err;
        struct stat s;
        ck_assert_int_eq(symlink("/dev/full", paths[i]), 0);
        ck_assert_int_eq(metrics_file_open(&f, paths[i], 0, m, 0, NULL), SHOAL_OK);
        metrics_file_add_step(f, &(struct metrics_step){.step = 1});
        ck_assert_int_eq(metrics_file_close(f, &err), SHOAL_E_IO);
        ck_assert_msg(strstr(err.text, "No space left on device") != NULL, "%s", err.text);
        ck_assert_int_eq(lstat(paths[i], &s), 0);
        ck_assert(S_ISLNK(s.st_mode)); /* the device was not replaced */
    }
    end(m, paths, 3);
}
END_TEST

SUITE("metrics file", suffixes, due_by_interval_and_signal, replaced_at_once, rows_are_whole,
      refused_at_open, full_disk)
