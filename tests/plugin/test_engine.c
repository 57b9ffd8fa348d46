/* Plugins in an engine, alone and under mpirun: what they are told, that what they change of the
 * scheduler changes no token, how they fail, and what a replay needs of them. Linked with a guard:
 * an allocation in a step ends the program, except in a plugin. */
#include "support/no_malloc.h"
#include "support/plugin_user.h"
#include "support/suite.h"

#include "base/env_rank.h"
#include "base/log.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "engine/replay.h"
#include "shoal/plugin.h"

#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N_REQUESTS = 12, MAX_TOKENS = 12, N_SEQUENCES = N_REQUESTS + 1 };

/* Tokens by sequence: the second choice of the last request stands behind all others. */
struct outcome {
    enum shoal_status run, close;
    char error[512];
    int32_t tokens[N_SEQUENCES][MAX_TOKENS];
    int32_t n[N_SEQUENCES];
    int32_t n_failed; /* choices that ended with an error */
    struct shoal_counts counts;
};

/* A file of this process alone: the same test runs at the same time with other numbers of ranks. */
static const char *own_file(char path[static 64], const char *name)
{
    snprintf(path, 64, "./of-test-%d-%s", (int)getpid(), name);
    return path;
}

static int n_ranks(void)
{
    const char *n = getenv("OMPI_COMM_WORLD_SIZE");

    return n ? atoi(n) : 1;
}

/* A pool too small for all at once: some are preempted. */
static struct shoal_options small_options(void)
{
    struct shoal_options o;

    shoal_options_default(&o);
    o.model = "tiny";
    o.threads = 1;
    o.max_num_batched_tokens = 32;
    o.max_num_seqs = 6;
    o.max_model_len = 96;
    o.block_size = 8;
    o.num_kv_blocks = 16;
    return o;
}

static void submit(struct shoal_engine *e, int32_t i)
{
    struct rng rng = {.state = (uint64_t)i};
    struct shoal_request q;
    struct shoal_info info;
    int32_t prompt[64];
    uint64_t id;

    shoal_engine_info(e, &info);
    shoal_request_default(&q);
    q.prompt_ids = prompt;
    q.n_prompt_ids = 3 + (i * 23) % 60;
    for (int32_t t = 0; t < q.n_prompt_ids; t++)
        prompt[t] = (int32_t)rng_below(&rng, (uint32_t)info.n_vocab);
    q.max_tokens = MAX_TOKENS;
    q.temperature = i % 2 ? 0.9f : 0;
    q.ignore_eos = true;
    q.no_text = true;
    q.n = i == N_REQUESTS - 1 ? 2 : 1;
    ck_assert_int_eq(shoal_submit(e, &q, &id, NULL), SHOAL_OK);
    ck_assert_uint_eq(id, (uint64_t)i + 1);
}

static void take(struct outcome *out, const struct shoal_event *event)
{
    const int32_t i = (int32_t)event->request - 1 + event->choice;

    if (event->has_token)
        out->tokens[i][out->n[i]++] = event->token;
    out->n_failed += event->finish == SHOAL_FINISH_ERROR;
}

/* False: it could not be opened. On ranks other than 0 there is nothing in *out. */
static bool run(const struct shoal_options *options, struct outcome *out)
{
    struct shoal_engine *e;
    struct shoal_event event;
    struct shoal_error err = {.text = ""};

    *out = (struct outcome){0};
    out->run = shoal_engine_open(&e, options, &err);
    snprintf(out->error, sizeof out->error, "%s", err.text);
    if (out->run)
        return false;
    if (shoal_rank(e) != 0) {
        ck_assert_int_eq(shoal_serve(e, &err), SHOAL_OK);
        out->close = shoal_engine_close(e);
        return true;
    }
    for (int32_t i = 0; i < N_REQUESTS; i++)
        submit(e, i);
    while (!out->run && !shoal_is_idle(e)) {
        out->run = shoal_run(e, -1, &err);
        while (shoal_next_event(e, &event))
            take(out, &event);
    }
    snprintf(out->error, sizeof out->error, "%s", err.text);
    shoal_engine_counts(e, &out->counts);
    out->close = shoal_engine_close(e);
    return true;
}

