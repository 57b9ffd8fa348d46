#include "step/log.h"

#include "base/log.h"
#include "base/mem.h"
#include "step/numerics.h"

#include "support/no_malloc.h"
#include "support/suite.h"
#include "walk.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { N_GROUPS = 3, N_STEPS = 4, N_RECORDS = 2 + 2 * N_STEPS * N_GROUPS };

static const int32_t prompt[] = {5, 6, 7, 999};
static const char settings[] = "model = tiny\nmax-num-seqs = 8\n";

/* Three groups' walks side by side. */
struct run {
    struct walk w[N_GROUPS];
    struct step_plan p[N_GROUPS];
    struct step_result r;
};

static void begin_run(struct run *run)
{
    for (int g = 0; g < N_GROUPS; g++) {
        walk_begin(&run->w[g], (uint64_t)g + 100, g);
        ck_assert(!step_plan_init(&run->p[g], &run->w[g].limits, NULL));
    }
    ck_assert(!step_result_init(&run->r, &run->w[0].limits, NULL));
}

static void end_run(struct run *run)
{
    for (int g = 0; g < N_GROUPS; g++)
        step_plan_fini(&run->p[g]);
    step_result_fini(&run->r);
}

static struct step_log_head make_head(const struct run *run)
{
    return (struct step_log_head){.model_hash = 0x1122334455667788,
                                  .n_groups = N_GROUPS,
                                  .limits = run->w[0].limits,
                                  .isa = "avx2",
                                  .settings = settings};
}

/* A file in memory, with a path: the tests open one for every byte of a log. */
struct temporary {
    int fd;
    char path[32];
};

static void make_temporary(struct temporary *t)
{
    t->fd = memfd_create("step log", MFD_CLOEXEC);
    ck_assert_int_ge(t->fd, 0);
    snprintf(t->path, sizeof t->path, "/proc/self/fd/%d", t->fd);
}

/* All records of the run, plans of all groups before their results. */
static void write_records(struct step_log_writer *log, struct run *run)
{
    const struct step_log_request first = {
        .request = 1, .custom_id = "a", .n_prompt = 4, .prompt = prompt};
    const struct step_log_request second = {.request = 2, .custom_id = "", .n_prompt = 0};

    step_log_writer_request(log, &first);
    step_log_writer_request(log, &second);
    for (int i = 0; i < N_STEPS; i++) {
        for (int g = 0; g < N_GROUPS; g++) {
            walk_plan(&run->w[g], &run->p[g]);
            step_log_writer_plan(log, &run->p[g]);
        }
        for (int g = 0; g < N_GROUPS; g++) {
            walk_result(&run->w[g], &run->p[g], &run->r);
            step_log_writer_result(log, &run->r);
        }
    }
}

static void write_log(const char *path, bool is_clean)
{
    struct shoal_error err = {0};
    struct step_log_writer *log;
    struct run run;

    begin_run(&run);
    const struct step_log_head head = make_head(&run);
    ck_assert_msg(!step_log_writer_open(&log, path, &head, false, &err), "%s", err.text);
    write_records(log, &run);
    ck_assert_msg(!step_log_writer_close(log, is_clean, &err), "%s", err.text);
    end_run(&run);
}

static size_t load(const struct temporary *t, uint8_t **bytes)
{
    *bytes = mem_new(1 << 20, 1);
    const ssize_t n = pread(t->fd, *bytes, 1 << 20, 0);
    ck_assert(n >= 0 && n < 1 << 20);
    return (size_t)n;
}

static void store(const struct temporary *t, const void *bytes, size_t n)
{
    ck_assert(ftruncate(t->fd, (off_t)n) == 0);
    ck_assert(pwrite(t->fd, bytes, n, 0) == (ssize_t)n);
}

static struct step_log_reader *open_log(const char *path)
{
    struct shoal_error err = {0};
    struct step_log_reader *log;

    ck_assert_msg(!step_log_reader_open(&log, path, &err), "%s", err.text);
    return log;
}

