/* A run recorded through the public API and replayed: the same with any threads and instruction
 * set, refused in the right words when one thing of it was changed. */
#include "engine/replay.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "step/log.h"
#include "step/log_format.h"

#include "support/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory, with a path. */
struct file {
    int fd;
    char path[32];
};

static struct file make_file(void)
{
    struct file f = {.fd = memfd_create("steps.log", MFD_CLOEXEC)};

    ck_assert_int_ge(f.fd, 0);
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    return f;
}

static size_t size_of(const struct file *f)
{
    return (size_t)lseek(f->fd, 0, SEEK_END);
}

static struct file copy_of(const struct file *f, size_t n)
{
    struct file copy = make_file();
    char *bytes = mem_new(n, 1);

    ck_assert_int_eq(pread(f->fd, bytes, n, 0), (ssize_t)n);
    ck_assert_int_eq(pwrite(copy.fd, bytes, n, 0), (ssize_t)n);
    mem_free(bytes);
    return copy;
}

enum { N_REQUESTS = 8 };

/* Short and long, greedy and sampled, with everything that a result can hold. */
static void submit(struct shoal_engine *e, int32_t i)
{
    struct rng rng = {.state = (uint64_t)i};
    struct shoal_request q;
    struct shoal_info info;
    int32_t prompt[64];
    char name[32];
    uint64_t id;

    shoal_engine_info(e, &info);
    shoal_request_default(&q);
    snprintf(name, sizeof name, "part-%d", i);
    q.id = name;
    q.prompt_ids = prompt;
    q.n_prompt_ids = 3 + (i * 23) % 60;
    for (int32_t t = 0; t < q.n_prompt_ids; t++)
        prompt[t] = (int32_t)rng_below(&rng, (uint32_t)info.n_vocab);
    q.max_tokens = 16 + 5 * (i % 3);
    q.temperature = i % 2 ? 0.9f : 0;
    q.top_p = i % 4 == 1 ? 0.8f : 1;
    q.ignore_eos = true;
    q.no_text = true;
    q.n = i == 3 ? 2 : 1;
    q.logprobs = i % 3 == 0 ? 2 : -1;
    q.prompt_logprobs = i % 4 == 2 ? 1 : -1;
    ck_assert_int_eq(shoal_submit(e, &q, &id, NULL), SHOAL_OK);
}

/* A pool too small for all at once. */
static struct shoal_options small_options(void)
{
    struct shoal_options o;

    shoal_options_default(&o);
    o.threads = 2;
    o.max_num_batched_tokens = 32;
    o.max_num_seqs = 6;
    o.max_model_len = 96;
    o.block_size = 8;
    o.num_kv_blocks = 24;
    return o;
}

static struct shoal_counts record(const struct shoal_options *options, const struct file *f)
{
    struct shoal_options o = *options;
    struct shoal_counts counts;
    struct shoal_engine *e;
    struct shoal_event event;
    struct shoal_error err;

    o.step_log = f->path;
    ck_assert_msg(!shoal_engine_open(&e, &o, &err), "%s", err.text);
    for (int32_t i = 0; i < N_REQUESTS; i++)
        submit(e, i);
    while (!shoal_is_idle(e)) {
        ck_assert_int_eq(shoal_run(e, -1, NULL), SHOAL_OK);
        while (shoal_next_event(e, &event))
            ck_assert_int_ne(event.finish, SHOAL_FINISH_ERROR);
    }
    shoal_engine_counts(e, &counts);
    ck_assert_int_eq(shoal_engine_close(e), SHOAL_OK);
    return counts;
}

static enum shoal_status replay(const struct file *f, const char *model, int32_t threads,
                                const char *isa, struct replay_counts *counts,
                                struct shoal_error *err)
{
    const struct replay_options options = {
        .path = f->path, .model = model, .isa = isa, .threads = threads};

    log_set_level(LOG_ERROR); /* more threads than cores, and logs that were cut */
    return engine_replay(&options, counts, err);
}