static void expect_same_tokens(const struct outcome *a, const struct outcome *b, const char *what)
{
    if (env_rank() > 0)
        return;
    for (int32_t i = 0; i < N_SEQUENCES; i++)
        ck_assert_msg(a->n[i] == MAX_TOKENS && b->n[i] == MAX_TOKENS &&
                          memcmp(a->tokens[i], b->tokens[i], sizeof a->tokens[i]) == 0,
                      "%s: the tokens of sequence %d differ", what, i);
}

/* ---- A plugin that compares all it is told ---- */

enum { MAX_RANKS = 4 };

struct watch {
    const struct shoal_plugin_host *host;
    int32_t n_added, n_finished, n_preempted, n_tokens, n_waiting, n_destroyed;
    uint64_t steps[MAX_RANKS]; /* done */
    bool is_under_way[MAX_RANKS];
    int32_t chunk[MAX_RANKS]; /* that was set for the next step; 0: none */
    struct outcome seen;
    bool is_finished;
    bool is_wild;         /* sets budget and chunk to anything */
    const char *fails_in; /* function, or NULL */
};

static enum shoal_status answer(const struct watch *w, const char *function,
                                struct shoal_error *err)
{
    if (!w->fails_in || strcmp(w->fails_in, function) != 0)
        return SHOAL_OK;
    snprintf(err->text, sizeof err->text, "it was told to fail");
    return SHOAL_E_IO;
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    struct watch *w = user;

    (void)values;
    ck_assert_int_eq(n_values, 0);
    ck_assert_int_eq(host->rank, env_rank());
    ck_assert_int_eq(host->n_kv_blocks, 0); /* not known yet */
    ck_assert_int_eq(host->block_size, 8);
    ck_assert_int_eq(host->max_num_batched_tokens, 32);
    ck_assert_int_gt(host->n_vocab, 0);
    ck_assert_uint_eq(host->kv_row_bytes, 2 * (size_t)host->head_dim);
    w->host = host;
    *state = w;
    return answer(w, "create", err);
}

static enum shoal_status finish(void *state, struct shoal_error *err)
{
    struct watch *w = state;

    w->is_finished = true;
    return answer(w, "finish", err);
}

static void destroy(void *state)
{
    struct watch *w = state;

    w->n_destroyed++;
}

static void check_sequences(const struct shoal_plugin_step *step)
{
    int32_t n_tokens = 0;

    for (int32_t i = 0; i < step->n_running; i++) {
        const struct shoal_plugin_sequence *s = &step->running[i];
        n_tokens += s->n_scheduled;
        ck_assert_int_le(s->n_scheduled, step->chunk);
        ck_assert(s->request >= 1 && s->request <= N_REQUESTS);
        ck_assert_ptr_nonnull(s->tokens);
        ck_assert_ptr_null(s->waits_for);
        ck_assert_int_ge(s->n_tokens, s->n_computed + s->n_scheduled);
        ck_assert_msg(strncmp(s->name, "request-", 8) == 0, "%s", s->name);
    }
    ck_assert_int_eq(n_tokens, step->n_tokens);
    for (int32_t i = 0; i < step->n_waiting; i++) {
        ck_assert_ptr_nonnull(step->waiting[i].waits_for);
        ck_assert_int_eq(step->waiting[i].n_scheduled, 0);
        ck_assert_ptr_nonnull(step->waiting[i].tokens);
    }
    ck_assert_int_eq(step->blocks_free + step->blocks_cached + step->blocks_held, 16);
    ck_assert(step->budget >= 1 && step->budget <= 32);
    ck_assert(step->chunk >= 1 && step->chunk <= 32);
    ck_assert_int_le(step->n_tokens, step->budget);
}

/* From far below what can be to far above. */
static void set_anything(struct watch *w, const struct shoal_plugin_step *step,
                         struct shoal_plugin_control *next)
{
    static const int32_t values[] = {INT32_MIN, -1, 0, 1, 2, 5, 9, 17, 31, 32, 33, INT32_MAX};
    const uint64_t n = sizeof values / sizeof *values;

    next->budget = values[(step->step * 7 + 3) % n];
    next->chunk = values[(step->step * 5) % n];
    w->chunk[step->rank] = next->chunk < 1 ? 1 : next->chunk > 32 ? 32 : next->chunk;
}

