/* What an engine shows of itself: metrics that agree with its counts, memory by part, buffers,
 * leaks that are found and clean runs that are not accused, and the files of the options. */
#include "shoal/observe.h"

#include "engine/open_engine.h"
#include "observe/exposition.h"
#include "shoal/plugin.h"
#include "support/suite.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static struct shoal_options tiny_options(void)
{
    struct shoal_options options;

    shoal_options_default(&options);
    options.model = "tiny";
    options.threads = 1;
    options.num_kv_blocks = 64;
    return options;
}

static struct shoal_engine *open_tiny(void)
{
    const struct shoal_options options = tiny_options();

    return open_engine(&options);
}

static uint64_t submit(struct shoal_engine *engine, int32_t n_prompt, int32_t max_tokens, int32_t n,
                       shoal_event_func_t on_event)
{
    int32_t ids[64];
    struct shoal_request q;
    struct shoal_error err;
    uint64_t id;

    for (int32_t i = 0; i < n_prompt; i++)
        ids[i] = 1 + i;
    shoal_request_default(&q);
    q.prompt_ids = ids;
    q.n_prompt_ids = n_prompt;
    q.max_tokens = max_tokens;
    q.n = n;
    q.ignore_eos = true;
    q.on_event = on_event;
    ck_assert_msg(shoal_submit(engine, &q, &id, &err) == SHOAL_OK, "%s", err.text);
    return id;
}

static void run_all(struct shoal_engine *engine)
{
    struct shoal_event event;

    while (!shoal_is_idle(engine)) {
        ck_assert_int_eq(shoal_run(engine, -1, NULL), SHOAL_OK);
        while (shoal_next_event(engine, &event))
            ;
    }
    while (shoal_next_event(engine, &event))
        ;
}

static void run_some(struct shoal_engine *engine, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        submit(engine, 1 + i % 40, 1 + i % 7, 1, NULL);
    run_all(engine);
}

static double value_of(struct shoal_engine *engine, const char *sample)
{
    char *text, why[EXPOSITION_WHY_BYTES];
    size_t n;
    double x;

    ck_assert_int_eq(shoal_metrics_text(engine, SHOAL_METRICS_PROMETHEUS, &text, &n, NULL),
                     SHOAL_OK);
    ck_assert_uint_eq(strlen(text), n);
    ck_assert_msg(exposition_check(text, why), "%s", why);
    x = exposition_value(text, sample);
    ck_assert_msg(!isnan(x), "there is no %s", sample);
    free(text);
    return x;
}

#define OF_TINY "{model_name=\"tiny\",engine=\"0\""

START_TEST(metrics_agree_with_counts)
{
    struct shoal_engine *engine = open_tiny();
    struct shoal_counts counts;
    struct shoal_info info;

    shoal_engine_info(engine, &info);
    ck_assert_str_eq(info.model_name, "tiny");
    submit(engine, 33, 5, 1, NULL);
    run_all(engine);
    submit(engine, 33, 5, 1, NULL); /* two blocks of its prompt are known now */
    submit(engine, 3, 4, 2, NULL);  /* two choices: the prompt counts once */
    submit(engine, 3, 0, 1, NULL);  /* ends at once */
    const uint64_t id = submit(engine, 7, 50, 1, NULL);
    ck_assert(value_of(engine, "vllm:num_requests_waiting" OF_TINY "}") == 4);
    ck_assert_double_eq(
        value_of(engine, "vllm:num_requests_waiting_by_reason" OF_TINY ",reason=\"new\"}"), 3);
    ck_assert_double_eq(
        value_of(engine, "vllm:num_requests_waiting_by_reason" OF_TINY ",reason=\"first_choice\"}"),
        1);
    for (int32_t i = 0; i < 3; i++) {
        struct shoal_event event;
        ck_assert_int_eq(shoal_run(engine, 0, NULL), SHOAL_OK);
        while (shoal_next_event(engine, &event))
            ;
    }
    ck_assert(value_of(engine, "vllm:num_requests_running" OF_TINY "}") >= 1);
    ck_assert(value_of(engine, "vllm:kv_cache_usage_perc" OF_TINY "}") > 0);
    ck_assert(shoal_cancel(engine, id));
    run_all(engine);
    shoal_engine_counts(engine, &counts);

    const struct {
        const char *sample;
        double value;
    } expected[] = {
        {"vllm:num_requests_running" OF_TINY "}", 0},
        {"vllm:num_requests_waiting" OF_TINY "}", 0},
        {"vllm:generation_tokens_total" OF_TINY "}", (double)counts.generated_tokens},
        {"vllm:prompt_tokens_total" OF_TINY "}", 33 + 33 + 3 + 7},
        {"vllm:prefix_cache_hits_total" OF_TINY "}", (double)counts.cached_tokens},
        {"vllm:num_preemptions_total" OF_TINY "}", (double)counts.n_preemptions},
        {"vllm:iteration_tokens_total_count" OF_TINY "}", (double)counts.n_steps},
        {"shoal:step_seconds_count{rank=\"0\",phase=\"compute\"}", (double)counts.n_steps},
        {"vllm:request_success_total" OF_TINY ",finished_reason=\"length\"}", 5},
        {"vllm:request_success_total" OF_TINY ",finished_reason=\"abort\"}", 1},
        {"vllm:e2e_request_latency_seconds_count" OF_TINY "}", 6},
        {"vllm:time_to_first_token_seconds_count" OF_TINY "}", 5},
        {"vllm:request_queue_time_seconds_count" OF_TINY "}", 5},
        {"shoal:kv_blocks{rank=\"0\",state=\"held\"}", 0},
    };
    ck_assert_int_ge(counts.cached_tokens, 32);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_double_eq(value_of(engine, expected[i].sample), expected[i].value);
    /* Each token but the first ones has a time before it. */
    ck_assert_double_eq(value_of(engine, "vllm:inter_token_latency_seconds_count" OF_TINY "}"),
                        (double)counts.generated_tokens - 5);
    ck_assert(fabs(value_of(engine, "shoal:scheduler_seconds_sum{rank=\"0\"}") -
                   counts.scheduler_seconds) < 1e-4);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
}
END_TEST