static const struct {
    const char *name, *model, *weights, *kv_cache_dtype, *kv_layout;
    bool has_prefix_cache, preempts;
} runs[] = {
    {"as most are", "embedded", "file", "f16", "paged", true, true},
    {"q8_0", "embedded", "file", "q8_0", "paged", false, true},
    {"float32", "embedded", "f32", "f32", "paged", true, true},
    {"dense", "embedded", "file", "bf16", "dense", false, false},
    {"tiny", "tiny", "file", "f16", "paged", true, true},
};

START_TEST(same_again)
{
    static const struct {
        int32_t threads;
        const char *isa;
    } ways[] = {{1, "best"}, {3, "avx512"}, {1, "avxvnni"}, {2, "avx2"}, {1, "portable"}};

    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        const struct file f = make_file();
        struct shoal_options o = small_options();

        o.model = runs[i].model;
        o.weights = runs[i].weights;
        o.kv_cache_dtype = runs[i].kv_cache_dtype;
        o.kv_layout = runs[i].kv_layout;
        o.enable_prefix_caching = runs[i].has_prefix_cache;
        const struct shoal_counts made = record(&o, &f);
        ck_assert_int_gt(made.generated_tokens, 150);
        ck_assert_msg((made.n_preemptions > 0) == runs[i].preempts, "%s: %lld preemptions",
                      runs[i].name, (long long)made.n_preemptions);
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
            struct replay_counts counts;
            struct shoal_error err = {.text = ""};
            ck_assert_msg(!replay(&f, NULL, ways[k].threads, ways[k].isa, &counts, &err),
                          "%s, %d threads, %s: %s", runs[i].name, ways[k].threads, ways[k].isa,
                          err.text);
            ck_assert_uint_eq(counts.n_steps, (uint64_t)made.n_steps);
            ck_assert_uint_eq(counts.n_tokens, (uint64_t)made.generated_tokens);
            ck_assert_int_eq(counts.n_groups, 1);
            ck_assert(!counts.is_cut);
        }
        close(f.fd);
    }
}
END_TEST

/* A log written anew, record by record, with one thing changed; all checks in it are right. */
struct rewriting {
    void (*change_head)(struct step_log_head *head);
    /* The arrays of plans and results may be changed in place. n counts the records of that kind.
     * False: leave the record out. */
    bool (*change_plan)(struct step_plan *plan, uint64_t n);
    bool (*change_result)(struct step_result *result, uint64_t n);
    int32_t n_groups; /* every plan and result so often, for groups 0, 1, ...; 0: once */
};

static void write_record(struct step_log_writer *w, const struct rewriting *change,
                         const struct step_log_record *record)
{
    const int32_t n_groups = change->n_groups ? change->n_groups : 1;

    if (record->kind == STEP_LOG_REQUEST) {
        step_log_writer_request(w, &record->request);
    } else if (record->kind == STEP_LOG_PLAN) {
        struct step_plan plan = *record->plan;
        if (change->change_plan && !change->change_plan(&plan, record->counts.n_plans - 1))
            return;
        for (plan.group = 0; plan.group < n_groups; plan.group++)
            step_log_writer_plan(w, &plan);
    } else if (record->kind == STEP_LOG_RESULT) {
        struct step_result result = *record->result;
        if (change->change_result && !change->change_result(&result, record->counts.n_results - 1))
            return;
        for (result.group = 0; result.group < n_groups; result.group++)
            step_log_writer_result(w, &result);
    }
}

static struct file rewrite(const struct file *from, const struct rewriting *change)
{
    const struct file to = make_file();
    struct step_log_reader *reader;
    struct step_log_writer *writer;
    struct step_log_record record;

    ck_assert(!step_log_reader_open(&reader, from->path, NULL));
    struct step_log_head head = *step_log_reader_head(reader);
    if (change->change_head)
        change->change_head(&head);
    if (change->n_groups)
        head.n_groups = change->n_groups;
    ck_assert(!step_log_writer_open(&writer, to.path, &head, false, NULL));
    while (!step_log_reader_next(reader, &record, NULL) && record.kind < STEP_LOG_END)
        write_record(writer, change, &record);
    ck_assert_int_eq(record.kind, STEP_LOG_END);
    ck_assert(!step_log_writer_close(writer, true, NULL));
    step_log_reader_close(reader);
    return to;
}