static enum shoal_status before_step(void *state, const struct shoal_plugin_step *step,
                                     struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct watch *w = state;

    ck_assert_int_eq(env_rank(), 0);
    ck_assert_int_lt(step->rank, w->host->n_ranks);
    ck_assert_int_eq(w->host->n_kv_blocks, 16);
    ck_assert_int_eq(w->host->max_model_len, 96);
    ck_assert(!w->is_under_way[step->rank]);
    ck_assert_uint_eq(step->step, w->steps[step->rank]);
    w->is_under_way[step->rank] = true;
    w->n_waiting += step->n_waiting;
    ck_assert_ptr_null(step->new_tokens);
    ck_assert_int_eq(step->step_ns, 0);
    for (int32_t i = 0; i < step->n_running; i++)
        ck_assert_int_eq(step->running[i].block_table != NULL, step->running[i].n_blocks > 0);
    check_sequences(step);
    ck_assert_int_eq(next->budget, step->budget);
    ck_assert_int_eq(next->chunk, step->chunk);
    if (w->chunk[step->rank])
        ck_assert_int_eq(step->chunk, w->chunk[step->rank]);
    if (w->is_wild)
        set_anything(w, step, next);
    return answer(w, "before_step", err);
}

static enum shoal_status after_step(void *state, const struct shoal_plugin_step *step,
                                    struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct watch *w = state;

    (void)next;
    ck_assert(w->is_under_way[step->rank]);
    ck_assert_uint_eq(step->step, w->steps[step->rank]++);
    w->is_under_way[step->rank] = false;
    check_sequences(step);
    ck_assert_int_gt(step->step_ns, 0);
    ck_assert(step->compute_ns > 0 && step->compute_ns <= step->step_ns);
    for (int32_t i = 0; i < step->n_running; i++) {
        const struct shoal_plugin_sequence *s = &step->running[i];
        const int32_t k = (int32_t)s->request - 1 + s->choice;
        if (step->new_tokens[i] < 0)
            continue;
        ck_assert_int_eq(s->tokens[s->n_tokens - 1], step->new_tokens[i]);
        w->seen.tokens[k][w->seen.n[k]++] = step->new_tokens[i];
        w->n_tokens++;
    }
    return answer(w, "after_step", err);
}

static enum shoal_status on_added(void *state, const struct shoal_plugin_request *r,
                                  struct shoal_error *err)
{
    struct watch *w = state;

    w->n_added++;
    ck_assert_int_eq(r->rank, -1);
    ck_assert_int_eq(r->sequence.n_tokens, r->sequence.n_prompt);
    ck_assert_int_eq(r->sequence.max_tokens, MAX_TOKENS);
    ck_assert(r->submitted_ns > 0 && r->first_token_ns == 0 && r->now_ns >= r->submitted_ns);
    return answer(w, "on_request_added", err);
}

static enum shoal_status on_finished(void *state, const struct shoal_plugin_request *r,
                                     struct shoal_error *err)
{
    struct watch *w = state;
    const struct shoal_plugin_sequence *s = &r->sequence;
    const int32_t k = (int32_t)s->request - 1 + s->choice;

    w->n_finished++;
    if (w->fails_in && strcmp(w->fails_in, "the last request") == 0)
        return w->n_finished < N_SEQUENCES ? SHOAL_OK : answer(w, w->fails_in, err);
    if (w->fails_in)
        return answer(w, "on_request_finished", err);
    ck_assert_int_eq(r->end, SHOAL_PLUGIN_LENGTH);
    ck_assert(r->rank >= 0 && r->rank < w->host->n_ranks);
    ck_assert(r->first_token_ns >= r->submitted_ns && r->now_ns >= r->first_token_ns);
    ck_assert_int_eq(s->n_tokens, s->n_prompt + MAX_TOKENS);
    ck_assert_int_eq(memcmp(s->tokens + s->n_prompt, w->seen.tokens[k], sizeof w->seen.tokens[k]),
                     0);
    ck_assert_int_eq(s->n_blocks, 0);
    ck_assert_ptr_null(r->error);
    return SHOAL_OK;
}

static enum shoal_status on_preempt(void *state, const struct shoal_plugin_request *r,
                                    struct shoal_error *err)
{
    struct watch *w = state;

