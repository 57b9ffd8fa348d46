/* Metrics: what is fed comes out under its name, in text that Prometheus and a JSON parser take. */
#include "observe/metrics.h"

#include "base/mem.h"
#include "observe/exposition.h"
#include "observe/histogram.h"
#include "support/suite.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const reasons[] = {"new", "budget"};
static const char *const parts[] = {"weights", "other"};

static struct metrics *create(const char *model, bool prefix_caching)
{
    const struct metrics_options options = {
        .model = model,
        .n_ranks = 2,
        .max_model_len = 1000,
        .block_size = 16,
        .n_blocks = 10,
        .cache_dtype = "f16",
        .layout = "paged",
        .prefix_caching = prefix_caching,
        .wait_reasons = reasons,
        .n_wait_reasons = 2,
        .memory_parts = parts,
        .n_memory_parts = 2,
    };
    struct metrics *m;

    ck_assert_int_eq(metrics_create(&m, &options, NULL), SHOAL_OK);
    return m;
}

/* Two steps of rank 1, one of rank 0, one request that ends. */
static void feed(struct metrics *m)
{
    const int64_t ms = 1000000;
    const struct metrics_step step = {.rank = 1,
                                      .budget = 64,
                                      .n_seqs = 3,
                                      .n_tokens = 32,
                                      .n_decode_tokens = 2,
                                      .n_running = 3,
                                      .n_waiting = 4,
                                      .blocks_free = 2,
                                      .blocks_cached = 3,
                                      .blocks_held = 5,
                                      .step_ns = 20 * ms,
                                      .compute_ns = 15 * ms,
                                      .communicate_ns = 3 * ms,
                                      .wait_ns = 2 * ms,
                                      .scheduler_ns = 4000,
                                      .plan_bytes = 100,
                                      .result_bytes = 30,
                                      .n_preemptions = 7};
    struct metrics_step own = step;

    own.rank = 0;
    own.n_running = 1;
    own.n_tokens = 9;
    metrics_add_step(m, &own);
    metrics_add_step(m, &step);
    metrics_add_step(m, &step);
    metrics_add_start(m, 40, 32);
    metrics_add_token(
        m, &(struct metrics_token){.now_ns = 51 * ms, .submitted_ns = 1 * ms, .n_prompt = 40});
    metrics_add_token(m, &(struct metrics_token){.now_ns = 71 * ms, .before_ns = 51 * ms});
    metrics_add_token(m, &(struct metrics_token){.now_ns = 111 * ms, .before_ns = 71 * ms});
    metrics_add_end(m, &(struct metrics_request){.end = METRICS_LENGTH,
                                                 .submitted_ns = 1 * ms,
                                                 .admitted_ns = 11 * ms,
                                                 .first_token_ns = 51 * ms,
                                                 .last_token_ns = 111 * ms,
                                                 .now_ns = 111 * ms,
                                                 .n_prompt = 40,
                                                 .n_generated = 3});
    metrics_add_end(m, &(struct metrics_request){
                           .end = METRICS_ABORT, .submitted_ns = 1 * ms, .now_ns = 401 * ms});
    metrics_set_waiting(m, (const int32_t[]){3, 1}, 4);
    metrics_set_memory(m, 1, 0, 4096);
}

#define V "{model_name=\"m\",engine=\"0\""
#define V1 "{model_name=\"m\",engine=\"1\""

