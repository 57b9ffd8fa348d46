#include "sched/sched.h"

#include "support/failing_calloc.h"
#include "support/suite.h"

#include <string.h>

static const struct step_limits limits = {.max_seqs = 4,
                                          .max_tokens = 16,
                                          .max_model_len = 64,
                                          .block_size = 8,
                                          .n_blocks = 6,
                                          .n_vocab = 100};

START_TEST(bad_options)
{
    static const struct {
        struct sched_options options; /* zero limits stand for good ones */
        const char *says;
    } table[] = {
        {{.n_groups = 0}, "0 shard groups"},
        {{.n_groups = -2}, "-2 shard groups"},
        {{.n_groups = 1, .policy = SCHED_POLICY_COUNT}, "unknown policy 2"},
        {{.n_groups = 1, .chunk_threshold = -1}, "chunk threshold of -1"},
        {{.n_groups = 1, .watermark_blocks = -2}, "watermark of -2"},
        {{.n_groups = 2, .layout = KV_DENSE, .can_move = true}, "in the paged layout only"},
        {{.n_groups = 1, .limits = {.max_seqs = 1, .block_size = 12}}, "limits: "},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sched_options options = table[i].options;
        struct shoal_error err;
        struct sched *s;

        if (options.limits.max_seqs == 0)
            options.limits = limits;
        ck_assert_int_eq(sched_create(&s, &options, &err), SHOAL_E_INVALID);
        ck_assert_ptr_null(s);
        ck_assert_msg(strstr(err.text, table[i].says), "%s", err.text);
    }
    sched_destroy(NULL);
}
END_TEST