    w->n_preempted++;
    ck_assert_int_eq(r->sequence.n_blocks, 0);
    ck_assert_int_ge(r->sequence.n_preempted, 1);
    ck_assert(r->rank >= -1 && r->rank < w->host->n_ranks); /* -1: before its first step */
    return answer(w, "on_preempt", err);
}

static const struct shoal_scheduler_plugin scheduler = {.before_step = before_step,
                                                        .after_step = after_step,
                                                        .on_request_added = on_added,
                                                        .on_request_finished = on_finished,
                                                        .on_preempt = on_preempt};
static const struct shoal_plugin watching = {.version = SHOAL_PLUGIN_VERSION,
                                             .name = "watching",
                                             .create = create,
                                             .finish = finish,
                                             .destroy = destroy,
                                             .scheduler = &scheduler};

static bool run_watched(struct watch *w, const char *errors, struct outcome *out)
{
    const struct shoal_plugin_use use = {&watching, NULL, w};
    struct shoal_options o = small_options();

    o.plugins_own = &use;
    o.n_plugins_own = 1;
    o.plugin_errors = errors;
    return run(&o, out);
}

START_TEST(is_told_everything)
{
    struct outcome plain, out;
    struct watch w = {0};
    uint64_t n_steps = 0;
    const struct shoal_options o = small_options();

    ck_assert(run(&o, &plain) && run_watched(&w, "off", &out));
    ck_assert_int_eq(out.run, SHOAL_OK);
    ck_assert_int_eq(out.close, SHOAL_OK);
    ck_assert(w.is_finished);
    ck_assert_int_eq(w.n_destroyed, 1);
    expect_same_tokens(&plain, &out, "watching");
    if (env_rank() > 0)
        return;
    expect_same_tokens(&out, &w.seen, "as seen");
    ck_assert_int_eq(w.n_added, N_SEQUENCES);
    ck_assert_int_eq(w.n_finished, N_SEQUENCES);
    ck_assert_int_eq(w.n_tokens, N_SEQUENCES * MAX_TOKENS);
    ck_assert_int_gt(w.n_waiting, 0);
    ck_assert_int_eq(w.n_preempted, out.counts.n_preemptions);
    if (n_ranks() == 1) /* with more there is room for all */
        ck_assert_int_gt(w.n_preempted, 0);
    for (int32_t r = 0; r < MAX_RANKS; r++) {
        ck_assert(!w.is_under_way[r]);
        ck_assert_int_eq(w.steps[r] > 0, r < n_ranks());
        n_steps += w.steps[r];
    }
    ck_assert_int_eq((int64_t)n_steps, out.counts.n_steps);
}
END_TEST

START_TEST(control_changes_no_token)
{
    struct outcome plain, out;
    struct watch w = {.is_wild = true};
    const struct shoal_options o = small_options();

    ck_assert(run(&o, &plain) && run_watched(&w, "fatal", &out));
    expect_same_tokens(&plain, &out, "wild");
    if (env_rank() == 0)
        ck_assert_int_gt(out.counts.n_steps, plain.counts.n_steps + 5);
}
END_TEST

static const char *const built_ins[] = {
    "logging,file=/dev/null,format=json",
    "adaptive-scheduling,mode=ratio,min_chunk=1",
    "adaptive-scheduling,mode=itl,target_itl_ms=0.001,min_chunk=1",
    PLUGIN_OBJECTS "/calm.so,chunk=1",
    "attention-visualization",
};

START_TEST(built_ins_change_no_token)
{
    const struct shoal_options plain_options = small_options();
    struct outcome plain, out;
    char path[64], metrics[96];

    ck_assert(run(&plain_options, &plain));
    snprintf(metrics, sizeof metrics, "metrics,file=%s", own_file(path, "metrics.csv"));
    for (size_t i = 0; i < sizeof built_ins / sizeof *built_ins; i++) {
        struct shoal_options o = small_options();
        const char *list[] = {built_ins[i], metrics};

        o.plugins = list;
        o.n_plugins = 2;
        o.plugin_errors = "fatal";
        ck_assert_msg(run(&o, &out), "%s: %s", built_ins[i], out.error);
        ck_assert_msg(!out.run && !out.close, "%s: %s", built_ins[i], out.error);
        expect_same_tokens(&plain, &out, built_ins[i]);
    }
    unlink(path);
}
END_TEST

/* ---- Failing ---- */

