/* What a child printed, good and bad */
#include "study/point.h"
#include "support/suite.h"

#include <math.h>
#include <string.h>

#define RANK                                                                                       \
    "{\"compute_seconds\": 1, \"communicate_seconds\": 0, \"wait_seconds\": 0.5, "                 \
    "\"bytes_sent\": 10, \"bytes_received\": 20}"

static const struct study_point batch = {
    .experiment = "strong", .series = "batch 8", .task = STUDY_BATCH, .ranks = 2, .threads = 1};
static const struct study_point attention = {
    .experiment = "attention", .series = "paged", .task = STUDY_ATTENTION, .ranks = 1};

START_TEST(good_lines)
{
    static const char line[] = "{\"total_token_throughput\": 12.5, \"steps\": 3, \"later\": [1], "
                               "\"p99_itl_ms\": null, \"ranks\": [" RANK ", " RANK "]}\n";
    static const char key[] = "{\"isa\": \"avx2\", \"ns_per_key\": 4.5}\n";
    struct study_run run;
    struct shoal_error err;

    ck_assert_int_eq(study_run_parse(&run, &batch, line, strlen(line), &err), SHOAL_OK);
    ck_assert(run.values[METRIC_TOTAL_RATE] == 12.5 && run.values[METRIC_STEPS] == 3);
    ck_assert(isnan(run.values[METRIC_ITL_P99]) && isnan(run.values[METRIC_TTFT]));
    ck_assert_int_eq(run.n_ranks, 2);
    ck_assert(run.ranks[1].wait == 0.5 && run.ranks[1].bytes_received == 20);
    ck_assert_int_eq(study_run_parse(&run, &attention, key, strlen(key), &err), SHOAL_OK);
    ck_assert(run.values[METRIC_NS_A_KEY] == 4.5);
    ck_assert_int_eq(run.n_ranks, 0);
}
END_TEST

START_TEST(bad_lines)
{
    static const struct {
        const char *line, *sentence;
    } table[] = {
        {"", "not one line of JSON"},
        {"{\"total_token_throughput\": 1", "not one line of JSON"},
        {"{\"total_token_throughput\": 1}{}", "not one line of JSON"},
        {"{\"steps\": 1, \"steps\": 2}", "not one line of JSON"},
        {"warning: slow\n{}", "not one line of JSON"},
        {"[1]", "not a JSON object"},
        {"{}", "it has no total_token_throughput"},
        {"{\"total_token_throughput\": 0, \"ranks\": [" RANK ", " RANK "]}", "it has no total"},
        {"{\"total_token_throughput\": -1}", "its total_token_throughput is not a number"},
        {"{\"total_token_throughput\": \"7\"}", "its total_token_throughput is not a number"},
        {"{\"total_token_throughput\": 1, \"steps\": true}", "its steps is not a number"},
        {"{\"total_token_throughput\": 1}", "it tells of 0 ranks, not of 2"},
        {"{\"total_token_throughput\": 1, \"ranks\": {}}", "it tells of 0 ranks"},
        {"{\"total_token_throughput\": 1, \"ranks\": [" RANK "]}", "it tells of 1 ranks"},
        {"{\"total_token_throughput\": 1, \"ranks\": [" RANK ", {}]}", "rank 1 is not whole"},
        {"{\"total_token_throughput\": 1, \"ranks\": [7, " RANK "]}", "rank 0 is not whole"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct study_run run;
        struct shoal_error err;
        ck_assert_msg(study_run_parse(&run, &batch, table[i].line, strlen(table[i].line), &err) ==
                          SHOAL_E_FORMAT,
                      "row %zu is taken", i);
        ck_assert_msg(strstr(err.text, table[i].sentence) != NULL, "row %zu: %s", i, err.text);
    }
}
END_TEST

SUITE("study/parse", good_lines, bad_lines)