START_TEST(memory_by_part)
{
    struct shoal_engine *engine = open_tiny();
    struct shoal_info info;
    struct shoal_memory m;
    char *text;

    shoal_engine_info(engine, &info);
    shoal_memory_now(engine, &m);
    ck_assert_uint_eq(m.part_held[SHOAL_MEMORY_KV_POOL],
                      (uint64_t)info.n_kv_blocks * info.kv_block_bytes);
    ck_assert_uint_eq(m.part_held[SHOAL_MEMORY_WEIGHTS], info.weight_bytes);
    ck_assert_uint_ge(m.part_held[SHOAL_MEMORY_STEP], info.step_bytes);
    ck_assert_uint_gt(m.part_held[SHOAL_MEMORY_PLAN], 0);
    ck_assert_uint_gt(m.part_held[SHOAL_MEMORY_TOKENIZER], 0);
    ck_assert_uint_gt(m.resident, 0);
    run_some(engine, 5);
    shoal_memory_now(engine, &m);
    ck_assert_int_gt(m.part_growth[SHOAL_MEMORY_KV_POOL], 0); /* touched now */
    ck_assert_int_eq(m.part_growth[SHOAL_MEMORY_WEIGHTS], 0);
    ck_assert_int_eq(shoal_memory_text(engine, &text, NULL), SHOAL_OK);
    for (int i = 0; i < SHOAL_MEMORY_PART_COUNT; i++)
        ck_assert_ptr_nonnull(strstr(text, shoal_memory_part_name((enum shoal_memory_part)i)));
    free(text);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
}
END_TEST

static uint64_t seven_mib(void *user)
{
    (void)user;
    return 7 * MIB;
}