static const char *const functions[] = {"before_step", "after_step", "on_request_added",
                                        "on_request_finished", "the last request"};

START_TEST(failing_is_switched_off)
{
    const struct shoal_options o = small_options();
    struct outcome plain, out;

    log_set_level((enum log_level) - 1);
    ck_assert(run(&o, &plain));
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        struct watch w = {.fails_in = functions[i]};
        ck_assert(run_watched(&w, "off", &out));
        ck_assert_int_eq(out.run, SHOAL_OK);
        ck_assert_int_eq(out.close, SHOAL_OK);
        ck_assert_int_eq(w.is_finished, env_rank() > 0); /* there it was never called */
        ck_assert_int_eq(w.n_destroyed, 1);
        expect_same_tokens(&plain, &out, functions[i]);
    }
}
END_TEST

/* Under mpirun a run that failed ends all ranks, this test among them. */
START_TEST(failing_ends_the_run)
{
    log_set_level((enum log_level) - 1);
    for (size_t i = 0; n_ranks() == 1 && i < sizeof functions / sizeof *functions; i++) {
        struct watch w = {.fails_in = functions[i]};
        struct outcome out;

        ck_assert(run_watched(&w, "fatal", &out));
        ck_assert_int_eq(out.run, SHOAL_E_IO);
        const bool is_last = strcmp(functions[i], "the last request") == 0;
        const char *function = is_last ? "on_request_finished" : functions[i];
        ck_assert_msg(strstr(out.error, "plugin watching: ") && strstr(out.error, function) &&
                          strstr(out.error, "it was told to fail"),
                      "%s: %s", functions[i], out.error);
        ck_assert_int_eq(out.n_failed > 0, !is_last);
        ck_assert_int_eq(w.n_destroyed, 1);
    }
}
END_TEST

START_TEST(failing_at_the_ends)
{
    struct watch at_start = {.fails_in = "create"}, at_end = {.fails_in = "finish"};
    struct outcome out;

    log_set_level((enum log_level) - 1);
    ck_assert(!run_watched(&at_start, "off", &out));
    ck_assert_int_eq(out.run, SHOAL_E_IO);
    ck_assert_msg(strstr(out.error, "plugin watching: it was told to fail"), "%s", out.error);
    ck_assert_int_eq(at_start.n_destroyed, 0);

    ck_assert(run_watched(&at_end, "off", &out));
    ck_assert_int_eq(out.run, SHOAL_OK);
    ck_assert_int_eq(out.close, SHOAL_E_IO);
    ck_assert_int_eq(at_end.n_destroyed, 1);
}
END_TEST

/* ---- What changes numbers ---- */

static enum shoal_status twice(void *state, struct shoal_cache_row *row, struct shoal_error *err)
{
    (void)state, (void)err;
    for (int32_t i = 0; i < row->head_dim; i++)
        row->v[i] *= 2;
    return SHOAL_OK;
}

static const struct shoal_cache_plugin doubling_cache = {.before_append = twice};
static const struct shoal_plugin doubling = {.version = SHOAL_PLUGIN_VERSION,
                                             .name = "doubling",
                                             .changes_numbers = true,
                                             .create = plugin_user_create,
                                             .cache = &doubling_cache};

/* A program that gives a plugin to some of its ranks is told so by all of them. */
START_TEST(ranks_have_the_same)
{
    const struct shoal_plugin_use use = {&doubling, NULL, NULL};
    struct shoal_options o = small_options();
    struct shoal_engine *e;
    struct shoal_error err = {.text = ""};

    o.plugins_own = &use;
    o.n_plugins_own = env_rank() == 0;
    const enum shoal_status status = shoal_engine_open(&e, &o, &err);
    if (status == SHOAL_OK) { /* one rank */
        struct shoal_info info;
        shoal_engine_info(e, &info);
        ck_assert_int_eq(info.n_ranks, 1);
        ck_assert_int_eq(shoal_engine_close(e), SHOAL_OK);
        return;
    }
    ck_assert_int_eq(status, SHOAL_E_MISMATCH);
    ck_assert_msg(strstr(err.text, "rank 1 has other plugins that change numbers"), "%s", err.text);
}
END_TEST

static enum shoal_status replay(const char *path, struct shoal_error *err)
{
    const struct replay_options options = {.path = path, .isa = "best", .threads = 1};
    struct replay_counts counts;