START_TEST(a_log_reads_back)
{
    struct shoal_error err = {0};
    struct step_log_record rec;
    struct run run;
    struct temporary t;

    make_temporary(&t);
    write_log(t.path, true);
    begin_run(&run);
    struct step_log_reader *log = open_log(t.path);
    const struct step_log_head *head = step_log_reader_head(log);
    ck_assert_uint_eq(head->numerics_version, SHOAL_NUMERICS_VERSION);
    ck_assert_uint_eq(head->model_hash, 0x1122334455667788);
    ck_assert_int_eq(head->n_groups, N_GROUPS);
    ck_assert(memcmp(&head->limits, &run.w[0].limits, sizeof head->limits) == 0);
    ck_assert_str_eq(head->isa, "avx2");
    ck_assert_str_eq(head->settings, settings);

    ck_assert(!step_log_reader_next(log, &rec, &err) && rec.kind == STEP_LOG_REQUEST);
    ck_assert_uint_eq(rec.request.request, 1);
    ck_assert_str_eq(rec.request.custom_id, "a");
    ck_assert_int_eq(rec.request.n_prompt, 4);
    ck_assert(memcmp(rec.request.prompt, prompt, sizeof prompt) == 0);
    ck_assert(!step_log_reader_next(log, &rec, &err) && rec.kind == STEP_LOG_REQUEST);
    ck_assert_str_eq(rec.request.custom_id, "");
    ck_assert_int_eq(rec.request.n_prompt, 0);
    for (int i = 0; i < N_STEPS; i++) {
        for (int g = 0; g < N_GROUPS; g++) {
            walk_plan(&run.w[g], &run.p[g]);
            ck_assert_msg(!step_log_reader_next(log, &rec, &err), "%s", err.text);
            ck_assert(rec.kind == STEP_LOG_PLAN && plans_equal(rec.plan, &run.p[g]));
        }
        for (int g = 0; g < N_GROUPS; g++) {
            walk_result(&run.w[g], &run.p[g], &run.r);
            ck_assert_msg(!step_log_reader_next(log, &rec, &err), "%s", err.text);
            ck_assert(rec.kind == STEP_LOG_RESULT && results_equal(rec.result, &run.r));
        }
    }
    for (int again = 0; again < 2; again++) {
        ck_assert_msg(!step_log_reader_next(log, &rec, &err), "%s", err.text);
        ck_assert_int_eq(rec.kind, STEP_LOG_END);
        ck_assert_uint_eq(rec.counts.n_requests, 2);
        ck_assert_uint_eq(rec.counts.n_plans, N_STEPS * N_GROUPS);
        ck_assert_uint_eq(rec.counts.n_results, N_STEPS * N_GROUPS);
    }
    step_log_reader_close(log);
    end_run(&run);
    close(t.fd);
}
END_TEST

/* Reads to the end and counts the records before it. The status of the end; its kind when it is
 * SHOAL_OK. Twice, because the end must come again. */
static enum shoal_status read_all(struct step_log_reader *log, int *n_records,
                                  struct step_log_record *last, struct shoal_error *err)
{
    enum shoal_status status;

    *n_records = 0;
    do {
        status = step_log_reader_next(log, last, err);
        *n_records += !status && last->kind < STEP_LOG_END;
    } while (!status && last->kind < STEP_LOG_END);
    ck_assert_int_eq(step_log_reader_next(log, last, err), status);
    return status;
}