enum { WHERE = 9 }; /* the plan or result that is changed */

static int32_t find_token(const struct step_result *r)
{
    for (int32_t i = 0; i < r->n_seqs; i++)
        if (r->outcomes[i] == STEP_TOKEN)
            return i;
    ck_abort_msg("result %d samples nothing", WHERE);
}

static bool change_token(struct step_result *r, uint64_t n)
{
    if (n == WHERE)
        r->tokens[find_token(r)] ^= 1;
    return true;
}

static bool change_hash(struct step_result *r, uint64_t n)
{
    if (n == WHERE)
        r->hashes[find_token(r)] ^= 1;
    return true;
}

static bool change_outcome(struct step_result *r, uint64_t n)
{
    if (n == WHERE) {
        const int32_t i = find_token(r);
        r->outcomes[i] = STEP_NONFINITE;
        r->tokens[i] = 2;
    }
    return true;
}

/* The last bit of a log-probability; the first result has one, of a prompt. */
static bool change_logprob(struct step_result *r, uint64_t n)
{
    uint32_t bits;

    if (n == 0) {
        ck_assert_int_gt(r->logprob_indptr[r->n_seqs], 0);
        memcpy(&bits, &r->logprobs[0].logprob, sizeof bits);
        bits ^= 1;
        memcpy(&r->logprobs[0].logprob, &bits, sizeof bits);
    }
    return true;
}

static bool change_rank(struct step_result *r, uint64_t n)
{
    if (n == 0)
        r->logprobs[0].rank++;
    return true;
}

static bool change_state(struct step_plan *p, uint64_t n)
{
    p->state_hash ^= n == WHERE;
    return true;
}

static bool drop_plan(struct step_plan *p, uint64_t n)
{
    (void)p;
    return n != WHERE;
}

static bool drop_result(struct step_result *r, uint64_t n)
{
    (void)r;
    return n != WHERE;
}

static void change_model(struct step_log_head *head)
{
    head->model_hash++;
}

static void change_vocabulary(struct step_log_head *head)
{
    head->limits.n_vocab++;
}

static void change_length(struct step_log_head *head)
{
    head->limits.max_model_len = 513; /* the model has 512 */
}

static void name_no_file(struct step_log_head *head)
{
    head->settings = "model = /nowhere/model.gguf\n";
}

static void name_other_model(struct step_log_head *head)
{
    head->settings = "model = tiny\n";
}

static void change_dtype(struct step_log_head *head)
{
    head->settings = "kv-cache-dtype = f32\n";
}

static void write_nonsense(struct step_log_head *head)
{
    head->settings = "modell = embedded\n";
}

static const struct {
    const char *name;
    struct rewriting change;
    enum shoal_status status;
    const char *words[3];
} changed[] = {
    {"a token",
     {.change_result = change_token},
     SHOAL_E_MISMATCH,
     {"shard group 0, step 9: request part-", ": token ", ", in the log "}},
    {"a hash",
     {.change_result = change_hash},
     SHOAL_E_MISMATCH,
     {"step 9: request part-", "the hash of its logits is", ", in the log "}},
    {"an outcome",
     {.change_result = change_outcome},
     SHOAL_E_MISMATCH,
     {"step 9: request part-", "it gave a token, in the log a value that is not finite"}},
    {"a log-probability",
     {.change_result = change_logprob},
     SHOAL_E_MISMATCH,
     {"step 0: request part-", "log-probability 0 is ", "; in the log "}},
    {"a rank", {.change_result = change_rank}, SHOAL_E_MISMATCH, {"step 0", ", rank "}},
    {"the state", {.change_plan = change_state}, SHOAL_E_MISMATCH, {"shard group 0, step 9"}},
    {"a plan gone",
     {.change_plan = drop_plan},
     SHOAL_E_FORMAT,
     {"step 9: a result without its plan"}},
    {"a result gone",
     {.change_result = drop_result},
     SHOAL_E_FORMAT,
     {"step 10: it begins before the last step has a result"}},
    {"the model",
     {.change_head = change_model},
     SHOAL_E_MISMATCH,
     {"was written with another model than embedded", "the hash of its model is", "-m"}},
    {"the model's name",
     {.change_head = name_other_model},
     SHOAL_E_MISMATCH,
     {"was written with another model than tiny"}},
    {"no such model",
     {.change_head = name_no_file},
     SHOAL_E_IO,
     {"the model that step log", "-m gives another", "/nowhere/model.gguf"}},
    {"the vocabulary", {.change_head = change_vocabulary}, SHOAL_E_FORMAT, {"vocabulary of 1025"}},
    {"the length", {.change_head = change_length}, SHOAL_E_FORMAT, {"length of 513"}},
    {"the pool's type", {.change_head = change_dtype}, SHOAL_E_MISMATCH, {"shard group 0, step "}},
    {"a setting", {.change_head = write_nonsense}, SHOAL_E_INVALID, {"step log /proc", "modell"}},
};