/* None of these changes anything: the good sequence before them runs as if they had not been. */
START_TEST(bad_sequences)
{
    static const int32_t prompt[64] = {1, 2, 3}, other[] = {1, 2, 4}, bad[] = {1, 100},
                         low[] = {-1};
    static const float values[2] = {0};
    static const struct {
        struct sched_sequence sequence;
        enum shoal_status status;
        const char *says;
    } table[] = {
        {{.id = 1, .first_choice = 1, .prompt = prompt, .n_prompt = 3, .max_tokens = 1},
         SHOAL_E_INVALID,
         "the id is in use"},
        {{.id = 2, .first_choice = 2, .prompt = prompt, .n_prompt = 0, .max_tokens = 1},
         SHOAL_E_INVALID,
         "0 prompt tokens"},
        {{.id = 2, .first_choice = 2, .prompt = prompt, .n_prompt = -1, .max_tokens = 1},
         SHOAL_E_INVALID,
         "-1 prompt tokens"},
        {{.id = 2, .first_choice = 2, .prompt = prompt, .n_prompt = 3, .max_tokens = 0},
         SHOAL_E_INVALID,
         "0 to generate"},
        {{.id = 2, .first_choice = 2, .prompt = prompt, .n_prompt = 3, .max_tokens = 62},
         SHOAL_E_LIMIT,
         "model length of 64"},
        {{.id = 2, .first_choice = 2, .prompt = prompt, .n_prompt = 3, .max_tokens = INT32_MAX},
         SHOAL_E_LIMIT,
         "model length of 64"},
        {{.id = 2, .first_choice = 2, .prompt = prompt, .n_prompt = 40, .max_tokens = 9},
         SHOAL_E_LIMIT,
         "need 7 KV blocks; the whole pool has 6"},
        {{.id = 2, .first_choice = 2, .prompt = bad, .n_prompt = 2, .max_tokens = 1},
         SHOAL_E_INVALID,
         "prompt token 1 is 100"},
        {{.id = 2, .first_choice = 2, .prompt = low, .n_prompt = 1, .max_tokens = 1},
         SHOAL_E_INVALID,
         "prompt token 0 is -1"},
        {{.id = 2,
          .first_choice = 2,
          .prompt = prompt,
          .n_prompt = 3,
          .max_tokens = 1,
          .bias_ids = bad,
          .bias_values = values,
          .n_bias = 2},
         SHOAL_E_INVALID,
         "bias id 1 is 100"},
        {{.id = 2,
          .first_choice = 2,
          .prompt = prompt,
          .n_prompt = 3,
          .max_tokens = 1,
          .stop_ids = low,
          .n_stop = 1},
         SHOAL_E_INVALID,
         "stop id 0 is -1"},
        {{.id = 2,
          .first_choice = 2,
          .prompt = prompt,
          .n_prompt = 3,
          .max_tokens = 1,
          .n_stop = STEP_MAX_STOP_IDS + 1},
         SHOAL_E_LIMIT,
         "65 stop ids"},
        {{.id = 2,
          .first_choice = 2,
          .prompt = prompt,
          .n_prompt = 3,
          .max_tokens = 1,
          .n_bias = STEP_MAX_BIAS + 1},
         SHOAL_E_LIMIT,
         "1025 biases"},
        {{.id = 2, .first_choice = 1, .prompt = other, .n_prompt = 3, .max_tokens = 1},
         SHOAL_E_INVALID,
         "its first choice, 1, has another prompt"},
        {{.id = 2, .first_choice = 1, .prompt = prompt, .n_prompt = 4, .max_tokens = 1},
         SHOAL_E_INVALID,
         "its first choice, 1, has another prompt"},
    };
    const struct sched_options options = {.limits = limits, .n_groups = 1};
    const struct sched_sequence good = {
        .id = 1,
        .first_choice = 1,
        .prompt = prompt,
        .n_prompt = 3,
        .max_tokens = 45, /* all of the pool's 48 tokens */
        .sampling = {.repetition_penalty = 1, .n_logprobs = -1, .n_prompt_logprobs = -1}};
    struct step_plan plan;
    struct sched *s;

    ck_assert_int_eq(sched_create(&s, &options, NULL), SHOAL_OK);
    ck_assert_int_eq(step_plan_init(&plan, &limits, NULL), SHOAL_OK);
    ck_assert_int_eq(sched_add(s, &good, NULL), SHOAL_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_error err;

        ck_assert_int_eq(sched_add(s, &table[i].sequence, &err), table[i].status);
        ck_assert_msg(strstr(err.text, table[i].says), "%s", err.text);
        ck_assert_int_eq(sched_add(s, &table[i].sequence, NULL), table[i].status);
        ck_assert(sched_check(s));
        ck_assert_int_eq(sched_n_waiting(s), 1);
    }
    ck_assert(sched_plan(s, 0, &plan) && plan.n_seqs == 1 && plan.n_tokens == 3);
    ck_assert(!sched_end(s, 2, SCHED_ABORT));
    step_plan_fini(&plan);
    sched_destroy(s); /* with a sequence that runs */
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    static const int32_t prompt[] = {1, 2, 3};
    const struct sched_options options = {.limits = limits, .n_groups = 2, .prefix_caching = true};
    enum shoal_status status = SHOAL_E_NO_MEMORY;
    struct sched *s = NULL;
    int n = 0;

    for (; status; n++) {
        callocs_until_failure = n;
        status = sched_create(&s, &options, NULL);
        ck_assert(status == SHOAL_OK || (status == SHOAL_E_NO_MEMORY && !s));
    }
    ck_assert_int_gt(n, 20);

    for (int32_t id = 1; id < 200; id++) { /* the table of ids grows on the way */
        const struct sched_sequence q = {.id = (uint64_t)id,
                                         .first_choice = (uint64_t)id,
                                         .prompt = prompt,
                                         .n_prompt = 3,
                                         .max_tokens = 1};

        for (n = 0, status = SHOAL_E_NO_MEMORY; status; n++) {
            ck_assert_int_eq(sched_n_waiting(s), id - 1);
            callocs_until_failure = n;
            status = sched_add(s, &q, NULL);
            ck_assert(status == SHOAL_OK || status == SHOAL_E_NO_MEMORY);
            callocs_until_failure = -1;
            ck_assert(sched_check(s));
        }
        ck_assert_int_gt(n, 1);
    }
    sched_destroy(s);
}
END_TEST

START_TEST(names)
{
    for (int32_t i = 0; i < SCHED_WAIT_COUNT; i++)
        ck_assert_ptr_nonnull(sched_wait_name((enum sched_wait)i));
    ck_assert_str_eq(sched_policy_name(SCHED_FCFS), "fcfs");
    ck_assert_str_eq(sched_policy_name(SCHED_PRIORITY), "priority");
    ck_assert_str_eq(sched_finish_name(SCHED_STOP), "stop");
    ck_assert_str_eq(sched_finish_name(SCHED_LENGTH), "length");
    ck_assert_str_eq(sched_finish_name(SCHED_ABORT), "abort");
    ck_assert_str_eq(sched_finish_name(SCHED_ERROR), "error");
}
END_TEST

SUITE("sched/errors", bad_options, bad_sequences, each_allocation_may_fail, names)
