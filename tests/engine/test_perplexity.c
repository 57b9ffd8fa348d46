/* The perplexity of texts whose log-probabilities are known: from an independent implementation
 * (reference.jsonl of the embedded model), and from the engine's own requests. */
#include "engine/perplexity.h"

#include "base/log.h"
#include "base/rng.h"
#include "model/builtin.h"

#include "support/suite.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_CTX = 512 };

/* Held-out text of the embedded model's kind; 300-odd tokens. */
static const char text[] =
    "BAPTISTA:\nThe gain I seek is, quiet in the match.\n\nGREMIO:\nNo doubt but he hath got a "
    "quiet "
    "catch.\nBut now, Baptists, to your younger daughter:\nNow is the day we long have looked "
    "for:\n"
    "I am your neighbour, and was suitor first.\n\nTRANIO:\nAnd I am one that love Bianca more\n"
    "Than words can witness, or your thoughts can guess.\n\nGREMIO:\nYoungling, thou canst not "
    "love "
    "so dear as I.\n\nTRANIO:\nGraybeard, thy love doth freeze.\n\nGREMIO:\nBut thine doth fry.\n"
    "Skipper, stand back: 'tis age that nourisheth.\n";

static struct shoal_options reference_options(void)
{
    struct shoal_options o;

    log_set_level(LOG_ERROR); /* more threads than cores */
    shoal_options_default(&o);
    o.threads = 2;
    o.weights = "f32";
    o.kv_cache_dtype = "f32";
    return o;
}

static struct perplexity_result measure(const struct perplexity_options *options)
{
    struct perplexity_result r;
    struct shoal_error err = {.text = ""};

    ck_assert_msg(!engine_perplexity(options, &r, &err), "%s", err.text);
    return r;
}

/* One line of the reference: its whole prompt is the window. */
static void check_reference(const json_t *line)
{
    const struct shoal_options engine = reference_options();
    const char *prompt = json_string_value(json_object_get(line, "prompt"));
    const json_t *known = json_object_get(line, "prompt_logprobs");
    const int32_t n_ctx = (int32_t)json_array_size(json_object_get(line, "prompt_token_ids"));
    double logprobs[MAX_CTX], nll = 0;
    const struct perplexity_options options = {.engine = &engine,
                                               .text = prompt,
                                               .n_text = strlen(prompt),
                                               .n_ctx = n_ctx,
                                               .logprobs = logprobs};
    const struct perplexity_result r = measure(&options);

    ck_assert_int_eq(r.n_text_tokens, n_ctx);
    ck_assert_int_eq(r.n_windows, 1);
    ck_assert_int_eq(r.n_scored, n_ctx - 1 - n_ctx / 2);
    for (int32_t i = 0; i < r.n_scored; i++) {
        /* Entry j is that of token j + 1; the first that is scored is token n_ctx / 2 + 1. */
        const double want = json_number_value(json_array_get(known, (size_t)(n_ctx / 2 + i)));
        ck_assert_msg(fabs(logprobs[i] - want) < 2e-3, "%d tokens, scored token %d: %f, not %f",
                      n_ctx, i, logprobs[i], want);
        nll -= logprobs[i];
    }
    ck_assert_double_eq_tol(r.perplexity, exp(nll / (double)r.n_scored), 1e-9 * r.perplexity);
}

START_TEST(reference)
{
    const char *data = getenv("SHOAL_TEST_DATA");
    char path[4096], line[1 << 16];
    int n_lines = 0;

    ck_assert_ptr_nonnull(data);
    snprintf(path, sizeof path, "%s/../../src/model/embedded/reference.jsonl", data);
    FILE *f = fopen(path, "re");
    ck_assert_msg(f != NULL, "%s", path);
    while (fgets(line, sizeof line, f)) {
        json_t *root = json_loads(line, 0, NULL);
        ck_assert_ptr_nonnull(root);
        check_reference(root);
        json_decref(root);
        n_lines++;
    }
    ck_assert_int_eq(n_lines, 3);
    fclose(f);
}
END_TEST

/* What the engine says of the tokens of a prompt: logprobs[j] of token j + 1. */
static void ask_engine(const struct shoal_options *options, const int32_t ids[], int32_t n,
                       double logprobs[])
{
    struct shoal_request q;
    struct shoal_engine *e;
    struct shoal_event event;
    struct shoal_error err;
    uint64_t id;

    ck_assert_msg(!shoal_engine_open(&e, options, &err), "%s", err.text);
    shoal_request_default(&q);
    q.prompt_ids = ids;
    q.n_prompt_ids = n;
    q.max_tokens = 1;
    q.prompt_logprobs = 0;
    ck_assert_msg(!shoal_submit(e, &q, &id, &err), "%s", err.text);
    ck_assert_int_eq(shoal_run(e, -1, NULL), SHOAL_OK);
    ck_assert(shoal_next_event(e, &event));
    ck_assert_int_eq(event.n_prompt_logprobs, n - 1);
    for (int32_t j = 0; j < n - 1; j++)
        logprobs[j] = (double)event.prompt_logprobs[j * event.prompt_logprobs_width].logprob;
    ck_assert_int_eq(shoal_engine_close(e), SHOAL_OK);
}