START_TEST(what_was_changed_is_found)
{
    const struct file f = make_file();
    const struct shoal_options o = small_options();

    record(&o, &f);
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        const struct file bad = rewrite(&f, &changed[i].change);
        struct replay_counts counts;
        struct shoal_error err = {.text = ""};

        ck_assert_msg(replay(&bad, NULL, 1, "best", &counts, &err) == changed[i].status,
                      "%s: status %d: %s", changed[i].name, err.status, err.text);
        for (size_t k = 0; k < 3 && changed[i].words[k]; k++)
            ck_assert_msg(strstr(err.text, changed[i].words[k]) != NULL, "%s: not \"%s\" but: %s",
                          changed[i].name, changed[i].words[k], err.text);
        if (strstr(err.text, "step 9:"))
            ck_assert_uint_eq(counts.n_steps, WHERE);
        close(bad.fd);
    }
    close(f.fd);
}
END_TEST

START_TEST(unchanged_when_rewritten)
{
    const struct rewriting change = {0};
    const struct file f = make_file();
    const struct shoal_options o = small_options();

    record(&o, &f);
    const struct file same = rewrite(&f, &change);
    struct replay_counts counts;
    ck_assert(!replay(&same, NULL, 2, "best", &counts, NULL));
    ck_assert_uint_gt(counts.n_steps, WHERE);
    close(same.fd);
    close(f.fd);
}
END_TEST

START_TEST(another_model_is_refused)
{
    const struct file f = make_file();
    const struct shoal_options o = small_options();
    struct replay_counts counts;
    struct shoal_error err;

    record(&o, &f);
    ck_assert_int_eq(replay(&f, "tiny", 1, "best", &counts, &err), SHOAL_E_MISMATCH);
    ck_assert_msg(strstr(err.text, "with another model than tiny") != NULL, "%s", err.text);
    ck_assert_uint_eq(counts.n_steps, 0);
    ck_assert_int_eq(replay(&f, "embedded", 1, "best", &counts, &err), SHOAL_OK);
    close(f.fd);
}
END_TEST

START_TEST(several_groups)
{
    const struct rewriting change = {.n_groups = 3},
                           bad = {.n_groups = 3, .change_result = change_token};
    const struct file f = make_file();
    const struct shoal_options o = small_options();
    const struct shoal_counts made = record(&o, &f);
    struct file three = rewrite(&f, &change);
    struct replay_counts counts;
    struct shoal_error err;

    ck_assert_int_eq(replay(&three, NULL, 2, "best", &counts, NULL), SHOAL_OK);
    ck_assert_int_eq(counts.n_groups, 3);
    ck_assert_uint_eq(counts.n_steps, 3 * (uint64_t)made.n_steps);
    ck_assert_uint_eq(counts.n_tokens, 3 * (uint64_t)made.generated_tokens);
    close(three.fd);

    three = rewrite(&f, &bad);
    ck_assert_int_eq(replay(&three, NULL, 2, "best", &counts, &err), SHOAL_E_MISMATCH);
    ck_assert_uint_eq(counts.n_steps, 3 * WHERE);
    close(three.fd);
    close(f.fd);
}
END_TEST

