#include "cli/result_file.h"
#include "cli/result_line.h"
#include "cli/summary.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/json_out.h"
#include "support/suite.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

START_TEST(json_strings)
{
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } table[] = {
        {"", 0, "\"\""},
        {"abc", 3, "\"abc\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\n\r\t\b\f\0\x1f\x7f", 8, "\"\\n\\r\\t\\b\\f\\u0000\\u001f\\u007f\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"a\xff\xc3", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text out = {0};
        json_put_string(&out, table[i].in, table[i].n);
        ck_assert_str_eq(out.bytes, table[i].out);
        text_fini(&out);
    }
}
END_TEST

START_TEST(json_floats)
{
    static const struct {
        double in;
        const char *out;
    } table[] = {
        {0, "0"},         {-1.5, "-1.5"},       {0.1f, "0.100000001"},
        {1e-30, "1e-30"}, {-INFINITY, "-9999"}, {INFINITY, "9999"},
        {NAN, "null"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text out = {0};
        json_put_float(&out, table[i].in);
        ck_assert_str_eq(out.bytes, table[i].out);
        text_fini(&out);
    }
}
END_TEST

START_TEST(statistics_of_samples)
{
    struct samples s = {0};
    struct statistics v = samples_statistics(&s);

    ck_assert(v.mean == 0 && v.p99 == 0);
    samples_add(&s, 5);
    v = samples_statistics(&s);
    ck_assert(v.mean == 5 && v.median == 5 && v.p99 == 5 && v.std == 0);
    samples_fini(&s);

    /* 100, 99, ..., 1: as numpy.percentile has them */
    for (int i = 100; i >= 1; i--)
        samples_add(&s, i);
    v = samples_statistics(&s);
    ck_assert_double_eq_tol(v.mean, 50.5, 1e-9);
    ck_assert_double_eq_tol(v.median, 50.5, 1e-5);
    ck_assert_double_eq_tol(v.p99, 99.01, 1e-4);
    ck_assert_double_eq_tol(v.std, 28.866070047722, 1e-6);
    samples_fini(&s);
}
END_TEST

START_TEST(more_samples_than_are_kept)
{
    struct samples s = {0};
    struct statistics v;

    for (int i = 0; i < 3 * SAMPLES_MAX; i++)
        samples_add(&s, (double)i / (3 * SAMPLES_MAX));
    ck_assert_uint_eq(s.n_kept, SAMPLES_MAX);
    v = samples_statistics(&s);
    ck_assert_double_eq_tol(v.mean, 0.5, 1e-3);
    ck_assert_double_eq_tol(v.median, 0.5, 0.01);
    ck_assert_double_eq_tol(v.p99, 0.99, 0.01);
    samples_fini(&s);
}
END_TEST

static void read_back(const char *path, struct text *out)
{
    char buffer[4096];
    const int fd = open(path, O_RDONLY);
    ssize_t n;

    ck_assert_int_ge(fd, 0);
    text_clear(out);
    text_add_str(out, "");
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        text_add(out, buffer, (size_t)n);
    close(fd);
}

/* A limit on the size of files stands for a full disk: a line is cut in its middle. */
START_TEST(a_disk_that_fills_and_empties)
{
    char path[] = "/tmp/shoal-test-XXXXXX";
    struct rlimit limit, saved;
    struct text content = {0};
    struct result_file f;

    log_set_level(LOG_ERROR);
    close(mkstemp(path));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &saved);
    ck_assert_int_eq(result_file_open(&f, path, NULL), SHOAL_OK);
    ck_assert_int_eq(result_file_begin(&f, NULL), SHOAL_OK);
    result_file_write(&f, "first\n", 6);

    limit = saved;
    limit.rlim_cur = 10;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    result_file_write(&f, "second\n", 7);
    result_file_write(&f, "third\n", 6);
    ck_assert(f.has_said && f.n_kept == 2 && f.n_lost == 0);
    read_back(path, &content);
    ck_assert_str_eq(content.bytes, "first\n");

    setrlimit(RLIMIT_FSIZE, &saved);
    result_file_write(&f, "fourth\n", 7);
    read_back(path, &content);
    ck_assert_str_eq(content.bytes, "first\nsecond\nthird\nfourth\n");
    ck_assert(result_file_close(&f));
    remove(path);
    text_fini(&content);
}
END_TEST