START_TEST(buffers_of_engine_and_program)
{
    static const char *const names[] = {"KV pool", "weights image", "tokenizer",
                                        "activations and logits", "events"};
    const struct shoal_buffer mine = {.name = "my table", .owner = "me", .size = seven_mib};
    struct shoal_engine *engine = open_tiny();
    char *text;
    int32_t id;

    ck_assert_int_eq(shoal_buffer_add(engine, &mine, &id, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_buffers_text(engine, &text, NULL), SHOAL_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(strstr(text, names[i]) != NULL, "no %s in\n%s", names[i], text);
    const char *line = strstr(text, "my table");
    ck_assert_msg(line && strstr(line, "7.0 MiB"), "%s", text);
    free(text);
    shoal_buffer_remove(engine, id);
    ck_assert_int_eq(shoal_buffers_text(engine, &text, NULL), SHOAL_OK);
    ck_assert_ptr_null(strstr(text, "my table"));
    free(text);
    ck_assert_int_eq(shoal_buffer_add(engine, &(struct shoal_buffer){.name = "x"}, &id, NULL),
                     SHOAL_E_INVALID);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
}
END_TEST

static void run_each_kind(struct shoal_engine *engine)
{
    run_some(engine, 50);
    submit(engine, 20, 10, 3, NULL);
    shoal_cancel(engine, submit(engine, 20, 10, 1, NULL));
    run_all(engine);
}

/* After a warm-up, more requests of every kind take no byte for good. A long one: what the
 * allocator keeps of freed pieces, to give out again, still counts as taken. */
START_TEST(memory_does_not_grow)
{
    struct shoal_engine *engine = open_tiny();
    struct shoal_leak leak;

    for (int round = 0; round < 20; round++)
        run_each_kind(engine);
    shoal_leak_begin(engine, 4 * KIB);
    for (int round = 0; round < 20; round++) {
        run_each_kind(engine);
        shoal_leak_check(engine, &leak);
        ck_assert_msg(!leak.leaks, "round %d: %s", round, leak.text);
    }
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
}
END_TEST

static char *planted[4096];
static int n_planted;

static void leak_a_little(void *user, const struct shoal_event *event)
{
    (void)user;
    (void)event;
    if (n_planted < 4096 && (planted[n_planted] = malloc(KIB)))
        planted[n_planted++][0] = 1;
}

static void dig_out(void)
{
    while (n_planted > 0)
        free(planted[--n_planted]);
}

START_TEST(planted_leak_is_found)
{
    struct shoal_engine *engine = open_tiny();
    struct shoal_leak leak;

    run_some(engine, 100);
    shoal_leak_begin(engine, 64 * KIB);
    for (int i = 0; i < 20; i++)
        submit(engine, 5, 10, 1, leak_a_little);
    run_all(engine);
    shoal_leak_check(engine, &leak);
    ck_assert_msg(leak.leaks, "%s", leak.text);
    ck_assert_int_eq(leak.part, SHOAL_MEMORY_OTHER);
    ck_assert_int_ge(leak.growth, 200 * KIB);
    ck_assert_ptr_nonnull(strstr(leak.text, "other grew by 2"));
    dig_out();
    shoal_leak_check(engine, &leak);
    ck_assert_msg(!leak.leaks, "%s", leak.text);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
}
END_TEST

/* --leak-check: clean, leaking, and leaking after a first batch, which is then the baseline. */
START_TEST(leak_check_at_the_end)
{
    struct shoal_options options = tiny_options();

    options.leak_check = true;
    for (int i = 0; i < 3; i++) {
        struct shoal_engine *engine = open_engine(&options);
        if (i != 1)
            run_some(engine, 30);
        for (int k = 0; i > 0 && k < 130; k++)
            submit(engine, 5, 10, 1, leak_a_little);
        run_all(engine);
        ck_assert_int_eq(shoal_engine_close(engine), i == 0 ? SHOAL_OK : SHOAL_E_INTERNAL);
        dig_out();
    }
}
END_TEST

static char folder[64];

static void enter_folder(void)
{
    strcpy(folder, "/tmp/shoal-observe-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static int32_t lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    int32_t n = 0;

    ck_assert_msg(file != NULL, "there is no %s", path);
    for (int c; (c = getc(file)) != EOF;)
        n += c == '\n';
    fclose(file);
    return n;
}

START_TEST(files_of_the_options)
{
    struct shoal_options options = tiny_options();
    struct shoal_engine *engine;
    struct shoal_counts counts;
    char *text;

    enter_folder();
    options.metrics_file = "m.csv";
    options.memory_timeline = "t.json";
    engine = open_engine(&options);
    shoal_memory_mark(engine, "my mark");
    run_some(engine, 10);
    raise(SIGUSR1);
    shoal_metrics_poll(engine);
    shoal_engine_counts(engine, &counts);
    ck_assert_int_eq(lines_of("m.csv"), counts.n_steps + 1);
    run_some(engine, 10);
    shoal_engine_counts(engine, &counts);
    ck_assert_int_eq(shoal_memory_timeline(engine, false, &text, NULL), SHOAL_OK);
    ck_assert_ptr_nonnull(strstr(text, ",\"my mark\","));
    free(text);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
    ck_assert_int_eq(lines_of("m.csv"), counts.n_steps + 1);
    ck_assert_int_ge(lines_of("t.json"), 4);
    ck_assert_int_eq(unlink("m.csv"), 0);
    ck_assert_int_eq(unlink("t.json"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(refused_options)
{
    static const struct {
        const char *metrics, *timeline;
        double interval;
        enum shoal_status status;
        const char *part;
    } table[] = {
        {"m.txt", NULL, 0, SHOAL_E_INVALID, "--metrics-file m.txt"},
        {"none/m.prom", NULL, 0, SHOAL_E_IO, "none/m.prom: No such file"},
        {"none/m.csv", NULL, 0, SHOAL_E_IO, "none/m.csv: No such file"},
        {NULL, "t.prom", 0, SHOAL_E_INVALID, "--memory-timeline t.prom"},
        {NULL, "none/t.csv", 0, SHOAL_E_IO, "none/t.csv: No such file"},
        {NULL, NULL, 1, SHOAL_E_INVALID, "--metrics-interval 1 is about --metrics-file"},
    };

    enter_folder();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_options options = tiny_options();
        struct shoal_engine *engine;
        struct shoal_error err;
        options.metrics_file = table[i].metrics;
        options.memory_timeline = table[i].timeline;
        options.metrics_interval = table[i].interval;
        ck_assert_msg(shoal_engine_open(&engine, &options, &err) == table[i].status, "%s",
                      table[i].part);
        ck_assert_msg(strstr(err.text, table[i].part) != NULL, "%s", err.text);
    }
    ck_assert_int_eq(rmdir(folder), 0); /* nothing was left */
}
END_TEST

START_TEST(full_disk_fails_the_close)
{
    struct shoal_options options = tiny_options();
    struct shoal_engine *engine;

    if (access("/dev/full", W_OK) != 0)
        return;
    enter_folder();
    ck_assert_int_eq(symlink("/dev/full", "m.prom"), 0);
    ck_assert_int_eq(symlink("/dev/full", "t.csv"), 0);
    options.metrics_file = "m.prom";
    engine = open_engine(&options);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_E_IO);
    options.metrics_file = NULL;
    options.memory_timeline = "t.csv";
    engine = open_engine(&options);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_E_IO);
    unlink("m.prom");
    unlink("t.csv");
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* A plugin that asks for the engine's metrics when a request ends, and marks the moment. */
struct watcher {
    const struct shoal_plugin_host *host;
    double n_generated;
};

static enum shoal_status watch(void **state, const struct shoal_plugin_host *host,
                               const struct shoal_plugin_value values[], int32_t n_values,
                               void *user, struct shoal_error *err)
{
    (void)values;
    (void)n_values;
    (void)err;
    *state = user;
    ((struct watcher *)user)->host = host;
    return SHOAL_OK;
}

static enum shoal_status see_end(void *state, const struct shoal_plugin_request *request,
                                 struct shoal_error *err)
{
    struct watcher *w = state;
    char *text;
    enum shoal_status status = w->host->metrics(w->host->engine, false, &text, err);

    (void)request;
    if (status)
        return status;
    w->n_generated = exposition_value(text, "vllm:generation_tokens_total" OF_TINY "}");
    free(text);
    w->host->mark_memory(w->host->engine, "seen");
    return SHOAL_OK;
}

START_TEST(plugin_sees_metrics)
{
    static const struct shoal_scheduler_plugin scheduler = {.on_request_finished = see_end};
    static const struct shoal_plugin plugin = {.version = SHOAL_PLUGIN_VERSION,
                                               .name = "watcher",
                                               .about = "a test",
                                               .create = watch,
                                               .scheduler = &scheduler};
    struct watcher watcher = {0};
    const struct shoal_plugin_use use = {.plugin = &plugin, .user = &watcher};
    struct shoal_options options = tiny_options();
    struct shoal_engine *engine;
    char *text;

    options.plugins_own = &use;
    options.n_plugins_own = 1;
    engine = open_engine(&options);
    submit(engine, 5, 9, 1, NULL);
    run_all(engine);
    ck_assert_double_eq(watcher.n_generated, 9);
    ck_assert_int_eq(shoal_memory_timeline(engine, true, &text, NULL), SHOAL_OK);
    ck_assert_ptr_nonnull(strstr(text, "\"seen\""));
    free(text);
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
}
END_TEST

SUITE("observe", metrics_agree_with_counts, memory_by_part, buffers_of_engine_and_program,
      memory_does_not_grow, planted_leak_is_found, leak_check_at_the_end, files_of_the_options,
      refused_options, full_disk_fails_the_close, plugin_sees_metrics)