    return engine_replay(&options, &counts, err);
}

static const char *const scale_2 = PLUGIN_OBJECTS "/scale.so,by=2";

static bool has_line(const char *path, const char *line)
{
    char bytes[4096];
    FILE *f = fopen(path, "rb");
    bool found = false;

    ck_assert_ptr_nonnull(f);
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t i = 0; !found && i + strlen(line) <= n; i++)
        found = memcmp(bytes + i, line, strlen(line)) == 0;
    return found;
}

/* Records a run with these plugins, which differs from one without them where it is said. */
static void record(const char *path, const char *list[], int32_t n,
                   const struct shoal_plugin_use *own, struct outcome *out)
{
    struct shoal_options o = small_options();

    o.step_log = path;
    o.plugins = list;
    o.n_plugins = n;
    o.plugins_own = own;
    o.n_plugins_own = own != NULL;
    ck_assert_msg(run(&o, out), "%s", out->error);
    ck_assert_int_eq(out->run, SHOAL_OK);
    ck_assert_int_eq(out->close, SHOAL_OK);
}

START_TEST(replays)
{
    const struct shoal_options plain_options = small_options();
    const struct shoal_plugin_use own = {&doubling, NULL, NULL};
    const char *harmless[] = {"logging,file=/dev/null"};
    const char *harmful[] = {"logging,file=/dev/null", scale_2};
    char log_path[64], gone_path[64], moved_spec[80];
    const char *log = own_file(log_path, "log"), *gone = own_file(gone_path, "scale.so");
    const char *moved[] = {moved_spec};
    struct outcome plain, out, again;
    struct shoal_error err = {.text = ""};

    snprintf(moved_spec, sizeof moved_spec, "%s,by=2", gone);
    log_set_level(LOG_ERROR);
    ck_assert(run(&plain_options, &plain));
    record(log, harmless, 1, NULL, &out);
    if (env_rank() == 0) {
        expect_same_tokens(&plain, &out, "logging");
        ck_assert(has_line(log, "# plugin = logging,file=/dev/null,"));
        ck_assert_msg(!replay(log, &err), "%s", err.text);
    }
    record(log, harmful, 2, NULL, &out);
    if (env_rank() == 0) {
        ck_assert_int_ne(memcmp(plain.tokens, out.tokens, sizeof plain.tokens), 0);
        ck_assert(has_line(log, PLUGIN_OBJECTS "/scale.so,by=2"));
        ck_assert_msg(!replay(log, &err), "%s", err.text);
    }
    /* One of the program's own does the same, and a replay cannot have it. */
    record(log, NULL, 0, &own, &again);
    expect_same_tokens(&out, &again, "doubling");
    if (env_rank() == 0) {
        ck_assert_int_eq(replay(log, &err), SHOAL_E_MISMATCH);
        ck_assert_msg(strstr(err.text, "written with the plugin doubling, which changes numbers"),
                      "%s", err.text);
        unlink(gone);
        ck_assert_int_eq(symlink(PLUGIN_OBJECTS "/scale.so", gone), 0);
    }
    if (n_ranks() == 1) { /* or other ranks would look for it too early */
        record(log, moved, 1, NULL, &again);
        expect_same_tokens(&out, &again, "moved");
        ck_assert_msg(!replay(log, &err), "%s", err.text);
        unlink(gone);
        ck_assert_int_eq(replay(log, &err), SHOAL_E_MISMATCH);
        ck_assert_msg(strstr(err.text, "cannot be opened"), "%s", err.text);
    }
    if (env_rank() == 0) {
        unlink(gone);
        unlink(log);
    }
}
END_TEST

/* MPI begins and ends once in a process; here it must last over many engines. */
int main(int argc, char *argv[])
{
    const TTest *const tests[] = {is_told_everything,        control_changes_no_token,
                                  built_ins_change_no_token, failing_is_switched_off,
                                  failing_ends_the_run,      failing_at_the_ends,
                                  ranks_have_the_same,       replays};
    const bool has_mpi = comm_under_mpirun();
    int code, provided;

    if (has_mpi && MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return EXIT_FAILURE;
    code = suite_run("plugin/engine", tests, sizeof tests / sizeof *tests);
    if (has_mpi)
        MPI_Finalize();
    return code;
}
