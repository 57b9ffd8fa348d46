/* The same plans through the inline executor and through the one with a thread of its own: equal
 * results, and (under ThreadSanitizer) no race between leader and worker. */
#include "base/clock.h"
#include "engine/executor.h"
#include "engine/local_model.h"
#include "sched/sched.h"

#include "base/rng.h"
#include "support/suite.h"

#include <string.h>

enum { N_SEQUENCES = 6, MAX_TOKENS = 12 };

static const struct step_limits limits = {.max_seqs = 4,
                                          .max_tokens = 16,
                                          .max_model_len = 64,
                                          .block_size = 8,
                                          .n_blocks = 24,
                                          .n_vocab = 256};

/* What a run gave: tokens by sequence. */
struct answers {
    int32_t tokens[N_SEQUENCES][MAX_TOKENS];
    int32_t n[N_SEQUENCES];
};

static struct sched *create_sched(void)
{
    const struct sched_options options = {
        .limits = limits, .n_groups = 1, .watermark_blocks = -1, .prefix_caching = true};
    struct sched *s;

    ck_assert_int_eq(sched_create(&s, &options, NULL), SHOAL_OK);
    for (int32_t i = 0; i < N_SEQUENCES; i++) {
        struct rng rng = {(uint64_t)i};
        int32_t prompt[24];
        const int32_t n = 3 + 4 * i;
        for (int32_t k = 0; k < n; k++)
            prompt[k] = (int32_t)rng_below(&rng, 256);
        const struct sched_sequence sequence = {
            .id = (uint64_t)i + 1,
            .first_choice = (uint64_t)i + 1,
            .prompt = prompt,
            .n_prompt = n,
            .max_tokens = MAX_TOKENS,
            .sampling = {.temperature = i % 2 ? 1.0f : 0.0f,
                         .top_p = 1,
                         .repetition_penalty = 1,
                         .n_logprobs = -1,
                         .n_prompt_logprobs = -1,
                         .seed = 7},
        };
        ck_assert_int_eq(sched_add(s, &sequence, NULL), SHOAL_OK);
    }
    return s;
}

static struct worker *create_worker(const struct local_model *m, const struct kernels *k)
{
    const struct worker_options options = {
        .model = m->model, .kernels = k, .n_threads = 1, .limits = limits, .kv_dtype = KV_F16};
    struct worker *w;

    ck_assert_int_eq(worker_create(&w, &options, NULL), SHOAL_OK);
    return w;
}

/* Rings of steps before may be left, whose results were there when they were asked for. */
static void wait_for_ring(struct comm_bell *bell, uint64_t step)
{
    uint64_t about;
    int32_t rank;

    do {
        ck_assert(comm_bell_wait(bell, (int64_t)60 * 1000000000, &rank, &about));
        ck_assert_int_eq(rank, 0);
        ck_assert_uint_le(about, step);
    } while (about < step);
}

/* bell: what the executor rings, or NULL. */
static void run_all(struct executor *x, struct comm_bell *bell, struct answers *out)
{
    struct sched *s = create_sched();
    struct sched_event events[4];
    struct step_plan plan;

    memset(out, 0, sizeof *out);
    ck_assert_int_eq(step_plan_init(&plan, &limits, NULL), SHOAL_OK);
    while (sched_plan(s, 0, &plan)) {
        const struct step_result *result = NULL;
        ck_assert_int_eq(x->ops->submit(x, &plan, NULL), SHOAL_OK);
        for (;;) {
            ck_assert_int_eq(x->ops->poll(x, &result, NULL), SHOAL_OK);
            if (result)
                break;
            /* The bell rings once the result is there, and not before. */
            ck_assert_ptr_nonnull(bell);
            wait_for_ring(bell, plan.step);
        }
        const int32_t n = sched_apply(s, 0, &plan, result, events);
        for (int32_t i = 0; i < n; i++)
            if (events[i].has_token) {
                const uint64_t id = events[i].id - 1;
                out->tokens[id][out->n[id]++] = events[i].token;
            }
    }
    ck_assert(sched_is_idle(s) && sched_check(s));
    step_plan_fini(&plan);
    sched_destroy(s);
}

START_TEST(a_thread_gives_what_the_leader_itself_gives)
{
    const struct local_model_options options = {.name = "tiny", .n_threads = 1};
    struct answers inline_answers, thread_answers;
    struct kernels kernels;
    struct comm_bell *bell;
    struct comm *comm;
    struct local_model m;
    struct executor *x;

    kernels_init(&kernels, CPU_ISA_COUNT - 1);
    ck_assert_int_eq(local_model_open(&m, &options, NULL), SHOAL_OK);
    ck_assert_int_eq(executor_inline(&x, create_worker(&m, &kernels), NULL), SHOAL_OK);
    run_all(x, NULL, &inline_answers);
    x->ops->close(x);
    ck_assert_int_eq(comm_open(&comm, NULL), SHOAL_OK);
    ck_assert_int_eq(comm_bell_create(comm, &bell, NULL), SHOAL_OK);
    ck_assert_int_eq(executor_thread(&x, create_worker(&m, &kernels), bell, NULL), SHOAL_OK);
    run_all(x, bell, &thread_answers);
    x->ops->close(x);
    for (int32_t i = 0; i < N_SEQUENCES; i++)
        ck_assert_int_eq(inline_answers.n[i], MAX_TOKENS);
    ck_assert_mem_eq(&inline_answers, &thread_answers, sizeof inline_answers);
    comm_bell_destroy(bell);
    comm_close(comm);
    local_model_close(&m);
}
END_TEST

START_TEST(a_plan_that_does_not_fit_is_an_error_and_closing_is_clean)
{
    const struct local_model_options options = {.name = "tiny", .n_threads = 1};
    const struct step_result *result = NULL;
    struct shoal_error err = {SHOAL_OK, ""};
    enum shoal_status status = SHOAL_OK;
    struct kernels kernels;
    struct local_model m;
    struct step_plan plan;
    struct executor *x;

    kernels_init(&kernels, CPU_ISA_COUNT - 1);
    ck_assert_int_eq(local_model_open(&m, &options, NULL), SHOAL_OK);
    ck_assert_int_eq(step_plan_init(&plan, &limits, NULL), SHOAL_OK);
    plan.n_seqs = plan.n_tokens = 1;
    plan.slots[0] = 2; /* nobody's */
    plan.n_computed[0] = 0;
    plan.n_scheduled[0] = 1;
    ck_assert_int_eq(executor_thread(&x, create_worker(&m, &kernels), NULL, NULL), SHOAL_OK);
    ck_assert_int_eq(x->ops->submit(x, &plan, NULL), SHOAL_OK);
    while (status == SHOAL_OK) {
        clock_sleep_ns(1000000);
        status = x->ops->poll(x, &result, &err);
        ck_assert_ptr_null(result);
    }
    ck_assert_int_eq(status, SHOAL_E_MISMATCH);
    ck_assert_str_ne(err.text, "");
    x->ops->close(x);
    step_plan_fini(&plan);
    local_model_close(&m);
}
END_TEST

SUITE("executor", a_thread_gives_what_the_leader_itself_gives,
      a_plan_that_does_not_fit_is_an_error_and_closing_is_clean)
