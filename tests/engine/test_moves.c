/* Sequences that move from rank to rank while they run: answers of the same bits as without, and a
 * step log that replays. Under mpirun; without it nobody can move. */
#include "base/log.h"
#include "comm/comm.h"
#include "engine/engine.h"
#include "engine/open_engine.h"
#include "engine/replay.h"
#include "support/suite.h"

#include <check.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_REQUESTS = 24, LONG = 60, SHORT = 3, N_LOGPROBS = 3, EXIT_SKIPPED = 77 };

struct answer {
    int32_t n_tokens;
    int32_t tokens[LONG];
    struct shoal_logprob logprobs[LONG][1 + N_LOGPROBS];
};

static struct answer stayed[N_REQUESTS], moved[N_REQUESTS];
static int rank;

/* Long and short ones take turns on the ranks, so that some are soon left with few. */
static uint64_t submit(struct shoal_engine *e, int32_t i, int32_t n_ranks)
{
    int32_t prompt[40];
    struct shoal_request q;
    struct shoal_error err;
    uint64_t id;

    for (int32_t k = 0; k < 40; k++)
        prompt[k] = 3 + (7 * i + 11 * k) % 200;
    shoal_request_default(&q);
    q.prompt_ids = prompt;
    q.n_prompt_ids = 33 + i % 7;
    q.max_tokens = i % n_ranks == 0 ? LONG : SHORT;
    q.temperature = i % 3 ? 0.8f : 0;
    q.seed = (uint64_t)i;
    q.repetition_penalty = i % 4 == 1 ? 1.3f : 1;
    q.ignore_eos = true;
    q.no_text = true;
    q.logprobs = N_LOGPROBS;
    ck_assert_msg(!shoal_submit(e, &q, &id, &err), "%s", err.text);
    return id;
}

static void keep(struct answer *a, const struct shoal_event *event)
{
    ck_assert_int_ne(event->finish, SHOAL_FINISH_ERROR);
    if (!event->has_token)
        return;
    ck_assert_int_lt(a->n_tokens, LONG);
    a->tokens[a->n_tokens] = event->token;
    memcpy(a->logprobs[a->n_tokens++], event->logprobs,
           (size_t)event->n_logprobs * sizeof *event->logprobs);
}

/* All requests in an engine of its own; returns how many moved. Collective. */
static int64_t run(const char *kv_dtype, bool has_prefix_cache, const char *step_log,
                   bool *can_move, struct answer out[static N_REQUESTS])
{
    struct shoal_options o;
    struct shoal_engine *e;
    struct shoal_event event;
    struct shoal_counts counts = {0};
    uint64_t first = 0;

    shoal_options_default(&o);
    o.model = "tiny";
    o.threads = 1;
    o.num_kv_blocks = 400;
    o.block_size = 8;
    o.max_num_seqs = N_REQUESTS;
    o.kv_cache_dtype = kv_dtype;
    o.enable_prefix_caching = has_prefix_cache;
    o.step_log = step_log;
    e = open_engine(&o);
    if (shoal_rank(e) > 0) {
        ck_assert_int_eq(shoal_serve(e, NULL), SHOAL_OK);
        ck_assert_int_eq(shoal_engine_close(e), SHOAL_OK);
        return 0;
    }
    *can_move = comm_window_is_open(e->window);
    memset(out, 0, N_REQUESTS * sizeof *out);
    for (int32_t i = 0; i < N_REQUESTS; i++) {
        const uint64_t id = submit(e, i, e->n_groups);
        first = i == 0 ? id : first;
    }
    while (!shoal_is_idle(e)) {
        ck_assert_int_eq(shoal_run(e, -1, NULL), SHOAL_OK);
        while (shoal_next_event(e, &event))
            keep(&out[event.request - first], &event);
    }
    shoal_engine_counts(e, &counts);
    ck_assert(sched_check(e->sched));
    for (int32_t r = 0; r < e->n_groups; r++)
        ck_assert_int_eq(sched_count(e->sched, r).blocks.n_held, 0);
    ck_assert_int_eq(shoal_engine_close(e), SHOAL_OK);
    return counts.n_moves;
}

static void check_replay(const char *path)
{
    const struct replay_options options = {.path = path, .isa = "portable", .threads = 1};
    struct replay_counts counts;
    struct shoal_error err;

    log_set_level(LOG_ERROR);
    ck_assert_msg(engine_replay(&options, &counts, &err) == SHOAL_OK, "%s", err.text);
    ck_assert_int_gt(counts.n_steps, 0);
    ck_assert_int_gt(counts.n_tokens, 0);
}

START_TEST(answers_do_not_depend_on_moves)
{
    static const struct {
        const char *kv_dtype;
        bool has_prefix_cache;
    } ways[] = {{"f16", false}, {"q8_0", true}, {"f32", true}};
    char path[] = "moves-XXXXXX";
    const int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        bool can_move = false;

        setenv("SHOAL_NO_SHARED", "1", 1);
        ck_assert_int_eq(run(ways[i].kv_dtype, ways[i].has_prefix_cache, NULL, &can_move, stayed),
                         0);
        ck_assert(!can_move);
        unsetenv("SHOAL_NO_SHARED");
        const int64_t n = run(ways[i].kv_dtype, ways[i].has_prefix_cache, path, &can_move, moved);
        if (rank > 0)
            continue;
        if (can_move)
            ck_assert_int_gt(n, 0);
        else
            printf("nobody moved: ranks may not read each other's memory here\n");
        for (int32_t k = 0; k < N_REQUESTS; k++)
            ck_assert_msg(memcmp(&stayed[k], &moved[k], sizeof stayed[k]) == 0,
                          "K and V in %s: request %d differs", ways[i].kv_dtype, k);
        check_replay(path);
    }
    unlink(path);
}
END_TEST

int main(int argc, char **argv)
{
    int provided, status;

    if (!comm_under_mpirun()) {
        printf("skipped: sequences move between ranks, and there is no mpirun\n");
        return EXIT_SKIPPED;
    }
    /* MPI begins and ends once in a process; here it must last over many engines. */
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return EXIT_FAILURE;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    status = suite_run("engine/moves", (const TTest *const[]){answers_do_not_depend_on_moves}, 1);
    MPI_Finalize();
    return status;
}
