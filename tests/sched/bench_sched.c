/* What a step's planning costs: sched_plan and step_plan_pack with so many running sequences that
 * decode, and so many that wait.
 *
 *     bench_sched [running] [waiting] [groups] */
#include "base/clock.h"
#include "base/mem.h"
#include "sched/sched.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_PROMPT = 256, MAX_TOKENS = 1000, N_STEPS = 900 };

static void add(struct sched *s, uint64_t id)
{
    int32_t prompt[N_PROMPT];
    const struct sched_sequence q = {
        .id = id,
        .first_choice = id,
        .prompt = prompt,
        .n_prompt = N_PROMPT,
        .max_tokens = MAX_TOKENS,
        .sampling = {.repetition_penalty = 1, .n_logprobs = -1, .n_prompt_logprobs = -1}};

    for (int32_t i = 0; i < N_PROMPT; i++)
        prompt[i] = (int32_t)((id * 31 + (uint64_t)i) % 32000);
    if (sched_add(s, &q, NULL) != SHOAL_OK)
        exit(1);
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void report(const char *what, int64_t ns[], int32_t n)
{
    qsort(ns, (size_t)n, sizeof *ns, compare);
    printf("%-22s median %7.2f us, 99 %% %7.2f us, worst %7.2f us\n", what,
           (double)ns[n / 2] * 1e-3, (double)ns[n * 99 / 100] * 1e-3, (double)ns[n - 1] * 1e-3);
}

int main(int argc, char **argv)
{
    const int32_t n_running = argc > 1 ? atoi(argv[1]) : 64;
    const int32_t n_waiting = argc > 2 ? atoi(argv[2]) : 1000;
    const int32_t n_groups = argc > 3 ? atoi(argv[3]) : 1;
    const struct sched_options options = {.limits = {.max_seqs = n_running,
                                                     .max_tokens = 512 + n_running,
                                                     .max_model_len = 2048,
                                                     .block_size = 16,
                                                     .n_blocks = n_running * 80,
                                                     .n_vocab = 32000},
                                          .n_groups = n_groups,
                                          .prefix_caching = true,
                                          .watermark_blocks = -1};
    static int64_t plan_ns[N_STEPS], pack_ns[N_STEPS], apply_ns[N_STEPS], add_ns;
    struct sched_event *events = mem_new((size_t)n_running, sizeof *events);
    uint8_t *bytes = mem_new(step_plan_max_bytes(&options.limits), 1);
    struct step_plan plan;
    struct step_result result;
    struct sched *s;
    size_t n_bytes = 0;
    int32_t n_steps = 0;

    if (!events || !bytes || sched_create(&s, &options, NULL) != SHOAL_OK ||
        step_plan_init(&plan, &options.limits, NULL) != SHOAL_OK ||
        step_result_init(&result, &options.limits, NULL) != SHOAL_OK)
        return 1;
    add_ns = clock_ns();
    for (int32_t i = 0; i < n_running * n_groups + n_waiting; i++)
        add(s, (uint64_t)i + 1);
    add_ns = clock_ns() - add_ns;

    while (n_steps < N_STEPS) {
        for (int32_t group = 0; group < n_groups && n_steps < N_STEPS; group++) {
            const int64_t begin = clock_ns();
            if (!sched_plan(s, group, &plan))
                continue;
            const int64_t planned = clock_ns();
            step_plan_pack(&plan, bytes);
            const int64_t packed = clock_ns();

            n_bytes = step_plan_packed_bytes(&plan);
            result.step = plan.step;
            result.group = group;
            result.n_seqs = plan.n_seqs;
            for (int32_t i = 0; i < plan.n_seqs; i++) {
                struct sched_view v;

                sched_at_slot(s, group, plan.slots[i], &v);
                result.outcomes[i] =
                    plan.n_computed[i] + plan.n_scheduled[i] == v.n_tokens ? STEP_TOKEN : STEP_NONE;
                result.tokens[i] = i;
            }
            const int64_t computed = clock_ns();
            sched_apply(s, group, &plan, &result, events);
            plan_ns[n_steps] = planned - begin;
            pack_ns[n_steps] = packed - planned;
            apply_ns[n_steps] = clock_ns() - computed;
            n_steps++;
        }
    }
    printf("%d groups of %d running, %d waiting; the last plan has %zu bytes\n", n_groups,
           n_running, sched_n_waiting(s), n_bytes);
    printf("sched_add              %7.2f us each\n",
           (double)add_ns * 1e-3 / (n_running * n_groups + n_waiting));
    report("sched_plan", plan_ns, n_steps);
    report("step_plan_pack", pack_ns, n_steps);
    report("sched_apply", apply_ns, n_steps);
    step_plan_fini(&plan);
    step_result_fini(&result);
    sched_destroy(s);
    mem_free(events);
    mem_free(bytes);
    return 0;
}