/* The head's checks are made anew, so that its numerics version alone is wrong. */
START_TEST(another_numerics_version)
{
    const struct file f = make_file();
    const struct shoal_options o = small_options();
    struct replay_counts counts;
    struct shoal_error err;
    uint8_t head[LOG_HEAD_BYTES + 4096];
    uint32_t version = 4711, n[2], check;

    record(&o, &f);
    ck_assert_int_ge(pread(f.fd, head, sizeof head, 0), LOG_HEAD_BYTES);
    memcpy(head + 8, &version, sizeof version);
    memcpy(n, head + LOG_HEAD_BYTES - 16, sizeof n);
    ck_assert_uint_lt(n[0] + n[1], 4096);
    check = log_check(head, LOG_HEAD_BYTES - 8, 0);
    memcpy(head + LOG_HEAD_BYTES - 8, &check, sizeof check);
    check = log_check(head + LOG_HEAD_BYTES, n[0], check);
    check = log_check(head + LOG_HEAD_BYTES + n[0], n[1], check);
    memcpy(head + LOG_HEAD_BYTES - 4, &check, sizeof check);
    ck_assert_int_eq(pwrite(f.fd, head, LOG_HEAD_BYTES, 0), LOG_HEAD_BYTES);
    ck_assert_int_eq(replay(&f, NULL, 1, "best", &counts, &err), SHOAL_E_MISMATCH);
    ck_assert_msg(strstr(err.text, "numerics version 4711; this shoal has version") != NULL, "%s",
                  err.text);
    close(f.fd);
}
END_TEST

START_TEST(cut_short)
{
    const struct file f = make_file();
    const struct shoal_options o = small_options();
    const struct shoal_counts made = record(&o, &f);
    const size_t n = size_of(&f);
    uint64_t n_steps = 0;
    struct replay_counts counts;
    struct shoal_error err;

    /* Inside the head there is nothing to replay. */
    for (size_t at = 0; at < LOG_HEAD_BYTES; at += 21) {
        const struct file part = copy_of(&f, at);
        ck_assert_int_eq(replay(&part, NULL, 1, "best", &counts, &err), SHOAL_E_IO);
        close(part.fd);
    }
    for (size_t at = n / 10; at < n; at += n / 13) {
        const struct file part = copy_of(&f, at);
        ck_assert_msg(!replay(&part, NULL, 1, "best", &counts, &err), "%zu of %zu bytes: %s", at, n,
                      err.text);
        ck_assert(counts.is_cut);
        ck_assert_uint_ge(counts.n_steps, n_steps);
        ck_assert_uint_le(counts.n_steps, (uint64_t)made.n_steps);
        n_steps = counts.n_steps;
        close(part.fd);
    }
    ck_assert_uint_gt(n_steps, (uint64_t)made.n_steps / 2);

    /* All but the last byte of the end: every step, and still a cut. */
    const struct file part = copy_of(&f, n - 1);
    ck_assert_int_eq(replay(&part, NULL, 1, "best", &counts, &err), SHOAL_OK);
    ck_assert(counts.is_cut);
    ck_assert_uint_eq(counts.n_steps, (uint64_t)made.n_steps);
    close(part.fd);
    close(f.fd);
}
END_TEST

/* One bit on the disk, checks left alone. */
START_TEST(a_damaged_byte)
{
    const struct file f = make_file();
    const struct shoal_options o = small_options();
    struct replay_counts counts;
    struct shoal_error err;

    record(&o, &f);
    const size_t n = size_of(&f);
    for (size_t at = 4; at < n; at += n / 19) {
        const struct file bad = copy_of(&f, n);
        uint8_t byte;
        ck_assert_int_eq(pread(bad.fd, &byte, 1, (off_t)at), 1);
        byte ^= 16;
        ck_assert_int_eq(pwrite(bad.fd, &byte, 1, (off_t)at), 1);
        const enum shoal_status status = replay(&bad, NULL, 1, "best", &counts, &err);
        ck_assert_msg(status == SHOAL_E_FORMAT || status == SHOAL_E_UNSUPPORTED,
                      "byte %zu: status %d: %s", at, status, err.text);
        close(bad.fd);
    }
    close(f.fd);
}
END_TEST

SUITE("engine/replay", same_again, unchanged_when_rewritten, what_was_changed_is_found,
      another_model_is_refused, several_groups, another_numerics_version, cut_short, a_damaged_byte)
