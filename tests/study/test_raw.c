/* raw.csv: written, read again, cut, of another study; and what results come to */
#include "base/log.h"
#include "study/raw_file.h"
#include "study/raw_row.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct plan_settings quick = {
    .is_quick = true, .n_cores = 2, .model_bytes = 1 << 20, .n_ctx = 512};

struct folder {
    char path[64], file[80];
    struct study_plan plan;
};

static void folder_init(struct folder *f)
{
    log_set_level(LOG_ERROR);
    snprintf(f->path, sizeof f->path, "/tmp/shoal-raw-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->path));
    snprintf(f->file, sizeof f->file, "%s/raw.csv", f->path);
    ck_assert_int_eq(study_plan_create(&f->plan, &quick, NULL), SHOAL_OK);
}

static void folder_fini(struct folder *f)
{
    remove(f->file);
    rmdir(f->path);
    study_plan_destroy(&f->plan);
}

/* The point of strong scaling with these workers and this batch. */
static int32_t find(const struct study_plan *plan, int32_t ranks, int32_t threads)
{
    for (int32_t i = 0; i < plan->n; i++)
        if (strcmp(plan->points[i].experiment, "strong") == 0 && plan->points[i].batch == 8 &&
            plan->points[i].ranks == ranks && plan->points[i].threads == threads)
            return i;
    ck_abort_msg("no such point");
}

static struct result make(const struct folder *f, int32_t point, int32_t repetition, double rate)
{
    struct result r = {.point = point, .repetition = repetition};

    for (int m = 0; m < METRIC_COUNT; m++)
        r.run.values[m] = NAN;
    r.run.values[METRIC_TOTAL_RATE] = rate;
    r.run.n_ranks = f->plan.points[point].ranks;
    for (int32_t i = 0; i < r.run.n_ranks; i++)
        r.run.ranks[i] = (struct study_rank){0.25 * (i + 1), 0.5, 0.125, 100, 200 + i};
    return r;
}

static enum shoal_status open_it(struct raw_file *raw, struct folder *f, const char *settings,
                                 struct results *results, struct shoal_error *err)
{
    *results = (struct results){0};
    return raw_file_open(raw, f->path, settings, &f->plan, results, err);
}

static void write_some(struct folder *f)
{
    struct raw_file raw;
    struct results results;
    struct shoal_error err;

    ck_assert_int_eq(open_it(&raw, f, "a=1 b=2", &results, &err), SHOAL_OK);
    ck_assert_int_eq(results.n, 0);
    for (int32_t i = 1; i <= 3; i++) {
        const struct result one = make(f, find(&f->plan, 1, 1), i, 100 + i);
        const struct result two = make(f, find(&f->plan, 2, 1), i, 180 + i);
        ck_assert_int_eq(raw_file_add(&raw, &one, &err), SHOAL_OK);
        ck_assert_int_eq(raw_file_add(&raw, &two, &err), SHOAL_OK);
    }
    raw_file_close(&raw);
}

static void append(const struct folder *f, const char *bytes)
{
    FILE *file = fopen(f->file, "ab");

    ck_assert_ptr_nonnull(file);
    fputs(bytes, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(goes_on)
{
    struct folder f;
    struct raw_file raw;
    struct results results;
    struct shoal_error err;

    folder_init(&f);
    write_some(&f);
    append(&f, "strong/batch 8/x=1/1x1"); /* a crash in the middle of a line */
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(open_it(&raw, &f, "a=1 b=2", &results, &err), SHOAL_OK);
        ck_assert_int_eq(results.n, 6);
        const int32_t two = find(&f.plan, 2, 1);
        ck_assert(results_has(&results, two, 3) && !results_has(&results, two, 4));
        const struct spread v = results_metric(&results, two, METRIC_TOTAL_RATE);
        ck_assert(v.median == 182 && v.low == 181 && v.high == 183);
        ck_assert(results_rank(&results, two, 1, RANK_COMPUTE).median == 0.5);
        ck_assert(results_rank(&results, two, 1, RANK_RECEIVED).median == 201);
        ck_assert_int_eq(results_metric(&results, two, METRIC_TTFT).n, 0);
        results_fini(&results);
        raw_file_close(&raw);
    }
    folder_fini(&f);
}
END_TEST

START_TEST(scaling_rows)
{
    struct folder f;
    struct raw_file raw;
    struct results results;

    folder_init(&f);
    write_some(&f);
    ck_assert_int_eq(open_it(&raw, &f, "a=1 b=2", &results, NULL), SHOAL_OK);
    const int32_t two = find(&f.plan, 2, 1);
    struct scaling_row row = results_scaling(&results, &f.plan, two);
    ck_assert_int_eq(row.base, find(&f.plan, 1, 1));
    ck_assert_int_eq(row.n_workers, 2);
    ck_assert(fabs(row.speedup.median - 182.0 / 102) < 1e-12);
    ck_assert(fabs(row.efficiency - 91.0 / 102) < 1e-12);
    ck_assert(!isnan(row.serial_fraction) && !row.is_clear); /* three runs are too few */
    f.plan.points[two].is_oversubscribed = true;
    row = results_scaling(&results, &f.plan, two);
    ck_assert(isnan(row.efficiency) && isnan(row.serial_fraction));
    row = results_scaling(&results, &f.plan, find(&f.plan, 1, 2)); /* not measured */
    ck_assert(isnan(row.speedup.median));
    results_fini(&results);
    raw_file_close(&raw);
    folder_fini(&f);
}
END_TEST

START_TEST(refusals)
{
    static const char head[] = "# shoal study scaling: a=1 b=2\n";
    static const struct {
        const char *content, *settings;
        enum shoal_status status;
        const char *sentence;
    } table[] = {
        {NULL, "a=1 b=3", SHOAL_E_MISMATCH, "was measured with b=2, and this is b=3"},
        {NULL, "a=1", SHOAL_E_MISMATCH, "with b=2, and this is nothing"},
        {NULL, "a=1 b=2 c=3", SHOAL_E_MISMATCH, "with nothing, and this is c=3"},
        {"key,x\n", "a=1 b=2", SHOAL_E_FORMAT, "is not of a study"},
        {"HEAD", "a=1 b=2", SHOAL_E_FORMAT, "has no columns"},
        {"HEADkey\nx\n", "a=1 b=2", SHOAL_E_FORMAT, "line 3: it has 1 cells, not"},
        {"HEADkey\n,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n", "a=1 b=2", SHOAL_E_FORMAT, "no point \"\""},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct folder f;
        struct raw_file raw;
        struct results results;
        struct shoal_error err;
        const char *content = table[i].content;
        folder_init(&f);
        if (!content)
            write_some(&f);
        else if (strncmp(content, "HEAD", 4) == 0)
            append(&f, head);
        if (content)
            append(&f, strncmp(content, "HEAD", 4) == 0 ? content + 4 : content);
        ck_assert_int_eq(open_it(&raw, &f, table[i].settings, &results, &err), table[i].status);
        ck_assert_msg(strstr(err.text, table[i].sentence) != NULL, "row %zu: %s", i, err.text);
        results_fini(&results);
        folder_fini(&f);
    }
}
END_TEST

START_TEST(bad_cells)
{
    struct folder f;
    struct shoal_error err;

    folder_init(&f);
    const int32_t two = find(&f.plan, 2, 1);
    static const struct {
        const char *from, *to, *sentence;
    } table[] = {
        {",1,strong", ",0,strong", "the repetition is \"0\""},
        {",180,", ",fast,", "total_token_throughput is \"fast\""},
        {",180,", ",-180,", "total_token_throughput is \"-180\""},
        {"0.25;0.5", "0.25", "rank_compute_seconds does not hold a number for each rank"},
        {"0.25;0.5", "0.25;0.5;1", "rank_compute_seconds does not"},
        {"0.25;0.5", "0.25;x", "rank_compute_seconds does not"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct result good = make(&f, two, 1, 180);
        struct text line = {0}, bad = {0};
        struct result r;
        raw_row_print(&f.plan.points[two], &good, &line);
        const char *at = strstr(line.bytes, table[i].from);
        ck_assert_msg(at != NULL, "row %zu: %s", i, line.bytes);
        text_printf(&bad, "%.*s%s%.*s", (int)(at - line.bytes), line.bytes, table[i].to,
                    (int)strcspn(at + strlen(table[i].from), "\n"), at + strlen(table[i].from));
        ck_assert_int_eq(raw_row_parse(&r, &f.plan, bad.bytes, &err), SHOAL_E_FORMAT);
        ck_assert_msg(strstr(err.text, table[i].sentence) != NULL, "row %zu: %s", i, err.text);
        text_fini(&line);
        text_fini(&bad);
    }
    folder_fini(&f);
}
END_TEST

START_TEST(one_writer)
{
    struct folder f;
    struct raw_file first, second;
    struct results results;
    struct shoal_error err;

    folder_init(&f);
    ck_assert_int_eq(open_it(&first, &f, "a=1", &results, &err), SHOAL_OK);
    ck_assert_int_eq(open_it(&second, &f, "a=1", &results, &err), SHOAL_E_LIMIT);
    raw_file_close(&first);
    ck_assert_int_eq(open_it(&second, &f, "a=1", &results, &err), SHOAL_OK);
    raw_file_close(&second);
    folder_fini(&f);
}
END_TEST

SUITE("study/raw", goes_on, scaling_rows, refusals, bad_cells, one_writer)
