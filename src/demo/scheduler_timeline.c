/* shoal demo scheduler-timeline: who ran, waited and was preempted, step by step and rank by rank
 */
#include "base/status.h"
#include "demo/demos.h"
#include "demo/frame.h"
#include "demo/lanes.h"

#include <string.h>

/* For how many steps each reason held somebody back; the reasons there are, are few. */
static void print_reasons(struct show *s, const struct demo_run *r)
{
    enum { MOST = 16 };
    struct {
        const char *words;
        int32_t n;
    } reasons[MOST];
    int32_t n = 0;
    struct table t = show_new_table(s, "rl");

    for (int32_t i = 0; i < r->watch.n; i++)
        for (int32_t k = 0; k < r->watch.steps[i].n_waiting; k++) {
            const char *words = r->watch.steps[i].waiting[k].waits_for;
            int32_t at = 0;
            while (at < n && strcmp(reasons[at].words, words) != 0)
                at++;
            if (at == MOST)
                continue;
            if (at == n) {
                reasons[n].words = words;
                reasons[n++].n = 0;
            }
            reasons[at].n++;
        }
    table_put(&t, PAINT_DIM, "times");
    table_put(&t, PAINT_DIM, "a request waited, because");
    for (int32_t i = 0; i < n; i++) {
        table_put(&t, PAINT_PLAIN, "%d", reasons[i].n);
        table_put(&t, PAINT_PLAIN, "%s", reasons[i].words);
    }
    if (n == 0) {
        table_put(&t, PAINT_PLAIN, "0");
        table_put(&t, PAINT_PLAIN, "nobody waited");
    }
    show_table(s, &t);
}

/* Which rank ran what: with several ranks only. */
static void print_ranks(struct show *s, const struct demo_run *r)
{
    struct table t = show_new_table(s, "rrrl");

    table_put(&t, PAINT_DIM, "rank");
    table_put(&t, PAINT_DIM, "steps");
    table_put(&t, PAINT_DIM, "tokens");
    table_put(&t, PAINT_DIM, "requests");
    for (int32_t rank = 0; rank < r->info.n_ranks; rank++) {
        struct text names = {0};
        int64_t n_tokens = 0;
        int32_t n_steps = 0;
        for (int32_t i = 0; i < r->watch.n; i++)
            if (r->watch.steps[i].rank == rank) {
                n_steps++;
                n_tokens += r->watch.steps[i].n_tokens;
            }
        for (int32_t i = 0; i < r->load.n; i++)
            if (r->load.requests[i].rank == rank)
                text_printf(&names, "%s%s", names.n > 0 ? " " : "", r->load.requests[i].name);
        table_put(&t, PAINT_PLAIN, "%d", rank);
        table_put(&t, PAINT_PLAIN, "%d", n_steps);
        table_put(&t, PAINT_PLAIN, "%lld", (long long)n_tokens);
        table_put(&t, PAINT_PLAIN, "%s", names.bytes ? names.bytes : "none");
        text_fini(&names);
    }
    show_table(s, &t);
}

static enum shoal_status print_all(struct show *s, const struct demo_run *r,
                                   const struct demo_options *o, struct shoal_error *err)
{
    static const char *const next[][2] = {
        {"shoal demo scheduler-timeline --num-kv-blocks 64",
         "blocks enough for all: nobody is preempted, and it is over sooner"},
        {"shoal demo scheduler-timeline --kv-layout dense --num-kv-blocks 20",
         "dense: all room is reserved at admission, so requests wait instead"},
        {"mpirun -n 3 --oversubscribe shoal demo scheduler-timeline --requests 9",
         "three ranks, each with lanes of its own"},
        {"shoal demo visualization --out pictures", "the same as pictures"},
    };
    bool is_good;

    show_heading(s, "Timeline of the scheduler");
    show_setup(s, r, o);
    show_requests(s, &r->load);
    show_heading(s, "A lane a request, a column a step");
    is_good = lanes_show(s, r);
    if (r->info.n_ranks > 1) {
        show_heading(s, "What each rank did");
        print_ranks(s, r);
    }
    show_heading(s, "Why requests waited");
    print_reasons(s, r);
    show_heading(s, "What came of each request");
    show_results(s, r);
    show_heading(s, "What to look at");
    show_words(s,
               "Read down a column for one step, along a lane for one request. Each lane waits "
               "(.), fills its KV cache in chunks (P, p), and then decodes one token a step (d). "
               "Where a decode token finds no free KV block, the youngest request gives its "
               "blocks back and waits again (!); its tokens are computed once more later, and "
               "come out the same.");
    show_try_next(s, next, sizeof next / sizeof *next);
    return is_good ? SHOAL_OK : shoal_fail_memory(err, "the timeline", 0);
}

static enum shoal_status run(const struct demo_options *o, struct shoal_error *err)
{
    return demo_run_and_print(o, print_all, err);
}

const struct demo demo_scheduler_timeline = {
    .name = "scheduler-timeline",
    .about = "who waits, prefills, decodes and is preempted, as lanes over the steps",
    .explains = "The KV pool is small on purpose, so that requests have to give way. Under mpirun "
                "each rank has a part of its own.",
    .defaults = {.budget = 24,
                 .chunk = 12,
                 .block_size = 8,
                 .n_blocks = 14,
                 .max_seqs = 8,
                 .n_requests = 6,
                 .max_tokens = 14,
                 .prompt_len = "6-30"},
    .takes_ranks = true,
    .examples = "shoal demo scheduler-timeline\n"
                "mpirun -n 2 shoal demo scheduler-timeline --requests 12",
    .run = run,
};