START_TEST(outputs_that_fail)
{
    struct result_file f;
    struct shoal_error err;
    int ends[2];

    ck_assert_int_eq(result_file_open(&f, "/no/such/folder/file", &err), SHOAL_E_IO);
    ck_assert_str_eq(err.text, "cannot write /no/such/folder/file: No such file or directory");
    ck_assert_int_eq(result_file_open(&f, "/tmp", &err), SHOAL_E_IO);

    ck_assert_int_eq(result_file_open(&f, "/dev/full", &err), SHOAL_OK);
    ck_assert_int_eq(result_file_begin(&f, &err), SHOAL_OK);
    result_file_write(&f, "a\n", 2);
    result_file_write(&f, "b\n", 2);
    ck_assert(!f.is_gone && f.n_kept == 2);
    ck_assert(!result_file_close(&f));
    ck_assert(result_file_close(&f));

    /* nobody reads any more */
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    f = (struct result_file){.path = "pipe", .fd = ends[1], .owns_fd = true};
    result_file_write(&f, "a\n", 2);
    ck_assert(f.is_gone && f.n_lost == 1);
    ck_assert(!result_file_close(&f));
}
END_TEST

/* A run that cannot start leaves the results of the one before. */
START_TEST(emptied_only_at_the_start)
{
    char path[] = "/tmp/shoal-test-XXXXXX";
    const int fd = mkstemp(path);
    struct text content = {0};
    struct result_file f;

    ck_assert_int_eq(write(fd, "old\n", 4), 4);
    close(fd);
    ck_assert_int_eq(result_file_open(&f, path, NULL), SHOAL_OK);
    ck_assert(result_file_close(&f));
    read_back(path, &content);
    ck_assert_str_eq(content.bytes, "old\n");
    ck_assert_int_eq(result_file_open(&f, path, NULL), SHOAL_OK);
    ck_assert_int_eq(result_file_begin(&f, NULL), SHOAL_OK);
    ck_assert(result_file_close(&f));
    read_back(path, &content);
    ck_assert_str_eq(content.bytes, "");
    remove(path);
    text_fini(&content);
}
END_TEST