static int32_t tokenize(const struct shoal_options *options, int32_t **ids)
{
    struct shoal_engine *e;
    int32_t n;

    ck_assert_int_eq(shoal_engine_open(&e, options, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_tokenize(e, text, sizeof text - 1, false, ids, &n, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_engine_close(e), SHOAL_OK);
    return n;
}

/* The embedded model, but texts begin with its token 0; in memory, with a path. */
static int make_model_with_bos(char path[static 32])
{
    static const char key[] = "tokenizer.ggml.add_bos_token\7\0\0"; /* a bool */
    const int fd = memfd_create("bos.gguf", MFD_CLOEXEC);
    size_t n;
    const char *bytes = model_embedded(&n);
    const char *at = memmem(bytes, n, key, sizeof key);

    ck_assert_ptr_nonnull(at);
    at += sizeof key;
    ck_assert_int_eq(*at, 0);
    ck_assert_int_eq(pwrite(fd, bytes, n, 0), (ssize_t)n);
    ck_assert_int_eq(pwrite(fd, "\1", 1, at - bytes), 1);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

/* Window by window the same as a request with that prompt; with and without a begin token. */
START_TEST(windows_are_requests)
{
    enum { N_CTX = 64, N_SCORED = N_CTX - 1 - N_CTX / 2 };

    for (int has_bos = 0; has_bos < 2; has_bos++) {
        struct shoal_options engine = reference_options();
        char path[32];
        const int fd = make_model_with_bos(path);
        double logprobs[8 * N_SCORED], want[N_CTX];
        int32_t *ids, window[N_CTX];

        if (has_bos)
            engine.model = path;
        const struct perplexity_options options = {.engine = &engine,
                                                   .text = text,
                                                   .n_text = sizeof text - 1,
                                                   .n_ctx = N_CTX,
                                                   .logprobs = logprobs};
        const struct perplexity_result r = measure(&options);
        const int32_t n_ids = tokenize(&engine, &ids);
        ck_assert_int_eq(r.n_text_tokens, n_ids);
        ck_assert_int_eq(ids[0] == 0, has_bos);
        ck_assert_int_eq(r.n_windows, n_ids / N_CTX);
        ck_assert_int_ge(r.n_windows, 3);
        ck_assert_int_le(r.n_windows, 8);
        for (int32_t w = 0; w < r.n_windows; w++) {
            memcpy(window, ids + w * N_CTX, sizeof window);
            if (has_bos)
                window[0] = 0;
            ask_engine(&engine, window, N_CTX, want);
            for (int32_t i = 0; i < N_SCORED; i++)
                ck_assert_msg(fabs(logprobs[w * N_SCORED + i] - want[N_CTX / 2 + i]) < 1e-5,
                              "window %d, scored token %d: %f, not %f", w, i,
                              logprobs[w * N_SCORED + i], want[N_CTX / 2 + i]);
        }
        free(ids);
        close(fd);
    }
}
END_TEST

/* Chunks, threads and instruction sets change no bit. */
START_TEST(ways_to_compute)
{
    enum { N_CTX = 128, N_SCORED = N_CTX - 1 - N_CTX / 2 };
    static const struct {
        int32_t threads, budget, block_size;
        const char *isa;
    } ways[] = {{1, 512, 16, "best"},
                {3, 37, 8, "best"},
                {2, 1, 32, "avx2"},
                {2, 64, 16, "avx2"},
                {1, 65, 128, "portable"}};
    double first[N_SCORED], logprobs[N_SCORED];

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct shoal_options engine = reference_options();
        engine.weights = "file";
        engine.kv_cache_dtype = "f16";
        engine.threads = ways[i].threads;
        engine.max_num_batched_tokens = ways[i].budget;
        engine.block_size = ways[i].block_size;
        engine.isa = ways[i].isa;
        const struct perplexity_options options = {.engine = &engine,
                                                   .text = text,
                                                   .n_text = sizeof text - 1,
                                                   .n_ctx = N_CTX,
                                                   .n_windows = 1,
                                                   .logprobs = i == 0 ? first : logprobs};
        ck_assert_int_eq(measure(&options).n_scored, N_SCORED);
        ck_assert_msg(i == 0 || memcmp(first, logprobs, sizeof first) == 0, "way %zu", i);
    }
}
END_TEST

START_TEST(comparison)
{
    struct shoal_options engine = reference_options();
    struct perplexity_options options = {
        .engine = &engine, .text = text, .n_text = sizeof text - 1, .n_ctx = 100, .compares = true};
    const struct perplexity_result same = measure(&options);

    /* Float32 is its own reference. */
    ck_assert_double_eq(same.perplexity, same.perplexity_f32);
    ck_assert_double_eq(same.mean_kld, 0);
    ck_assert_double_eq(same.max_kld, 0);
    ck_assert_double_eq(same.same_top, 1);

    static const struct {
        const char *weights, *kv_cache_dtype;
        double least, most; /* mean divergence */
    } kinds[] = {{"file", "f16", 1e-6, 1e-3},
                 {"file", "bf16", 1e-6, 1e-3},
                 {"f32", "q8_0", 1e-7, 1e-3},
                 {"f32", "f16", 1e-12, 1e-5}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        engine.weights = kinds[i].weights;
        engine.kv_cache_dtype = kinds[i].kv_cache_dtype;
        const struct perplexity_result r = measure(&options);
        ck_assert_double_eq(r.perplexity_f32, same.perplexity);
        ck_assert_double_ne(r.perplexity, same.perplexity);
        ck_assert_double_eq_tol(r.perplexity, same.perplexity, 0.01 * same.perplexity);
        ck_assert_msg(r.mean_kld > kinds[i].least && r.mean_kld < kinds[i].most,
                      "%s, %s: mean divergence %g", kinds[i].weights, kinds[i].kv_cache_dtype,
                      r.mean_kld);
        ck_assert_double_gt(r.p999_kld, r.mean_kld);
        ck_assert_double_ge(r.max_kld, r.p999_kld);
        ck_assert_double_gt(r.same_top, 0.95);
        ck_assert_double_le(r.same_top, 1);
    }
}
END_TEST

/* Of letters without sense the next one is uncertain, so that small differences change the best. */
START_TEST(other_best_tokens)
{
    struct shoal_options engine = reference_options();
    struct rng rng = {.state = 1};
    char letters[1200];

    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = "abcdefghijklmnopqrstuvwxyz \n"[rng_below(&rng, 28)];
    engine.weights = "file";
    engine.kv_cache_dtype = "q8_0";
    const struct perplexity_options options = {.engine = &engine,
                                               .text = letters,
                                               .n_text = sizeof letters,
                                               .n_ctx = 256,
                                               .compares = true};
    const struct perplexity_result r = measure(&options);
    ck_assert_double_lt(r.same_top, 1);
    ck_assert_double_gt(r.same_top, 0.9);
}
END_TEST

static void count_call(void *user, int32_t done, int32_t n_windows, double perplexity)
{
    int32_t *n_calls = user;

    ck_assert_int_eq(done, ++*n_calls);
    ck_assert_int_eq(n_windows, 2);
    ck_assert_double_gt(perplexity, 1);
}

START_TEST(as_many_windows_as_asked)
{
    const struct shoal_options engine = reference_options();
    double two[2 * 31], all[8 * 31];
    int32_t n_calls = 0;
    struct perplexity_options options = {.engine = &engine,
                                         .text = text,
                                         .n_text = sizeof text - 1,
                                         .n_ctx = 64,
                                         .n_windows = 2,
                                         .progress = count_call,
                                         .user = &n_calls,
                                         .logprobs = two};
    struct perplexity_result r = measure(&options);

    ck_assert_int_eq(r.n_windows, 2);
    ck_assert_int_eq(r.n_scored, 62);
    ck_assert_int_eq(n_calls, 2);
    options.n_windows = 0;
    options.progress = NULL;
    options.logprobs = all;
    r = measure(&options);
    ck_assert_int_gt(r.n_windows, 2);
    ck_assert_int_eq(memcmp(two, all, sizeof two), 0);
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *model;
        size_t n_text;
        int32_t n_ctx;
        enum shoal_status status;
        const char *words;
    } table[] = {
        {"embedded", sizeof text - 1, 3, SHOAL_E_INVALID, "a window of 3 tokens is too short"},
        {"embedded", sizeof text - 1, 513, SHOAL_E_INVALID,
         "longer than the model's context of 512"},
        {"embedded", 40, 64, SHOAL_E_INVALID, "too few for a window of 64"},
        {"embedded", 0, 4, SHOAL_E_INVALID, "the text has 0 tokens"},
        {"/nowhere.gguf", sizeof text - 1, 64, SHOAL_E_IO, "/nowhere.gguf"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_options engine = reference_options();
        struct perplexity_result r;
        struct shoal_error err = {.text = ""};

        engine.model = table[i].model;
        const struct perplexity_options options = {
            .engine = &engine, .text = text, .n_text = table[i].n_text, .n_ctx = table[i].n_ctx};
        ck_assert_msg(engine_perplexity(&options, &r, &err) == table[i].status, "%zu: %s", i,
                      err.text);
        ck_assert_msg(strstr(err.text, table[i].words) != NULL, "%zu: %s", i, err.text);
    }
}
END_TEST

SUITE("engine/perplexity", reference, windows_are_requests, ways_to_compute, comparison,
      other_best_tokens, as_many_windows_as_asked, refusals)
