#include "cli/bench_profile.h"

#include "base/status.h"

#include <stdio.h>

static void print_ceilings(int32_t n_threads, const struct ceilings *c)
{
    printf("at most, with %d thread%s: %.1f GB/s read, %.0f Gop/s in 8 bits, %.0f Gop/s in float32",
           n_threads, n_threads == 1 ? "" : "s", c->read_bytes * 1e-9, c->int8_ops * 1e-9,
           c->float_ops * 1e-9);
    if (c->far_ns > 0 && n_threads > 2)
        printf("; %.0f to %.0f ns from core to core", c->near_ns, c->far_ns);
    else if (c->far_ns > 0)
        printf("; %.0f ns from core to core", c->far_ns);
    putchar('\n');
}

enum shoal_status bench_profile_begin(struct bench *b, struct ceilings *ceilings,
                                      struct shoal_error *err)
{
    const enum shoal_status status = engine_ceilings(b->engine, ceilings, err);

    if (status)
        return status;
    if (!engine_profile(b->engine, true))
        return shoal_fail_memory(err, "a profile", sizeof(struct profile_thread));
    print_ceilings(b->info.n_threads, ceilings);
    return SHOAL_OK;
}

static void print_line(const char *name, double ms, double step_ms)
{
    printf("  %-16s %9.3f %6.1f %%", name, ms, 100 * ms / step_ms);
}

/* The share of the ceiling that is nearer. */
static void print_rates(const struct profile *p, enum profile_stage stage, double seconds,
                        const struct ceilings *c)
{
    const double bytes = p->bytes[stage] / seconds, ops = p->ops[stage] / seconds;
    const double most_ops = stage == PROFILE_ATTENTION ? c->float_ops : c->int8_ops;
    const double of_bytes = bytes / c->read_bytes, of_ops = ops / most_ops;

    printf(" %8.1f %9.1f   %3.0f %% of %s", bytes * 1e-9, ops * 1e-9,
           100 * (of_bytes > of_ops ? of_bytes : of_ops),
           of_bytes > of_ops            ? "the read bandwidth"
           : stage == PROFILE_ATTENTION ? "the float32 peak"
                                        : "the 8-bit peak");
}

void bench_profile_print(struct bench *b, const struct ceilings *ceilings,
                         const struct bench_cost *cost)
{
    const double n_threads = b->info.n_threads, leader_us = cost->leader_us - cost->scheduler_us;
    struct profile p;
    double known = 0;

    engine_profile_sum(b->engine, &p);
    if (p.n_steps == 0)
        return;
    const double n = (double)p.n_steps, step_ms = cost->seconds * 1e3 / n;
    printf("  %lld steps of %.1f tokens, %.3f ms each\n", (long long)p.n_steps,
           (double)p.n_tokens / n, step_ms);
    printf("  %-16s %9s %8s %8s %9s\n", "part of a step", "ms", "share", "GB/s", "Gop/s");
    for (int s = 0; s < PROFILE_STAGE_COUNT; s++) {
        /* Threads work side by side: a stage takes the mean of theirs. */
        const double seconds = (double)p.ns[s] * 1e-9 / n_threads;
        known += seconds * 1e3 / n;
        print_line(profile_stage_name(s), seconds * 1e3 / n, step_ms);
        if (p.bytes[s] > 0 && seconds > 0)
            print_rates(&p, s, seconds, ceilings);
        putchar('\n');
    }
    print_line("scheduler, plan", cost->scheduler_us * 1e-3, step_ms);
    putchar('\n');
    print_line("rest of leader", leader_us * 1e-3, step_ms);
    putchar('\n');
    print_line("other", step_ms - known - cost->leader_us * 1e-3, step_ms);
    putchar('\n');
    fflush(stdout);
    engine_profile(b->engine, true);
}