/* Two choices of two tokens each, as events, and the line that comes of them. */
START_TEST(jobs_and_their_lines)
{
    static const char expected[] =
        "{\"id\":\"batch_req_3\",\"custom_id\":\"x\\\"\",\"response\":{\"status_code\":200,"
        "\"request_id\":\"req_3\",\"body\":{\"id\":\"cmpl-3\",\"object\":\"text_completion\","
        "\"created\":99,\"model\":\"m\",\"choices\":[{\"index\":0,\"text\":\"a0a1\","
        "\"logprobs\":null,\"prompt_token_ids\":[7,8],\"token_ids\":[10,11],"
        "\"finish_reason\":\"length\"},{\"index\":1,\"text\":\"b0b1\",\"logprobs\":null,"
        "\"prompt_token_ids\":[7,8],\"token_ids\":[20,21],\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":4,\"total_tokens\":6,"
        "\"prompt_tokens_details\":{\"cached_tokens\":1}}}},\"error\":null}\n";
    const struct result_context context = {.model = "m", .created = 99};
    const int32_t prompt_ids[] = {7, 8};
    struct batch_request b = {.line = 3,
                              .return_token_ids = true,
                              .request = {.n = 2, .logprobs = -1, .prompt_logprobs = -1}};
    struct summary summary = {0};
    struct text line = {0};
    struct job *j;

    b.custom_id = mem_strdup("x\"");
    j = job_create(&b);
    ck_assert_ptr_nonnull(j);
    for (int step = 0; step < 2; step++) {
        for (int choice = 0; choice < 2; choice++) {
            char text[] = {(char)('a' + choice), (char)('0' + step), '\0'};
            const struct shoal_event event = {
                .choice = choice,
                .has_token = true,
                .token = 10 * (choice + 1) + step,
                .text = text,
                .n_text = 2,
                .finish = step == 0     ? SHOAL_RUNNING
                          : choice == 0 ? SHOAL_FINISH_LENGTH
                                        : SHOAL_FINISH_STOP,
                .prompt_ids = prompt_ids,
                .n_prompt = 2,
                .n_cached = choice == 0 ? 1 : 2,
                .n_generated = step + 1,
                .submitted_ns = 1000000,
                .now_ns = (step + 2) * 1000000,
            };
            ck_assert_int_eq(job_take_event(j, &event), step == 1 && choice == 1);
        }
    }
    result_line_print(&context, j, &line);
    ck_assert_str_eq(line.bytes, expected);

    summary_add_job(&summary, j);
    ck_assert(summary.n_completed == 1 && summary.n_output_tokens == 4);
    ck_assert(summary.ttft.n == 2 && summary.ttft.sum == 2 && summary.tpot.sum == 2);
    ck_assert(summary.e2el.n == 1 && summary.e2el.sum == 2);
    summary_fini(&summary);
    job_destroy(j);
    batch_request_fini(&b);
    text_fini(&line);
}
END_TEST

/* tiny's tokens are bytes, so a token may be a part of a character. */
START_TEST(chat_lines_with_logprobs)
{
    static const char expected[] =
        "{\"role\":\"assistant\",\"content\":\"A\"}|"
        "[{\"token\":\"A\",\"logprob\":-0.5,\"bytes\":[65],\"top_logprobs\":["
        "{\"token\":\"A\",\"logprob\":-0.5,\"bytes\":[65]},"
        "{\"token\":\"bytes:\\\\xc3\",\"logprob\":-9999,\"bytes\":[195]}]},"
        "{\"token\":\"B\",\"logprob\":-2,\"bytes\":[66],\"top_logprobs\":["
        "{\"token\":\"C\",\"logprob\":-1,\"bytes\":[67]}]}]|"
        "[null,{\"66\":{\"logprob\":-3,\"rank\":4,\"decoded_token\":\"B\"},"
        "\"67\":{\"logprob\":-1,\"rank\":1,\"decoded_token\":\"C\"}}]|";
    static const char *const paths[] = {"message", "logprobs", "prompt_logprobs"};
    const struct shoal_logprob entries[] = {{65, -0.5f, 1}, {65, -0.5f, 1}, {195, -INFINITY, 2}};
    const struct shoal_logprob second[] = {{66, -2, 3}, {67, -1, 1}},
                               prompt[] = {{66, -3, 4}, {67, -1, 1}};
    const int32_t prompt_ids[] = {65, 66};
    struct batch_request b = {
        .line = 1, .is_chat = true, .request = {.n = 1, .logprobs = 2, .prompt_logprobs = 1}};
    struct shoal_event event = {.has_token = true,
                                .token = 65,
                                .text = "A",
                                .n_text = 1,
                                .logprobs = entries,
                                .n_logprobs = 3,
                                .prompt_ids = prompt_ids,
                                .n_prompt = 2,
                                .prompt_logprobs = prompt,
                                .n_prompt_logprobs = 2,
                                .prompt_logprobs_width = 2,
                                .n_generated = 1};
    struct result_context context = {.model = "m"};
    struct shoal_options options;
    struct shoal_engine *engine;
    struct shoal_error err;
    struct text line = {0}, found = {0};
    struct job *j;
    json_t *root, *body, *choice;

    shoal_options_default(&options);
    options.model = "tiny";
    options.threads = 1;
    options.num_kv_blocks = 64;
    ck_assert_msg(shoal_engine_open(&engine, &options, &err) == SHOAL_OK, "%s", err.text);
    context.engine = engine;
    b.custom_id = mem_strdup("x");
    j = job_create(&b);
    ck_assert(!job_take_event(j, &event));
    event = (struct shoal_event){.has_token = true,
                                 .token = 66,
                                 .text = "",
                                 .logprobs = second,
                                 .n_logprobs = 2,
                                 .n_prompt = 2,
                                 .prompt_ids = prompt_ids,
                                 .n_generated = 2,
                                 .finish = SHOAL_FINISH_STOP};
    ck_assert(job_take_event(j, &event));
    result_line_print(&context, j, &line);
    root = json_loads(line.bytes, 0, NULL);
    ck_assert_ptr_nonnull(root);
    body = json_object_get(json_object_get(root, "response"), "body");
    choice = json_array_get(json_object_get(body, "choices"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(body, "object")), "chat.completion");
    for (int i = 0; i < 3; i++) {
        json_t *part = json_object_get(i < 2 ? choice : body, paths[i]);
        char *text = json_dumps(i == 1 ? json_object_get(part, "content") : part,
                                JSON_COMPACT | JSON_REAL_PRECISION(9));
        text_printf(&found, "%s|", text);
        free(text);
    }
    ck_assert_str_eq(found.bytes, expected);

    /* the same as a completion: one offset a token, keys by spelling */
    text_clear(&line);
    result_completion_logprobs(&context, &j->choices[0], &line);
    ck_assert_str_eq(line.bytes, "{\"text_offset\":[0,1],\"token_logprobs\":[-0.5,-2],\"tokens\":"
                                 "[\"A\",\"B\"],\"top_logprobs\":[{\"A\":-0.5,\"bytes:\\\\xc3\":"
                                 "-9999},{\"C\":-1,\"B\":-2}]}");
    json_decref(root);
    job_destroy(j);
    text_fini(&line);
    text_fini(&found);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
}
END_TEST