static const struct {
    const char *sample;
    double value;
} expected[] = {
    {"vllm:num_requests_running" V "}", 1},
    {"vllm:num_requests_running" V1 "}", 3},
    {"vllm:num_requests_waiting" V "}", 4},
    {"vllm:num_requests_waiting_by_reason" V ",reason=\"new\"}", 3},
    {"vllm:num_requests_waiting_by_reason" V ",reason=\"budget\"}", 1},
    {"vllm:kv_cache_usage_perc" V1 "}", 0.5},
    {"vllm:prefix_cache_queries_total" V "}", 40},
    {"vllm:prefix_cache_hits_total" V "}", 32},
    {"vllm:num_preemptions_total" V "}", 7},
    {"vllm:prompt_tokens_total" V "}", 40},
    {"vllm:generation_tokens_total" V "}", 3},
    {"vllm:request_success_total" V ",finished_reason=\"length\"}", 1},
    {"vllm:request_success_total" V ",finished_reason=\"abort\"}", 1},
    {"vllm:request_success_total" V ",finished_reason=\"stop\"}", 0},
    {"vllm:iteration_tokens_total_bucket" V ",le=\"8\"}", 0},
    {"vllm:iteration_tokens_total_bucket" V ",le=\"16\"}", 1},
    {"vllm:iteration_tokens_total_bucket" V1 ",le=\"16\"}", 0},
    {"vllm:iteration_tokens_total_bucket" V1 ",le=\"32\"}", 2}, /* on the bound: in it */
    {"vllm:iteration_tokens_total_sum" V1 "}", 64},
    {"vllm:time_to_first_token_seconds_sum" V "}", 0.05},
    {"vllm:time_to_first_token_seconds_count" V "}", 1},
    {"vllm:time_to_first_token_seconds_bucket" V ",le=\"0.04\"}", 0},
    {"vllm:time_to_first_token_seconds_bucket" V ",le=\"0.06\"}", 1},
    {"vllm:inter_token_latency_seconds_sum" V "}", 0.06},
    {"vllm:inter_token_latency_seconds_count" V "}", 2},
    {"vllm:inter_token_latency_seconds_bucket" V ",le=\"0.025\"}", 1},
    {"vllm:request_time_per_output_token_seconds_sum" V "}", 0.03},
    {"vllm:e2e_request_latency_seconds_sum" V "}", 0.51},
    {"vllm:e2e_request_latency_seconds_count" V "}", 2},
    {"vllm:request_queue_time_seconds_sum" V "}", 0.01},
    {"vllm:request_queue_time_seconds_count" V "}", 1}, /* the aborted one never ran */
    {"vllm:request_inference_time_seconds_sum" V "}", 0.1},
    {"vllm:request_prefill_time_seconds_sum" V "}", 0.04},
    {"vllm:request_decode_time_seconds_sum" V "}", 0.06},
    {"vllm:request_prompt_tokens_bucket" V ",le=\"20\"}", 1},
    {"vllm:request_prompt_tokens_bucket" V ",le=\"50\"}", 2},
    {"vllm:request_prompt_tokens_bucket" V ",le=\"1000\"}", 2},
    {"vllm:request_generation_tokens_sum" V "}", 3},
    {"shoal:step_seconds_sum{rank=\"1\",phase=\"compute\"}", 0.03},
    {"shoal:step_seconds_sum{rank=\"1\",phase=\"communicate\"}", 0.006},
    {"shoal:step_seconds_sum{rank=\"0\",phase=\"wait\"}", 0.002},
    {"shoal:step_tokens_sum{rank=\"1\",kind=\"prefill\"}", 60},
    {"shoal:step_tokens_sum{rank=\"1\",kind=\"decode\"}", 4},
    {"shoal:budget_used_ratio{rank=\"1\"}", 0.5},
    {"shoal:kv_blocks{rank=\"1\",state=\"free\"}", 2},
    {"shoal:kv_blocks{rank=\"1\",state=\"cached\"}", 3},
    {"shoal:kv_blocks{rank=\"1\",state=\"held\"}", 5},
    {"shoal:comm_bytes_total{rank=\"0\",direction=\"sent\"}", 200},
    {"shoal:comm_bytes_total{rank=\"0\",direction=\"received\"}", 60},
    {"shoal:comm_bytes_total{rank=\"1\",direction=\"sent\"}", 60},
    {"shoal:comm_bytes_total{rank=\"1\",direction=\"received\"}", 200},
    {"shoal:scheduler_seconds_count{rank=\"1\"}", 2},
    {"shoal:rss_bytes{rank=\"1\",part=\"weights\"}", 4096},
    {"vllm:cache_config_info" V ",block_size=\"16\",cache_dtype=\"f16\","
     "enable_prefix_caching=\"True\",kv_layout=\"paged\",num_cpu_blocks=\"10\"}",
     1},
};