START_TEST(a_log_cut_at_any_byte_says_so)
{
    uint64_t begins[N_RECORDS + 2];
    struct step_log_record rec;
    uint8_t *bytes;
    struct temporary t;
    int n_begins = 0, n_records;

    make_temporary(&t);
    write_log(t.path, true);
    const size_t n = load(&t, &bytes);
    struct step_log_reader *log = open_log(t.path);
    do {
        ck_assert(!step_log_reader_next(log, &rec, NULL) && n_begins <= N_RECORDS);
        begins[n_begins++] = rec.at;
    } while (rec.kind != STEP_LOG_END);
    step_log_reader_close(log);
    ck_assert_int_eq(n_begins, N_RECORDS + 1);
    begins[n_begins] = n;

    for (size_t cut = 0; cut < n; cut++) {
        struct shoal_error err = {0};
        char says[64];

        store(&t, bytes, cut);
        snprintf(says, sizeof says, "cut short at byte %zu,", cut);
        if (cut < begins[0]) {
            ck_assert_msg(step_log_reader_open(&log, t.path, &err) == SHOAL_E_IO, "cut at %zu",
                          cut);
            ck_assert_msg(strstr(err.text, says), "%s", err.text);
            continue;
        }
        int whole = 0;
        while (begins[whole + 1] <= cut)
            whole++;
        log = open_log(t.path);
        ck_assert_msg(read_all(log, &n_records, &rec, &err) == SHOAL_OK, "cut at %zu: %s", cut,
                      err.text);
        ck_assert_msg(rec.kind == STEP_LOG_CUT && rec.at == cut, "cut at %zu", cut);
        ck_assert_msg(n_records == whole, "cut at %zu: %d, not %d", cut, n_records, whole);
        ck_assert(step_log_cut(log, &rec, &err) == SHOAL_E_INTERRUPTED);
        ck_assert_msg(strstr(err.text, says) && strstr(err.text, t.path), "%s", err.text);
        step_log_reader_close(log);
    }
    mem_free(bytes);
    close(t.fd);
}
END_TEST

START_TEST(a_log_that_was_changed_is_told_from_one_that_was_cut)
{
    uint8_t *bytes;
    struct temporary t;

    make_temporary(&t);
    write_log(t.path, true);
    const size_t n = load(&t, &bytes);
    for (size_t i = 0; i < n; i++) {
        const uint8_t was = bytes[i];
        struct shoal_error err = {0};
        struct step_log_reader *log;
        struct step_log_record rec;
        int n_records;

        bytes[i] = (uint8_t)(was ^ 1 << i % 8);
        store(&t, bytes, n);
        enum shoal_status status = step_log_reader_open(&log, t.path, &err);
        if (!status) {
            status = read_all(log, &n_records, &rec, &err);
            ck_assert_msg(strstr(err.text, t.path) && strstr(err.text, "byte "), "%s", err.text);
            step_log_reader_close(log);
        }
        const enum shoal_status expected =
            i >= 4 && i < 8 ? SHOAL_E_UNSUPPORTED : SHOAL_E_FORMAT; /* the version */
        ck_assert_msg(status == expected, "byte %zu: %s", i, err.text);
        bytes[i] = was;
    }
    bytes[n] = 0;
    store(&t, bytes, n + 1);
    struct step_log_reader *log = open_log(t.path);
    struct shoal_error err = {0};
    struct step_log_record rec;
    int n_records;
    ck_assert(read_all(log, &n_records, &rec, &err) == SHOAL_E_FORMAT);
    ck_assert_msg(strstr(err.text, "bytes after the end"), "%s", err.text);
    step_log_reader_close(log);
    mem_free(bytes);
    close(t.fd);
}
END_TEST

START_TEST(a_run_that_stopped_has_no_clean_end)
{
    struct step_log_record rec;
    struct temporary t;
    int n_records;

    make_temporary(&t);
    write_log(t.path, false);
    struct step_log_reader *log = open_log(t.path);
    ck_assert(read_all(log, &n_records, &rec, NULL) == SHOAL_OK);
    ck_assert(rec.kind == STEP_LOG_CUT);
    ck_assert_int_eq(n_records, N_RECORDS);
    step_log_reader_close(log);
    close(t.fd);
}
END_TEST

START_TEST(results_are_flushed_when_asked)
{
    for (int flushes = 0; flushes < 2; flushes++) {
        struct step_log_writer *log;
        struct run run;
        uint8_t *bytes;
        struct temporary t;

        make_temporary(&t);
        begin_run(&run);
        const struct step_log_head head = make_head(&run);
        ck_assert(!step_log_writer_open(&log, t.path, &head, flushes, NULL));
        write_records(log, &run);
        const size_t before = load(&t, &bytes);
        mem_free(bytes);
        ck_assert(!step_log_writer_close(log, false, NULL));
        const size_t after = load(&t, &bytes);
        mem_free(bytes);
        ck_assert_uint_eq(before, flushes ? after : 0);
        end_run(&run);
        close(t.fd);
    }
}
END_TEST