START_TEST(jobs_that_end_early)
{
    const struct result_context context = {.model = "m"};
    const struct shoal_event event = {.choice = 1, .text = "", .finish = SHOAL_FINISH_STOP};
    struct batch_request b = {.line = 1,
                              .request = {.n = 2, .logprobs = -1, .prompt_logprobs = -1}};
    struct text line = {0};
    struct job *j;
    json_t *root;

    b.custom_id = mem_strdup("x");
    j = job_create(&b);
    ck_assert(!job_take_event(j, &event));
    job_end(j, SHOAL_FINISH_ERROR, "layer 3");
    result_line_print(&context, j, &line);
    root = json_loads(line.bytes, 0, NULL);
    ck_assert_ptr_nonnull(root);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(root, "error"), "message")),
                     "layer 3");
    ck_assert_int_eq(
        json_integer_value(json_object_get(json_object_get(root, "response"), "status_code")), 500);
    json_decref(root);
    job_destroy(j);
    text_fini(&line);
}
END_TEST

START_TEST(lines_of_refused_requests)
{
    struct shoal_error err;
    struct text line = {0};

    shoal_fail(&err, SHOAL_E_LIMIT, "too \"long\"");
    result_line_refuse("a", 4, &err, &line);
    ck_assert_str_eq(
        line.bytes, "{\"id\":\"batch_req_4\",\"custom_id\":\"a\",\"response\":{\"status_code\":400,"
                    "\"request_id\":\"req_4\",\"body\":null},\"error\":{\"code\":"
                    "\"limit_exceeded\",\"message\":\"too \\\"long\\\"\",\"line\":4}}\n");
    text_fini(&line);
}
END_TEST

SUITE("output", json_strings, json_floats, statistics_of_samples, more_samples_than_are_kept,
      a_disk_that_fills_and_empties, outputs_that_fail, emptied_only_at_the_start,
      jobs_and_their_lines, chat_lines_with_logprobs, jobs_that_end_early,
      lines_of_refused_requests)