START_TEST(prometheus_holds_what_was_fed)
{
    struct metrics *m = create("m", true);
    struct text text = {0};
    char why[EXPOSITION_WHY_BYTES];

    feed(m);
    metrics_print_prometheus(m, &text);
    ck_assert(!text.failed);
    ck_assert_msg(exposition_check(text.bytes, why), "%s", why);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const double x = exposition_value(text.bytes, expected[i].sample);
        ck_assert_msg(fabs(x - expected[i].value) < 1e-9, "%s is %g, not %g", expected[i].sample, x,
                      expected[i].value);
    }
    text_fini(&text);
    metrics_destroy(m);
}
END_TEST

START_TEST(labels_are_escaped)
{
    struct metrics *m = create("a\"b\\c\nd", true);
    struct text text = {0};
    char why[EXPOSITION_WHY_BYTES];

    metrics_print_prometheus(m, &text);
    ck_assert_msg(exposition_check(text.bytes, why), "%s", why);
    ck_assert_double_eq(exposition_value(text.bytes,
                                         "vllm:num_requests_waiting{model_name=\"a\\\"b\\\\c\\nd\","
                                         "engine=\"0\"}"),
                        0);
    text_clear(&text);
    metrics_print_json(m, &text);
    json_t *root = json_loads(text.bytes, 0, NULL);
    ck_assert_ptr_nonnull(root);
    json_decref(root);
    text_fini(&text);
    metrics_destroy(m);
}
END_TEST

/* The parser that the other tests trust refuses what is wrong. */
START_TEST(parser_refuses)
{
#define HEAD "# HELP a x\n# TYPE a histogram\n"
    static const char *const bad[] = {
        "",
        "a 1",
        "a 1\n",
        "# TYPE a counter\na 1\n",
        "# HELP a x\n# TYPE a sum\na 1\n",
        "# HELP a x\n# TYPE a counter\na -1\n",
        "# HELP a x\n# TYPE a counter\na one\n",
        "# HELP a x\n# TYPE a counter\na 1\na 1\n",
        "# HELP a x\n# TYPE a counter\na{b=\"1\" 1\n",
        "# HELP a x\n# TYPE a counter\na{b=\"\\q\"} 1\n",
        "# HELP a x\n# TYPE a counter\na{b:c=\"1\"} 1\n",
        "# HELP a x\n# TYPE a counter\na 1\n# HELP a x\n# TYPE a counter\n",
        "# HELP a x\n# TYPE a counter\na 1\nb 1\n",
        HEAD "a_bucket{le=\"1\"} 1\n",
        HEAD "a_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
        HEAD "a_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
        HEAD
        "a_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count "
        "1\n",
        HEAD "a_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
        HEAD "a_bucket{le=\"+Inf\"} 1\na_count 1\n",
    };
    char why[EXPOSITION_WHY_BYTES];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!exposition_check(bad[i], why), "not refused: %s", bad[i]);
    ck_assert_msg(exposition_check(HEAD "a_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 5\n"
                                        "a_count 2\n",
                                   why),
                  "%s", why);
}
END_TEST