START_TEST(files_that_are_no_logs)
{
    struct shoal_error err = {0};
    struct step_log_reader *log;
    struct temporary t;

    ck_assert(step_log_reader_open(&log, "no/such/file", &err) == SHOAL_E_IO);
    ck_assert_msg(strstr(err.text, "no/such/file"), "%s", err.text);
    ck_assert(step_log_reader_open(&log, "/", &err) == SHOAL_E_IO);
    make_temporary(&t);
    store(&t, "{\"custom_id\": 1}", 16);
    ck_assert(step_log_reader_open(&log, t.path, &err) == SHOAL_E_FORMAT);
    ck_assert_msg(strstr(err.text, "not a step log"), "%s", err.text);
    close(t.fd);
}
END_TEST

/* The message that is logged, counted through the hook that a progress line would use. */
static void count(void *n)
{
    ++*(int *)n;
}

START_TEST(a_full_disk_is_reported_once)
{
    struct shoal_error err = {0};
    struct step_log_writer *log;
    struct run run;
    int n_messages = 0;

    if (access("/dev/full", W_OK) != 0) {
        puts("skipped: there is no /dev/full");
        return;
    }
    for (int flushes = 0; flushes < 2; flushes++) {
        begin_run(&run);
        const struct step_log_head head = make_head(&run);
        n_messages = 0;
        log_set_around(count, NULL, &n_messages);
        ck_assert(!step_log_writer_open(&log, "/dev/full", &head, flushes, NULL));
        write_records(log, &run);
        ck_assert_int_eq(n_messages, flushes); /* without flushing, the buffer holds it all */
        for (int i = 0; i < 100; i++)
            write_records(log, &run);
        ck_assert_int_eq(n_messages, 1);
        ck_assert(step_log_writer_close(log, true, &err) == SHOAL_E_IO);
        ck_assert_msg(strstr(err.text, "/dev/full") && strstr(err.text, "No space left"), "%s",
                      err.text);
        ck_assert_int_eq(n_messages, 1);
        log_set_around(NULL, NULL, NULL);
        end_run(&run);
    }
}
END_TEST

START_TEST(heads_that_cannot_be_written)
{
    struct step_log_writer *log;
    struct run run;

    begin_run(&run);
    for (int i = 0; i < 4; i++) {
        struct step_log_head head = make_head(&run);
        if (i == 0)
            head.n_groups = 0;
        else if (i == 1)
            head.isa = "";
        else if (i == 2)
            head.limits.block_size = 5;
        const char *path = i == 3 ? "no/such/folder/log" : "never-written";
        const enum shoal_status expected = i == 3 ? SHOAL_E_IO : SHOAL_E_INVALID;
        ck_assert_int_eq(step_log_writer_open(&log, path, &head, false, NULL), expected);
    }
    ck_assert(access("never-written", F_OK) != 0);
    end_run(&run);
}
END_TEST

START_TEST(nothing_allocates_in_a_step)
{
    struct step_log_writer *log;
    struct run run;
    struct temporary t;

    make_temporary(&t);
    begin_run(&run);
    const struct step_log_head head = make_head(&run);
    ck_assert(!step_log_writer_open(&log, t.path, &head, true, NULL));
    mem_step_begin("log");
    for (int i = 0; i < 10; i++)
        write_records(log, &run);
    mem_step_end();
    ck_assert(!step_log_writer_close(log, true, NULL));
    end_run(&run);
    close(t.fd);
}
END_TEST

SUITE("step/log", a_log_reads_back, a_log_cut_at_any_byte_says_so,
      a_log_that_was_changed_is_told_from_one_that_was_cut, a_run_that_stopped_has_no_clean_end,
      results_are_flushed_when_asked, files_that_are_no_logs, a_full_disk_is_reported_once,
      heads_that_cannot_be_written, nothing_allocates_in_a_step)