START_TEST(json_holds_the_same)
{
    struct metrics *m = create("m", true);
    struct text text = {0};
    const char *labels, *kind;
    double sum, bound;
    json_int_t count, below;
    json_error_t error;

    feed(m);
    metrics_print_json(m, &text);
    json_t *root = json_loads(text.bytes, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(root != NULL, "%s", error.text);
    json_t *family = json_object_get(root, "vllm:iteration_tokens_total");
    ck_assert_int_eq(json_unpack(family, "{s:s}", "type", &kind), 0);
    ck_assert_str_eq(kind, "histogram");
    json_t *sample = json_array_get(json_object_get(family, "samples"), 1);
    ck_assert_int_eq(json_unpack(sample, "{s:{s:s}, s:I, s:F}", "labels", "engine", &labels,
                                 "count", &count, "sum", &sum),
                     0);
    ck_assert_str_eq(labels, "1");
    ck_assert_int_eq(count, 2);
    ck_assert_double_eq(sum, 64);
    json_t *bucket = json_array_get(json_object_get(sample, "buckets"), 4);
    ck_assert_int_eq(json_unpack(bucket, "[F, I]", &bound, &below), 0);
    ck_assert_double_eq(bound, 64);
    ck_assert_int_eq(below, 2);
    json_decref(root);
    text_fini(&text);
    metrics_destroy(m);
}
END_TEST

static int32_t count_of(const char *s, char c)
{
    int32_t n = 0;

    for (; *s; s++)
        n += *s == c;
    return n;
}

START_TEST(csv_has_a_value_a_column)
{
    const struct metrics_step step = {.step = 3, .rank = 1, .now_ns = 2500000000, .n_tokens = 9};
    struct text head = {0}, row = {0};

    metrics_print_csv_head(&head);
    metrics_print_csv_row(&step, 1000000000, &row);
    ck_assert_int_eq(count_of(head.bytes, ','), count_of(row.bytes, ','));
    ck_assert_int_eq(strncmp(row.bytes, "1.500000,3,1,", 13), 0);
    ck_assert_int_eq(row.bytes[row.n - 1], '\n');
    text_fini(&head);
    text_fini(&row);
}
END_TEST

START_TEST(totals_are_means)
{
    struct metrics *m = create("m", false);

    feed(m);
    const struct metrics_totals t = metrics_totals(m);
    ck_assert_int_eq(t.n_steps, 3);
    ck_assert_int_eq(t.n_generated_tokens, 3);
    ck_assert_int_eq(t.n_prefix_queries, 0); /* there is no prefix cache here */
    ck_assert_int_eq(t.n_ended[METRICS_LENGTH], 1);
    ck_assert_double_eq_tol(t.ttft, 0.05, 1e-12);
    ck_assert_double_eq_tol(t.itl, 0.03, 1e-12);
    ck_assert_double_eq_tol(t.step, 0.02, 1e-12);
    ck_assert_double_eq_tol(t.e2e, 0.255, 1e-12);
    metrics_destroy(m);
}
END_TEST

/* The guard ends the program where something is allocated. */
START_TEST(feeding_allocates_nothing)
{
    struct metrics *m = create("m", true);

    mem_step_begin("test");
    feed(m);
    mem_step_end();
    metrics_destroy(m);
}
END_TEST

START_TEST(what_is_out_of_range_is_left_out)
{
    struct metrics *m = create("m", true);

    metrics_add_step(m, &(struct metrics_step){.rank = 2});
    metrics_add_step(m, &(struct metrics_step){.rank = -1});
    metrics_set_memory(m, 0, 2, 1);
    metrics_set_memory(m, 2, 0, 1);
    ck_assert_int_eq(metrics_totals(m).n_steps, 0);
    metrics_destroy(m);
}
END_TEST

START_TEST(bounds_of_125)
{
    static const struct {
        double most;
        int32_t n;
        double last;
    } table[] = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {512, 9, 500}, {16777216, 22, 10000000}};
    double bounds[HISTOGRAM_MAX_BOUNDS];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const int32_t n = histogram_125(table[i].most, bounds);
        ck_assert_int_eq(n, table[i].n);
        if (n > 0)
            ck_assert_double_eq(bounds[n - 1], table[i].last);
    }
    ck_assert_int_eq(histogram_125(1e300, bounds), HISTOGRAM_MAX_BOUNDS);
}
END_TEST

SUITE("metrics", prometheus_holds_what_was_fed, labels_are_escaped, parser_refuses,
      json_holds_the_same, csv_has_a_value_a_column, totals_are_means, feeding_allocates_nothing,
      what_is_out_of_range_is_left_out, bounds_of_125)
